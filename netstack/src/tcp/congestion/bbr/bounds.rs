//! What losses say of the path: bounds for a short term and for a long one, and their undoing (§5.5.10, §5.5.11).

use super::cycle::Phase;
use super::rate::Rate;
use super::{LostSegment, Model, Sample};
use crate::time::Instant;

/// §2.5: BBR.LossThresh, 2 %.
const LOSS_THRESH_PERCENT: u64 = 2;
/// §2.5: BBR.Beta.
const BETA_PERCENT: u64 = 70;
/// §5.3.1.3: BBRStartupFullLossCnt.
pub(super) const STARTUP_FULL_LOSS_COUNT: u8 = 6;
/// No bound.
pub(super) const INFINITE: u32 = u32::MAX;

/// Bounds, the signals that they are made of, and what they were before the latest losses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bounds {
    pub(super) bw_shortterm: Rate,
    pub(super) inflight_shortterm: u32,
    pub(super) inflight_longterm: u32,
    bw_latest: Rate,
    pub(super) inflight_latest: u32,
    loss_round_delivered: u64,
    pub(super) loss_round_start: bool,
    is_loss_in_round: bool,
    /// Acknowledgments of this round that showed losses: as many ranges, roughly.
    pub(super) loss_events_in_round: u8,
    undo_phase: Option<Phase>,
    undo_bw_shortterm: Rate,
    undo_inflight_shortterm: u32,
    undo_inflight_longterm: u32,
}

impl Bounds {
    pub(super) fn new() -> Bounds {
        Bounds {
            bw_shortterm: Rate::INFINITE,
            inflight_shortterm: INFINITE,
            inflight_longterm: INFINITE,
            bw_latest: Rate::ZERO,
            inflight_latest: 0,
            loss_round_delivered: 0,
            loss_round_start: false,
            is_loss_in_round: false,
            loss_events_in_round: 0,
            undo_phase: None,
            undo_bw_shortterm: Rate::ZERO,
            undo_inflight_shortterm: 0,
            undo_inflight_longterm: 0,
        }
    }

    /// ResetShortTermModel.
    pub(super) fn reset_short_term(&mut self) {
        self.bw_shortterm = Rate::INFINITE;
        self.inflight_shortterm = INFINITE;
    }

    /// ResetCongestionSignals.
    pub(super) fn reset_signals(&mut self) {
        self.is_loss_in_round = false;
        self.bw_latest = Rate::ZERO;
        self.inflight_latest = 0;
    }
}

/// §5.5.10.2: IsInflightTooHigh.
pub(super) fn is_inflight_too_high(lost: u32, tx_in_flight: u32) -> bool {
    u64::from(lost) * 100 > u64::from(tx_in_flight) * LOSS_THRESH_PERCENT
}

/// §5.5.10.2, InflightAtLoss: how much was in flight when, within this segment, losses crossed the threshold.
fn inflight_at_loss(segment: &LostSegment) -> u32 {
    let inflight_prev = u64::from(segment.tx_in_flight.saturating_sub(segment.bytes));
    let lost_prev = u64::from(segment.lost.saturating_sub(segment.bytes));
    let allowed = inflight_prev * LOSS_THRESH_PERCENT / 100;
    let lost_prefix = allowed.saturating_sub(lost_prev) * 100 / (100 - LOSS_THRESH_PERCENT);
    u32::try_from(inflight_prev + lost_prefix).unwrap_or(u32::MAX - 1)
}

fn beta(bytes: u32) -> u32 {
    (u64::from(bytes) * BETA_PERCENT / 100) as u32
}

impl Model {
    /// §5.5.10.3: UpdateLatestDeliverySignals.
    pub(super) fn update_latest_delivery_signals(&mut self, rs: &Sample) {
        let bounds = &mut self.bounds;
        bounds.bw_latest = bounds.bw_latest.max(rs.delivery_rate);
        bounds.inflight_latest = bounds.inflight_latest.max(rs.delivered);
        bounds.loss_round_start = rs.prior_delivered.is_some_and(|prior| prior >= bounds.loss_round_delivered);
        if bounds.loss_round_start {
            bounds.loss_round_delivered = self.path.delivered;
        }
    }

    /// §5.5.10.3: AdvanceLatestDeliverySignals.
    pub(super) fn advance_latest_delivery_signals(&mut self, rs: &Sample) {
        if self.bounds.loss_round_start {
            self.bounds.bw_latest = rs.delivery_rate;
            self.bounds.inflight_latest = rs.delivered;
            self.bounds.loss_events_in_round = 0;
        }
    }

    /// §5.5.10.3: UpdateCongestionSignals, AdaptLowerBoundsFromCongestion.
    pub(super) fn update_congestion_signals(&mut self, rs: &Sample) {
        self.update_max_bw(rs);
        if !self.bounds.loss_round_start {
            return;
        }
        if self.bounds.is_loss_in_round && !self.cycle.phase.is_probing_bw() {
            let (max_bw, cwnd, bounds) = (self.path.max_bw(), self.cwnd, &mut self.bounds);
            if bounds.bw_shortterm == Rate::INFINITE {
                bounds.bw_shortterm = max_bw;
            }
            if bounds.inflight_shortterm == INFINITE {
                bounds.inflight_shortterm = cwnd;
            }
            bounds.bw_shortterm = bounds.bw_latest.max(bounds.bw_shortterm.percent(BETA_PERCENT));
            bounds.inflight_shortterm = bounds.inflight_latest.max(beta(bounds.inflight_shortterm));
        }
        self.bounds.is_loss_in_round = false;
    }

