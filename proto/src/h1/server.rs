//! The server's side of one HTTP/1 connection.
//!
//! Order of calls: [`Server::handle_bytes`] again and again with what was received, until it says
//! [`Event::NeedMore`]; each call's `consumed` bytes are done with. After [`Event::Request`] the caller answers: it asks
//! [`Server::persistent`] which Connection header to write, queues the answer, and says [`Server::response_sent`]; only
//! then is the next pipelined request parsed. [`Server::poll_timeout`] says when to call [`Server::handle_timeout`].
//!
//! ```text
//!              bytes              complete, no body
//!   ┌─▶ Idle ────────▶ Head ────────────────────────▶ Answering ── response_sent ─┐
//!   │                   │ with a body                     ▲                       │
//!   │                   └──────▶ Body ────────────────────┘ end of the body       │
//!   │                             │ response_sent                                 │
//!   │                             ▼                                               │
//!   └───── end of the body ──── Drain                                             │
//!   └──────────────────────────────────────── the connection persists ────────────┤
//!   Closed ◀── refusal, timeout, end of input, or no persistence ─────────────────┘
//! ```

mod connection;
mod event;
mod input;

use core::fmt;

use self::connection::{Core, Phase};
use super::body::BodyReader;
use super::deadlines::{Deadlines, Waiting};
use super::lines::Gather;
use super::{HeaderSlots, Limits};
use crate::{Instant, Refusal};

pub use event::{After, EndOfInput, Event, Step, Timeout};

/// The machine of one connection: small, with a buffer only while a head or trailer section is incomplete.
pub struct Server {
    gather: Option<Box<Gather>>,
    core: Core,
}

impl Server {
    /// The machine of a connection that was accepted at `now`.
    pub fn new(now: Instant) -> Server {
        let core = Core {
            body: BodyReader::DONE,
            deadlines: Deadlines::new(now),
            requests: 0,
            phase: Phase::Idle,
            leading: 0,
            keep_alive: true,
            expects_continue: false,
        };
        Server { gather: None, core }
    }

    // Getters

    /// May the next pipelined request be parsed now? Not before the present one is answered.
    #[inline]
    pub fn wants_next(&self) -> bool {
        matches!(self.core.phase, Phase::Idle | Phase::Head | Phase::Drain)
    }

    /// Does `handle_bytes` take bytes now? Not between the end of a request and its answer.
    #[inline]
    pub fn wants_bytes(&self) -> bool {
        self.core.phase != Phase::Answering
    }

    /// Is the body of the present request still to come?
    #[inline]
    pub fn in_body(&self) -> bool {
        self.core.phase == Phase::Body
    }

