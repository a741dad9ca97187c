//! The acknowledgment field: what it frees, measures and reveals (RFC 9293 §3.10.7.4, fifth).

use super::super::control_block::{Conn, clock_ms, flag};
use super::super::delivery::{Delivery, Echo};
use super::super::event::Ready;
use super::super::recovery::{self, Arrival};
use super::super::rtt::RtoBounds;
use super::super::segment::{ECE, FIN, Segment};
use super::super::send::SendState;
use super::super::shared::Shared;
use super::super::timers::{self, Deadline};
use super::super::{Ctx, emit, lone, recovery_timer, tuning};
use crate::counters::TcpCounter;
use crate::time::Instant;

/// What the acknowledgment was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acknowledged {
    /// Of what was never sent, or long past: the segment is dropped.
    Invalid,
    /// Nothing special.
    Valid,
    /// It covers our FIN.
    Fin,
}

pub(super) fn process(
    conn: &mut Conn,
    index: u32,
    segment: &Segment,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) -> Acknowledged {
    let ack = segment.ack;
    // RFC 5961 §5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT, or a challenge. (A window of less than 64 KiB is
    // taken as 64 KiB: an old acknowledgment from before the window was scaled is harmless.)
    let past = conn.max_snd_wnd.max(0xffff);
    if ack.after(conn.snd_nxt) || ack.before(conn.snd_una - past) {
        shared.counters.bump(TcpCounter::DropBadAck);
        emit::challenge(conn, shared, ctx);
        return Acknowledged::Invalid;
    }
    let progress = ack.after(conn.snd_una);
    let fin = take(conn, index, segment, shared, ctx.now);
    if progress && ctx.egress.awaits_confirmation() {
        ctx.egress.confirm(ctx.now, &conn.path);
    }
    update_window(conn, index, segment, shared, ctx.now);
    if fin { Acknowledged::Fin } else { Acknowledged::Valid }
}

/// RFC 5681 §2, for a peer without SACK.
fn is_duplicate(conn: &Conn, segment: &Segment) -> bool {
    !conn.has(flag::SACK)
        && segment.ack == conn.snd_una
        && segment.payload_len == 0
        && !segment.has(FIN)
        && u32::from(segment.window) << conn.snd_scale == conn.snd_wnd
        && conn.deadline != Deadline::Window
}

/// Takes an acknowledgment of what is in flight, with its SACK blocks; true when it covers our FIN.
#[inline]
pub(super) fn take(conn: &mut Conn, index: u32, segment: &Segment, shared: &mut Shared, now: Instant) -> bool {
    let Some(state) = shared.send.get_mut(conn.send).filter(|_| conn.snd_nxt != conn.snd_una) else {
        if !segment.sack.is_empty() && conn.has(flag::SACK) {
            recovery::on_late_duplicate(conn, &segment.sack, &mut shared.counters);
        }
        return false;
    };
    let fin = if conn.has(flag::LONE) && lone::is_all_of(conn, segment) {
        shared.memory.queued -= state.acknowledge(conn.outstanding() as usize);
        lone::acknowledged(conn, now);
        false
    } else {
        take_recorded(conn, segment, shared, now)
    };
    after_acknowledgment(conn, index, shared);
    fin
}

/// As [`take`], of what has records.
#[inline(never)]
fn take_recorded(conn: &mut Conn, segment: &Segment, shared: &mut Shared, now: Instant) -> bool {
    let Some(state) = shared.send.get_mut(conn.send) else { return false };
    lone::settle(conn, state, shared.rto);
    let counters = &mut shared.counters;
    let timestamps = segment.timestamps.filter(|ts| conn.has(flag::TIMESTAMPS) && ts.ecr != 0);
    let echo = timestamps.map(|ts| Echo { ecr: ts.ecr, ts_offset: conn.ts_offset });
    let prior_in_flight = recovery::pipe(conn, state);
    let mut delivery = Delivery::new(now, echo, conn.rtt.min_us(), state.board.fack(), conn.recover);
    let bytes = segment.ack.saturating_since(conn.snd_una);
    let data = bytes.min(conn.send_queued);
    let duplicate = is_duplicate(conn, segment);
    if bytes > 0 {
        conn.snd_una = segment.ack;
        conn.send_queued -= data;
        state.board.acknowledge(segment.ack, &mut delivery);
        shared.memory.queued -= state.acknowledge(data as usize);
    }
    let dsack = match segment.sack.is_empty() || !conn.has(flag::SACK) {
        true => None,
        false => recovery::note_sack(conn, state, &segment.sack, &mut delivery, counters),
    };
    if duplicate || (bytes == 0 && delivery.sacked > 0) {
        counters.bump(TcpCounter::RxDuplicateAck);
    }
    let rtt_us = measure(conn, &delivery, echo, bytes > 0, now);
    if bytes > 0 {
        conn.retries = 0;
        conn.progress_at = now;
        // RFC 6298 §5 (Karn): only a measurement ends the back-off. One that only spaced window probes ends here.
        if rtt_us.is_some() || conn.deadline == Deadline::Window {
            conn.backoff = 0;
        }
    }
    let marked = segment.has(ECE) && conn.has(flag::ECN);
    let arrival = Arrival { now, bytes, duplicate, dsack, echo, marked, prior_in_flight, rtt_us };
    recovery::on_ack(conn, state, &arrival, &delivery, counters);
    if bytes > 0 || conn.deadline != Deadline::Window {
        restart_timers(conn, state, &delivery, bytes > 0, shared.rto, now);
    }
    conn.has(flag::FIN_SENT) && bytes > data
}

