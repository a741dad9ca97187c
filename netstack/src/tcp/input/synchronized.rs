//! ESTABLISHED and later (RFC 9293 §3.10.7.4), and SYN-RECEIVED after SYNs crossed.
//!
//! Header prediction comes first: a segment that is next in order, tells nothing unusual, and meets no gap and no
//! recovery takes the short way, which is the same as the long one with its checks decided at once.

use super::super::control_block::{Conn, Phase, clock_ms, flag};
use super::super::event::EndReason;
use super::super::segment::{ACK, FIN, PSH, RST, SYN, Segment};
use super::super::seq::clock_before;
use super::super::shared::Shared;
use super::super::state::{State, Transition};
use super::super::{Ctx, Outcome, emit, fast_open};
use super::ack::{self, Acknowledged};
use super::{data, syn_sent};
use crate::counters::TcpCounter;
use crate::frame::Frame;

/// RFC 7323 §5.5: a timestamp older than this is not compared with.
const TS_RECENT_MAX_AGE_MS: u32 = 24 * 24 * 3600 * 1000;

#[inline]
pub(super) fn handle(
    conn: &mut Conn,
    index: u32,
    segment: &Segment,
    frame: Frame,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) -> Outcome {
    if predicted(conn, segment, shared) {
        shared.counters.bump(TcpCounter::RxFastPath);
        heard(conn, segment, ctx);
        if segment.ack != conn.snd_una {
            ack::take(conn, index, segment, shared, ctx.now);
            if ctx.egress.awaits_confirmation() {
                ctx.egress.confirm(ctx.now, &conn.path);
            }
        }
        ack::update_window(conn, index, segment, shared, ctx.now);
        if segment.payload_len > 0 {
            data::accept_next(conn, index, segment, frame, shared, ctx.now);
        }
        return Outcome::Keep;
    }
    unpredicted(conn, index, segment, frame, shared, ctx)
}

#[inline]
fn predicted(conn: &Conn, segment: &Segment, shared: &Shared) -> bool {
    let stamped = match segment.timestamps {
        Some(ts) => conn.has(flag::TIMESTAMPS) && !clock_before(ts.val, conn.ts_recent),
        None => !conn.has(flag::TIMESTAMPS),
    };
    conn.state == State::Established
        && conn.phase == Phase::Open
        && segment.flags & !PSH == ACK
        && segment.seq == conn.rcv_nxt
        && segment.payload_len <= conn.rcv_wnd()
        && segment.sack.is_empty()
        && !segment.ce
        && stamped
        && segment.ack.since(conn.snd_una) <= conn.outstanding()
        // Neither a duplicate acknowledgment nor a pure window update.
        && (segment.payload_len > 0 || segment.ack != conn.snd_una)
        && shared.recv.get(conn.recv).is_none_or(|state| !state.has_gap() && state.fin_at.is_none())
        && !shared.memory.is_full()
}

/// The peer is alive, and its clock is at this.
#[inline]
fn heard(conn: &mut Conn, segment: &Segment, ctx: &Ctx<'_>) {
    conn.heard_ms = clock_ms(ctx.now);
    conn.probes = 0;
    if let Some(ts) = segment.timestamps
        && conn.has(flag::TIMESTAMPS)
        // RFC 7323 §4.3 (2)
        && segment.seq.at_or_before(conn.last_ack_sent)
        && !clock_before(ts.val, conn.ts_recent)
    {
        conn.ts_recent = ts.val;
        conn.ts_recent_ms = conn.heard_ms;
    }
}

/// RFC 9293 §3.10.7.4, first: how a segment lies to the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Acceptable,
    /// Just at a closed window: what it acknowledges counts, what it carries does not.
    AcknowledgmentOnly,
    Outside,
}

