//! What is done when memory is short (memory.rs says when).
//!
//! ```text
//!   each turn under pressure ─▶ a stretch of the connections, around and around:
//!        idle buffers back · out-of-order data cut to a share · send limits back to their start · who holds what
//!                                                                                                   │
//!   full, and a stream stands still ─▶ the worst of the suspects is reset, by policy  ◀─────────────┘
//!   room again ─▶ connections that were refused to send are told
//! ```
//!
//! The work of a turn is bounded, whatever the number of connections. Who holds most is found by looking at a stretch of
//! them in each turn and keeping the worst in a small table, as a cache does that evicts by sampling: lists in order of
//! what each connection holds would cost every packet for what happens rarely. The account never exceeds the budget
//! meanwhile: what does not fit is refused at the door. Below the level of pressure nothing of this runs.

use super::chunk::RecvChunk;
use super::control_block::{Conn, NONE, clock_ms, flag};
use super::event::{ConnId, EndReason, Ready, SendError};
use super::memory::OnMemoryExhausted;
use super::seq::Seq;
use super::shared::Shared;
use super::{Ctx, Outcome, Tcp, emit};
use crate::counters::TcpCounter;
use crate::frame::Frame;

/// Connections looked at in a turn; when memory is full, more.
const STRETCH: usize = 32;
const STRETCH_FULL: usize = 256;
/// Connections reset in a turn at most.
const RESETS: usize = 16;
/// Pooled objects whose buffers are given back in a turn.
const TRIM: usize = 64;
/// Refused connections that are told in a turn that there is room.
const TELL: usize = 64;
/// What out-of-order data of one connection may cost under pressure, in bytes: a window of some ten segments.
pub(crate) const OUT_OF_ORDER_SHARE: usize = 32 * 1024;
/// What a connection with nothing queued may send while memory is full, in bytes: a refusal, the head of an answer.
const SEND_MINIMUM: usize = 4 * 1024;
/// Below this nobody is worth a reset, in bytes.
const WORTH: usize = 1024;
/// A connection stands still that moved nothing for so long, in milliseconds.
const STALLED_MS: u32 = 1_000;

/// A connection that holds memory.
#[derive(Clone, Copy, Debug)]
struct Suspect {
    id: ConnId,
    held: usize,
    /// The application has closed it: nobody waits for it.
    orphan: bool,
    /// Where its streams were when it was first seen there, and when that was, in milliseconds.
    mark: (Seq, Seq),
    since_ms: u32,
}

impl Suspect {
    /// The greater, the earlier it is reset.
    fn rank(&self, policy: OnMemoryExhausted, now_ms: u32) -> (bool, u32, usize) {
        let still = now_ms.wrapping_sub(self.since_ms);
        match policy {
            OnMemoryExhausted::ResetOldest => (self.orphan, still, self.held),
            _ => (self.orphan, u32::from(still >= STALLED_MS), self.held),
        }
    }
}

/// The worst holders seen, and where the search goes on.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    table: Vec<Suspect>,
    next_slot: usize,
}

/// Suspects remembered.
const TABLE: usize = 64;

impl Suspects {
    fn note(&mut self, seen: Suspect, policy: OnMemoryExhausted, now_ms: u32) {
        if let Some(known) = self.table.iter_mut().find(|known| known.id == seen.id) {
            let since_ms = if known.mark == seen.mark { known.since_ms } else { seen.since_ms };
            *known = Suspect { since_ms, ..seen };
        } else if self.table.len() < TABLE {
            self.table.push(seen);
        } else if let Some(mildest) = self.table.iter_mut().min_by_key(|known| known.rank(policy, now_ms))
            && mildest.rank(policy, now_ms) < seen.rank(policy, now_ms)
        {
            *mildest = seen;
        }
    }

    /// Takes the worst one out.
    fn pop(&mut self, policy: OnMemoryExhausted, now_ms: u32) -> Option<Suspect> {
        let ranks = self.table.iter().map(|known| known.rank(policy, now_ms)).enumerate();
        let (worst, _) = ranks.max_by_key(|(_, rank)| *rank)?;
        Some(self.table.swap_remove(worst))
    }

    fn forget_all(&mut self) {
        self.table.clear();
    }
}

