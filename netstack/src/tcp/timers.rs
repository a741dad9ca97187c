//! What time does to a connection: retransmission, window probes, delayed acknowledgments, keep-alive, waits.
//!
//! A control block holds three deadlines; the wheel holds one entry, for the earliest (`Shared::arm`). Deadlines that
//! move later are not told to the wheel: it fires, finds nothing due, and is armed again.

use core::time::Duration;

use super::control_block::{Conn, Phase, clock_ms, flag};
use super::event::EndReason;
use super::probe;
use super::rtt::RtoBounds;
use super::send::SendState;
use super::shared::Shared;
use super::state::State;
use super::{Ctx, Outcome, emit, lone, recovery_timer};
use crate::counters::TcpCounter;
use crate::time::Instant;

/// Timeouts in a row after which the path to the peer is looked up anew.
const FORGET_PATH_AFTER: u8 = 3;

/// What the retransmission deadline of a connection is for. At any time there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deadline {
    /// The retransmission timeout (RFC 6298), of a SYN, too.
    Retransmit,
    /// The tail loss probe (RFC 8985 §7).
    Probe,
    /// A segment that is late counts as lost (RFC 8985 §6.2).
    Reorder,
    /// The probe of a closed window (RFC 9293 §3.8.6.1).
    Window,
}

/// Starts the deadline of a timeout or of a window probe from now (RFC 6298 §5).
#[inline]
pub(crate) fn restart_retransmit(conn: &mut Conn, shared: &Shared, now: Instant) {
    let at = now.plus_micros(conn.rtt.rto_us(conn.backoff, shared.rto));
    conn.retransmit_at = if conn.state.is_synchronized() { capped(conn, at) } else { at };
}

/// `at`, but no later than the user timeout (RFC 9293 §3.9.1.1).
#[inline]
pub(super) fn capped(conn: &Conn, at: Instant) -> Instant {
    match conn.user_timeout_ms {
        0 => at,
        limit => at.min(after(conn.progress_at, limit)),
    }
}

/// Data has been unacknowledged for too long.
fn is_overdue(conn: &Conn, now: Instant) -> bool {
    conn.user_timeout_ms > 0 && after(conn.progress_at, conn.user_timeout_ms) <= now
}

/// Starts the retransmission timeout of what is in flight from now (RFC 6298 §5.1, §5.3).
#[inline]
pub(crate) fn restart_timeout(conn: &Conn, state: &mut SendState, bounds: RtoBounds, now: Instant) {
    state.rto_at = now.plus_micros(conn.rtt.rto_us(conn.backoff, bounds));
}

/// Chooses what the deadline is for, after an acknowledgment or a transmission: a late segment, a probe, the timeout.
#[inline]
pub(crate) fn choose(conn: &mut Conn, state: &SendState, now: Instant) {
    let (deadline, at) = if state.reorder_at != Instant::FAR_FUTURE {
        (Deadline::Reorder, state.reorder_at)
    } else if state.board.sacked_segments() == 0 && state.board.lost() == 0 && probe_fits(conn) {
        let alone = conn.outstanding() <= u32::from(conn.mss);
        (Deadline::Probe, now.plus_micros(probe::timeout_us(conn.rtt.srtt_us(), alone)))
    } else {
        (Deadline::Retransmit, state.rto_at)
    };
    // RFC 8985 §7.2: a probe takes the place of a timeout that would come before it.
    let early = deadline != Deadline::Probe && state.rto_at < at;
    conn.deadline = if early { Deadline::Retransmit } else { deadline };
    conn.retransmit_at = capped(conn, at.min(state.rto_at));
}

/// RFC 8985 §7.2: with SACK, outside of recovery, with nothing SACKed, one at a time.
#[inline]
pub(super) fn probe_fits(conn: &Conn) -> bool {
    conn.has(flag::SACK) && conn.phase == Phase::Open && !conn.probe.is_out() && conn.rtt.srtt_us() != 0
}

