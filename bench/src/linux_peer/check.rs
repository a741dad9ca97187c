//! A short look that everything works, for tests: whole transfers over bad paths, checked byte for byte.

use super::cells::{Buffer, Path, Trouble};
use super::dispatch::{Job, Room, run_all};
use super::lane::{PathConfig, Rival};
use super::work::{self, ExactOutcome, Way};
use crate::error::BenchError;
use anygate::clock::Clock;
use serde::Serialize;
use std::time::Duration;

/// One transfer.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The path and the way.
    pub cell: String,
    /// Who was under test.
    pub rival: Rival,
    /// Bytes that should arrive.
    pub expected_bytes: u64,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: ExactOutcome,
}

/// Some transfers at the same time, each of a second or two.
pub fn check(clock: Clock) -> Result<Vec<Checked>, BenchError> {
    let path = |trouble, rtt_ms, mbit| Path { trouble, rtt_ms, mbit, buffer: Buffer::Deep };
    let paths = [
        (path(Trouble::Loss(0), 10, 100), 4 << 20),
        (path(Trouble::Loss(20_000), 10, 100), 2 << 20),
        (path(Trouble::StrongReorder, 20, 100), 2 << 20),
        (path(Trouble::Duplicates, 10, 20), 1 << 20),
    ];
    let each = |(path, bytes): (Path, u64)| {
        let ways = [Way::Download, Way::Upload].into_iter();
        ways.flat_map(move |way| Rival::BOTH.map(|rival| (path, bytes, way, rival)))
    };
    let wanted: Vec<_> = paths.into_iter().flat_map(each).collect();
    let job = |&(path, bytes, way, rival): &(Path, u64, Way, Rival)| Job {
        cost: 0.2,
        time: Duration::from_secs(1),
        name: format!("{}, {}, {}", path.text(), way.name(), rival.name()),
        work: Box::new(move |lane| {
            let config = PathConfig { links: [path.link(), path.link()], seed: 1, record: None };
            work::exact(lane, &config, rival, way, bytes, Duration::from_secs(30))
        }),
    };
    let jobs: Vec<Job<'_, ExactOutcome>> = wanted.iter().map(job).collect();
    let outcomes = run_all(&jobs, Room { lanes: 4, budget: 1.0 }, clock);
    let named = wanted.iter().zip(outcomes);
    let checked =
        |(&(path, bytes, way, rival), outcome): (&(Path, u64, Way, Rival), Result<ExactOutcome, BenchError>)| {
            let cell = format!("{}, {}", path.text(), way.name());
            outcome.map(|outcome| Checked { cell, rival, expected_bytes: bytes, outcome })
        };
    named.map(checked).collect()
}
