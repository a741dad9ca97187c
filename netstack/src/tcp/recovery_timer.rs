//! Loss recovery by time: the retransmission timeout (RFC 6298), the reordering timer (RFC 8985 §6.3), and what is sent
//! again without a loss.

use super::black_hole;
use super::congestion::CongestionControl;
use super::control_block::{Conn, Phase, flag};
use super::prr::{Prr, Step};
use super::recovery::{self, Frto, announce_reduction, detect, reordering_window_us};
use super::scoreboard::mark;
use super::send::SendState;
use crate::counters::{TcpCounter, TcpCounters};
use crate::time::Instant;

/// The retransmission timer expired (RFC 6298 §5.4, RFC 5681 §3.1).
pub(crate) fn on_timeout(conn: &mut Conn, state: &mut SendState, now: Instant, counters: &mut TcpCounters) {
    let repairing = matches!(conn.phase, Phase::Recovery | Phase::Loss);
    let again = conn.phase == Phase::Loss && conn.retries > 0;
    // RFC 5681 §3.1: the threshold is lowered once for a window of data.
    let first = !again && (!repairing || conn.phase == Phase::Loss || conn.snd_una.at_or_after(conn.recover));
    take_all_for_lost(conn, state, now, again, counters);
    conn.congestion.on_timeout(now, conn.outstanding(), u32::from(conn.mss), first);
    announce_reduction(conn);
    if first {
        state.undo.begin(conn.snd_una);
    }
    // RFC 5682 §3.1 step 1: not while an earlier loss is repaired, but when the timer expires again.
    state.frto = if !repairing || again { Frto::Armed } else { Frto::Off };
    state.dup_acks = 0;
    state.forced = true;
    state.probe_due = false;
    state.reorder_at = Instant::FAR_FUTURE;
    conn.probe.end();
    conn.phase = Phase::Loss;
    conn.recover = conn.snd_nxt;
    if black_hole::on_timeout(conn, state, now) {
        counters.bump(TcpCounter::BlackHoles);
    }
    // What is out may be larger than segments are now: it left before the path was found narrow, or as a probe.
    let mss = u32::from(conn.mss);
    if state.board.first().is_some_and(|(_, first)| first.data() > mss) {
        state.board.recut(mss);
    }
}

fn take_all_for_lost(conn: &mut Conn, state: &mut SendState, now: Instant, again: bool, counters: &mut TcpCounters) {
    // RFC 2018 §8: the peer may have taken back what it SACKed; it surely has when SND.UNA is in a block.
    let reneged = state.board.sacked_segments() > 0
        && (again || state.board.first().is_some_and(|(_, first)| first.has(mark::SACKED)));
    if reneged {
        counters.bump(TcpCounter::SackReneged);
    }
    let cutoff = match conn.has(flag::SACK) {
        true => state.rack.timeout_cutoff(now, reordering_window_us(conn, state)),
        false => now,
    };
    let Conn { totals, congestion, .. } = conn;
    state.board.mark_all_lost(cutoff, reneged, |record| {
        totals.lost += u64::from(record.len);
        congestion.on_lost(now, &record.snapshot.lost_segment(totals, record.len, record.has(mark::APP_LIMITED)));
    });
}

/// The reordering timer expired: what was given more time is lost.
pub(crate) fn on_reordering_timer(conn: &mut Conn, state: &mut SendState, now: Instant, counters: &mut TcpCounters) {
    let before = conn.totals.lost;
    detect(conn, state, now);
    if conn.totals.lost == before {
        return;
    }
    counters.bump(TcpCounter::ReorderingTimeouts);
    let mss = u32::from(conn.mss);
    if matches!(conn.phase, Phase::Open | Phase::Reduced) {
        recovery::enter(conn, state, now, 0, counters);
    }
    if conn.phase == Phase::Recovery {
        let (in_flight, ssthresh) = (recovery::pipe(conn, state), conn.congestion.ssthresh());
        state.prr.on_ack(&Step { delivered: mss, in_flight, ssthresh, mss, safe: false });
    }
}

/// Segments became smaller: what is out was too big and goes again at once, which is no sign of congestion (RFC 1191
/// §6.5).
pub(crate) fn on_smaller_segments(conn: &mut Conn, state: &mut SendState) {
    state.board.recut(u32::from(conn.mss));
    resend(conn, state);
}

/// The peer opened a window that had been probed: it did not take what the probes carried, which is sent again first.
pub(crate) fn on_window_opened(conn: &mut Conn, state: &mut SendState, now: Instant) {
    if conn.phase == Phase::Open && !state.board.is_empty() {
        state.board.mark_all_lost(now, false, |_| {});
        resend(conn, state);
    }
}

fn resend(conn: &mut Conn, state: &mut SendState) {
    state.undo.end();
    state.frto = Frto::Off;
    state.prr = Prr::default();
    state.dup_acks = 0;
    state.forced = true;
    state.reorder_at = Instant::FAR_FUTURE;
    conn.probe.end();
    conn.phase = Phase::Loss;
    conn.recover = conn.snd_nxt;
}