fn place(conn: &Conn, segment: &Segment) -> Place {
    let (start, window) = (segment.seq, conn.rcv_wnd());
    let len = segment.len();
    if len == 0 {
        // The right edge itself is accepted, too: acknowledgments carry it while data before them was lost.
        let inside = start.at_or_after(conn.rcv_nxt) && start.at_or_before(conn.rcv_nxt + window);
        return if inside { Place::Acceptable } else { Place::Outside };
    }
    if window == 0 {
        // RFC 9293 §3.10.7.4: "special allowance should be made to accept valid ACKs, URGs, and RSTs".
        return if start == conn.rcv_nxt { Place::AcknowledgmentOnly } else { Place::Outside };
    }
    let last = start + (len - 1);
    let edge = conn.rcv_nxt + window;
    let starts_inside = start.at_or_after(conn.rcv_nxt) && start.before(edge);
    let ends_inside = last.at_or_after(conn.rcv_nxt) && last.before(edge);
    if starts_inside || ends_inside { Place::Acceptable } else { Place::Outside }
}

#[inline(never)]
fn unpredicted(
    conn: &mut Conn,
    index: u32,
    segment: &Segment,
    frame: Frame,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) -> Outcome {
    if !conn.has(flag::IN_TABLE) {
        return Outcome::Keep;
    }
    if let Some(reason) = timestamp_fault(conn, segment, ctx) {
        shared.counters.bump(reason);
        acknowledge_now(conn, index, shared);
        return Outcome::Keep;
    }
    if answers_crossed_syn(conn, segment) {
        syn_sent::complete(conn, index, segment, shared, ctx);
        return Outcome::Keep;
    }
    let place = place(conn, segment);
    if segment.has(RST) {
        return reset(conn, segment, place, shared, ctx);
    }
    if place == Place::Outside {
        return outside(conn, index, segment, shared, ctx);
    }
    if segment.has(SYN) {
        // Fourth. RFC 5961 §4.2: whatever its number, a SYN is answered with a challenge.
        shared.counters.bump(TcpCounter::DropOutOfWindow);
        emit::challenge(conn, shared, ctx);
        return Outcome::Keep;
    }
    if !segment.has(ACK) {
        // Fifth: without ACK the segment is dropped.
        shared.counters.bump(TcpCounter::DropNoAckFlag);
        return Outcome::Keep;
    }
    if conn.state == State::SynReceived {
        // After a Fast Open it may cover data that was sent behind the SYN-ACK.
        if segment.ack.since(conn.iss + 1) > conn.snd_nxt.since(conn.iss + 1) {
            shared.counters.bump(TcpCounter::ResetBadHandshake);
            let Conn { tuple, path, .. } = conn;
            emit::reset_for(segment, tuple, path, shared, ctx);
            return Outcome::Keep;
        }
        if conn.has(flag::FAST_OPEN) {
            fast_open::confirm(conn, index, segment, shared, ctx);
        } else {
            syn_sent::complete(conn, index, segment, shared, ctx);
        }
    }
    acknowledged(conn, index, segment, frame, place, shared, ctx)
}

/// RFC 9293 §3.5, figure 8, line 6: after SYNs crossed, the peer's SYN,ACK repeats its SYN, which lies just before the
/// window, and acknowledges ours.
fn answers_crossed_syn(conn: &Conn, segment: &Segment) -> bool {
    conn.state == State::SynReceived
        && segment.flags & (SYN | ACK | RST | FIN) == SYN | ACK
        && segment.seq + 1 == conn.rcv_nxt
        && segment.payload_len == 0
        && segment.ack == conn.iss + 1
}

