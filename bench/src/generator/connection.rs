//! One connection that carries load.

use netstack::Instant;
use netstack::tcp::ConnId;
use proto::h1::client::{ResponseEvent, ResponseLimits};
use proto::h1::{HeaderSlots, ResponseReader};

/// What the connection is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// No connection.
    Closed,
    /// The handshake is under way.
    Opening,
    /// Open, nothing asked.
    Standing,
    /// A request is out.
    Waiting,
}

/// What the bytes taken so far amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The answer is not complete.
    More,
    /// One whole answer.
    Complete,
    /// Not the answer that was expected; the name of the fault.
    Bad(&'static str),
}

const OK: &[u8] = b"HTTP/1.1 200 ";

/// A connection and the answer that it waits for.
pub struct Active {
    conn: Option<ConnId>,
    phase: Phase,
    since: Instant,
    /// Length of an answer once one has been parsed.
    learned: Option<usize>,
    got: usize,
    strict: Option<Box<ResponseReader>>,
}

impl Active {
    pub fn new() -> Active {
        Active { conn: None, phase: Phase::Closed, since: Instant::ZERO, learned: None, got: 0, strict: None }
    }

    pub fn conn(&self) -> Option<ConnId> {
        self.conn
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn since(&self) -> Instant {
        self.since
    }

    pub fn opening(&mut self, conn: ConnId, now: Instant) {
        *self =
            Active { conn: Some(conn), phase: Phase::Opening, since: now, learned: self.learned, got: 0, strict: None };
    }

    pub fn standing(&mut self) {
        self.phase = Phase::Standing;
    }

    pub fn closed(&mut self) {
        self.phase = Phase::Closed;
        self.conn = None;
    }

    pub fn waiting(&mut self, since: Instant) {
        self.phase = Phase::Waiting;
        self.since = since;
        self.got = 0;
        if self.learned.is_none() {
            let mut reader = ResponseReader::new();
            reader.request_sent(proto::Method::Get);
            self.strict = Some(Box::new(reader));
        }
    }

    /// Takes received bytes; how many are done with, and what they amount to.
    pub fn take(&mut self, data: &[u8]) -> (usize, Verdict) {
        let Some(len) = self.learned else { return self.take_strictly(data) };
        if self.got < OK.len() {
            let wanted = &OK[self.got..OK.len().min(self.got + data.len())];
            if !data.starts_with(wanted) {
                return (0, Verdict::Bad("unexpected_status"));
            }
        }
        let taken = data.len().min(len - self.got);
        self.got += taken;
        (taken, if self.got == len { Verdict::Complete } else { Verdict::More })
    }

    fn take_strictly(&mut self, data: &[u8]) -> (usize, Verdict) {
        let Some(reader) = self.strict.as_mut() else { return (0, Verdict::Bad("answer_without_request")) };
        let limits = ResponseLimits::default();
        let mut taken = 0;
        loop {
            let mut slots = HeaderSlots::new();
            let step = reader.handle_bytes(&limits, &mut slots, &data[taken..]);
            taken += step.consumed;
            self.got += step.consumed;
            match step.event {
                ResponseEvent::NeedMore => return (taken, Verdict::More),
                ResponseEvent::Response(head) if head.status.code() != 200 => {
                    return (taken, Verdict::Bad("unexpected_status"));
                }
                ResponseEvent::Interim(_) | ResponseEvent::Response(_) | ResponseEvent::Body(_) => {}
                ResponseEvent::End { .. } => {
                    self.learned = Some(self.got);
                    self.strict = None;
                    return (taken, Verdict::Complete);
                }
                ResponseEvent::Failed(_) => return (taken, Verdict::Bad("malformed_answer")),
            }
        }
    }
}
