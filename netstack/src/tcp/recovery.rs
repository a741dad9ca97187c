//! Loss recovery: what is in flight, what is lost, and what to send next (RFC 6675, RFC 6582, RFC 3042, RFC 5681).
//!
//! ```text
//!   SND.UNA        HighRxt        lost edge               SND.NXT
//!      |── sent again ──|── lost ─────|── in flight ─────────|        minus what is SACKed, everywhere
//! ```
//!
//! One model serves all three cases. With SACK the lost edge follows the scoreboard; without, each duplicate
//! acknowledgment stands for one segment that left, and a partial acknowledgment moves the edge by one segment
//! (NewReno); after a timeout everything sent before it counts as lost.

use super::congestion::CongestionControl;
use super::control_block::{Conn, Phase, flag};
use super::sack::{Blocks, RangeSet};
use super::seq::Seq;
use super::shared::Shared;
use crate::counters::TcpCounter;
use crate::time::Instant;

/// Duplicate acknowledgments, or SACKed segments, that mean a loss (RFC 5681 §3.2, RFC 6675 §2).
const DUP_THRESH: u32 = 3;
/// Ranges of one scoreboard; beyond it new islands are not noted (and sent again needlessly at worst).
const MAX_RANGES: usize = 128;

/// Takes in the SACK blocks of an acknowledgment; true when they told something new (RFC 6675 §2, "duplicate ACK").
pub(crate) fn note_sack(conn: &Conn, blocks: &Blocks, ack: Seq, shared: &mut Shared) -> bool {
    let mut news = 0;
    for (position, &(start, end)) in blocks.as_slice().iter().enumerate() {
        // RFC 2883 §4: a first block at or below the acknowledgment, or inside of the second, reports a duplicate.
        let inside_second = position == 0
            && blocks
                .as_slice()
                .get(1)
                .is_some_and(|second| second.0.at_or_before(start) && end.at_or_before(second.1));
        if end.at_or_before(ack) || inside_second {
            shared.counters.bump(TcpCounter::DsackReceived);
            continue;
        }
        // Blocks outside of what is in flight are forged or mangled.
        if start.before(ack) || !start.before(end) || end.after(conn.snd_nxt) {
            continue;
        }
        if let Some(state) = shared.send.get_mut(conn.send) {
            news += state.sacked.insert(start, end, MAX_RANGES).unwrap_or(0);
        }
    }
    news > 0
}

/// RFC 6675 §4, IsLost: the highest number below which enough has been SACKed above; `una` when there is none.
fn sack_edge(sacked: &RangeSet, una: Seq, mss: u32) -> Seq {
    let mut bytes = 0;
    for (islands, range) in (1u32..).zip(sacked.ranges().iter().rev()) {
        bytes += range.1.since(range.0);
        if islands >= DUP_THRESH || bytes > (DUP_THRESH - 1) * mss {
            return range.0;
        }
    }
    una
}

/// A duplicate acknowledgment, or one with news in its SACK blocks, arrived: decides whether something is lost.
pub(crate) fn on_duplicate(conn: &mut Conn, shared: &mut Shared, now: Instant) {
    let mss = u32::from(conn.mss);
    if conn.has(flag::SACK)
        && let Some(state) = shared.send.get(conn.send)
    {
        let edge = sack_edge(&state.sacked, conn.snd_una, mss);
        conn.lost_edge = conn.lost_edge.max(edge);
    }
    if conn.phase != Phase::Open {
        return;
    }
    // RFC 6675 §5: the third duplicate, or a scoreboard that says so. RFC 6582 §3.2 step 2 and RFC 6675 §5.1: not for
    // what was in flight at an earlier recovery or timeout.
    let third = u32::from(conn.dup_acks) >= DUP_THRESH;
    if (third || conn.lost_edge.after(conn.snd_una)) && conn.snd_una.at_or_after(conn.recover) {
        enter(conn, shared, now);
    }
}

fn enter(conn: &mut Conn, shared: &mut Shared, now: Instant) {
    let in_flight = conn.outstanding();
    conn.phase = Phase::Recovery;
    conn.recover = conn.snd_nxt;
    conn.high_rxt = conn.snd_una;
    // RFC 6675 §5 step 4.3, RFC 6582 §3.2 step 2: the first segment is taken as lost.
    conn.lost_edge = conn.lost_edge.max((conn.snd_una + u32::from(conn.mss)).min(conn.snd_nxt));
    conn.congestion.on_loss(now, in_flight, u32::from(conn.mss));
    shared.counters.bump(TcpCounter::FastRecoveries);
}

