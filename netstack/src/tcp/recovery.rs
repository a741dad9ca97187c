//! Loss recovery: what is lost, when that is congestion, and when it was a mistake (RFC 8985, 6675, 6582, 5682, 3042).
//!
//! ```text
//!                   a loss ─▶ Recovery ──┐ everything acknowledged that was out when it began
//!   Open ─ ECN echo ─▶ Reduced ──────────┼──▶ Open
//!                 timeout ─▶ Loss ───────┘ or it proves to have been needless: then the window is as it was before
//! ```
//!
//! The scoreboard knows what is in flight, SACKed and lost. With SACK, losses are RACK's; without, the third duplicate
//! acknowledgment and each partial one stand for one. This file reacts to acknowledgments, recovery_timer.rs to timers.

use super::black_hole;
use super::congestion::{Ack, CongestionControl};
use super::control_block::{Conn, Phase, flag};
use super::delivery::{Delivery, Echo};
use super::probe::Verdict;
use super::prr::{Prr, Step};
use super::rack::DUP_THRESH;
use super::sack::{Blocks, Range};
use super::scoreboard::mark;
use super::send::SendState;
use crate::counters::{TcpCounter, TcpCounters};
use crate::time::Instant;

/// F-RTO (RFC 5682): whether a timeout is being told from a delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Frto {
    /// It is not, or not any more.
    #[default]
    Off,
    /// The first segment was sent again (step 1).
    Armed,
    /// An acknowledgment moved on; new data is sent, and the next acknowledgment decides (step 2b).
    Testing,
}

/// An acknowledgment of a connection that has something in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) now: Instant,
    /// Sequence numbers by which SND.UNA moved on.
    pub(crate) bytes: u32,
    /// A duplicate acknowledgment of a peer without SACK (RFC 5681 §2).
    pub(crate) duplicate: bool,
    /// The duplicate that the peer reports (RFC 2883).
    pub(crate) dsack: Option<Range>,
    pub(crate) echo: Option<Echo>,
    /// The peer echoes a congestion mark (RFC 3168 §6.1.2).
    pub(crate) marked: bool,
    /// Bytes in flight before.
    pub(crate) prior_in_flight: u32,
    /// The round-trip time that it measured, in microseconds.
    pub(crate) rtt_us: Option<u64>,
}

impl Arrival {
    #[inline]
    fn advanced(&self) -> bool {
        self.bytes > 0
    }
}

/// Takes in the SACK blocks of an acknowledgment; the duplicate that they report, if they do.
pub(crate) fn note_sack(
    conn: &Conn,
    state: &mut SendState,
    blocks: &Blocks,
    delivery: &mut Delivery,
    counters: &mut TcpCounters,
) -> Option<Range> {
    let mut dsack = None;
    for (position, &(start, end)) in blocks.as_slice().iter().enumerate() {
        // RFC 2883 §4: a first block at or below the acknowledgment, or inside of the second, reports a duplicate.
        let inside_second = position == 0
            && blocks
                .as_slice()
                .get(1)
                .is_some_and(|second| second.0.at_or_before(start) && end.at_or_before(second.1));
        if end.at_or_before(conn.snd_una) || inside_second {
            counters.bump(TcpCounter::DsackReceived);
            // A duplicate of more than was ever in flight is an invention.
            let length = end.since(start);
            if position == 0 && start.before(end) && length <= conn.max_snd_wnd.max(u32::from(conn.mss)) {
                dsack = Some((start, end));
            }
            continue;
        }
        // Blocks outside of what is in flight are forged or mangled.
        if start.before(conn.snd_una) || !start.before(end) || end.after(conn.snd_nxt) {
            continue;
        }
        state.board.sack(start, end, delivery);
    }
    dsack
}

