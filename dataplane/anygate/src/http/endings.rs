//! How connections end: refusals, deadlines, the peer's FIN, drains.

use super::{HttpCounter, HttpService, proto_time, stack_time};
use netstack::{Instant, Stack};
use proto::Refusal;
use proto::h1::{EndOfInput, Timeout};

/// Connections that a drain looks at in one turn.
const DRAIN_STEP: usize = 512;

impl HttpService {
    pub(super) fn refuse(&mut self, now: Instant, stack: &mut Stack, slot: u32, refusal: Refusal) {
        self.counters.refusals.bump(refusal);
        let Some(http) = self.conns.at_mut(slot) else { return };
        http.pending = None;
        let bytes = self.responder.refusal(refusal, &mut self.counters);
        // A connection on which nothing can be sent any more is closed all the same.
        let _ = stack.send(http.conn, bytes);
        self.close(now, stack, slot);
    }

    /// Ends the connection after what is queued, within the write time.
    pub(super) fn close(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
        if let Some(http) = self.conns.at_mut(slot) {
            http.closing = true;
            http.machine.close();
            http.machine.write_progress(proto_time(now));
            stack.close(now, http.conn);
            http.write_mark = stack.send_queued(http.conn);
        }
    }

    pub(super) fn end_of_input(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
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
    pub(super) fn arm(&mut self, slot: u32) {
        let Some(http) = self.conns.at_mut(slot) else { return };
        let limits = &self.snapshot.snapshot().limits;
        let Some(at) = http.machine.poll_timeout(limits).map(stack_time) else { return };
        if http.armed_at.is_none_or(|armed| at < armed) {
            http.armed_at = Some(at);
            self.wheel.schedule(slot, at);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, stack: &mut Stack, slot: u32) {
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
            self.wheel.cancel(slot);
        }
    }

    pub(super) fn drain_some(&mut self, now: Instant, stack: &mut Stack) {
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
