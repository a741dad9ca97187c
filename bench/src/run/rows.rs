//! Rows of the report, as JSON for programs and as a table for people.

use super::machine::Facts;
use crate::error::BenchError;
use crate::generate::Outcome;
use crate::scenario::Scenario;
use serde::Serialize;

/// One scenario on one server. `null` where a figure was not measured.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Name of the scenario.
    pub scenario: &'static str,
    /// `anygate` or a peer.
    pub server: &'static str,
    /// `af_xdp`, `kernel`, `sim`.
    pub port: &'static str,
    /// Connections under load.
    pub connections: usize,
    /// Connections held beside.
    pub idle_connections: usize,
    /// Answers a second on one server core.
    pub requests_per_second: Option<f64>,
    /// Median latency in microseconds.
    pub p50_us: Option<f64>,
    /// 99th percentile.
    pub p99_us: Option<f64>,
    /// 99.9th percentile.
    pub p999_us: Option<f64>,
    /// Busy time of the server's core for one request, in microseconds.
    pub cpu_us_per_request: Option<f64>,
    /// Instructions of the server for one request, where they can be counted.
    pub instructions_per_request: Option<f64>,
    /// Memory for one idle connection, in bytes.
    pub bytes_per_connection: Option<f64>,
    /// Requests that failed, by name.
    pub faults: std::collections::BTreeMap<String, u64>,
    /// Why something is missing.
    pub note: Option<String>,
}

impl Row {
    /// A row without figures.
    pub fn new(scenario: &Scenario, server: &'static str, port: &'static str) -> Row {
        Row {
            scenario: scenario.name,
            server,
            port,
            connections: scenario.connections,
            idle_connections: scenario.idle_connections,
            requests_per_second: None,
            p50_us: None,
            p99_us: None,
            p999_us: None,
            cpu_us_per_request: None,
            instructions_per_request: None,
            bytes_per_connection: None,
            faults: Default::default(),
            note: None,
        }
    }

    /// With the figures of a run.
    pub fn filled(mut self, outcome: Outcome) -> Row {
        self.requests_per_second = Some(outcome.requests_per_second);
        self.p50_us = Some(outcome.p50_us);
        self.p99_us = Some(outcome.p99_us);
        self.p999_us = Some(outcome.p999_us);
        self.cpu_us_per_request = outcome.cpu_us_per_request;
        self.instructions_per_request = outcome.instructions_per_request;
        self.bytes_per_connection = outcome.bytes_per_connection;
        self.faults = outcome.faults;
        self
    }

    /// With the reason why figures are missing.
    pub fn with_note(mut self, note: String) -> Row {
        self.note = Some(note);
        self
    }
}

/// Everything that one `make bench` found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where and how.
    pub facts: Facts,
    /// What.
    pub rows: Vec<Row>,
}

/// The run with the median rate.
pub fn median_of(mut outcomes: Vec<Outcome>) -> Outcome {
    outcomes.sort_by(|a, b| a.requests_per_second.total_cmp(&b.requests_per_second));
    let middle = outcomes.len() / 2;
    outcomes.into_iter().nth(middle).unwrap_or_default()
}

/// The rows as a JSON list.
pub fn to_json(report: &Report) -> Result<String, BenchError> {
    serde_json::to_string_pretty(&report.rows).map_err(|e| BenchError::new(format!("cannot write the rows: {e}")))
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

/// The rows as a table for a terminal.
pub fn to_table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<26} {:<8} {:<7} {:>10} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7}\n",
        "scenario", "server", "port", "req/s", "p50 us", "p99 us", "p99.9", "cpu us", "instr", "B/conn"
    );
    for row in rows {
        text.push_str(&format!(
            "{:<26} {:<8} {:<7} {:>10} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7}",
            row.scenario,
            row.server,
            row.port,
            cell(row.requests_per_second, 0),
            cell(row.p50_us, 1),
            cell(row.p99_us, 1),
            cell(row.p999_us, 1),
            cell(row.cpu_us_per_request, 3),
            cell(row.instructions_per_request, 0),
            cell(row.bytes_per_connection, 0),
        ));
        if !row.faults.is_empty() {
            text.push_str(&format!("  faults: {:?}", row.faults));
        }
        if let Some(note) = &row.note {
            text.push_str(&format!("  {note}"));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_run_is_taken_whole() {
        let run = |rate: f64| Outcome { requests_per_second: rate, p50_us: rate * 2.0, ..Outcome::default() };
        let middle = median_of(vec![run(3.0), run(1.0), run(2.0)]);
        assert_eq!((middle.requests_per_second, middle.p50_us), (2.0, 4.0));
    }
}