/// Nothing is in flight; the peer may still report that the last probe was a duplicate (RFC 8985 §7.4.2).
#[cold]
pub(crate) fn on_late_duplicate(conn: &mut Conn, blocks: &Blocks, counters: &mut TcpCounters) {
    if let Some(&(_, end)) = blocks.as_slice().first().filter(|block| block.1.at_or_before(conn.snd_una)) {
        counters.bump(TcpCounter::DsackReceived);
        conn.probe.judge(conn.snd_una, Some(end), true);
    }
}

/// Bytes in the network (RFC 6675 §4, SetPipe).
#[inline]
pub(crate) fn pipe(conn: &Conn, state: &SendState) -> u32 {
    let in_flight = state.board.in_flight();
    if state.dup_acks == 0 {
        return in_flight;
    }
    // RFC 3042: before recovery each of the first two duplicates lets one new segment out.
    let left = if conn.phase == Phase::Open { state.dup_acks.min(DUP_THRESH - 1) } else { state.dup_acks };
    in_flight.saturating_sub(left.saturating_mul(u32::from(conn.mss)))
}

/// Bytes that may be in flight now.
#[inline]
pub(crate) fn window(conn: &Conn, state: &SendState) -> u32 {
    match conn.phase {
        Phase::Recovery | Phase::Reduced if conn.congestion.uses_prr() => state.prr.window(),
        _ => conn.congestion.window(),
    }
}

/// Learns from an acknowledgment. `conn` and the scoreboard have it already.
#[inline]
pub(crate) fn on_ack(
    conn: &mut Conn,
    state: &mut SendState,
    arrival: &Arrival,
    delivery: &Delivery,
    counters: &mut TcpCounters,
) {
    let now = arrival.now;
    let lost_before = conn.totals.lost;
    let repaired = matches!(conn.phase, Phase::Recovery | Phase::Reduced);
    conn.totals.delivered += u64::from(delivery.bytes);
    if let Some(sent_at) = delivery.rack {
        state.rack.delivered(sent_at, now);
    }
    let usual = conn.phase == Phase::Open
        && state.board.sacked_segments() == 0
        && state.board.lost() == 0
        && state.dup_acks == 0
        && !(arrival.duplicate
            || arrival.marked
            || arrival.dsack.is_some()
            || delivery.reordered
            || conn.probe.is_out());
    let delivered = if usual { delivery.bytes } else { unusual(conn, state, arrival, delivery, counters) };
    if delivery.size_probe {
        black_hole::probe_arrived(conn, now);
    }
    let rate =
        delivery.newest.and_then(|newest| state.sampler.on_delivered(&conn.totals, &newest, now, conn.rtt.min_us()));
    let window = conn.congestion.window();
    let ack = Ack {
        now,
        acked: arrival.bytes,
        delivered,
        lost: (conn.totals.lost - lost_before) as u32,
        prior_in_flight: arrival.prior_in_flight,
        in_flight: pipe(conn, state),
        limited: conn.phase == Phase::Loss || state.usage.is_limited(window, window < conn.congestion.ssthresh()),
        // The acknowledgment that ends recovery does not grow the window that it leaves (RFC 6582 §3.2 step 3).
        in_recovery: repaired || matches!(conn.phase, Phase::Recovery | Phase::Reduced),
        mss: u32::from(conn.mss),
        rtt: arrival.rtt_us.map(core::time::Duration::from_micros),
        srtt: conn.rtt.srtt(),
        rate,
    };
    conn.congestion.on_ack(&ack);
}

