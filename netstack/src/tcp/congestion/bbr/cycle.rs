//! The state machine (§5.1, §5.3).
//!
//! ```text
//!   Startup ─▶ Drain ─▶ Down ─▶ Cruise ─▶ Refill ─▶ Up ─┐        every 5 s without a lower round-trip time, from
//!                        ▲                              │        anywhere: ProbeRTT, 200 ms at half of what the
//!                        └──────────────────────────────┘        path holds, and back
//! ```

use core::time::Duration;

use super::bounds::{INFINITE, is_inflight_too_high};
use super::rate::Rate;
use super::{Model, Sample};
use crate::time::Instant;

/// §2.16.2: BBR.ProbeRTTDuration.
const PROBE_RTT_DURATION: Duration = Duration::from_millis(200);
/// §5.3.3.8.2: T_reno_bound in rounds, and the wall-clock bound between 2 and 3 s.
const RENO_ROUNDS: u64 = 63;
const PROBE_WAIT_NS: u64 = 2_000_000_000;
const PROBE_WAIT_SPREAD_NS: u32 = 1_000_000_000;
/// §5.3.1.2: rounds without growth that mean a full pipe, and the growth that counts.
const FULL_BW_ROUNDS: u8 = 3;
const FULL_BW_GROWTH: (u64, u64) = (5, 4);
/// §5.3.2: Drain ends after so many rounds in any case.
const DRAIN_ROUNDS: u64 = 3;

/// States of §5.1.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
}

impl Phase {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Phase::Startup => "Startup",
            Phase::Drain => "Drain",
            Phase::Down => "ProbeBW_DOWN",
            Phase::Cruise => "ProbeBW_CRUISE",
            Phase::Refill => "ProbeBW_REFILL",
            Phase::Up => "ProbeBW_UP",
            Phase::ProbeRtt => "ProbeRTT",
        }
    }

    /// §5.6.1, in percent.
    pub(super) const fn pacing_gain(self) -> u64 {
        match self {
            Phase::Startup => 277,
            Phase::Drain => 50,
            Phase::Down => 90,
            Phase::Cruise | Phase::Refill | Phase::ProbeRtt => 100,
            Phase::Up => 125,
        }
    }

    /// §5.6.1, in percent.
    pub(super) const fn cwnd_gain(self) -> u64 {
        match self {
            Phase::Up => 225,
            Phase::ProbeRtt => 50,
            _ => 200,
        }
    }

    /// IsInAProbeBWState.
    pub(super) const fn is_probe_bw(self) -> bool {
        matches!(self, Phase::Down | Phase::Cruise | Phase::Refill | Phase::Up)
    }

    /// IsProbingBW.
    pub(super) const fn is_probing_bw(self) -> bool {
        matches!(self, Phase::Startup | Phase::Refill | Phase::Up)
    }
}

/// What the acknowledgments that arrive tell of the probing (§2.14).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AckPhase {
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

impl Model {
    /// §5.3.1.2: ResetFullBW, with a baseline.
    pub(super) fn reset_full_bw(&mut self, baseline: Rate) {
        self.cycle.full_bw = baseline;
        self.cycle.full_bw_count = 0;
        self.cycle.full_bw_now = false;
    }

    /// §5.3.1.2: CheckFullBWReached.
    pub(super) fn check_full_bw_reached(&mut self, rs: &Sample) {
        if self.cycle.full_bw_now || !self.path.round_start || rs.app_limited {
            return;
        }
        if rs.delivery_rate >= self.cycle.full_bw * FULL_BW_GROWTH {
            self.reset_full_bw(rs.delivery_rate);
            return;
        }
        self.cycle.full_bw_count += 1;
        self.cycle.full_bw_now = self.cycle.full_bw_count >= FULL_BW_ROUNDS;
        self.cycle.full_bw_reached |= self.cycle.full_bw_now;
    }

    /// §5.3.1.1: CheckStartupDone.
    pub(super) fn check_startup_done(&mut self, rs: &Sample, in_recovery: bool) {
        if self.cycle.phase != Phase::Startup {
            return;
        }
        if !self.cycle.full_bw_reached {
            self.check_startup_high_loss(rs, in_recovery);
        }
        if self.cycle.full_bw_reached {
            self.enter_drain();
        }
    }

    pub(super) fn enter_drain(&mut self) {
        self.cycle.phase = Phase::Drain;
        self.cycle.drain_start_round = self.path.round_count;
    }

