//! BBR, version 3 (draft-ietf-ccwg-bbr-06): the window and the rate follow a model of the path.
//!
//! ```text
//!   acknowledgment ─▶ path.rs    max_bw, min_rtt, rounds, ACK aggregation
//!                 ─▶ bounds.rs   what losses say: short-term and long-term bounds, and their undoing
//!                 ─▶ cycle.rs    Startup ▸ Drain ▸ ProbeBW (Down ▸ Cruise ▸ Refill ▸ Up) ▸ …, ProbeRTT
//!                 ─▶ control.rs  pacing rate, quantum, window
//! ```
//!
//! Sections cited without a document are the draft's, names are its names. Rates are whole numbers (rate.rs), gains
//! percentages: the model is the same on every machine. The draw of probe times is seeded by the caller.
//!
//! Where the draft is silent: an ECN echo is taken for a loss (§3.7 asks for a response and leaves it open), by the rules
//! of the phase that it arrives in.

mod bounds;
mod control;
mod cycle;
mod filter;
mod path;
mod rate;

use bounds::Bounds;
use cycle::{AckPhase, Phase};
use filter::WindowedMax;
use path::Path;
use rate::Rate;

use super::{Ack, CongestionControl, LostSegment, MAX_WINDOW, initial_window};
use crate::rng::Rng;
use crate::time::Instant;

/// BBR version 3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bbr(Box<Model>);

/// The state of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Model {
    /// C.cwnd in bytes.
    cwnd: u32,
    /// C.pacing_rate in bytes per second.
    pacing_rate: u64,
    /// C.send_quantum in bytes.
    send_quantum: u32,
    /// The window to come back to from recovery and ProbeRTT.
    prior_cwnd: u32,
    mss: u32,
    initial_segments: u8,
    /// The pacing rate was derived from a round-trip time.
    paced_by_rtt: bool,
    /// Losses are being repaired, or were just found.
    episode: bool,
    path: Path,
    bounds: Bounds,
    cycle: Cycle,
    aggregation: Aggregation,
    rng: Rng,
}

/// Where in its cycles the flow is (§2.13, §2.14, §2.16).
#[derive(Clone, PartialEq, Eq, Debug)]
struct Cycle {
    phase: Phase,
    ack_phase: AckPhase,
    /// The full-pipe estimator (§5.3.1.2).
    full_bw: Rate,
    full_bw_count: u8,
    full_bw_now: bool,
    full_bw_reached: bool,
    drain_start_round: u64,
    /// When this cycle of ProbeBW began, and how long until bandwidth is probed again.
    cycle_stamp: Instant,
    bw_probe_wait_ns: u64,
    rounds_since_probe_up: u64,
    /// The slope of `inflight_longterm` in ProbeBW_UP.
    bw_probe_up_rounds: u8,
    bw_probe_up_acked: u32,
    probe_up_acked_per_inc: u32,
    is_bw_probe_sample: bool,
    prev_probe_too_high: bool,
    prev_probe_precautionary: bool,
    /// The schedule of ProbeRTT.
    probe_rtt_done_stamp: Option<Instant>,
    probe_rtt_round_done: bool,
    probe_rtt_expired: bool,
    idle_restart: bool,
}

/// §5.5.9: how much more arrives at once than the rate explains.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Aggregation {
    interval_start: Instant,
    delivered: u64,
    extra_acked: WindowedMax,
}

/// What the rules of the draft take from one acknowledgment (§4.1: RS).
#[derive(Clone, Copy, Debug)]
struct Sample {
    now: Instant,
    delivery_rate: Rate,
    /// Over the sample's interval.
    delivered: u32,
    newly_acked: u32,
    prior_delivered: Option<u64>,
    tx_in_flight: u32,
    lost: u32,
    app_limited: bool,
    rtt_ns: Option<u64>,
    in_flight: u32,
    cwnd_limited: bool,
}

impl Bbr {
    /// A fresh controller with an initial window of `initial_segments` segments of `mss` bytes. `seed` decides when it
    /// probes.
    pub fn new(mss: u32, initial_segments: u8, seed: u64, now: Instant) -> Bbr {
        let cwnd = initial_window(mss, initial_segments);
        let mut model = Model {
            cwnd,
            pacing_rate: 0,
            send_quantum: 2 * mss,
            prior_cwnd: 0,
            mss,
            initial_segments,
            paced_by_rtt: false,
            episode: false,
            path: Path::new(now),
            bounds: Bounds::new(),
            cycle: Cycle::new(now),
            aggregation: Aggregation { interval_start: now, delivered: 0, extra_acked: WindowedMax::default() },
            rng: Rng::new(seed),
        };
        model.init_pacing_rate(None);
        Bbr(Box::new(model))
    }

    /// Goes on from another controller's window: the model of the path is found anew, in Startup.
    pub(super) fn carry(&mut self, cwnd: u32) {
        self.0.cwnd = cwnd;
        self.0.init_pacing_rate(None);
    }

    /// The name of the state, as in the draft.
    pub fn state(&self) -> &'static str {
        self.0.cycle.phase.name()
    }
}