/// Everything but an acknowledgment in order. Bytes delivered, those that duplicates stand for included.
#[inline(never)]
fn unusual(
    conn: &mut Conn,
    state: &mut SendState,
    arrival: &Arrival,
    delivery: &Delivery,
    counters: &mut TcpCounters,
) -> u32 {
    let lost_before = conn.totals.lost;
    note_reordering(conn, state, arrival, delivery, counters);
    let delivered = count_duplicates(conn, state, arrival, delivery);
    judge_probe(conn, arrival, delivery, counters);
    if arrival.marked {
        reduce_for_mark(conn, state, arrival, delivery.bytes, counters);
    }
    let before = conn.phase;
    proceed(conn, state, arrival, delivery, counters);
    if !conn.has(flag::SACK) {
        mark_by_duplicates(conn, state, arrival, before);
    }
    detect(conn, state, arrival.now);
    // The loss of a probe of the segment size alone is none of congestion.
    let congested = conn.totals.lost != lost_before;
    if congested && matches!(conn.phase, Phase::Open | Phase::Reduced) {
        enter(conn, state, arrival.now, delivery.bytes, counters);
    }
    if matches!(conn.phase, Phase::Recovery | Phase::Reduced) {
        let in_flight = pipe(conn, state);
        let safe = arrival.advanced() && conn.totals.lost == lost_before;
        let (ssthresh, mss) = (conn.congestion.ssthresh(), u32::from(conn.mss));
        state.prr.on_ack(&Step { delivered, in_flight, ssthresh, mss, safe });
    }
    delivered
}

/// Reordering and needless retransmissions give segments more time (RFC 8985 §6.2, steps 3 and 4).
fn note_reordering(
    conn: &mut Conn,
    state: &mut SendState,
    arrival: &Arrival,
    delivery: &Delivery,
    counters: &mut TcpCounters,
) {
    if delivery.reordered && !conn.reordering.seen {
        conn.reordering.seen = true;
        counters.bump(TcpCounter::ReorderingSeen);
    }
    if let Some(dsack) = arrival.dsack {
        state.undo.on_dsack(dsack, u32::from(conn.mss));
        if state.rack.begins_dsack_round(conn.snd_una, conn.snd_nxt) {
            conn.reordering.widen();
        }
    }
}

/// Without SACK each duplicate stands for a segment that arrived; a later acknowledgment counts it again. Bytes that
/// arrived, as far as it is known.
fn count_duplicates(conn: &Conn, state: &mut SendState, arrival: &Arrival, delivery: &Delivery) -> u32 {
    let mss = u32::from(conn.mss);
    if conn.has(flag::SACK) {
        return delivery.bytes;
    }
    if arrival.duplicate && conn.phase != Phase::Loss {
        state.dup_acks = state.dup_acks.saturating_add(1);
        return mss;
    }
    if !arrival.advanced() {
        return delivery.bytes;
    }
    // The first segment acknowledged was missing; the others may have sent the duplicates.
    let counted = state.dup_acks.min(arrival.bytes.div_ceil(mss).saturating_sub(1));
    state.dup_acks = if conn.phase == Phase::Recovery { state.dup_acks - counted } else { 0 };
    delivery.bytes.saturating_sub(counted.saturating_mul(mss)).max(mss.min(delivery.bytes))
}

/// RFC 8985 §7.4: a probe that repaired the loss of a tail hid a sign of congestion.
fn judge_probe(conn: &mut Conn, arrival: &Arrival, delivery: &Delivery, counters: &mut TcpCounters) {
    let bare = !arrival.advanced() && delivery.bytes == 0;
    if conn.probe.judge(conn.snd_una, arrival.dsack.map(|block| block.1), bare) != Verdict::Repaired {
        return;
    }
    counters.bump(TcpCounter::LossProbeRepairs);
    if conn.phase == Phase::Open {
        let mss = u32::from(conn.mss);
        conn.congestion.on_loss(arrival.now, arrival.prior_in_flight, mss);
        conn.congestion.on_recovered(arrival.now, mss);
        announce_reduction(conn);
    }
}

/// RFC 3168 §6.1.2: a mark is answered as a loss is, once a window of data, but nothing is sent again.
fn reduce_for_mark(conn: &mut Conn, state: &mut SendState, arrival: &Arrival, fresh: u32, counters: &mut TcpCounters) {
    if conn.phase != Phase::Open {
        return;
    }
    conn.congestion.on_ecn(arrival.now, conn.outstanding() + arrival.bytes, u32::from(conn.mss));
    begin_reduction(conn, state, fresh);
    conn.phase = Phase::Reduced;
    conn.recover = conn.snd_nxt;
    state.undo.end();
    counters.bump(TcpCounter::EcnReductions);
}

