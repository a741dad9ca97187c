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

use super::body::{BodyLimits, BodyReader, Piece};
use super::deadlines::{Deadlines, Waiting};
use super::head::Slots;
use super::lines::{FirstLine, Gather, Progress, Rules};
use super::{HeaderSlots, Limits, Trailers, head};
use crate::{BodyFraming, Instant, Refusal, RequestHead};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Idle,
    Head,
    Body,
    Drain,
    Answering,
    Closed,
}

/// What the bytes meant, and how many of them are done with.
#[derive(Debug)]
pub struct Step<'b> {
    /// Bytes at the start of the input that need not be shown again.
    pub consumed: usize,
    /// What they were.
    pub event: Event<'b>,
}

/// What received bytes meant.
#[derive(Debug)]
pub enum Event<'b> {
    /// Nothing yet, or nothing now: the answer to the present request must be complete first.
    NeedMore,
    /// A request. When [`BodyFraming::has_body`] is false it is complete; else `Body` events and `End` follow.
    Request(RequestHead<'b>),
    /// The next bytes of the body, in place.
    Body(&'b [u8]),
    /// The body is complete.
    End {
        /// The trailer fields of a chunked body.
        trailers: Trailers<'b>,
    },
    /// Answer with the refusal's status if no answer has begun, then close. Later bytes are thrown away.
    Refuse(Refusal),
    /// Close without an answer: the request was answered, and the rest of its body is faulty or too large.
    Close(Refusal),
}

/// What follows when an answer is complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// The next request may come, and may be here already.
    KeepAlive,
    /// As `KeepAlive`, after the unread body was received and thrown away, which `handle_bytes` does.
    DrainBody,
    /// Close once the answer is delivered.
    Close,
}

/// What follows when the peer has ended its side and everything received was consumed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndOfInput {
    /// Nothing is under way: close.
    Close,
    /// A request is complete and its answer is still due: answer, then close.
    CloseAfterAnswer,
    /// A message was cut off: count it, answer if no answer has begun, close.
    Refuse(Refusal),
}

/// Which deadline passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timeout {
    /// No request came: close.
    CloseIdle,
    /// Head or body came too slowly: answer 408 if no answer has begun, then close.
    Answer408(Refusal),
    /// The rest of an answered request's body came too slowly: close.
    CloseSlowBody,
    /// The peer takes no bytes of the answer: reset, for nothing more can be told.
    CloseSlowWrite,
}

/// Everything but the gathered bytes, so that a head can borrow those while this moves on.
#[derive(Debug)]
struct Core {
    body: BodyReader,
    deadlines: Deadlines,
    /// Requests begun on this connection.
    requests: u32,
    phase: Phase,
    /// Bytes of empty lines before the request line: CR and LF in turn.
    leading: u8,
    keep_alive: bool,
    expects_continue: bool,
}

/// The machine of one connection: small, with a buffer only while a head or trailer section is incomplete.
pub struct Server {
    gather: Option<Box<Gather>>,
    core: Core,
}