/// The acknowledgment moved on: to `conn.snd_una`, over `bytes` bytes. Ends recovery, or steps on in it.
pub(crate) fn on_advance(conn: &mut Conn, shared: &mut Shared, bytes: u32) {
    let mss = u32::from(conn.mss);
    conn.high_rxt = conn.high_rxt.max(conn.snd_una);
    conn.lost_edge = conn.lost_edge.max(conn.snd_una);
    if conn.phase == Phase::Open {
        conn.dup_acks = 0;
        return;
    }
    if conn.snd_una.at_or_after(conn.recover) {
        // RFC 6675 §5 (A), RFC 6582 §3.2 step 3: a full acknowledgment.
        conn.phase = Phase::Open;
        conn.dup_acks = 0;
        conn.lost_edge = conn.snd_una;
        return;
    }
    if conn.phase == Phase::Recovery {
        let sacked = shared.send.get(conn.send).is_some_and(|state| !state.sacked.is_empty());
        if !sacked {
            // RFC 6582 §3.2 step 3: a partial acknowledgment shows that the next segment is lost, too.
            conn.dup_acks = conn.dup_acks.saturating_sub((bytes / mss).min(255) as u8);
            conn.lost_edge = conn.lost_edge.max((conn.snd_una + mss).min(conn.recover));
        }
    }
}

/// The retransmission timer fired (RFC 6298 §5.4, RFC 5681 §3.1): everything in flight counts as lost.
pub(crate) fn on_timeout(conn: &mut Conn, shared: &mut Shared, now: Instant) {
    let first = conn.retries == 0;
    let in_flight = conn.outstanding();
    conn.congestion.on_timeout(now, in_flight, u32::from(conn.mss), first);
    conn.phase = Phase::Loss;
    conn.recover = conn.snd_nxt;
    conn.high_rxt = conn.snd_una;
    conn.lost_edge = conn.snd_nxt;
    conn.dup_acks = 0;
    conn.clear(flag::RTT_TIMED);
    let una = conn.snd_una;
    if let Some(state) = shared.send.get_mut(conn.send)
        && (!first || state.sacked.covering(una).is_some())
        && !state.sacked.is_empty()
    {
        // RFC 2018 §8: the peer may have taken back what it SACKed; it surely has when SND.UNA is in a block.
        state.sacked.clear();
        shared.counters.bump(TcpCounter::SackReneged);
    }
}

/// The peer opened a window that had been probed: it did not take what the probes carried, which is sent again first.
pub(crate) fn on_window_opened(conn: &mut Conn) {
    if conn.phase == Phase::Open && conn.outstanding() > 0 {
        conn.phase = Phase::Loss;
        conn.recover = conn.snd_nxt;
        conn.high_rxt = conn.snd_una;
        conn.lost_edge = conn.snd_nxt;
    }
}

/// Bytes in the network (RFC 6675 §4, SetPipe).
pub(crate) fn pipe(conn: &Conn, shared: &Shared) -> u32 {
    let outstanding = conn.outstanding();
    let sacked = shared.send.get(conn.send).map(|state| &state.sacked).filter(|sacked| !sacked.is_empty());
    if conn.phase == Phase::Open {
        let left = match sacked {
            Some(sacked) => sacked.bytes(),
            // RFC 3042: each of the first two duplicates lets one new segment out.
            None => u32::from(conn.dup_acks.min(2)) * u32::from(conn.mss),
        };
        return outstanding.saturating_sub(left);
    }
    let edge = conn.lost_edge.clamp(conn.snd_una, conn.snd_nxt);
    let again = conn.high_rxt.clamp(conn.snd_una, edge);
    let mut bytes = conn.snd_nxt.since(edge) + again.since(conn.snd_una);
    match sacked {
        Some(sacked) => {
            bytes -= sacked.covered_in(edge, conn.snd_nxt) + sacked.covered_in(conn.snd_una, again);
        }
        None => bytes = bytes.saturating_sub(u32::from(conn.dup_acks) * u32::from(conn.mss)),
    }
    bytes
}

/// The first part of what is lost and not sent again yet (RFC 6675 §4, NextSeg rule 1): where, and how many numbers.
pub(crate) fn next_hole(conn: &Conn, shared: &Shared) -> Option<(Seq, u32)> {
    if conn.phase == Phase::Open {
        return None;
    }
    let mut start = conn.high_rxt.max(conn.snd_una);
    let mut end = conn.lost_edge.min(conn.snd_nxt);
    if let Some(state) = shared.send.get(conn.send) {
        if let Some(range) = state.sacked.covering(start) {
            start = range.1;
        }
        if let Some(range) = state.sacked.next_after(start) {
            end = end.min(range.0);
        }
    }
    start.before(end).then(|| (start, end.since(start)))
}

/// RFC 6675 §4, NextSeg rule 3: nothing new can be sent, so what lies below the highest SACK counts as lost.
pub(crate) fn widen(conn: &mut Conn, shared: &Shared) -> bool {
    if conn.phase != Phase::Recovery {
        return false;
    }
    let highest = shared.send.get(conn.send).and_then(|state| state.sacked.ranges().last());
    match highest {
        Some(range) if range.0.after(conn.lost_edge) => {
            conn.lost_edge = range.0;
            true
        }
        _ => false,
    }
}