/// RFC 3168 §6.1.2: the next new data says that the window was reduced, whatever the reason.
pub(super) fn announce_reduction(conn: &mut Conn) {
    if conn.has(flag::ECN) {
        conn.set(flag::CWR_DUE);
    }
}

/// Where recovery stands: over, needless, or going on.
fn proceed(conn: &mut Conn, state: &mut SendState, arrival: &Arrival, delivery: &Delivery, counters: &mut TcpCounters) {
    let covered = conn.snd_una.at_or_after(conn.recover);
    let late = arrival.advanced() && state.undo.is_late(arrival.echo);
    let needless = arrival.dsack.is_some() && state.undo.all_needless();
    match conn.phase {
        Phase::Open if needless => undo(conn, state, arrival.now, counters),
        Phase::Open => {}
        Phase::Reduced if covered => leave(conn, state, arrival.now),
        Phase::Reduced => {}
        Phase::Recovery if needless || (late && (covered || state.board.repeated() == 0)) => {
            undo(conn, state, arrival.now, counters);
        }
        Phase::Recovery if covered => leave(conn, state, arrival.now),
        Phase::Recovery => {}
        Phase::Loss if needless || late => {
            counters.bump(TcpCounter::SpuriousTimeouts);
            undo(conn, state, arrival.now, counters);
        }
        Phase::Loss => after_timeout(conn, state, arrival, delivery, counters),
    }
}

/// RFC 5682 §3.1, with SACK as in Linux: a timeout was spurious when something arrives that was not sent again.
fn after_timeout(
    conn: &mut Conn,
    state: &mut SendState,
    arrival: &Arrival,
    delivery: &Delivery,
    counters: &mut TcpCounters,
) {
    let covered = conn.snd_una.at_or_after(conn.recover);
    if state.frto != Frto::Off {
        // Step 3b. Without SACK an acknowledgment of both kinds proves nothing: the rest may have arrived long ago.
        if delivery.original && (conn.has(flag::SACK) || !delivery.repeated) {
            counters.bump(TcpCounter::SpuriousTimeouts);
            return undo(conn, state, arrival.now, counters);
        }
        if conn.snd_nxt.after(conn.recover) {
            // Step 3a: new data arrives, old does not.
            if delivery.sacked > 0 || arrival.duplicate {
                state.frto = Frto::Off;
            }
        } else if arrival.advanced() && !covered {
            conn.recover = conn.snd_nxt;
            let unsent = conn.data_end().after(conn.snd_nxt);
            let open = (conn.snd_una + conn.snd_wnd).after(conn.snd_nxt);
            state.frto = if unsent && open { Frto::Testing } else { Frto::Off };
            return;
        }
    }
    if covered {
        leave(conn, state, arrival.now);
    }
}

/// Everything that was out when it began is acknowledged (RFC 6675 §5 (A), RFC 6582 §3.2 step 3).
fn leave(conn: &mut Conn, state: &mut SendState, now: Instant) {
    conn.phase = Phase::Open;
    state.dup_acks = 0;
    state.frto = Frto::Off;
    conn.reordering.recovered();
    conn.congestion.on_recovered(now, u32::from(conn.mss));
}

/// The recovery was needless (RFC 4015 §3.2): nothing is lost, and the window is what it was.
fn undo(conn: &mut Conn, state: &mut SendState, now: Instant, counters: &mut TcpCounters) {
    counters.bump(TcpCounter::Undone);
    if conn.phase != Phase::Loss && !conn.reordering.seen {
        // What overtook the segment made it look lost.
        conn.reordering.seen = true;
        counters.bump(TcpCounter::ReorderingSeen);
    }
    state.board.unmark_lost();
    state.undo.end();
    conn.congestion.on_undo(now, u32::from(conn.mss));
    conn.retries = 0;
    if conn.phase != Phase::Open {
        leave(conn, state, now);
    }
}