    /// §5.3.2: CheckDrainDone.
    pub(super) fn check_drain_done(&mut self, rs: &Sample) {
        if self.cycle.phase == Phase::Drain
            && (rs.in_flight <= self.inflight(self.path.bw, 100)
                || self.path.round_count > self.cycle.drain_start_round + DRAIN_ROUNDS)
        {
            self.start_probe_bw_down(rs.now);
        }
    }

    /// §5.3.3.9: StartProbeBW_DOWN.
    pub(super) fn start_probe_bw_down(&mut self, now: Instant) {
        self.bounds.reset_signals();
        self.cycle.probe_up_acked_per_inc = u32::MAX;
        // PickProbeWait
        self.cycle.rounds_since_probe_up = u64::from(self.rng.below(2));
        self.cycle.bw_probe_wait_ns = PROBE_WAIT_NS + u64::from(self.rng.below(PROBE_WAIT_SPREAD_NS));
        self.cycle.cycle_stamp = now;
        self.cycle.ack_phase = AckPhase::ProbeStopping;
        self.path.start_round();
        self.cycle.phase = Phase::Down;
    }

    /// §5.3.3.9: StartProbeBW_REFILL.
    pub(super) fn start_probe_bw_refill(&mut self) {
        self.bounds.reset_short_term();
        self.cycle.bw_probe_up_rounds = 0;
        self.cycle.bw_probe_up_acked = 0;
        self.cycle.prev_probe_precautionary = false;
        self.cycle.ack_phase = AckPhase::Refilling;
        self.path.start_round();
        self.cycle.phase = Phase::Refill;
    }

    /// §5.3.3.9: StartProbeBW_UP.
    fn start_probe_bw_up(&mut self, rs: &Sample) {
        self.cycle.ack_phase = AckPhase::ProbeStarting;
        self.path.start_round();
        self.reset_full_bw(rs.delivery_rate);
        self.cycle.phase = Phase::Up;
        self.raise_inflight_longterm_slope();
    }

    /// §5.3.3.9: UpdateProbeBWCyclePhase.
    pub(super) fn update_probe_bw_cycle_phase(&mut self, rs: &Sample) {
        if !self.cycle.full_bw_reached || self.adapt_long_term_model(rs) {
            return;
        }
        let phase = self.cycle.phase;
        match phase {
            Phase::Down | Phase::Cruise if self.is_time_to_probe_bw(rs.now) => self.start_probe_bw_refill(),
            Phase::Down if self.is_time_to_cruise(rs) => self.cycle.phase = Phase::Cruise,
            Phase::Refill if self.path.round_start => {
                self.cycle.is_bw_probe_sample = true;
                self.start_probe_bw_up(rs);
            }
            Phase::Up if self.is_time_to_go_down(rs) => {
                self.cycle.prev_probe_too_high = false;
                self.start_probe_bw_down(rs.now);
            }
            _ => {}
        }
    }

    /// §5.3.3.8.3: IsTimeToProbeBW, with IsRenoCoexistenceProbeTime.
    fn is_time_to_probe_bw(&self, now: Instant) -> bool {
        let reno_rounds = u64::from(self.target_inflight() / self.mss.max(1)).min(RENO_ROUNDS);
        now > self.cycle.cycle_stamp.plus_nanos(self.cycle.bw_probe_wait_ns)
            || self.cycle.rounds_since_probe_up >= reno_rounds
    }

    /// IsTimeToCruise: there is headroom, and no queue.
    fn is_time_to_cruise(&self, rs: &Sample) -> bool {
        rs.in_flight <= self.inflight_with_headroom() && rs.in_flight <= self.inflight(self.path.max_bw(), 100)
    }

    /// IsTimeToGoDown.
    fn is_time_to_go_down(&mut self, rs: &Sample) -> bool {
        let limit = self.bounds.inflight_longterm;
        if self.cycle.prev_probe_too_high && rs.in_flight >= limit {
            // §5.3.3.6: this much was too much the last time. Back, before it does harm again.
            self.cycle.prev_probe_precautionary = true;
            return true;
        }
        if rs.cwnd_limited && self.cwnd >= limit {
            // The bound, not the path, limits the bandwidth.
            self.reset_full_bw(rs.delivery_rate);
            return false;
        }
        self.cycle.full_bw_now
    }

    /// RaiseInflightLongtermSlope.
    fn raise_inflight_longterm_slope(&mut self) {
        let growth_this_round = 1 << self.cycle.bw_probe_up_rounds;
        self.cycle.bw_probe_up_rounds = (self.cycle.bw_probe_up_rounds + 1).min(30);
        self.cycle.probe_up_acked_per_inc = (self.cwnd / growth_this_round).max(self.mss).max(1);
    }