/// What the connection costs beyond its control block, in bytes.
pub(crate) fn held_by(conn: &Conn, shared: &Shared) -> usize {
    shared.recv.get(conn.recv).map_or(0, |state| state.held())
        + shared.send.get(conn.send).map_or(0, |state| state.held())
}

impl Tcp {
    /// The end of a turn, once the account is up to date.
    pub(super) fn relieve(&mut self, ctx: &mut Ctx<'_>) {
        self.shared.note_control(self.conns.len());
        if self.shared.memory.update() {
            self.shared.counters.bump(TcpCounter::MemoryPressure);
        }
        if self.shared.memory.under_pressure {
            let trimmed = self.shared.recv.trim(TRIM) + self.shared.send.trim(TRIM);
            self.shared.counters.add(TcpCounter::IdleBuffersReturned, trimmed);
            self.look_around(ctx);
            if self.shared.memory.wanted > 0 {
                self.reset_worst(ctx);
            }
        } else {
            self.shared.memory.suspects.forget_all();
        }
        self.shared.memory.wanted = 0;
        if !self.shared.memory.waiting.is_empty() {
            self.tell_waiting();
        }
    }

    /// Looks at the next stretch of connections.
    fn look_around(&mut self, ctx: &Ctx<'_>) {
        let slots = self.conns.slots();
        let stretch = if self.shared.memory.is_full() { STRETCH_FULL } else { STRETCH };
        let mut at = self.shared.memory.suspects.next_slot;
        for _ in 0..stretch.min(slots) {
            at = if at < slots { at } else { 0 };
            if let Some(conn) = self.conns.at_mut(at as u32) {
                relieve_connection(conn, at as u32, &mut self.shared, ctx);
            }
            at += 1;
        }
        self.shared.memory.suspects.next_slot = at;
    }

    /// Resets the worst suspects until there is room for what was wanted.
    fn reset_worst(&mut self, ctx: &mut Ctx<'_>) {
        let policy = self.shared.config.on_memory_exhausted;
        if policy == OnMemoryExhausted::Refuse {
            return;
        }
        for _ in 0..RESETS {
            if self.shared.memory.has_room(self.shared.memory.wanted) {
                return;
            }
            let Some(suspect) = self.shared.memory.suspects.pop(policy, clock_ms(ctx.now)) else { return };
            let Some(conn) = self.conns.get_mut(suspect.id.key()) else { continue };
            if held_by(conn, &self.shared) < WORTH {
                continue;
            }
            self.shared.counters.bump(if suspect.orphan {
                TcpCounter::ResetMemoryOrphan
            } else {
                TcpCounter::ResetMemory
            });
            if conn.has(flag::IN_TABLE) && conn.state.is_synchronized() {
                emit::send_reset(conn, &mut self.shared, ctx);
            }
            self.apply(suspect.id.index, Outcome::End(EndReason::OutOfMemory), ctx);
            self.shared.note_control(self.conns.len());
        }
    }

    /// Connections that were refused to send may try again, in their order and as many as there is room for.
    fn tell_waiting(&mut self) {
        let mut promised = 0;
        for _ in 0..TELL {
            let Some(&(id, cost)) = self.shared.memory.waiting.front() else { return };
            promised += cost;
            if !self.shared.memory.has_room(promised) {
                return;
            }
            self.shared.memory.waiting.pop_front();
            let Some(conn) = self.conns.get_mut(id.key()) else { continue };
            conn.clear(flag::SEND_WAITS);
            if conn.has(flag::WANT_WRITE) && conn.state.can_queue() && conn.send_queued <= conn.send_limit / 2 {
                conn.clear(flag::WANT_WRITE);
                self.shared.notify(conn, id.index, Ready::WRITABLE);
            }
        }
    }
}

/// What pressure asks of one connection, and whether it is a suspect.
fn relieve_connection(conn: &mut Conn, index: u32, shared: &mut Shared, ctx: &Ctx<'_>) {
    if conn.ended.is_some() && !conn.has(flag::LINGERING) {
        return;
    }
    let full = shared.memory.is_full();
    prune(conn, if full { 0 } else { OUT_OF_ORDER_SHARE }, shared);
    if conn.tuner != NONE {
        shared.tuners.give_back(&mut conn.tuner);
    }
    moderate_send(conn, shared);
    let held = held_by(conn, shared);
    if held >= WORTH {
        let now_ms = clock_ms(ctx.now);
        let suspect = Suspect {
            id: ConnId { index, generation: conn.generation },
            held,
            orphan: conn.has(flag::FIN_QUEUED) || conn.has(flag::LINGERING),
            mark: (conn.snd_una, conn.rcv_nxt - conn.recv_queued),
            since_ms: now_ms,
        };
        shared.memory.suspects.note(suspect, shared.config.on_memory_exhausted, now_ms);
    }
}

