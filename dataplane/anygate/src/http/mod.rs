//! The HTTP service of one worker: connections of the stack on one side, routes and actions on the other.
//!
//! ```text
//!   TcpEvent ─▶ handle_event ─▶ take_chunk ─▶ h1::Server ─▶ Request ─▶ Responder (route, action) ─▶ Bytes ─▶ Stack::send
//!                                                        └▶ Body, End ─▶ echo
//! ```
//!
//! Like the machines it composes it reads no clock: `now` is an argument, the date is set from outside. A request with
//! an immediate answer is parsed in the receive frame, and its answer queued by reference, in the same pass.

mod connection;
mod counters;
mod respond;

pub use counters::{HttpCounter, HttpCounters, HttpCounts};

use crate::snapshot::{Current, Reader};
use bytes::Bytes;
use connection::{HttpConn, Unsent};
use netstack::slab::Slab;
use netstack::tcp::{ConnId, Ready, RecvChunk, SendError, TcpEvent};
use netstack::wheel::TimerWheel;
use netstack::{Instant, Stack};
use crate::snapshot::Snapshot;
use proto::Refusal;
use proto::h1::encode::CONTINUE;
use proto::h1::{self, After, EndOfInput, Event, HeaderSlots, Timeout};
use respond::{Decision, EchoInProgress, Responder};
use std::time::Duration;

/// Granularity of HTTP's deadlines.
const TICK: Duration = Duration::from_millis(4);
/// Connections that a drain looks at in one turn.
const DRAIN_STEP: usize = 512;

/// The service.
#[derive(Debug)]
pub struct HttpService {
    conns: Slab<HttpConn>,
    wheel: TimerWheel,
    snapshot: Reader,
    responder: Responder,
    counters: HttpCounters,
    /// Where the drain has come to in the slab; `None` without a drain.
    drain_from: Option<usize>,
}

/// Bytes to be parsed: as they arrived, or kept from an earlier turn.
enum Input {
    Fresh(RecvChunk),
    Kept(Bytes),
}

impl Input {
    fn bytes(&self) -> &[u8] {
        match self {
            Input::Fresh(chunk) => chunk,
            Input::Kept(bytes) => bytes,
        }
    }
}

/// What to do with a connection after a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// Read on.
    Continue,
    /// Stop reading: blocked, closing, or gone.
    Stop,
}

fn proto_time(now: Instant) -> proto::Instant {
    proto::Instant::from_nanos(now.as_nanos())
}

fn stack_time(at: proto::Instant) -> Instant {
    Instant::from_nanos(at.as_nanos())
}

impl HttpService {
    /// A service without connections.
    pub fn new(current: Current, now: Instant, unix_seconds: u64) -> HttpService {
        let snapshot = current.reader();
        HttpService {
            conns: Slab::default(),
            wheel: TimerWheel::new(now, TICK),
            responder: Responder::new(snapshot.snapshot(), unix_seconds),
            snapshot,
            counters: HttpCounters::default(),
            drain_from: None,
        }
    }

    /// What was counted.
    pub fn counters(&self) -> &HttpCounters {
        &self.counters
    }

    /// Connections held.
    pub fn connection_count(&self) -> usize {
        self.conns.len()
    }

    /// True without a connection.
    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// Generation of the snapshot that new requests see.
    pub fn generation(&self) -> u64 {
        self.snapshot.snapshot().generation
    }

    /// Sets the date that answers carry, in seconds since 1970.
    pub fn set_date(&mut self, unix_seconds: u64) {
        self.responder.set_date(unix_seconds);
    }

    /// Looks for a newer snapshot; requests that have begun keep theirs. True when there was one.
    pub fn pick_up_snapshot(&mut self) -> bool {
        let newer = self.snapshot.refresh();
        if newer {
            self.responder.follow(self.snapshot.snapshot());
        }
        newer
    }

    /// From now on connections end with their present answers; idle ones end at once.
    pub fn start_drain(&mut self) {
        self.drain_from = Some(0);
    }

    /// Resets every connection (the end of a drain).
    pub fn abort_all(&mut self, now: Instant, stack: &mut Stack) {
        let all: Vec<ConnId> = self.conns.iter_from(0).map(|(_, http)| http.conn).collect();
        for conn in all {
            self.counters.events.bump(HttpCounter::ResetDrainDeadline);
            stack.abort(now, conn);
        }
        self.conns = Slab::default();
    }