/// RFC 9112 §2.2: at least one empty line before the request line is to be ignored; two are.
const LEADING_BYTES: u8 = 4;

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

    // Input

    /// `at` bytes of `data` are done with.
    #[inline]
    fn read_head<'b>(
        &'b mut self,
        now: Instant,
        limits: &Limits,
        slots: &'b mut HeaderSlots<'b>,
        data: &'b [u8],
        mut at: usize,
    ) -> Step<'b> {
        let HeaderSlots { in_place, gathered } = slots;
        if self.core.phase == Phase::Idle {
            if data.get(at).is_none_or(|byte| matches!(byte, b'\r' | b'\n')) || self.core.leading % 2 == 1 {
                match self.core.skip_empty_lines(&data[at..]) {
                    Ok(skipped) => at += skipped,
                    Err(refusal) => return self.core.refused(data, refusal),
                }
                if at == data.len() {
                    return Step { consumed: at, event: Event::NeedMore };
                }
            }
            if let Some(Ok(head)) = head::parse(limits, in_place, &data[at..])
                && let Ok(()) = self.core.begin_request(now, limits, &head)
            {
                return Step { consumed: at + head.raw_len, event: Event::Request(head) };
            }
            self.core.phase = Phase::Head;
            self.core.deadlines.begin(now);
        }
        self.gather_head(now, limits, gathered, data, at)
    }

    /// A head that is incomplete, or wrong: line by line.
    #[cold]
    fn gather_head<'b>(
        &'b mut self,
        now: Instant,
        limits: &Limits,
        slots: &'b mut Slots<'b>,
        data: &'b [u8],
        at: usize,
    ) -> Step<'b> {
        let rules = Rules {
            first_line: FirstLine::Request,
            first_line_bytes: limits.request_line_bytes,
            field_bytes: limits.header_bytes,
            field_count: limits.header_count.min(Limits::MAX_HEADER_COUNT),
            too_many_bytes: Refusal::HeaderBytes,
        };
        let gather = self.gather.get_or_insert_default();
        let (used, progress) = gather.feed(&rules, &data[at..]);
        let consumed = at + used;
        match progress {
            Progress::More => return Step { consumed, event: Event::NeedMore },
            Progress::Refused(refusal) => return self.core.refused(data, refusal),
            Progress::Complete => {}
        }
        let parsed = head::parse(limits, slots, gather.bytes());
        // Every line was checked, so the head parses; if it did not, its request line would be to blame.
        let checked = parsed.unwrap_or(Err(Refusal::BadRequestLine)).and_then(|head| {
            self.core.begin_request(now, limits, &head)?;
            Ok(head)
        });
        match checked {
            Ok(head) => Step { consumed, event: Event::Request(head) },
            Err(refusal) => self.core.refused(data, refusal),
        }
    }

    fn read_body<'b>(&'b mut self, now: Instant, limits: &Limits, data: &'b [u8]) -> Step<'b> {
        let core = &mut self.core;
        if !core.body.in_trailers() {
            self.gather = None; // the head's, if it was gathered
        }
        if !data.is_empty() {
            core.expects_continue = false;
            core.deadlines.progress(now);
        }
        let (consumed, piece) = core.body.read(&core.body_limits(limits), &mut self.gather, data);
        let event = match piece {
            Piece::More => Event::NeedMore,
            Piece::Data(length) => Event::Body(&data[consumed - length..consumed]),
            Piece::End => {
                core.phase = Phase::Answering;
                let section = self.gather.as_ref().map_or(&[][..], |gather| gather.bytes());
                Event::End { trailers: Trailers::new(section) }
            }
            Piece::Refused(refusal) => return core.refused(data, refusal),
        };
        Step { consumed, event }
    }

    /// Throws the rest of an answered request's body away, then goes on with the next head.
    #[cold]
    fn drain<'b>(
        &'b mut self,
        now: Instant,
        limits: &Limits,
        slots: &'b mut HeaderSlots<'b>,
        data: &'b [u8],
    ) -> Step<'b> {
        let core = &mut self.core;
        if !core.body.in_trailers() {
            self.gather = None;
        }
        if !data.is_empty() {
            core.deadlines.progress(now);
        }
        let body_limits = BodyLimits { body_bytes: limits.drain_bytes, ..core.body_limits(limits) };
        let mut at = 0;
        loop {
            let (used, piece) = core.body.read(&body_limits, &mut self.gather, &data[at..]);
            at += used;
            match piece {
                Piece::Data(_) => {}
                Piece::More => return Step { consumed: at, event: Event::NeedMore },
                Piece::End => break,
                Piece::Refused(refusal) => {
                    core.close();
                    let refusal = if refusal == Refusal::BodyBytes { Refusal::DrainBytes } else { refusal };
                    return Step { consumed: data.len(), event: Event::Close(refusal) };
                }
            }
        }
        self.gather = None;
        core.await_request(now);
        self.read_head(now, limits, slots, data, at)
    }
}

impl Core {
    fn waiting(&self) -> Waiting {
        match self.phase {
            Phase::Idle => Waiting::Idle,
            Phase::Head => Waiting::Head,
            Phase::Body | Phase::Drain => Waiting::Body { received: self.body.received() },
            Phase::Answering | Phase::Closed => Waiting::Nothing,
        }
    }

    #[inline]
    fn persistent(&self, limits: &Limits) -> bool {
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

    fn body_limits(&self, limits: &Limits) -> BodyLimits {
        BodyLimits {
            body_bytes: limits.body_bytes,
            chunk_extension_bytes: limits.chunk_extension_bytes,
            trailer_bytes: limits.trailer_bytes,
            trailer_count: limits.header_count,
        }
    }

    /// A well-formed head is here.
    #[inline]
    fn begin_request(&mut self, now: Instant, limits: &Limits, head: &RequestHead<'_>) -> Result<(), Refusal> {
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
        Ok(())
    }

    fn await_request(&mut self, now: Instant) {
        self.phase = Phase::Idle;
        self.leading = 0;
        self.expects_continue = false;
        self.deadlines.begin(now);
    }

    /// Skips the few empty lines that old clients send after a body. The idle deadline goes on.
    #[cold]
    fn skip_empty_lines(&mut self, data: &[u8]) -> Result<usize, Refusal> {
        for (at, &byte) in data.iter().enumerate() {
            match (self.leading % 2, byte) {
                (0, b'\n') => return Err(Refusal::BareLf),
                (0, b'\r') if self.leading == LEADING_BYTES => return Err(Refusal::LeadingEmptyLines),
                (0, b'\r') | (1, b'\n') => self.leading += 1,
                (0, _) => return Ok(at),
                (_, _) => return Err(Refusal::BareCr),
            }
        }
        Ok(data.len())
    }

    fn close(&mut self) {
        self.phase = Phase::Closed;
        self.keep_alive = false;
        self.expects_continue = false;
    }

    fn refuse(&mut self, refusal: Refusal) -> Refusal {
        self.close();
        refusal
    }

    #[cold]
    fn refused<'b>(&mut self, data: &[u8], refusal: Refusal) -> Step<'b> {
        Step { consumed: data.len(), event: Event::Refuse(self.refuse(refusal)) }
    }
}

impl core::fmt::Debug for Server {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let gathered = self.gather.as_ref().map_or(0, |gather| gather.bytes().len());
        f.debug_struct("Server").field("gathered", &gathered).field("core", &self.core).finish()
    }
}

#[cfg(test)]
mod tests;
