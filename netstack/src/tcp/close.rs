//! Closing: by the application, by both sides, by force; and what the application still gets to see.
//!
//! ```text
//!   both closed ─▶ the tuple goes to TIME-WAIT, or is free ─▶ received data left? ─ no ─▶ ENDED is queued
//!                                                                    └ yes ─▶ LINGERING until it is read, or for so long
//! ```

use super::control_block::{Conn, flag};
use super::event::{ConnId, EndReason, Ready};
use super::shared::Shared;
use super::state::{State, Transition};
use super::table::Entry;
use super::{Ctx, Outcome, Tcp, emit, fast_open, output, time_wait};
use crate::counters::TcpCounter;

impl Tcp {
    /// No more data will be sent: a FIN follows what is queued. Data can be received until the connection ends.
    pub fn close(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id.key()) else { return };
        if conn.ended.is_some() || conn.has(flag::FIN_QUEUED) {
            return;
        }
        conn.set(flag::FIN_QUEUED);
        conn.clear(flag::WANT_WRITE);
        // RFC 9293 §3.10.4. In SYN-RECEIVED the close waits for the handshake.
        if conn.move_by(Transition::Close) && conn.state == State::Closed {
            return self.apply(id.index, Outcome::End(EndReason::Closed), ctx);
        }
        self.shared.queue_transmit(conn, id.index);
    }

    /// Ends the connection at once, with a reset where the peer knows of it. No event follows.
    pub fn abort(&mut self, ctx: &mut Ctx<'_>, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id.key()) else { return };
        // RFC 9293 §3.10.5
        let known = conn.state.is_synchronized() || conn.state == State::SynReceived;
        if known && conn.has(flag::IN_TABLE) {
            self.shared.counters.bump(TcpCounter::ResetAborted);
            emit::send_reset(conn, &mut self.shared, ctx);
        }
        detach(conn, id.index, &mut self.shared);
        self.shared.discard_recv(conn);
        self.forget(id);
    }

    /// Does what a segment or a timer led to.
    pub(super) fn apply(&mut self, index: u32, outcome: Outcome, ctx: &mut Ctx<'_>) {
        let Some(conn) = self.conns.at_mut(index) else { return };
        match outcome {
            Outcome::Keep => {}
            Outcome::End(reason) => end(conn, index, reason, &mut self.shared, ctx),
            Outcome::TimeWait => {
                // The FIN that led here is acknowledged first: TIME-WAIT keeps no queue for it.
                if conn.has(flag::ACK_NOW) {
                    self.shared.counters.bump(TcpCounter::TxAcks);
                    output::send_empty(conn, conn.snd_nxt, &mut self.shared, ctx);
                }
                time_wait::enter(conn, index, &mut self.shared, ctx.now);
                end(conn, index, EndReason::Closed, &mut self.shared, ctx);
            }
        }
    }

    /// Frees the slot of a connection that has ended for everybody.
    pub(super) fn forget(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id.key()) else { return };
        if conn.has(flag::ACCEPT_PENDING) {
            release_accept(conn, &mut self.shared);
        }
        self.conns.remove(id.key());
    }
}

/// The first event of an accepted connection was polled, or it is gone before.
pub(super) fn release_accept(conn: &mut Conn, shared: &mut Shared) {
    conn.clear(flag::ACCEPT_PENDING);
    if let Some(listener) = conn.listener.and_then(|id| shared.listeners.get_mut(id)) {
        listener.pending = listener.pending.saturating_sub(1);
    }
}

/// Takes the connection out of the table, the wheel and the send pool.
fn detach(conn: &mut Conn, index: u32, shared: &mut Shared) {
    if conn.has(flag::IN_TABLE) {
        conn.clear(flag::IN_TABLE);
        shared.remove_flow(&conn.tuple, Entry::Connection(index));
    }
    if conn.has(flag::FAST_OPEN) {
        fast_open::release(conn, shared);
    }
    shared.release_send(conn);
    conn.clear(flag::LONE);
    shared.tuners.give_back(&mut conn.tuner);
    conn.send_queued = 0;
    shared.wheel.cancel(index);
    let never = crate::time::Instant::FAR_FUTURE;
    (conn.retransmit_at, conn.delayed_ack_at, conn.idle_at, conn.armed_at) = (never, never, never, never);
}

/// The connection is over. Its id stays until the application has polled that, and has read what was received.
fn end(conn: &mut Conn, index: u32, reason: EndReason, shared: &mut Shared, ctx: &Ctx<'_>) {
    let lingered = conn.has(flag::LINGERING);
    detach(conn, index, shared);
    conn.state = State::Closed;
    if reason == EndReason::Closed && !lingered {
        shared.counters.bump(TcpCounter::Closed);
        if conn.recv_queued > 0 {
            conn.ended = Some(reason);
            conn.set(flag::LINGERING);
            conn.idle_at = ctx.now + shared.config.fin_wait_2;
            shared.arm(conn, index);
            return;
        }
    }
    shared.discard_recv(conn);
    conn.clear(flag::LINGERING);
    conn.ended = Some(reason);
    shared.notify(conn, index, Ready::ENDED);
}

/// Received data was read: a connection that waited for that ends.
pub(super) fn after_read(conn: &mut Conn, index: u32, shared: &mut Shared) {
    if conn.has(flag::LINGERING) && conn.recv_queued == 0 {
        conn.clear(flag::LINGERING);
        shared.discard_recv(conn);
        shared.wheel.cancel(index);
        conn.armed_at = crate::time::Instant::FAR_FUTURE;
        conn.idle_at = crate::time::Instant::FAR_FUTURE;
        shared.notify(conn, index, Ready::ENDED);
    }
}
