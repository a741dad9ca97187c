//! Segment text and FIN (RFC 9293 §3.10.7.4, seventh and eighth).

use super::super::Outcome;
use super::super::control_block::{Conn, flag};
use super::super::event::Ready;
use super::super::receive::Stored;
use super::super::segment::{CWR, Segment};
use super::super::seq::Seq;
use super::super::shared::Shared;
use super::super::state::{State, Transition};
use super::super::window::LARGE;
use super::super::{pressure, tuning};
use crate::counters::TcpCounter;
use crate::frame::Frame;
use crate::time::Instant;

/// Takes data that is next in order, fits the window and meets no gap.
#[inline]
pub(super) fn accept_next(
    conn: &mut Conn,
    index: u32,
    segment: &Segment,
    frame: Frame,
    shared: &mut Shared,
    now: Instant,
) {
    let len = frame.len() as u32;
    if len >= LARGE {
        large(conn, segment, shared, now);
    }
    shared.recv.take(&mut conn.recv).push(frame, &mut shared.memory);
    arrived(conn, index, len, shared);
}

/// A segment as bulk transfers send them: one that a sender's acknowledgment clock, and the window's size, depend on.
#[inline(never)]
fn large(conn: &mut Conn, segment: &Segment, shared: &mut Shared, now: Instant) {
    if conn.quick_acks > 0 {
        conn.quick_acks -= 1;
        conn.set(flag::ACK_NOW);
    }
    tuning::measure(conn, segment, shared, now);
}

/// `len` bytes were added to the receive queue.
#[inline]
fn arrived(conn: &mut Conn, index: u32, len: u32, shared: &mut Shared) {
    conn.rcv_nxt += len;
    conn.recv_queued += len;
    conn.set(flag::ACK_PENDING);
    shared.counters.add(TcpCounter::RxBytes, u64::from(len));
    if !conn.has(flag::TOUCHED) {
        conn.set(flag::TOUCHED);
        shared.touched.push(index);
    }
    shared.notify(conn, index, Ready::READABLE);
    shared.queue_transmit(conn, index);
}

/// Takes data that lies in the window somehow.
pub(super) fn accept(
    conn: &mut Conn,
    index: u32,
    segment: &Segment,
    mut frame: Frame,
    shared: &mut Shared,
    now: Instant,
) {
    if !conn.state.can_receive() {
        // RFC 9293 §3.10.7.4: text after a FIN "should not occur" and is ignored.
        shared.counters.bump(TcpCounter::DropAfterClose);
        return acknowledge_now(conn, index, shared);
    }
    if conn.has(flag::ECN) {
        note_marks(conn, segment, shared);
    }
    let mut seq = segment.seq;
    let known = conn.rcv_nxt.saturating_since(seq);
    if known > 0 {
        note_duplicate(conn, segment, shared);
        frame.trim_front(known as usize);
        seq += known;
    }
    frame.truncate(conn.rcv_edge.saturating_since(seq) as usize);
    if frame.is_empty() {
        shared.counters.bump(TcpCounter::RxDuplicate);
        return acknowledge_now(conn, index, shared);
    }
    if shared.memory.is_full() && !pressure::admit_received(conn, seq == conn.rcv_nxt, &frame, shared) {
        return acknowledge_now(conn, index, shared);
    }
    if seq == conn.rcv_nxt {
        in_order(conn, index, segment, frame, shared, now);
    } else {
        beyond_gap(conn, index, seq, frame, shared);
    }
}

/// RFC 3168 §6.1.3: a mark on data is echoed until the peer says that it has reduced its window. Marks of pure
/// acknowledgments never come here (§6.1.4). A segment with both ends one echo and begins the next.
fn note_marks(conn: &mut Conn, segment: &Segment, shared: &mut Shared) {
    if segment.has(CWR) {
        conn.clear(flag::ECE_ECHO);
    }
    if segment.ce {
        shared.counters.bump(TcpCounter::RxCongestionMarks);
        if !conn.has(flag::ECE_ECHO) {
            // The sender learns of it at once.
            conn.set(flag::ECE_ECHO | flag::ACK_NOW);
        }
    }
}