    /// ProbeInflightLongtermUpward.
    fn probe_inflight_longterm_upward(&mut self, rs: &Sample) {
        if !rs.cwnd_limited || self.cwnd < self.bounds.inflight_longterm {
            return;
        }
        let cycle = &mut self.cycle;
        cycle.bw_probe_up_acked = cycle.bw_probe_up_acked.saturating_add(rs.newly_acked);
        if cycle.bw_probe_up_acked >= cycle.probe_up_acked_per_inc {
            let delta = cycle.bw_probe_up_acked / cycle.probe_up_acked_per_inc;
            cycle.bw_probe_up_acked %= cycle.probe_up_acked_per_inc;
            let limit = &mut self.bounds.inflight_longterm;
            *limit = limit.saturating_add(delta.saturating_mul(self.mss)).min(INFINITE - 1);
        }
        if self.path.round_start {
            self.raise_inflight_longterm_slope();
        }
    }

    /// §5.3.3.9: AdaptLongTermModel; true when it decided on the state.
    fn adapt_long_term_model(&mut self, rs: &Sample) -> bool {
        let probe_bw = self.cycle.phase.is_probe_bw();
        if self.cycle.ack_phase == AckPhase::ProbeStarting && self.path.round_start {
            self.cycle.ack_phase = AckPhase::ProbeFeedback;
        }
        if self.cycle.ack_phase == AckPhase::ProbeStopping && self.path.round_start {
            self.cycle.is_bw_probe_sample = false;
            self.cycle.ack_phase = AckPhase::Init;
            if probe_bw && !rs.app_limited {
                self.path.advance_max_bw_filter();
            }
            if probe_bw && self.cycle.prev_probe_precautionary && !self.cycle.prev_probe_too_high {
                // §5.3.3.6: a round of feedback without harm. Again, and to the end.
                self.start_probe_bw_refill();
                return true;
            }
        }
        let limit = &mut self.bounds.inflight_longterm;
        if *limit != INFINITE && !is_inflight_too_high(rs.lost, rs.tx_in_flight) {
            *limit = (*limit).max(rs.tx_in_flight.min(INFINITE - 1));
            if self.cycle.phase == Phase::Up {
                self.probe_inflight_longterm_upward(rs);
            }
        }
        false
    }

    /// §5.3.4.3: CheckProbeRTT.
    pub(super) fn check_probe_rtt(&mut self, rs: &Sample) {
        if self.cycle.phase != Phase::ProbeRtt && self.cycle.probe_rtt_expired && !self.cycle.idle_restart {
            self.save_cwnd();
            self.cycle.phase = Phase::ProbeRtt;
            self.cycle.probe_rtt_done_stamp = None;
            self.cycle.ack_phase = AckPhase::ProbeStopping;
            self.path.start_round();
            self.path.mark_quiet(rs.in_flight, true);
        }
        if self.cycle.phase == Phase::ProbeRtt {
            self.handle_probe_rtt(rs);
        }
        if rs.newly_acked > 0 {
            self.cycle.idle_restart = false;
        }
    }

    /// §5.3.4.3: HandleProbeRTT.
    fn handle_probe_rtt(&mut self, rs: &Sample) {
        self.path.mark_quiet(rs.in_flight, false);
        if self.cycle.probe_rtt_done_stamp.is_some() {
            self.cycle.probe_rtt_round_done |= self.path.round_start;
            if self.cycle.probe_rtt_round_done {
                self.check_probe_rtt_done(rs.now);
            }
        } else if rs.in_flight <= self.probe_rtt_cwnd() {
            self.cycle.probe_rtt_done_stamp = Some(rs.now + PROBE_RTT_DURATION);
            self.cycle.probe_rtt_round_done = false;
            self.path.start_round();
        }
    }

    /// §5.3.4.3, §5.3.4.4: CheckProbeRTTDone, ExitProbeRTT.
    pub(super) fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.cycle.probe_rtt_done_stamp.is_none_or(|done| now <= done) {
            return;
        }
        self.path.probe_rtt_min_stamp = now;
        self.restore_cwnd();
        self.bounds.reset_short_term();
        if self.cycle.full_bw_reached {
            self.start_probe_bw_down(now);
            self.cycle.phase = Phase::Cruise;
        } else {
            self.cycle.phase = Phase::Startup;
        }
    }
}
