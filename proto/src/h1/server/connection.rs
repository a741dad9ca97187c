//! The small state of a server connection, and its transitions.

use super::super::Limits;
use super::super::body::{BodyLimits, BodyReader};
use super::super::deadlines::{Deadlines, Waiting};
use super::event::{Event, Step};
use crate::{BodyFraming, Instant, Refusal, RequestHead};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Idle,
    Head,
    Body,
    Drain,
    Answering,
    Closed,
}

/// Everything but the gathered bytes, so that a head can borrow those while this moves on.
#[derive(Debug)]
pub(super) struct Core {
    pub body: BodyReader,
    pub deadlines: Deadlines,
    /// Requests begun on this connection.
    pub requests: u32,
    pub phase: Phase,
    /// Bytes of empty lines before the request line: CR and LF in turn.
    pub leading: u8,
    pub keep_alive: bool,
    pub expects_continue: bool,
}

/// RFC 9112 §2.2: at least one empty line before the request line is to be ignored; two are.
const LEADING_BYTES: u8 = 4;

impl Core {
    pub fn waiting(&self) -> Waiting {
        match self.phase {
            Phase::Idle => Waiting::Idle,
            Phase::Head => Waiting::Head,
            Phase::Body | Phase::Drain => Waiting::Body { received: self.body.received() },
            Phase::Answering | Phase::Closed => Waiting::Nothing,
        }
    }

    #[inline]
    pub fn persistent(&self, limits: &Limits) -> bool {
        let more = limits.requests_per_connection == 0 || self.requests < limits.requests_per_connection;
        self.keep_alive
            && more
            && match self.phase {
                Phase::Answering => true,
                // RFC 9110 §10.1.1: without 100 the client may or may not send the body, so that the next bytes could be
                // either; RFC 9112 §9.3: else the body is read to its end, or the connection closed.
                Phase::Body => !self.expects_continue && self.body.left().is_none_or(|left| left <= limits.drain_bytes),
                _ => false,
            }
    }

    pub fn body_limits(&self, limits: &Limits) -> BodyLimits {
        BodyLimits {
            body_bytes: limits.body_bytes,
            chunk_extension_bytes: limits.chunk_extension_bytes,
            trailer_bytes: limits.trailer_bytes,
            trailer_count: limits.header_count,
        }
    }

    /// A well-formed head is here. What it says of persistence becomes what this side makes of it.
    #[inline]
    pub fn begin_request(&mut self, now: Instant, limits: &Limits, head: &mut RequestHead<'_>) -> Result<(), Refusal> {
        if let BodyFraming::Length(length) = head.framing
            && length > limits.body_bytes
        {
            // RFC 9110 §15.5.14
            return Err(Refusal::BodyBytes);
        }
        self.requests = self.requests.saturating_add(1);
        self.keep_alive = head.keep_alive;
        self.phase = Phase::Answering;
        if head.framing.has_body() {
            self.phase = Phase::Body;
            self.expects_continue = head.expect_continue;
            self.body = BodyReader::new(head.framing);
            self.deadlines.begin(now);
        }
        head.keep_alive = self.persistent(limits);
        Ok(())
    }

    pub fn await_request(&mut self, now: Instant) {
        self.phase = Phase::Idle;
        self.leading = 0;
        self.expects_continue = false;
        self.deadlines.begin(now);
    }

    /// Skips the few empty lines that old clients send after a body. The idle deadline goes on.
    #[cold]
    pub fn skip_empty_lines(&mut self, data: &[u8]) -> Result<usize, Refusal> {
        for (at, &byte) in data.iter().enumerate() {
            match (self.leading % 2, byte) {
                (0, b'\n') => return Err(Refusal::BareLf),
                (0, b'\r') if self.leading == LEADING_BYTES => {
                    return Err(Refusal::LeadingEmptyLines);
                }
                (0, b'\r') | (1, b'\n') => self.leading += 1,
                (0, _) => return Ok(at),
                (_, _) => return Err(Refusal::BareCr),
            }
        }
        Ok(data.len())
    }

    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.keep_alive = false;
        self.expects_continue = false;
    }

    pub fn refuse(&mut self, refusal: Refusal) -> Refusal {
        self.close();
        refusal
    }

    #[cold]
    pub fn refused<'b>(&mut self, data: &[u8], refusal: Refusal) -> Step<'b> {
        Step { consumed: data.len(), event: Event::Refuse(self.refuse(refusal)) }
    }
}