fn in_order(conn: &mut Conn, index: u32, segment: &Segment, mut frame: Frame, shared: &mut Shared, now: Instant) {
    let Some(held_from) = shared.recv.get(conn.recv).and_then(|state| state.first_held()) else {
        return accept_next(conn, index, segment, frame, shared, now);
    };
    // What was acknowledged selectively does not change any more.
    frame.truncate(held_from.saturating_since(conn.rcv_nxt) as usize);
    accept_next(conn, index, segment, frame, shared, now);
    // RFC 5681 §4.2: a segment that fills a gap is acknowledged at once.
    conn.set(flag::ACK_NOW);
    if let Some(state) = shared.recv.get_mut(conn.recv) {
        let joined = state.join(conn.rcv_nxt, &mut shared.memory);
        if joined > 0 {
            arrived(conn, index, joined, shared);
        }
    }
}

/// RFC 9293 §3.10.7.4 (SHLD-31): data beyond a gap is kept, and acknowledged at once (RFC 5681 §4.2).
fn beyond_gap(conn: &mut Conn, index: u32, seq: Seq, frame: Frame, shared: &mut Shared) {
    let limits = shared.out_of_order_limits(conn);
    let end = seq + frame.len() as u32;
    let state = shared.recv.take(&mut conn.recv);
    match state.store(seq, frame, &mut shared.memory, limits) {
        Stored::New => shared.counters.bump(TcpCounter::RxOutOfOrder),
        Stored::Duplicate => {
            if conn.has(flag::SACK) {
                // RFC 2883 §4.2
                state.reporter.note_duplicate(seq, end);
            }
            shared.counters.bump(TcpCounter::RxDuplicate);
        }
        Stored::Refused => shared.counters.bump(TcpCounter::DropOutOfOrderLimit),
    }
    shared.release_recv(conn);
    conn.quick_acks = conn.quick_acks.max(shared.config.quick_acks / 2);
    acknowledge_now(conn, index, shared);
}

/// RFC 2883 §4.1: what was received before is reported with the next acknowledgment.
pub(super) fn note_duplicate(conn: &mut Conn, segment: &Segment, shared: &mut Shared) {
    let end = (segment.seq + segment.payload_len).min(conn.rcv_nxt);
    if conn.has(flag::SACK) && conn.state.can_receive() && segment.seq.before(end) {
        shared.recv.take(&mut conn.recv).reporter.note_duplicate(segment.seq, end);
    }
}

/// `fin` is where this segment's FIN lies, if it has one; another may be waiting behind a gap that is closed now.
pub(super) fn handle_fin(conn: &mut Conn, index: u32, fin: Option<Seq>, shared: &mut Shared) -> Outcome {
    let waiting = shared.recv.get(conn.recv).and_then(|state| state.fin_at);
    let Some(at) = fin.or(waiting) else { return Outcome::Keep };
    if !conn.state.can_receive() {
        return Outcome::Keep;
    }
    if at != conn.rcv_nxt {
        if at.after(conn.rcv_nxt) && at.before(conn.rcv_edge) {
            shared.recv.take(&mut conn.recv).fin_at = Some(at);
        }
        acknowledge_now(conn, index, shared);
        return Outcome::Keep;
    }
    if let Some(state) = shared.recv.get_mut(conn.recv) {
        state.fin_at = None;
    }
    shared.release_recv(conn);
    conn.rcv_nxt += 1;
    conn.rcv_edge = conn.rcv_edge.max(conn.rcv_nxt);
    conn.set(flag::FIN_RECEIVED);
    acknowledge_now(conn, index, shared);
    conn.move_by(Transition::FinReceived);
    shared.notify(conn, index, Ready::PEER_CLOSED);
    if conn.state == State::TimeWait { Outcome::TimeWait } else { Outcome::Keep }
}

fn acknowledge_now(conn: &mut Conn, index: u32, shared: &mut Shared) {
    conn.set(flag::ACK_NOW);
    shared.queue_transmit(conn, index);
}
