//! From received bytes to queued answers: the part of the service that every request passes.

use super::connection::Unsent;
use super::respond::{Decision, EchoInProgress};
use super::{HttpCounter, HttpService, proto_time};
use crate::snapshot::Snapshot;
use bytes::Bytes;
use netstack::tcp::{RecvChunk, SendError};
use netstack::{Instant, Stack};
use proto::h1::encode::CONTINUE;
use proto::h1::{After, Event, HeaderSlots};

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

impl HttpService {
    /// Reads what has arrived, request by request, until nothing is left or an answer has to wait.
    pub(super) fn read(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        loop {
            let Some(http) = self.conns.at_mut(slot) else { return };
            if http.is_blocked() {
                if http.closing {
                    // What still comes is not for us: the window stays open so that the peer can finish.
                    while stack.take_chunk(http.conn).is_some() {}
                }
                return;
            }
            let kept = http.pending.as_mut().map(|pending| std::mem::take(&mut pending.unread));
            let (input, left) = match kept.filter(|kept| !kept.is_empty()) {
                Some(kept) => (Input::Kept(kept), true),
                None => match stack.take_chunk_and_left(http.conn) {
                    Some((chunk, left)) => (Input::Fresh(chunk), left > 0),
                    None => break,
                },
            };
            let all = self.parse(now, stack, slot, &input);
            if all && !left {
                break;
            }
        }
        self.end_of_input(now, stack, slot);
    }

    /// Feeds `input` to the machine; what is left over when an answer has to wait is kept. True when nothing is left over
    /// and more would be taken.
    fn parse(&mut self, now: Instant, stack: &mut Stack, slot: u32, input: &Input) -> bool {
        let bytes = input.bytes();
        let (mut at, mut stopped) = (0, false);
        // The end of a body is an event of its own, also when the body ends with these bytes.
        while at < bytes.len() || self.conns.at(slot).is_some_and(|http| http.machine.in_body()) {
            let (consumed, next) = self.step(now, stack, slot, &bytes[at..]);
            at += consumed;
            if next == Next::Stop {
                stopped = true;
                break;
            }
        }
        if !stopped {
            return true;
        }
        let Some(http) = self.conns.at_mut(slot) else { return false };
        if at < bytes.len() && !http.closing {
            let rest = match input {
                Input::Fresh(_) => Bytes::copy_from_slice(&bytes[at..]),
                Input::Kept(kept) => kept.slice(at..),
            };
            http.pending_mut().unread = rest;
        }
        false
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
                let peer = || stack.remote(http.conn);
                let (decision, congestion) = self.responder.decide(snapshot, &head, peer, keep, &mut self.counters);
                if let Some(kind) = congestion {
                    // From this answer on: a connection has one controller, whatever routes its requests take.
                    stack.set_congestion(now, http.conn, kind);
                }
                match decision {
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
        let bytes = self.responder.finish(echo, keep, &mut self.counters);
        let next = self.send(now, stack, slot, bytes, keep);
        if let Some(http) = self.conns.at_mut(slot) {
            http.settle();
        }
        next
    }

    /// Queues a complete answer; `keep`: the connection persists.
    fn send(&mut self, now: Instant, stack: &mut Stack, slot: u32, bytes: Bytes, keep: bool) -> Next {
        let Some(http) = self.conns.at_mut(slot) else { return Next::Stop };
        match stack.send_or_return(http.conn, bytes) {
            Ok(()) => self.answered(now, stack, slot, keep),
            Err((SendError::Full, bytes)) => self.send_later(now, stack, slot, Unsent { bytes, keep }),
            Err(_) => {
                http.closing = true;
                Next::Stop
            }
        }
    }

    /// There is no room for an answer: it is kept until there is.
    #[cold]
    fn send_later(&mut self, now: Instant, stack: &mut Stack, slot: u32, unsent: Unsent) -> Next {
        let Some(http) = self.conns.at_mut(slot) else { return Next::Stop };
        self.counters.events.bump(HttpCounter::SendBlocked);
        http.machine.write_progress(proto_time(now));
        http.write_mark = stack.send_queued(http.conn);
        http.pending_mut().unsent = Some(unsent);
        Next::Stop
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

    pub(super) fn send_unsent(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        let Some(http) = self.conns.at_mut(slot) else { return };
        let Some(unsent) = http.pending.as_mut().and_then(|pending| pending.unsent.take()) else { return };
        http.machine.write_idle(proto_time(now));
        self.send(now, stack, slot, unsent.bytes, unsent.keep);
        if let Some(http) = self.conns.at_mut(slot) {
            http.settle();
        }
    }
}
