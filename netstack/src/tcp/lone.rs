//! A lone segment: all that was queued, sent once from idle. It is what requests and their answers are, and needs no
//! record: sequence numbers and one moment are in the control block already.
//!
//! ```text
//!   idle ── a segment takes the whole queue ──▶ LONE ── acknowledged ──▶ idle
//!                                                └ anything else ──▶ a record in the scoreboard, and the long way
//! ```

use super::congestion::{Ack, CongestionControl, RateSample};
use super::control_block::{Conn, Phase, flag};
use super::plan::{Plan, Purpose, Turn};
use super::probe;
use super::rtt::RtoBounds;
use super::scoreboard::{Record, mark};
use super::segment::{ECE, Segment};
use super::send::SendState;
use super::timers::{self, Deadline};
use crate::time::Instant;

/// The segment that takes the whole queue of an idle connection, if that is all there is to do.
#[inline]
pub(super) fn plan(conn: &Conn, turn: &Turn) -> Option<Plan> {
    // After a Fast Open `timed_at` is the SYN-ACK's until the handshake is complete.
    const BUSY: u32 = flag::FIN_QUEUED | flag::PROBE_DUE | flag::CWR_DUE | flag::FAST_OPEN;
    let len = conn.send_queued;
    let fits = len > 0
        && len <= u32::from(conn.mss).min(conn.snd_wnd)
        && len <= conn.congestion.window()
        && conn.snd_nxt == conn.snd_una
        && conn.phase == Phase::Open
        && conn.deadline == Deadline::Retransmit
        && !conn.has(BUSY)
        && conn.state.can_transmit();
    (fits && !turn.follows_silence(conn)).then_some(Plan {
        seq: conn.snd_nxt,
        len,
        fin: false,
        again: None,
        purpose: Purpose::Lone,
    })
}

/// It left.
#[inline]
pub(super) fn sent(conn: &mut Conn, len: u32, bounds: RtoBounds, now: Instant) {
    conn.set(flag::LONE);
    (conn.timed_at, conn.progress_at) = (now, now);
    conn.snd_nxt += len;
    // RFC 8985 §7.2: as timers::choose.
    let timeout_us = conn.rtt.rto_us(conn.backoff, bounds);
    let probes = timers::probe_fits(conn);
    let probe_us = if probes { probe::timeout_us(conn.rtt.srtt_us(), true) } else { u64::MAX };
    conn.deadline = if probes { Deadline::Probe } else { Deadline::Retransmit };
    conn.retransmit_at = timers::capped(conn, now.plus_micros(timeout_us.min(probe_us)));
}

/// True when a segment does nothing to a lone one but to acknowledge it.
#[inline]
pub(super) fn is_all_of(conn: &Conn, segment: &Segment) -> bool {
    segment.ack == conn.snd_nxt && segment.sack.is_empty() && !segment.has(ECE) && !conn.probe.is_out()
}

/// It is acknowledged, and nothing is in flight.
#[inline]
pub(super) fn acknowledged(conn: &mut Conn, now: Instant) {
    let bytes = conn.outstanding();
    conn.clear(flag::LONE);
    let (prior_delivered, rtt) = (conn.totals.delivered, now - conn.timed_at);
    conn.rtt.measured(now.micros_since(conn.timed_at), now);
    conn.totals.delivered += u64::from(bytes);
    conn.snd_una = conn.snd_nxt;
    conn.send_queued -= bytes;
    conn.rtt_round = conn.snd_nxt;
    conn.backoff = 0;
    timers::stop_retransmit(conn);
    let rate = RateSample {
        delivered: bytes,
        interval: rtt,
        // It was idle before.
        app_limited: true,
        prior_delivered,
        total_delivered: conn.totals.delivered,
        tx_in_flight: bytes,
        lost: 0,
    };
    let window = conn.congestion.window();
    let ack = Ack {
        acked: bytes,
        delivered: bytes,
        prior_in_flight: bytes,
        // Half a window is used enough in slow start, as in send.rs.
        limited: window < conn.congestion.ssthresh() && window < 2 * bytes,
        rtt: Some(rtt),
        srtt: conn.rtt.srtt(),
        rate: (!rtt.is_zero()).then_some(rate),
        ..Ack::new(now, u32::from(conn.mss))
    };
    conn.congestion.on_ack(&ack);
}

/// Something else happens: it gets its record.
#[inline]
pub(super) fn settle(conn: &mut Conn, state: &mut SendState, bounds: RtoBounds) {
    if conn.has(flag::LONE) {
        record(conn, state, bounds);
    }
}

#[cold]
fn record(conn: &mut Conn, state: &mut SendState, bounds: RtoBounds) {
    conn.clear(flag::LONE);
    state.used = true;
    let len = conn.outstanding();
    let sent_at = state.stamp(conn.timed_at);
    let (snapshot, limited) = state.sampler.on_send(&conn.totals, sent_at, len, 0, true);
    let marks = if limited { mark::APP_LIMITED } else { 0 };
    state.board.push(Record::new(conn.snd_una, len, marks, sent_at, snapshot));
    state.usage.note(conn.snd_una, conn.snd_nxt, len, false);
    timers::restart_timeout(conn, state, bounds, sent_at);
}