/// From the fifth step on: acknowledgment, text, FIN.
fn acknowledged(
    conn: &mut Conn,
    index: u32,
    segment: &Segment,
    frame: Frame,
    place: Place,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) -> Outcome {
    match ack::process(conn, index, segment, shared, ctx) {
        Acknowledged::Invalid => return Outcome::Keep,
        Acknowledged::Fin => {
            conn.move_by(Transition::FinAcked);
            match conn.state {
                State::Closed => return Outcome::End(EndReason::Closed),
                State::TimeWait => return Outcome::TimeWait,
                State::FinWait2 => super::super::timers::start_idle(conn, shared, ctx.now),
                _ => {}
            }
        }
        Acknowledged::Valid => {}
    }
    heard(conn, segment, ctx);
    if place == Place::AcknowledgmentOnly {
        shared.counters.bump(TcpCounter::DropOutOfWindow);
        acknowledge_now(conn, index, shared);
        return Outcome::Keep;
    }
    // Seventh and eighth: text and FIN. (Sixth, URG, is ignored.)
    if segment.payload_len > 0 {
        data::accept(conn, index, segment, frame, shared, ctx.now);
    }
    let fin = segment.has(FIN).then(|| segment.seq + segment.payload_len);
    let outcome = data::handle_fin(conn, index, fin, shared);
    shared.arm(conn, index);
    outcome
}

/// RFC 7323 §5.3 R1, and §3.2: once negotiated, every segment has timestamps.
fn timestamp_fault(conn: &Conn, segment: &Segment, ctx: &Ctx<'_>) -> Option<TcpCounter> {
    if !conn.has(flag::TIMESTAMPS) || segment.has(RST) {
        return None;
    }
    let age = clock_ms(ctx.now).wrapping_sub(conn.ts_recent_ms);
    match segment.timestamps {
        Some(ts) if clock_before(ts.val, conn.ts_recent) && age < TS_RECENT_MAX_AGE_MS => Some(TcpCounter::DropPaws),
        None if !segment.has(SYN) => Some(TcpCounter::DropPaws),
        _ => None,
    }
}

/// Second: RST. RFC 5961 §3.2: the exact number resets, another one in the window is challenged.
fn reset(conn: &mut Conn, segment: &Segment, place: Place, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Outcome {
    if segment.seq == conn.rcv_nxt {
        shared.counters.bump(TcpCounter::ResetReceived);
        if conn.has(flag::FAST_OPEN) {
            fast_open::note_reset(conn, shared, ctx.now);
            return Outcome::End(EndReason::ResetByPeer);
        }
        return Outcome::End(match conn.state {
            // RFC 9293 §3.10.7.4: after an active open the user is told that it was refused.
            State::SynReceived => EndReason::Refused,
            // CLOSING, LAST-ACK: both sides had closed.
            State::Closing | State::LastAck => EndReason::Closed,
            _ => EndReason::ResetByPeer,
        });
    }
    shared.counters.bump(TcpCounter::DropBadReset);
    if place != Place::Outside {
        emit::challenge(conn, shared, ctx);
    }
    Outcome::Keep
}

fn outside(conn: &mut Conn, index: u32, segment: &Segment, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Outcome {
    if segment.has(SYN) {
        // SYNs that crossed: the peer did not see our SYN,ACK.
        if conn.state == State::SynReceived {
            conn.set(flag::SYN_DUE);
            shared.queue_transmit(conn, index);
            return Outcome::Keep;
        }
        shared.counters.bump(TcpCounter::DropOutOfWindow);
        emit::challenge(conn, shared, ctx);
        return Outcome::Keep;
    }
    let old = segment.seq.before(conn.rcv_nxt);
    shared.counters.bump(if old && segment.payload_len > 0 {
        TcpCounter::RxDuplicate
    } else {
        TcpCounter::DropOutOfWindow
    });
    if segment.payload_len > 0 {
        data::note_duplicate(conn, segment, shared);
    }
    if conn.state == State::SynReceived {
        conn.set(flag::SYN_DUE);
    }
    // RFC 9293 §3.10.7.4, first: an unacceptable segment is acknowledged. A peer that sends nothing but
    // acknowledgments from outside of the window is answered at the rate of challenges: two ends that disagree
    // would else answer each other without end.
    if segment.len() > 0 || segment.seq + 1 == conn.rcv_nxt {
        acknowledge_now(conn, index, shared);
    } else {
        emit::challenge(conn, shared, ctx);
    }
    Outcome::Keep
}

fn acknowledge_now(conn: &mut Conn, index: u32, shared: &mut Shared) {
    conn.set(flag::ACK_NOW);
    shared.queue_transmit(conn, index);
}
