//! What the path is like: bandwidth, round-trip time, rounds, aggregation (§5.5.1 to §5.5.9).

use core::time::Duration;

use super::cycle::Phase;
use super::rate::Rate;
use super::{Model, Sample};
use crate::time::Instant;

/// §2.16: BBR.MinRTTFilterLen, BBR.ProbeRTTInterval.
const MIN_RTT_FILTER_LEN: Duration = Duration::from_secs(10);
const PROBE_RTT_INTERVAL: Duration = Duration::from_secs(5);
/// §2.11: BBR.ExtraAckedFilterLen in rounds.
const EXTRA_ACKED_FILTER_LEN: u64 = 10;

/// Estimates of the path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Path {
    /// C.delivered in bytes.
    pub(super) delivered: u64,
    next_round_delivered: u64,
    pub(super) round_count: u64,
    pub(super) round_start: bool,
    /// The best of the last cycle of ProbeBW, and of this one.
    max_bw_filter: [Rate; 2],
    /// `max_bw` within the short-term bound.
    pub(super) bw: Rate,
    /// Nanoseconds; `u64::MAX` before the first sample.
    pub(super) min_rtt_ns: u64,
    min_rtt_stamp: Instant,
    probe_rtt_min_delay_ns: u64,
    pub(super) probe_rtt_min_stamp: Instant,
    /// Samples of what left between these counts of delivered bytes say nothing of the bandwidth: ProbeRTT held them back.
    quiet: (u64, u64),
}

impl Path {
    pub(super) fn new(now: Instant) -> Path {
        Path {
            delivered: 0,
            next_round_delivered: 0,
            round_count: 0,
            round_start: false,
            max_bw_filter: [Rate::ZERO; 2],
            bw: Rate::ZERO,
            min_rtt_ns: u64::MAX,
            min_rtt_stamp: now,
            probe_rtt_min_delay_ns: u64::MAX,
            probe_rtt_min_stamp: now,
            quiet: (u64::MAX, 0),
        }
    }

    pub(super) fn max_bw(&self) -> Rate {
        self.max_bw_filter[0].max(self.max_bw_filter[1])
    }

    /// §5.5.6: AdvanceMaxBwFilter. A cycle without samples is none.
    pub(super) fn advance_max_bw_filter(&mut self) {
        if self.max_bw_filter[1] > Rate::ZERO {
            self.max_bw_filter = [self.max_bw_filter[1], Rate::ZERO];
        }
    }

    /// §5.5.1: StartRound.
    pub(super) fn start_round(&mut self) {
        self.next_round_delivered = self.delivered;
    }

    /// §4.1.2.4: MarkConnectionAppLimited.
    pub(super) fn mark_quiet(&mut self, in_flight: u32, begins: bool) {
        if begins {
            self.quiet.0 = self.delivered;
        }
        self.quiet.1 = self.delivered.saturating_add(u64::from(in_flight));
    }

    pub(super) fn is_quiet(&self, prior_delivered: Option<u64>) -> bool {
        prior_delivered.is_some_and(|prior| (self.quiet.0..=self.quiet.1).contains(&prior))
    }
}

impl Model {
    /// §5.5.1: UpdateRound.
    fn update_round(&mut self, rs: &Sample) {
        self.path.round_start = rs.prior_delivered.is_some_and(|prior| prior >= self.path.next_round_delivered);
        if self.path.round_start {
            self.path.start_round();
            self.path.round_count += 1;
            self.cycle.rounds_since_probe_up += 1;
        }
    }

    /// §5.5.5: UpdateMaxBw.
    pub(super) fn update_max_bw(&mut self, rs: &Sample) {
        self.update_round(rs);
        if rs.delivery_rate > Rate::ZERO && (rs.delivery_rate >= self.path.max_bw() || !rs.app_limited) {
            let newest = &mut self.path.max_bw_filter[1];
            *newest = (*newest).max(rs.delivery_rate);
        }
    }

    /// §5.3.4.3: UpdateMinRTT.
    pub(super) fn update_min_rtt(&mut self, rs: &Sample) {
        let path = &mut self.path;
        self.cycle.probe_rtt_expired = rs.now > path.probe_rtt_min_stamp + PROBE_RTT_INTERVAL;
        if let Some(rtt_ns) = rs.rtt_ns
            && (rtt_ns < path.probe_rtt_min_delay_ns || self.cycle.probe_rtt_expired)
        {
            path.probe_rtt_min_delay_ns = rtt_ns;
            path.probe_rtt_min_stamp = rs.now;
        }
        let min_rtt_expired = rs.now > path.min_rtt_stamp + MIN_RTT_FILTER_LEN;
        if path.probe_rtt_min_delay_ns < path.min_rtt_ns || min_rtt_expired {
            path.min_rtt_ns = path.probe_rtt_min_delay_ns;
            path.min_rtt_stamp = path.probe_rtt_min_stamp;
        }
    }

    /// §5.5.9: UpdateACKAggregation.
    pub(super) fn update_ack_aggregation(&mut self, rs: &Sample) {
        let aggregation = &mut self.aggregation;
        let interval_ns = (rs.now.as_nanos()).saturating_sub(aggregation.interval_start.as_nanos());
        let mut expected = self.path.bw.bytes_in(interval_ns);
        if aggregation.delivered <= expected {
            (aggregation.delivered, aggregation.interval_start) = (0, rs.now);
            expected = 0;
        }
        aggregation.delivered = aggregation.delivered.saturating_add(u64::from(rs.newly_acked));
        let extra = (aggregation.delivered - expected).min(u64::from(self.cwnd)) as u32;
        let window = if self.cycle.full_bw_reached { EXTRA_ACKED_FILTER_LEN } else { 1 };
        aggregation.extra_acked.update(window, self.path.round_count, extra);
    }

    /// §5.4.1: HandleRestartFromIdle.
    pub(super) fn handle_restart_from_idle(&mut self, now: Instant) {
        self.cycle.idle_restart = true;
        self.aggregation.interval_start = now;
        self.aggregation.delivered = 0;
        if self.cycle.phase.is_probe_bw() {
            self.set_pacing_rate_with_gain(100);
        } else if self.cycle.phase == Phase::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }
}