    /// Reacts to an event of the stack.
    pub fn handle_event(&mut self, now: Instant, stack: &mut Stack, event: &TcpEvent) {
        if event.ready.contains(Ready::ENDED) {
            return self.forget(event);
        }
        let slot = match event.ready.contains(Ready::ACCEPTED) {
            true => match self.accept(now, stack, event.conn) {
                Some(slot) => slot,
                None => return,
            },
            false => event.token,
        };
        if self.conns.at(slot).is_none_or(|http| http.conn != event.conn) {
            return;
        }
        if event.ready.contains(Ready::WRITABLE) {
            self.send_unsent(now, stack, slot);
        }
        if event.ready.contains(Ready::PEER_CLOSED)
            && let Some(http) = self.conns.at_mut(slot)
        {
            http.peer_closed = true;
        }
        self.read(now, stack, slot);
        self.arm(slot);
    }

    /// Ends connections whose deadlines have passed, and goes on with a drain.
    pub fn handle_timeouts(&mut self, now: Instant, stack: &mut Stack) {
        while let Some(slot) = self.wheel.poll_expired(now) {
            self.handle_timeout(now, stack, slot);
        }
        if self.drain_from.is_some_and(|from| from < self.conns.slots()) {
            self.drain_some(now, stack);
        }
    }

    /// When [`HttpService::handle_timeouts`] is needed next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }

    fn accept(&mut self, now: Instant, stack: &mut Stack, conn: ConnId) -> Option<u32> {
        let snapshot = self.snapshot.snapshot();
        if self.conns.len() >= snapshot.max_connections {
            self.counters.events.bump(HttpCounter::RefuseConnectionLimit);
            stack.abort(now, conn);
            return None;
        }
        self.counters.events.bump(HttpCounter::Connections);
        let machine = h1::Server::new(proto_time(now));
        let slot = self.conns.insert(HttpConn::new(conn, machine)).index;
        stack.set_token(conn, slot);
        Some(slot)
    }

    fn forget(&mut self, event: &TcpEvent) {
        if self.conns.at(event.token).is_some_and(|http| http.conn == event.conn)
            && let Some(key) = self.conns.key_at(event.token)
        {
            self.conns.remove(key);
            self.wheel.cancel(event.token);
        }
    }

    /// Reads what has arrived, request by request, until nothing is left or an answer has to wait.
    fn read(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        loop {
            let Some(http) = self.conns.at_mut(slot) else { return };
            if http.is_blocked() {
                if http.closing {
                    // What still comes is not for us: the window stays open so that the peer can finish.
                    while stack.take_chunk(http.conn).is_some() {}
                }
                return;
            }
            let kept = http.pending.as_mut().map(|pending| std::mem::take(&mut pending.unread)).unwrap_or_default();
            let input = if kept.is_empty() {
                match stack.take_chunk(http.conn) {
                    Some(chunk) => Input::Fresh(chunk),
                    None => break,
                }
            } else {
                Input::Kept(kept)
            };
            self.parse(now, stack, slot, &input);
        }
        self.end_of_input(now, stack, slot);
    }

    /// Feeds `input` to the machine; what is left over when an answer has to wait is kept.
    fn parse(&mut self, now: Instant, stack: &mut Stack, slot: u32, input: &Input) {
        let bytes = input.bytes();
        let mut at = 0;
        // The end of a body is an event of its own, also when the body ends with these bytes.
        while at < bytes.len() || self.conns.at(slot).is_some_and(|http| http.machine.in_body()) {
            let (consumed, next) = self.step(now, stack, slot, &bytes[at..]);
            at += consumed;
            if next == Next::Stop {
                break;
            }
        }
        let Some(http) = self.conns.at_mut(slot) else { return };
        if at < bytes.len() && !http.closing {
            let rest = match input {
                Input::Fresh(_) => Bytes::copy_from_slice(&bytes[at..]),
                Input::Kept(kept) => kept.slice(at..),
            };
            http.pending_mut().unread = rest;
        }
    }