impl Cycle {
    fn new(now: Instant) -> Cycle {
        Cycle {
            phase: Phase::Startup,
            ack_phase: AckPhase::Init,
            full_bw: Rate::ZERO,
            full_bw_count: 0,
            full_bw_now: false,
            full_bw_reached: false,
            drain_start_round: 0,
            cycle_stamp: now,
            bw_probe_wait_ns: 0,
            rounds_since_probe_up: 0,
            bw_probe_up_rounds: 0,
            bw_probe_up_acked: 0,
            probe_up_acked_per_inc: u32::MAX,
            is_bw_probe_sample: false,
            prev_probe_too_high: false,
            prev_probe_precautionary: false,
            probe_rtt_done_stamp: None,
            probe_rtt_round_done: false,
            probe_rtt_expired: false,
            idle_restart: false,
        }
    }
}

impl Model {
    /// §5.2.3: UpdateOnACK.
    fn update_on_ack(&mut self, ack: &Ack) {
        let rs = self.sample(ack);
        if ack.lost > 0 {
            self.note_loss();
            self.bounds.loss_events_in_round = self.bounds.loss_events_in_round.saturating_add(1);
        }
        self.update_latest_delivery_signals(&rs);
        self.update_congestion_signals(&rs);
        self.update_ack_aggregation(&rs);
        self.check_full_bw_reached(&rs);
        self.check_startup_done(&rs, ack.in_recovery);
        self.check_drain_done(&rs);
        self.update_probe_bw_cycle_phase(&rs);
        self.update_min_rtt(&rs);
        self.check_probe_rtt(&rs);
        self.advance_latest_delivery_signals(&rs);
        self.bound_bw_for_model();
        self.update_control_parameters(&rs, ack.srtt);
    }

    fn sample(&mut self, ack: &Ack) -> Sample {
        let rate = ack.rate.unwrap_or_default();
        self.path.delivered = match ack.rate {
            Some(rate) => rate.total_delivered,
            None => self.path.delivered.saturating_add(u64::from(ack.delivered)),
        };
        let delivery_rate = match ack.rate {
            Some(rate) => Rate::of(rate.delivered, rate.interval),
            None => Rate::ZERO,
        };
        let prior_delivered = ack.rate.map(|rate| rate.prior_delivered);
        Sample {
            now: ack.now,
            delivery_rate,
            delivered: rate.delivered,
            newly_acked: ack.delivered,
            prior_delivered,
            tx_in_flight: rate.tx_in_flight,
            lost: rate.lost,
            app_limited: rate.app_limited || self.path.is_quiet(prior_delivered),
            rtt_ns: ack.rtt.map(|rtt| u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX).max(1)),
            in_flight: ack.in_flight,
            cwnd_limited: ack.limited,
        }
    }
}

impl CongestionControl for Bbr {
    fn name(&self) -> &'static str {
        "bbr"
    }

    #[inline]
    fn window(&self) -> u32 {
        self.0.cwnd
    }

    /// BBR has no such threshold. Once the pipe was full, what the path holds stands for it, so that another controller
    /// can go on from there.
    fn ssthresh(&self) -> u32 {
        if self.0.cycle.full_bw_reached { self.0.inflight(self.0.path.bw, 100) } else { MAX_WINDOW }
    }

    #[inline]
    fn pacing_rate(&self) -> Option<u64> {
        Some(self.0.pacing_rate)
    }

    /// §5.6.4.4: in fast recovery the model's bounds hold.
    fn uses_prr(&self) -> bool {
        false
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.0.update_on_ack(ack);
    }

    fn on_lost(&mut self, now: Instant, segment: &LostSegment) {
        self.0.handle_lost_segment(now, segment);
    }

    fn on_loss(&mut self, _now: Instant, _in_flight: u32, _mss: u32) {
        self.0.save_state_upon_loss();
    }

    fn on_ecn(&mut self, now: Instant, in_flight: u32, _mss: u32) {
        self.0.handle_ecn(now, in_flight);
    }

    fn on_recovered(&mut self, _now: Instant, _mss: u32) {
        let model = &mut *self.0;
        model.episode = false;
        model.restore_cwnd();
        model.bound_cwnd_for_model();
    }

    fn on_undo(&mut self, _now: Instant, _mss: u32) {
        self.0.handle_spurious_loss_detection();
    }

    fn on_timeout(&mut self, _now: Instant, _in_flight: u32, mss: u32, _first: bool) {
        // §5.6.4.4, OnEnterRTO: everything in flight is taken for lost, so that one segment may leave.
        self.0.save_state_upon_loss();
        self.0.cwnd = mss;
    }

    fn on_restart(&mut self, now: Instant, _mss: u32) {
        self.0.handle_restart_from_idle(now);
    }

    fn on_mss(&mut self, old: u32, new: u32) {
        let model = &mut *self.0;
        if model.cwnd == initial_window(old, model.initial_segments) {
            model.cwnd = initial_window(new, model.initial_segments);
        }
        model.mss = new;
        model.cwnd = model.cwnd.max(new);
        if !model.paced_by_rtt {
            model.init_pacing_rate(None);
        }
    }
}

#[cfg(test)]
mod tests;
