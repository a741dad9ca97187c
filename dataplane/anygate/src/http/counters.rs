//! What the HTTP service counts.

use actions::ReasonCounters;
use proto::RefusalCounters;

netstack::counters! {
    /// Events of the HTTP service. Refusals have tables of their own: those of
    /// malformed messages in `proto`, those of requests without an answer from a rule in `actions`.
    pub enum HttpCounter / HttpCounts {
        Connections = "connections", "Connections accepted.";
        Requests = "requests", "Requests whose head was complete and well-formed.";
        Answers2xx = "answers_2xx", "Answers with a status from 200 to 299.";
        Answers3xx = "answers_3xx", "Answers with a status from 300 to 399.";
        Answers4xx = "answers_4xx", "Answers with a status from 400 to 499, those to refused messages included.";
        Answers5xx = "answers_5xx", "Answers with a status from 500 to 599, those to refused messages included.";
        Continues = "continues", "Interim answers 100 Continue.";
        BodyBytes = "body_bytes", "Bytes of request bodies received.";
        SendBlocked = "send_blocked", "Answers that waited because the send buffer of their connection was full.";
        IdleClosed = "idle_closed", "Connections closed after the idle time without a request.";
        DrainClosed = "drain_closed", "Idle connections closed by a drain.";
        RefuseConnectionLimit = "refuse_connection_limit", "Connections refused because the worker held as many as it may.";
        ResetSlowBody = "reset_slow_body", "Connections reset because a body came too slowly to be answered.";
        ResetSlowReader = "reset_slow_reader", "Connections reset because the peer took nothing of its answers for the write time.";
        ResetDrainDeadline = "reset_drain_deadline", "Connections reset because a drain's time was over.";
    }
}

/// Everything that the HTTP service counts.
#[derive(Clone, Debug, Default)]
pub struct HttpCounters {
    /// Events.
    pub events: HttpCounts,
    /// Messages refused by the parser.
    pub refusals: RefusalCounters,
    /// Requests that no rule answered.
    pub reasons: ReasonCounters,
}
