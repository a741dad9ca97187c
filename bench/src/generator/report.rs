//! What a run measured.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest latency that is told apart, in nanoseconds: one minute.
const HIGHEST_NANOS: u64 = 60_000_000_000;

/// The measured part of a run.
#[derive(Clone, Debug)]
pub struct LoadReport {
    /// How long was recorded.
    pub duration: Duration,
    /// Idle connections that stood at the end.
    pub idle_connections: usize,
    latency_nanos: Histogram<u64>,
    faults: BTreeMap<&'static str, u64>,
}

impl Default for LoadReport {
    fn default() -> LoadReport {
        let latency_nanos = Histogram::new_with_bounds(1, HIGHEST_NANOS, 3).expect("the bounds are constants in range");
        LoadReport { duration: Duration::ZERO, idle_connections: 0, latency_nanos, faults: BTreeMap::new() }
    }
}

impl LoadReport {
    pub(super) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX).clamp(1, HIGHEST_NANOS);
        self.latency_nanos.saturating_record(nanos);
    }

    pub(super) fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// Answers recorded.
    pub fn requests(&self) -> u64 {
        self.latency_nanos.len()
    }

    /// Answers a second.
    pub fn requests_per_second(&self) -> f64 {
        if self.duration.is_zero() { 0.0 } else { self.requests() as f64 / self.duration.as_secs_f64() }
    }

    /// The latency under which `quantile` (0 to 1) of the answers came, in microseconds.
    pub fn latency_us(&self, quantile: f64) -> f64 {
        self.latency_nanos.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// What went wrong, by name; empty in a clean run.
    pub fn faults(&self) -> &BTreeMap<&'static str, u64> {
        &self.faults
    }
}
