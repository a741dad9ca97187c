//! The figures of every cell, and what they add up to.

use super::cells::{BulkCell, RequestCell, ShareCell};
use super::work::{BulkOutcome, Conditions, RequestOutcome, ShareOutcome};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A cell's goodput may be so much of Linux's at least.
pub const LEAST_RATIO: f64 = 0.9;
/// All cells' mean ratio at least.
pub const LEAST_MEAN_RATIO: f64 = 0.95;
/// Jain's index at least, where fairness counts.
pub const LEAST_FAIRNESS: f64 = 0.9;

/// One rival in a bulk cell.
#[derive(Clone, Debug, Serialize)]
pub struct Goodput {
    /// Median of the runs, megabits of payload a second.
    pub mbit_per_second: f64,
    /// Every run.
    pub runs: Vec<f64>,
    /// How much of the time the busiest bridge was at work: near one it was the machine that limited.
    pub bridge_busy: f64,
    /// How late the worst bridge sent, 99th percentile, microseconds.
    pub late_p99_us: f64,
    /// Counters of the rival's endpoint, all runs together.
    pub counters: BTreeMap<String, u64>,
}

/// A bulk cell.
#[derive(Clone, Debug, Serialize)]
pub struct BulkRow {
    /// Which.
    #[serde(flatten)]
    pub cell: BulkCell,
    /// Our stack.
    pub anygate: Goodput,
    /// The kernel's.
    pub linux: Goodput,
    /// Ours over the kernel's.
    pub ratio: f64,
    /// What a reader should know: runs that failed or that the machine limited.
    pub notes: Vec<String>,
}

/// One rival in a cell of requests.
#[derive(Clone, Debug, Serialize)]
pub struct Times {
    /// Requests answered.
    pub answered: usize,
    /// Requests failed.
    pub failed: u64,
    /// Median, milliseconds.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// Mean.
    pub mean_ms: f64,
    /// Counters of the rival's endpoint.
    pub counters: BTreeMap<String, u64>,
}

/// A cell of requests.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRow {
    /// Which.
    #[serde(flatten)]
    pub cell: RequestCell,
    /// Our stack.
    pub anygate: Times,
    /// The kernel's.
    pub linux: Times,
    /// The kernel's mean time over ours: above one is faster than the kernel.
    pub ratio: f64,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// A cell of fairness; the run with the median index.
#[derive(Clone, Debug, Serialize)]
pub struct ShareRow {
    /// Path and flows.
    pub cell: String,
    /// Fairness is demanded of it.
    pub counts: bool,
    /// Each of our flows.
    pub anygate_mbit_per_second: Vec<f64>,
    /// Each of the kernel's.
    pub linux_mbit_per_second: Vec<f64>,
    /// Jain's index over all flows: one when all are equal, one over their number when one has everything.
    pub jain: f64,
    /// The index of every run.
    pub runs: Vec<f64>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// What everything adds up to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Bulk cells that both rivals finished.
    pub cells: usize,
    /// Mean of the ratios.
    pub mean_ratio: f64,
    /// The least ratio.
    pub min_ratio: f64,
    /// Its cell.
    pub min_cell: String,
    /// Cells below [`LEAST_RATIO`].
    pub below: usize,
    /// Mean ratio of the request cells.
    pub request_mean_ratio: f64,
    /// The least ratio of the request cells.
    pub request_min_ratio: f64,
    /// The least index where fairness counts.
    pub min_fairness: f64,
    /// Everything that is demanded holds.
    pub holds: bool,
}

/// The whole table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Table {
    /// What the path carries when it does nothing, by rival and way, megabits a second.
    pub bare_path: BTreeMap<String, f64>,
    /// Bulk transfers.
    pub bulk: Vec<BulkRow>,
    /// Requests.
    pub requests: Vec<RequestRow>,
    /// Fairness.
    pub fairness: Vec<ShareRow>,
    /// Their sum.
    pub verdict: Verdict,
}

impl BulkRow {
    /// From the runs of both rivals, ours first.
    pub fn new(cell: BulkCell, [ours, kernel]: [Vec<BulkOutcome>; 2]) -> BulkRow {
        let mut notes = Vec::new();
        for (who, runs) in [("anygate", &ours), ("linux", &kernel)] {
            note(&mut notes, who, cell.path.rtt(), runs.iter().map(|run| (&run.fault, &run.conditions)));
        }
        let [anygate, linux] = [ours, kernel].map(|runs| Goodput {
            mbit_per_second: median(runs.iter().map(|run| run.mbit_per_second).collect()),
            bridge_busy: runs.iter().map(|run| run.conditions.bridge.busy).fold(0.0, f64::max),
            late_p99_us: runs.iter().map(|run| run.conditions.bridge.late_p99_us).fold(0.0, f64::max),
            counters: sum(runs.iter().map(|run| &run.counters)),
            runs: runs.into_iter().map(|run| run.mbit_per_second).collect(),
        });
        let ratio = ratio(anygate.mbit_per_second, linux.mbit_per_second);
        BulkRow { cell, anygate, linux, ratio, notes }
    }
}