/// RFC 6298 §3, §4; RFC 7323 §4.1 for what was sent more than once. The round-trip time of this acknowledgment in
/// microseconds, if there was something to measure.
#[inline]
fn measure(conn: &mut Conn, delivery: &Delivery, echo: Option<Echo>, advanced: bool, now: Instant) -> Option<u64> {
    if let Some((first, last)) = delivery.sent_once {
        let round = conn.snd_una.at_or_after(conn.rtt_round);
        if round {
            conn.rtt_round = conn.snd_nxt;
        }
        conn.rtt.sample(now.micros_since(first), round);
        let latest = now.micros_since(last);
        conn.rtt.note_min(latest, clock_ms(now));
        return Some(latest.max(1));
    }
    let echo = echo.filter(|_| advanced)?;
    let elapsed = clock_ms(now).wrapping_add(echo.ts_offset).wrapping_sub(echo.ecr);
    // A peer that invents echoes shall not stretch the timeout beyond reason.
    (elapsed < 60_000).then(|| {
        conn.rtt.sample(u64::from(elapsed) * 1_000, false);
        u64::from(elapsed) * 1_000
    })
}

/// RFC 6298 §5.2, §5.3; in recovery also when something is SACKed that left before the first segment last did, as Linux
/// does: the network still moves what is before it.
#[inline]
fn restart_timers(
    conn: &mut Conn,
    state: &mut SendState,
    delivery: &Delivery,
    advanced: bool,
    bounds: RtoBounds,
    now: Instant,
) {
    let Some((_, first)) = state.board.first() else { return timers::stop_retransmit(conn) };
    if advanced || delivery.newest.is_some_and(|newest| newest.sent_at < first.sent_at) {
        timers::restart_timeout(conn, state, bounds, now);
    }
    timers::choose(conn, state, now);
}

/// What may go on now that something was acknowledged, or shown to be lost.
#[inline]
fn after_acknowledgment(conn: &mut Conn, index: u32, shared: &mut Shared) {
    if conn.send_queued > 0 || conn.has(flag::FIN_QUEUED) {
        shared.queue_transmit(conn, index);
    }
    if conn.has(flag::WANT_WRITE) {
        tuning::expand_send(conn, shared);
        if conn.send_queued <= conn.send_limit / 2 && conn.state.can_queue() {
            conn.clear(flag::WANT_WRITE);
            shared.notify(conn, index, Ready::WRITABLE);
        }
    }
    if conn.send_queued == 0 && conn.snd_nxt == conn.snd_una {
        shared.release_send(conn);
    }
}

/// RFC 9293 §3.10.7.4: SND.WND follows the latest segment.
#[inline]
pub(super) fn update_window(conn: &mut Conn, index: u32, segment: &Segment, shared: &mut Shared, now: Instant) {
    // RFC 9293 §3.10.7.4 goes by SEG.SEQ first. A retransmission that fills a gap has an old one: its window counts as well,
    // because its acknowledgment is new (as Linux does); else SND.WND would reach beyond what the peer offered.
    let newer = conn.snd_wl2.before(segment.ack)
        || conn.snd_wl1.before(segment.seq)
        || (conn.snd_wl1 == segment.seq && conn.snd_wl2 == segment.ack);
    if !newer || segment.ack.before(conn.snd_una) {
        return;
    }
    let window = u32::from(segment.window) << conn.snd_scale;
    let grew = window > conn.snd_wnd;
    conn.snd_wnd = window;
    conn.snd_wl1 = segment.seq;
    conn.snd_wl2 = segment.ack;
    conn.max_snd_wnd = conn.max_snd_wnd.max(window);
    if !grew {
        return;
    }
    if conn.deadline == Deadline::Window {
        conn.backoff = 0;
        conn.clear(flag::PROBE_DUE);
        timers::stop_retransmit(conn);
        if let Some(state) = shared.send.get_mut(conn.send).filter(|state| !state.board.is_empty()) {
            recovery_timer::on_window_opened(conn, state, now);
            timers::restart_timeout(conn, state, shared.rto, now);
            conn.retransmit_at = state.rto_at;
        }
    }
    if conn.send_queued > 0 || conn.has(flag::FIN_QUEUED) {
        shared.queue_transmit(conn, index);
    }
}