    /// Is the connection between requests, with not a byte of the next?
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.core.phase == Phase::Idle
    }

    /// Is this machine at its end?
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.core.phase == Phase::Closed
    }

    /// Should `100 Continue` be sent when the application wants the body? Not when part of it is here (RFC 9110 §10.1.1).
    #[inline]
    pub fn continue_needed(&self) -> bool {
        self.core.expects_continue
    }

    /// Will the connection persist if the answer ends now? To be asked before the head of the answer is written.
    #[inline]
    pub fn persistent(&self, limits: &Limits) -> bool {
        self.core.persistent(limits)
    }

    /// Requests begun on this connection.
    #[inline]
    pub fn requests(&self) -> u32 {
        self.core.requests
    }

    // Handlers

    /// Takes the next contiguous received bytes up to the next event. Heads that are complete in `data` are parsed where
    /// they lie. While [`Server::in_body`], call it until it says [`Event::NeedMore`] even when nothing is left of
    /// `data`: the end of the body is an event of its own.
    #[inline]
    pub fn handle_bytes<'b>(
        &'b mut self,
        now: Instant,
        limits: &Limits,
        slots: &'b mut HeaderSlots<'b>,
        data: &'b [u8],
    ) -> Step<'b> {
        match self.core.phase {
            Phase::Idle | Phase::Head => self.read_head(now, limits, slots, data, 0),
            Phase::Body => self.read_body(now, limits, data),
            Phase::Drain => self.drain(now, limits, slots, data),
            Phase::Answering => Step { consumed: 0, event: Event::NeedMore },
            Phase::Closed => Step { consumed: data.len(), event: Event::NeedMore },
        }
    }

    /// The peer has ended its side. To be called when every received byte was consumed.
    pub fn handle_eof(&mut self) -> EndOfInput {
        match self.core.phase {
            Phase::Idle | Phase::Drain | Phase::Closed => {
                self.core.phase = Phase::Closed;
                EndOfInput::Close
            }
            Phase::Answering => {
                self.core.keep_alive = false;
                EndOfInput::CloseAfterAnswer
            }
            // RFC 9112 §8: a message that ends early is incomplete, and may be answered before closing.
            Phase::Head => EndOfInput::Refuse(self.core.refuse(Refusal::EndInHead)),
            Phase::Body => EndOfInput::Refuse(self.core.refuse(Refusal::EndInBody)),
        }
    }

    /// To be called when the time of [`Server::poll_timeout`] has come; early calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant, limits: &Limits) -> Option<Timeout> {
        let core = &mut self.core;
        if core.deadlines.write(limits).is_some_and(|at| at <= now) {
            core.close();
            core.deadlines.write_idle(now, Waiting::Nothing);
            return Some(Timeout::CloseSlowWrite);
        }
        core.deadlines.read(limits, core.waiting()).filter(|&at| at <= now)?;
        let timeout = match core.phase {
            Phase::Head => Timeout::Answer408(Refusal::HeadTimeout),
            Phase::Body => Timeout::Answer408(Refusal::BodyTimeout),
            Phase::Drain => Timeout::CloseSlowBody,
            Phase::Idle | Phase::Answering | Phase::Closed => Timeout::CloseIdle,
        };
        core.close();
        Some(timeout)
    }

    // Commands

    /// `100 Continue` was queued.
    #[inline]
    pub fn continue_sent(&mut self) {
        self.core.expects_continue = false;
    }

    /// The whole answer to the present request was queued. `close`: it said `Connection: close`, or ends with the
    /// connection.
    #[inline]
    pub fn response_sent(&mut self, now: Instant, limits: &Limits, close: bool) -> After {
        let core = &mut self.core;
        if close || !core.persistent(limits) {
            core.close();
            return After::Close;
        }
        core.deadlines.begin(now);
        if core.phase == Phase::Body {
            core.phase = Phase::Drain;
            core.body.restart_count();
            return After::DrainBody;
        }
        self.gather = None;
        self.core.await_request(now);
        After::KeepAlive
    }

    /// The connection ends, for a reason of the caller's.
    pub fn close(&mut self) {
        self.core.close();
    }

    /// The application takes no more body bytes for now (backpressure): the body deadline stands still.
    pub fn pause_body(&mut self, now: Instant) {
        self.core.deadlines.pause(now);
    }

    /// The application takes body bytes again.
    pub fn resume_body(&mut self, now: Instant) {
        self.core.deadlines.resume(now);
    }

    /// Bytes of an answer are queued, and the peer has just taken some (or the first were just queued).
    #[inline]
    pub fn write_progress(&mut self, now: Instant) {
        self.core.deadlines.write_progress(now);
    }

    /// Nothing of an answer is queued any more.
    #[inline]
    pub fn write_idle(&mut self, now: Instant) {
        let waiting = self.core.waiting();
        self.core.deadlines.write_idle(now, waiting);
    }

    // Polls

    /// When to call [`Server::handle_timeout`]; to be asked again after any other call.
    #[inline]
    pub fn poll_timeout(&self, limits: &Limits) -> Option<Instant> {
        let read = self.core.deadlines.read(limits, self.core.waiting());
        match (read, self.core.deadlines.write(limits)) {
            (Some(read), Some(write)) => Some(read.min(write)),
            (read, write) => read.or(write),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gathered = self.gather.as_ref().map_or(0, |gather| gather.bytes().len());
        f.debug_struct("Server").field("gathered", &gathered).field("core", &self.core).finish()
    }
}

#[cfg(test)]
mod tests;