    /// BoundBWForModel.
    pub(super) fn bound_bw_for_model(&mut self) {
        self.path.bw = self.path.max_bw().min(self.bounds.bw_shortterm);
    }

    /// §5.5.10.2: NoteLoss.
    pub(super) fn note_loss(&mut self) {
        self.save_state_upon_loss();
        self.begin_loss_round();
    }

    fn begin_loss_round(&mut self) {
        if !self.bounds.is_loss_in_round {
            self.bounds.loss_round_delivered = self.path.delivered;
            self.bounds.is_loss_in_round = true;
        }
    }

    /// §5.5.10.2: HandleLostPacket.
    pub(super) fn handle_lost_segment(&mut self, now: Instant, segment: &LostSegment) {
        self.note_loss();
        if self.cycle.is_bw_probe_sample && is_inflight_too_high(segment.lost, segment.tx_in_flight) {
            self.handle_inflight_too_high(now, inflight_at_loss(segment), segment.app_limited);
        }
    }

    /// §5.5.10.2: HandleInflightTooHigh.
    fn handle_inflight_too_high(&mut self, now: Instant, inflight: u32, app_limited: bool) {
        self.cycle.prev_probe_too_high = true;
        // Once for each probe.
        self.cycle.is_bw_probe_sample = false;
        if !app_limited {
            self.bounds.inflight_longterm = inflight.max(beta(self.target_inflight()));
        }
        if self.cycle.phase == Phase::Up {
            self.bounds.undo_phase = Some(Phase::Up);
            self.start_probe_bw_down(now);
        }
    }

    /// §5.3.1.3: losses end Startup.
    pub(super) fn check_startup_high_loss(&mut self, rs: &Sample, in_recovery: bool) {
        let bounds = &self.bounds;
        if bounds.loss_round_start
            && in_recovery
            && bounds.loss_events_in_round >= STARTUP_FULL_LOSS_COUNT
            && is_inflight_too_high(rs.lost, rs.tx_in_flight)
        {
            self.end_startup_by_congestion();
        }
    }

    fn end_startup_by_congestion(&mut self) {
        self.bounds.undo_phase = Some(Phase::Startup);
        self.cycle.full_bw_reached = true;
        self.bounds.inflight_longterm = self.bdp(self.path.bw, 100).max(self.bounds.inflight_latest);
    }

    /// §3.7 leaves the response to ECN open: an echo is taken for a loss. RFC 3168 §6.1.2: not more than once for a window
    /// of data, which is the caller's.
    pub(super) fn handle_ecn(&mut self, now: Instant, in_flight: u32) {
        self.begin_loss_round();
        if self.cycle.is_bw_probe_sample {
            self.handle_inflight_too_high(now, in_flight, false);
        } else if self.cycle.phase == Phase::Startup && self.path.bw > Rate::ZERO {
            self.end_startup_by_congestion();
            self.enter_drain();
        }
        // A mark is never spurious.
        self.bounds.undo_phase = None;
    }

    /// §5.5.11.1: SaveStateUponLoss, once for an episode of recovery: what it found, its undoing brings back.
    pub(super) fn save_state_upon_loss(&mut self) {
        if self.episode {
            return;
        }
        self.save_cwnd();
        self.episode = true;
        let bounds = &mut self.bounds;
        bounds.undo_phase = None;
        bounds.undo_bw_shortterm = bounds.bw_shortterm;
        bounds.undo_inflight_shortterm = bounds.inflight_shortterm;
        bounds.undo_inflight_longterm = bounds.inflight_longterm;
    }

    /// §5.5.11.2: HandleSpuriousLossDetection.
    pub(super) fn handle_spurious_loss_detection(&mut self) {
        self.episode = false;
        self.restore_cwnd();
        self.reset_full_bw(Rate::ZERO);
        let bounds = &mut self.bounds;
        bounds.is_loss_in_round = false;
        bounds.bw_shortterm = bounds.bw_shortterm.max(bounds.undo_bw_shortterm);
        bounds.inflight_shortterm = bounds.inflight_shortterm.max(bounds.undo_inflight_shortterm);
        bounds.inflight_longterm = bounds.inflight_longterm.max(bounds.undo_inflight_longterm);
        let phase = self.cycle.phase;
        match bounds.undo_phase.take() {
            Some(Phase::Startup) if phase != Phase::Startup => {
                self.cycle.full_bw_reached = false;
                if phase != Phase::ProbeRtt {
                    self.cycle.phase = Phase::Startup;
                }
            }
            Some(Phase::Up) if phase != Phase::Up && phase != Phase::ProbeRtt => self.start_probe_bw_refill(),
            _ => {}
        }
        self.bound_cwnd_for_model();
    }
}