    /// One event of the machine. Returns how many bytes are done with.
    fn step(&mut self, now: Instant, stack: &mut Stack, slot: u32, data: &[u8]) -> (usize, Next) {
        let Some(http) = self.conns.at_mut(slot) else { return (data.len(), Next::Stop) };
        let snapshot = self.snapshot.snapshot();
        let mut slots = HeaderSlots::new();
        let step = http.machine.handle_bytes(proto_time(now), &snapshot.limits, &mut slots, data);
        let consumed = step.consumed;
        let next = match step.event {
            Event::NeedMore if consumed == 0 => Next::Stop,
            Event::NeedMore => Next::Continue,
            Event::Request(head) => {
                self.counters.events.bump(HttpCounter::Requests);
                let keep = head.keep_alive && self.drain_from.is_none();
                let peer = stack.remote(http.conn);
                match self.responder.decide(snapshot, &head, peer, keep, &mut self.counters.events) {
                    Decision::Answer(bytes) => self.send(now, stack, slot, bytes, keep),
                    Decision::AwaitBody(echo) => self.await_body(stack, slot, echo),
                }
            }
            Event::Body(part) => {
                self.counters.events.add(HttpCounter::BodyBytes, part.len() as u64);
                if let Some((echo, _)) = http.pending.as_mut().and_then(|pending| pending.echo.as_mut()) {
                    echo.collect(part);
                }
                Next::Continue
            }
            Event::End { .. } => match http.pending.as_mut().and_then(|pending| pending.echo.take()) {
                Some((echo, begun_with)) => self.finish(now, stack, slot, echo, &begun_with),
                None => Next::Continue,
            },
            Event::Refuse(refusal) => {
                self.refuse(now, stack, slot, refusal);
                Next::Stop
            }
            Event::Close(refusal) => {
                self.counters.refusals.bump(refusal);
                self.close(now, stack, slot);
                Next::Stop
            }
        };
        (consumed, next)
    }

    /// Waits for the body of a request that is to be echoed.
    fn await_body(&mut self, stack: &mut Stack, slot: u32, echo: EchoInProgress) -> Next {
        let snapshot = self.snapshot.snapshot().clone();
        let Some(http) = self.conns.at_mut(slot) else { return Next::Stop };
        http.pending_mut().echo = Some((echo, snapshot));
        // RFC 9110 §10.1.1: the client waits for the interim answer, but not for ever; when the send buffer has no
        // room for it, it just waits.
        if http.machine.continue_needed() && stack.send(http.conn, Bytes::from_static(CONTINUE)).is_ok() {
            http.machine.continue_sent();
            self.counters.events.bump(HttpCounter::Continues);
        }
        Next::Continue
    }

    /// Answers an echo whose request is complete, by the snapshot that it began with.
    fn finish(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        slot: u32,
        echo: EchoInProgress,
        begun_with: &Snapshot,
    ) -> Next {
        let Some(http) = self.conns.at_mut(slot) else { return Next::Stop };
        let keep = self.drain_from.is_none() && http.machine.persistent(&begun_with.limits);
        let bytes = self.responder.finish(echo, keep, &mut self.counters.events);
        let next = self.send(now, stack, slot, bytes, keep);
        if let Some(http) = self.conns.at_mut(slot) {
            http.settle();
        }
        next
    }

    /// Queues a complete answer; `keep`: the connection persists.
    fn send(&mut self, now: Instant, stack: &mut Stack, slot: u32, bytes: Bytes, keep: bool) -> Next {
        let Some(http) = self.conns.at_mut(slot) else { return Next::Stop };
        // Kept for later only when there may be no room: most answers are not cloned.
        let kept = (stack.send_room(http.conn) < bytes.len()).then(|| bytes.clone());
        match (stack.send(http.conn, bytes), kept) {
            (Ok(()), _) => self.answered(now, stack, slot, keep),
            (Err(SendError::Full), Some(bytes)) => {
                self.counters.events.bump(HttpCounter::SendBlocked);
                http.machine.write_progress(proto_time(now));
                http.write_mark = stack.send_queued(http.conn);
                http.pending_mut().unsent = Some(Unsent { bytes, keep });
                Next::Stop
            }
            (Err(_), _) => {
                http.closing = true;
                Next::Stop
            }
        }
    }

    /// An answer has been queued whole: read on, or end the connection.
    fn answered(&mut self, now: Instant, stack: &mut Stack, slot: u32, keep: bool) -> Next {
        let Some(http) = self.conns.at_mut(slot) else { return Next::Stop };
        match http.machine.response_sent(proto_time(now), &self.snapshot.snapshot().limits, !keep) {
            After::KeepAlive | After::DrainBody => Next::Continue,
            After::Close => {
                self.close(now, stack, slot);
                Next::Stop
            }
        }
    }

