//! Pacing rate, quantum and window from the model (§5.6).

use core::time::Duration;

use super::bounds::INFINITE;
use super::cycle::Phase;
use super::rate::Rate;
use super::{Model, Sample};
use crate::tcp::congestion::{MAX_WINDOW, initial_window};

/// §2.4: BBR.PacingMarginPercent.
const PACING_MARGIN_PERCENT: u64 = 1;
/// §2.5: BBR.Headroom.
const HEADROOM_PERCENT: u64 = 15;
/// §2.8: BBR.MinPipeCwnd in segments.
const MIN_PIPE_SEGMENTS: u32 = 4;
/// §5.6.3: a quantum is a millisecond's worth, within these bytes.
const QUANTUM_NS: u64 = 1_000_000;
const MAX_QUANTUM: u64 = 65_536;

impl Model {
    /// §5.2.3: UpdateControlParameters.
    pub(super) fn update_control_parameters(&mut self, rs: &Sample, srtt: Option<Duration>) {
        if !self.paced_by_rtt && srtt.is_some() {
            self.init_pacing_rate(srtt);
        }
        self.set_pacing_rate_with_gain(self.cycle.phase.pacing_gain());
        self.set_send_quantum();
        self.set_cwnd(rs);
    }

    /// §5.6.2: InitPacingRate.
    pub(super) fn init_pacing_rate(&mut self, srtt: Option<Duration>) {
        self.paced_by_rtt = srtt.is_some();
        let nominal = Rate::of(self.cwnd, srtt.unwrap_or(Duration::from_millis(1)).max(Duration::from_micros(1)));
        self.pacing_rate = 0;
        self.pace(nominal.percent(Phase::Startup.pacing_gain()));
    }

    /// §5.6.2: SetPacingRateWithGain.
    pub(super) fn set_pacing_rate_with_gain(&mut self, gain: u64) {
        let rate = self.path.bw.percent(gain).percent(100 - PACING_MARGIN_PERCENT);
        self.pace(rate);
    }

    /// Before the pipe was full, only faster: samples limited by the application shall not slow down the search. A
    /// segment a second is the least.
    fn pace(&mut self, rate: Rate) {
        let rate = rate.bytes_per_second().max(u64::from(self.mss));
        if self.cycle.full_bw_reached || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    /// §5.6.3: SetSendQuantum.
    fn set_send_quantum(&mut self) {
        let quantum = (self.pacing_rate / (1_000_000_000 / QUANTUM_NS)).min(MAX_QUANTUM) as u32;
        self.send_quantum = quantum.max(2 * self.mss);
    }

    pub(super) fn min_pipe_cwnd(&self) -> u32 {
        MIN_PIPE_SEGMENTS * self.mss
    }

    /// §5.6.4.2: BDPMultiple.
    pub(super) fn bdp(&self, bw: Rate, gain: u64) -> u32 {
        if self.path.min_rtt_ns == u64::MAX {
            return initial_window(self.mss, self.initial_segments);
        }
        let bdp = bw.bytes_in(self.path.min_rtt_ns) * gain / 100;
        bdp.min(u64::from(MAX_WINDOW)) as u32
    }

    /// §5.6.4.2: QuantizationBudget. Three quanta (§5.5.8.1): one on its way out, one on its way in, one not acknowledged.
    fn quantization_budget(&self, inflight_cap: u32) -> u32 {
        let cap = inflight_cap.max(3 * self.send_quantum).max(self.min_pipe_cwnd());
        let cap = if self.cycle.phase == Phase::Up { cap + 2 * self.mss } else { cap };
        cap.min(MAX_WINDOW)
    }

    /// §5.6.4.2: Inflight.
    pub(super) fn inflight(&self, bw: Rate, gain: u64) -> u32 {
        self.quantization_budget(self.bdp(bw, gain))
    }

    /// §5.3.3.8.3: TargetInflight.
    pub(super) fn target_inflight(&self) -> u32 {
        self.bdp(self.path.bw, 100).min(self.cwnd)
    }

    /// §5.3.3.9: InflightWithHeadroom.
    pub(super) fn inflight_with_headroom(&self) -> u32 {
        let limit = self.bounds.inflight_longterm;
        if limit == INFINITE {
            return INFINITE;
        }
        let headroom = (u64::from(limit) * HEADROOM_PERCENT / 100) as u32;
        limit.saturating_sub(headroom.max(self.mss)).max(self.min_pipe_cwnd())
    }

    /// §5.6.4.5: ProbeRTTCwnd.
    pub(super) fn probe_rtt_cwnd(&self) -> u32 {
        self.bdp(self.path.bw, Phase::ProbeRtt.cwnd_gain()).max(self.min_pipe_cwnd())
    }

    /// §5.6.4.6: SetCwnd.
    fn set_cwnd(&mut self, rs: &Sample) {
        let inflight_cap = u64::from(self.bdp(self.path.bw, self.cycle.phase.cwnd_gain()));
        let inflight_cap = inflight_cap + u64::from(self.aggregation.extra_acked.max());
        let max_inflight = self.quantization_budget(inflight_cap.min(u64::from(MAX_WINDOW)) as u32);
        let initial = initial_window(self.mss, self.initial_segments);
        let grown = self.cwnd.saturating_add(rs.newly_acked);
        if self.cycle.full_bw_reached {
            self.cwnd = grown.min(max_inflight);
        } else if self.cwnd < max_inflight || self.path.delivered < u64::from(initial) {
            self.cwnd = grown;
        }
        self.cwnd = self.cwnd.clamp(self.min_pipe_cwnd(), MAX_WINDOW);
        if self.cycle.phase == Phase::ProbeRtt {
            // §5.6.4.5: BoundCwndForProbeRTT.
            self.cwnd = self.cwnd.min(self.probe_rtt_cwnd());
        }
        self.bound_cwnd_for_model();
    }

    /// §5.6.4.7: BoundCwndForModel.
    pub(super) fn bound_cwnd_for_model(&mut self) {
        let cap = match self.cycle.phase {
            Phase::Down | Phase::Refill | Phase::Up => self.bounds.inflight_longterm,
            Phase::Cruise | Phase::ProbeRtt => self.inflight_with_headroom(),
            Phase::Startup | Phase::Drain => INFINITE,
        };
        let cap = cap.min(self.bounds.inflight_shortterm).max(self.min_pipe_cwnd());
        self.cwnd = self.cwnd.min(cap);
    }

    /// §5.6.4.4: SaveCwnd.
    pub(super) fn save_cwnd(&mut self) {
        let outside = !self.episode && self.cycle.phase != Phase::ProbeRtt;
        self.prior_cwnd = if outside { self.cwnd } else { self.prior_cwnd.max(self.cwnd) };
    }

    /// §5.6.4.4: RestoreCwnd.
    pub(super) fn restore_cwnd(&mut self) {
        self.cwnd = self.cwnd.max(self.prior_cwnd);
    }
}