/// Nothing is in flight any more.
#[inline]
pub(crate) fn stop_retransmit(conn: &mut Conn) {
    conn.retransmit_at = Instant::FAR_FUTURE;
    conn.deadline = Deadline::Retransmit;
    conn.retries = 0;
    conn.probes = 0;
}

/// RFC 9293 §3.8.6.1: data waits, nothing is in flight, and the window does not let it go: the window is probed.
#[inline]
pub(crate) fn watch_window(conn: &mut Conn, shared: &Shared, now: Instant) {
    let waiting = conn.send_queued > 0 && conn.snd_nxt == conn.snd_una && conn.state.can_transmit();
    if waiting && conn.retransmit_at == Instant::FAR_FUTURE && !shared.pacing.is_set(conn.send) {
        conn.deadline = Deadline::Window;
        conn.progress_at = now;
        restart_retransmit(conn, shared, now);
    }
}

/// The wheel fired for the connection.
pub(crate) fn fire(conn: &mut Conn, index: u32, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Outcome {
    conn.armed_at = Instant::FAR_FUTURE;
    if conn.delayed_ack_at <= ctx.now {
        conn.delayed_ack_at = Instant::FAR_FUTURE;
        if conn.has(flag::ACK_PENDING) {
            conn.set(flag::ACK_NOW);
            shared.counters.bump(TcpCounter::TxDelayedAcks);
            shared.queue_transmit(conn, index);
        }
    }
    let mut outcome = Outcome::Keep;
    if conn.retransmit_at <= ctx.now {
        outcome = match conn.state {
            State::SynSent | State::SynReceived => handshake_timeout(conn, shared, ctx.now),
            _ if is_overdue(conn, ctx.now) => {
                shared.counters.bump(TcpCounter::EndUserTimeout);
                give_up(conn, shared, ctx)
            }
            _ => match conn.deadline {
                Deadline::Window => probe_window(conn, shared, ctx),
                Deadline::Retransmit => data_timeout(conn, shared, ctx),
                Deadline::Probe | Deadline::Reorder => early(conn, shared, ctx.now),
            },
        };
        shared.queue_transmit(conn, index);
    }
    if outcome == Outcome::Keep && conn.idle_at <= ctx.now {
        outcome = idle(conn, index, shared, ctx);
    }
    if outcome == Outcome::Keep {
        shared.arm(conn, index);
    }
    outcome
}

fn handshake_timeout(conn: &mut Conn, shared: &mut Shared, now: Instant) -> Outcome {
    let limit = if conn.state == State::SynSent { shared.config.syn_retries } else { shared.config.syn_ack_retries };
    if conn.backoff >= limit {
        shared.counters.bump(TcpCounter::EndTimedOut);
        return Outcome::End(EndReason::TimedOut);
    }
    shared.counters.bump(TcpCounter::Timeouts);
    conn.backoff += 1;
    conn.set(flag::SYN_DUE | flag::SYN_RESENT);
    conn.clear(flag::RTT_TIMED);
    if conn.backoff >= FORGET_PATH_AFTER {
        conn.path.forget();
    }
    restart_retransmit(conn, shared, now);
    Outcome::Keep
}

fn data_timeout(conn: &mut Conn, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Outcome {
    if conn.retries >= shared.config.data_retries {
        shared.counters.bump(TcpCounter::EndTimedOut);
        return give_up(conn, shared, ctx);
    }
    shared.counters.bump(TcpCounter::Timeouts);
    if let Some(state) = shared.send.get_mut(conn.send) {
        lone::settle(conn, state, shared.rto);
        recovery_timer::on_timeout(conn, state, ctx.now, &mut shared.counters);
        // RFC 6298 §5.5, §5.6
        conn.backoff = conn.backoff.saturating_add(1).min(16);
        restart_timeout(conn, state, shared.rto, ctx.now);
        conn.retransmit_at = capped(conn, state.rto_at);
    }
    conn.retries = conn.retries.saturating_add(1);
    if conn.retries >= FORGET_PATH_AFTER {
        conn.path.forget();
    }
    Outcome::Keep
}

/// What comes before the timeout: a probe of the tail, or the end of a late segment's time.
fn early(conn: &mut Conn, shared: &mut Shared, now: Instant) -> Outcome {
    let Some(state) = shared.send.get_mut(conn.send) else { return Outcome::Keep };
    lone::settle(conn, state, shared.rto);
    if conn.deadline == Deadline::Probe {
        state.probe_due = true;
        // RFC 8985 §7.3: the timeout starts anew with the probe.
        restart_timeout(conn, state, shared.rto, now);
        conn.deadline = Deadline::Retransmit;
        conn.retransmit_at = capped(conn, state.rto_at);
    } else {
        recovery_timer::on_reordering_timer(conn, state, now, &mut shared.counters);
        state.rto_at = state.rto_at.max(now);
        choose(conn, state, now);
    }
    Outcome::Keep
}

/// RFC 9293 §3.8.6.1: at increasing intervals, for as long as the peer answers.
fn probe_window(conn: &mut Conn, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Outcome {
    if conn.probes >= shared.config.data_retries {
        shared.counters.bump(TcpCounter::EndTimedOut);
        return give_up(conn, shared, ctx);
    }
    conn.probes += 1;
    conn.backoff = conn.backoff.saturating_add(1).min(15);
    conn.set(flag::PROBE_DUE);
    shared.counters.bump(TcpCounter::TxWindowProbes);
    restart_retransmit(conn, shared, ctx.now);
    Outcome::Keep
}

fn give_up(conn: &mut Conn, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Outcome {
    shared.counters.bump(TcpCounter::ResetTimedOut);
    emit::send_reset(conn, shared, ctx);
    Outcome::End(EndReason::TimedOut)
}

fn idle(conn: &mut Conn, index: u32, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Outcome {
    if conn.has(flag::LINGERING) {
        shared.counters.bump(TcpCounter::EndUnread);
        return Outcome::End(EndReason::Aborted);
    }
    let silent = clock_ms(ctx.now).wrapping_sub(conn.heard_ms);
    if conn.state == State::FinWait2 {
        let limit = as_millis(shared.config.fin_wait_2);
        if silent < limit {
            conn.idle_at = after(ctx.now, limit - silent);
            return Outcome::Keep;
        }
        shared.counters.bump(TcpCounter::EndFinWait);
        return Outcome::End(EndReason::TimedOut);
    }
    keep_alive(conn, index, silent, shared, ctx)
}

/// RFC 9293 §3.8.4
fn keep_alive(conn: &mut Conn, index: u32, silent: u32, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Outcome {
    conn.idle_at = Instant::FAR_FUTURE;
    if conn.keep_idle_ms == 0 || !conn.state.is_synchronized() {
        return Outcome::Keep;
    }
    if silent < conn.keep_idle_ms {
        conn.idle_at = after(ctx.now, conn.keep_idle_ms - silent);
        return Outcome::Keep;
    }
    // While data is in flight its own timer watches the peer.
    if conn.outstanding() == 0 {
        if conn.probes >= conn.keep_probes {
            shared.counters.bump(TcpCounter::EndKeepAlive);
            shared.counters.bump(TcpCounter::ResetTimedOut);
            emit::send_reset(conn, shared, ctx);
            return Outcome::End(EndReason::KeepAliveTimedOut);
        }
        conn.probes += 1;
        conn.set(flag::KEEP_ALIVE_DUE);
        shared.queue_transmit(conn, index);
    }
    conn.idle_at = after(ctx.now, conn.keep_interval_ms);
    Outcome::Keep
}

/// Starts what watches an idle connection in its present state.
pub(crate) fn start_idle(conn: &mut Conn, shared: &Shared, now: Instant) {
    conn.idle_at = match conn.state {
        State::FinWait2 => now + shared.config.fin_wait_2,
        _ if conn.keep_idle_ms > 0 => after(now, conn.keep_idle_ms),
        _ => Instant::FAR_FUTURE,
    };
}

fn as_millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX / 4)
}

fn after(now: Instant, ms: u32) -> Instant {
    now + Duration::from_millis(u64::from(ms))
}