    fn send_unsent(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        let Some(http) = self.conns.at_mut(slot) else { return };
        let Some(unsent) = http.pending.as_mut().and_then(|pending| pending.unsent.take()) else { return };
        http.machine.write_idle(proto_time(now));
        self.send(now, stack, slot, unsent.bytes, unsent.keep);
        if let Some(http) = self.conns.at_mut(slot) {
            http.settle();
        }
    }

    fn refuse(&mut self, now: Instant, stack: &mut Stack, slot: u32, refusal: Refusal) {
        self.counters.refusals.bump(refusal);
        let Some(http) = self.conns.at_mut(slot) else { return };
        http.pending = None;
        let bytes = self.responder.refusal(refusal, &mut self.counters.events);
        // A connection on which nothing can be sent any more is closed all the same.
        let _ = stack.send(http.conn, bytes);
        self.close(now, stack, slot);
    }

    /// Ends the connection after what is queued, within the write time.
    fn close(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        if let Some(http) = self.conns.at_mut(slot) {
            http.closing = true;
            http.machine.close();
            http.machine.write_progress(proto_time(now));
            stack.close(now, http.conn);
            http.write_mark = stack.send_queued(http.conn);
        }
    }

    fn end_of_input(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        let Some(http) = self.conns.at_mut(slot) else { return };
        if !http.peer_closed || http.closing || !stack.recv_finished(http.conn) {
            return;
        }
        match http.machine.handle_eof() {
            EndOfInput::Close => self.close(now, stack, slot),
            EndOfInput::CloseAfterAnswer => {}
            EndOfInput::Refuse(refusal) => self.refuse(now, stack, slot, refusal),
        }
    }

    /// Puts the connection's deadline on the wheel. A deadline that moves later costs nothing until the old one fires.
    fn arm(&mut self, slot: u32) {
        let Some(http) = self.conns.at_mut(slot) else { return };
        let limits = &self.snapshot.snapshot().limits;
        let Some(at) = http.machine.poll_timeout(limits).map(stack_time) else { return };
        if http.armed_at.is_none_or(|armed| at < armed) {
            http.armed_at = Some(at);
            self.wheel.schedule(slot, at);
        }
    }

    fn handle_timeout(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        let Some(http) = self.conns.at_mut(slot) else { return };
        http.armed_at = None;
        let queued = stack.send_queued(http.conn);
        if queued < http.write_mark {
            http.write_mark = queued;
            http.machine.write_progress(proto_time(now));
        }
        match http.machine.handle_timeout(proto_time(now), &self.snapshot.snapshot().limits) {
            None => {}
            Some(Timeout::CloseIdle) => {
                self.counters.events.bump(HttpCounter::IdleClosed);
                self.close(now, stack, slot);
            }
            Some(Timeout::Answer408(refusal)) => self.refuse(now, stack, slot, refusal),
            Some(Timeout::CloseSlowBody) => {
                self.counters.events.bump(HttpCounter::ResetSlowBody);
                return self.reset(now, stack, slot);
            }
            // Everything was taken, and only the peer's FIN is missing: the stack waits for that.
            Some(Timeout::CloseSlowWrite) if queued == 0 => return,
            Some(Timeout::CloseSlowWrite) => {
                self.counters.events.bump(HttpCounter::ResetSlowReader);
                return self.reset(now, stack, slot);
            }
        }
        self.arm(slot);
    }

    fn reset(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        if let (Some(http), Some(key)) = (self.conns.at(slot), self.conns.key_at(slot)) {
            stack.abort(now, http.conn);
            self.conns.remove(key);
        }
    }

    fn drain_some(&mut self, now: Instant, stack: &mut Stack) {
        let from = self.drain_from.unwrap_or(0);
        let idle: Vec<u32> = self
            .conns
            .iter_from(from)
            .take(DRAIN_STEP)
            .filter(|(_, http)| !http.closing && http.machine.is_idle() && stack.recv_len(http.conn) == 0)
            .map(|(key, _)| key.index)
            .collect();
        self.drain_from = Some(from + DRAIN_STEP);
        for slot in idle {
            self.counters.events.bump(HttpCounter::DrainClosed);
            self.close(now, stack, slot);
            self.arm(slot);
        }
    }
}