/// The window of a connection that receives is a few segments from now on. What was promised stays promised.
pub(crate) fn clamp_window(conn: &mut Conn, shared: &mut Shared) {
    if !conn.has(flag::CLAMPED) {
        conn.set(flag::CLAMPED);
        shared.counters.bump(TcpCounter::WindowsClamped);
    }
}

/// Cuts out-of-order data down to what may cost `share` bytes, the highest numbers first: they are the last to be of use.
/// RFC 2018 §8 allows to drop what was acknowledged selectively; the next blocks say only what is still held.
pub(crate) fn prune(conn: &mut Conn, share: usize, shared: &mut Shared) {
    if conn.recv == NONE {
        return;
    }
    let Some(state) = shared.recv.get_mut(conn.recv) else { return };
    let dropped = state.prune(share, &mut shared.memory);
    if dropped > 0 {
        shared.counters.add(TcpCounter::OutOfOrderPruned, dropped);
        shared.release_recv(conn);
    }
}

/// The send limit goes back to where it began: it grows again with the congestion window when
/// memory is not short any more. (Linux: `sk_stream_moderate_sndbuf`.)
pub(crate) fn moderate_send(conn: &mut Conn, shared: &mut Shared) {
    let start = shared.config.send_buffer.max(1);
    if !conn.has(flag::SEND_FIXED) && conn.send_limit > start {
        conn.send_limit = start;
        shared.counters.bump(TcpCounter::SendLimitsLowered);
    }
}

/// Data that costs `cost` bytes is to be queued while memory is short: taken up to the start of the buffer; when memory is
/// full, only a little and where nothing is queued, so that every stream moves on. A piece larger than the level `low`
/// is refused then for good: it has to be sent in parts.
#[cold]
pub(crate) fn admit_send(conn: &mut Conn, id: ConnId, cost: usize, shared: &mut Shared) -> Result<(), SendError> {
    moderate_send(conn, shared);
    let limited = conn.send_queued >= conn.send_limit;
    let minimum = conn.send_queued == 0 && cost <= SEND_MINIMUM && shared.memory.has_reserve(cost);
    if !limited && (shared.memory.has_room(cost) || minimum) {
        return Ok(());
    }
    conn.set(flag::WANT_WRITE);
    if limited {
        shared.counters.bump(TcpCounter::RefuseSendFull);
        return Err(SendError::Full);
    }
    shared.counters.bump(TcpCounter::RefuseSendMemory);
    if cost > shared.memory.limits.low {
        // It will not fit, whoever else is reset for it.
        return Err(SendError::Full);
    }
    shared.memory.want(cost);
    if !conn.has(flag::SEND_WAITS) {
        conn.set(flag::SEND_WAITS);
        shared.memory.waiting.push_back((id, cost));
    }
    Err(SendError::Full)
}

/// Memory is full and a segment's data has come, next in order or not: true when it is taken all the same. What is next
/// goes before what lies beyond a gap, which is dropped for it; and a stream of which nothing waits takes one segment.
#[cold]
pub(crate) fn admit_received(conn: &mut Conn, next: bool, frame: &Frame, shared: &mut Shared) -> bool {
    let cost = RecvChunk::frame_cost(frame);
    if next {
        prune(conn, 0, shared);
    }
    if shared.memory.has_room(cost) {
        return true;
    }
    if !next {
        shared.counters.bump(TcpCounter::DropOutOfOrderMemory);
        return false;
    }
    shared.memory.want(cost);
    let minimum = conn.recv_queued == 0 && shared.memory.has_reserve(cost);
    if !minimum {
        shared.counters.bump(TcpCounter::DropReceiveMemory);
    }
    minimum
}

#[cfg(test)]
#[path = "tests/pressure.rs"]
mod tests;