impl RequestRow {
    /// From the runs of both rivals, ours first.
    pub fn new(cell: RequestCell, [ours, kernel]: [Vec<RequestOutcome>; 2]) -> RequestRow {
        let mut notes = Vec::new();
        for (who, runs) in [("anygate", &ours), ("linux", &kernel)] {
            note(&mut notes, who, cell.path.rtt(), runs.iter().map(|run| (&None, &run.conditions)));
        }
        let [anygate, linux] = [ours, kernel].map(|runs| {
            let mut times: Vec<f64> = runs.iter().flat_map(|run| run.milliseconds.iter().copied()).collect();
            times.sort_by(f64::total_cmp);
            let at = |quantile: f64| times.get((times.len() as f64 * quantile) as usize).copied().unwrap_or(0.0);
            Times {
                answered: times.len(),
                failed: runs.iter().map(|run| run.failed).sum(),
                p50_ms: at(0.5),
                p95_ms: at(0.95),
                mean_ms: times.iter().sum::<f64>() / times.len().max(1) as f64,
                counters: sum(runs.iter().map(|run| &run.counters)),
            }
        });
        let ratio = ratio(linux.mean_ms, anygate.mean_ms);
        RequestRow { cell, anygate, linux, ratio, notes }
    }
}

impl ShareRow {
    /// From its runs.
    pub fn new(cell: &ShareCell, mut runs: Vec<ShareOutcome>) -> ShareRow {
        let mut notes = Vec::new();
        note(&mut notes, "a run", cell.path.rtt(), runs.iter().map(|run| (&run.fault, &run.conditions)));
        let index = |run: &ShareOutcome| {
            let flows = run.anygate_mbit_per_second.iter().chain(&run.linux_mbit_per_second);
            jain(&flows.copied().collect::<Vec<_>>())
        };
        runs.sort_by(|a, b| index(a).total_cmp(&index(b)));
        let all = runs.iter().map(index).collect();
        let middle = runs.len() / 2;
        let run = runs.into_iter().nth(middle).unwrap_or_default();
        ShareRow {
            cell: cell.text(),
            counts: cell.counts,
            jain: index(&run),
            anygate_mbit_per_second: run.anygate_mbit_per_second,
            linux_mbit_per_second: run.linux_mbit_per_second,
            runs: all,
            notes,
        }
    }
}

impl Table {
    /// Adds it up.
    pub fn judge(&mut self) {
        let least = |ratios: &[f64]| ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = |ratios: &[f64]| ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
        let bulk: Vec<f64> = self.bulk.iter().map(|row| row.ratio).collect();
        let requests: Vec<f64> = self.requests.iter().map(|row| row.ratio).collect();
        let fairness: Vec<f64> = self.fairness.iter().filter(|row| row.counts).map(|row| row.jain).collect();
        let worst = self.bulk.iter().min_by(|a, b| a.ratio.total_cmp(&b.ratio));
        let mut verdict = Verdict {
            cells: bulk.len(),
            mean_ratio: mean(&bulk),
            min_ratio: least(&bulk),
            min_cell: worst.map(|row| row.cell.text()).unwrap_or_default(),
            below: bulk.iter().filter(|ratio| **ratio < LEAST_RATIO).count(),
            request_mean_ratio: mean(&requests),
            request_min_ratio: least(&requests),
            min_fairness: least(&fairness),
            holds: false,
        };
        verdict.holds = verdict.min_ratio >= LEAST_RATIO
            && verdict.mean_ratio >= LEAST_MEAN_RATIO
            && verdict.request_min_ratio >= LEAST_RATIO
            && verdict.min_fairness > LEAST_FAIRNESS;
        self.verdict = verdict;
    }
}

impl Verdict {
    /// In one line.
    pub fn text(&self) -> String {
        format!(
            "{}: {} bulk cells, mean ratio {:.3} (at least {LEAST_MEAN_RATIO}), least {:.3} (at least {LEAST_RATIO}; {}), {} below; \
             requests: mean {:.3}, least {:.3}; least fairness {:.3} (above {LEAST_FAIRNESS})",
            if self.holds { "HOLDS" } else { "DOES NOT HOLD" },
            self.cells,
            self.mean_ratio,
            self.min_ratio,
            self.min_cell,
            self.below,
            self.request_mean_ratio,
            self.request_min_ratio,
            self.min_fairness,
        )
    }
}

/// Jain's index of fairness (RFC 5166 §2.3.1).
pub fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    if squares == 0.0 { 0.0 } else { sum * sum / (shares.len() as f64 * squares) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

fn ratio(of: f64, to: f64) -> f64 {
    if to > 0.0 { of / to } else { 0.0 }
}

fn sum<'a>(all: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<String, u64> {
    let mut total = BTreeMap::new();
    all.flatten().for_each(|(name, value)| *total.entry(name.clone()).or_default() += value);
    total
}

fn note<'a>(
    notes: &mut Vec<String>,
    who: &str,
    rtt: Duration,
    runs: impl Iterator<Item = (&'a Option<String>, &'a Conditions)>,
) {
    for (fault, conditions) in runs {
        let said = fault.clone().or_else(|| conditions.machine_limited(rtt));
        notes.extend(said.map(|said| format!("{who}: {said}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jain_is_one_for_equal_shares_and_one_over_n_for_a_monopoly() {
        assert_eq!(jain(&[5.0, 5.0, 5.0]), 1.0);
        assert_eq!(jain(&[9.0, 0.0, 0.0]), 1.0 / 3.0);
        assert_eq!(jain(&[]), 0.0);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(vec![4.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