/// RFC 5681 §3.2, RFC 6582 §3.2: the third duplicate, then each partial acknowledgment, shows the first segment lost.
fn mark_by_duplicates(conn: &mut Conn, state: &mut SendState, arrival: &Arrival, before: Phase) {
    let third = conn.phase == Phase::Open
        && arrival.duplicate
        && state.dup_acks >= DUP_THRESH
        // RFC 6582 §3.2 step 2: not for what was in flight at an earlier recovery or timeout.
        && conn.snd_una.at_or_after(conn.recover);
    let partial = conn.phase == Phase::Recovery && before == Phase::Recovery && arrival.advanced();
    if !(third || partial) {
        return;
    }
    if let Some((key, _)) = state.board.first() {
        // RFC 6582 §3.2 step 3: it goes at once.
        state.forced = true;
        lose(conn, state, key, arrival.now);
    }
}

/// Takes a segment for lost.
fn lose(conn: &mut Conn, state: &mut SendState, key: u32, now: Instant) {
    let Some(&record) = state.board.get(key) else { return };
    let bytes = state.board.mark_lost(key);
    if record.has(mark::SIZE_PROBE) {
        state.forced = true;
        return black_hole::probe_lost(conn, now);
    }
    if bytes > 0 {
        conn.totals.lost += u64::from(bytes);
        let segment = record.snapshot.lost_segment(&conn.totals, bytes, record.has(mark::APP_LIMITED));
        conn.congestion.on_lost(now, &segment);
    }
}

/// How late a segment may be, in microseconds.
pub(super) fn reordering_window_us(conn: &Conn, state: &SendState) -> u64 {
    let repairing = matches!(conn.phase, Phase::Recovery | Phase::Loss);
    let certain = repairing || state.board.sacked_segments() >= DUP_THRESH;
    conn.reordering.window_us(certain, conn.rtt.min_us(), conn.rtt.srtt_us())
}

/// RFC 8985 §6.2, step 5: marks what is past its deadline, and notes when the next one is.
pub(super) fn detect(conn: &mut Conn, state: &mut SendState, now: Instant) {
    state.reorder_at = Instant::FAR_FUTURE;
    if !conn.has(flag::SACK) {
        return;
    }
    let window_us = reordering_window_us(conn, state);
    while let Some((key, record)) = state.board.oldest()
        && let Some(deadline) = state.rack.deadline(record.sent_at, window_us)
    {
        if deadline > now {
            state.reorder_at = deadline;
            return;
        }
        lose(conn, state, key, now);
    }
}

/// RFC 6675 §5 step 4, RFC 6582 §3.2 step 2: recovery begins.
pub(super) fn enter(conn: &mut Conn, state: &mut SendState, now: Instant, fresh: u32, counters: &mut TcpCounters) {
    // After a mark in the same window of data it is reduced already (RFC 3168 §6.1.2).
    if conn.phase == Phase::Open {
        conn.congestion.on_loss(now, conn.outstanding(), u32::from(conn.mss));
        begin_reduction(conn, state, fresh);
        state.undo.begin(conn.snd_una);
    }
    conn.phase = Phase::Recovery;
    conn.recover = conn.snd_nxt;
    conn.probe.end();
    state.forced = true;
    counters.bump(TcpCounter::FastRecoveries);
}

/// The window falls step by step from here on. What is SACKed already will not be delivered in this recovery; the bytes
/// `fresh` are those that this acknowledgment delivered.
fn begin_reduction(conn: &mut Conn, state: &mut SendState, fresh: u32) {
    state.prr = Prr::new(conn.outstanding() - state.board.sacked() + fresh);
    announce_reduction(conn);
}
