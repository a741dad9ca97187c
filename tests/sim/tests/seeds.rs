//! Seeds that must be clean: a fixed number of new ones (`SIM_SEEDS`), and every one that failed once.

use std::path::PathBuf;

use sim::play::play;
use sim::world::{Bench, Watch};
use sim::{Scenario, batch, report};

const DEFAULT_SEEDS: u64 = 1_000;

/// Seeds that failed once, and what was wrong.
const REGRESSIONS: &[(u64, &str)] = &[
    (26, "a packet-too-big was ignored when another connection had learned the path MTU before"),
    (898, "the window of a retransmission that fills a gap was ignored"),
    (1187, "the window of a retransmission that fills a gap was ignored"),
    (33, "data that a Fast Open SYN had carried stayed in the account of memory"),
    (198, "a path that loses large segments was not found when the only segment was not a full one"),
    (97_078, "a connection that memory pressure ended late was slept over"),
];

fn records() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn seeds_are_clean() {
    let asked = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok());
    let seeds = 1..1 + asked.unwrap_or(DEFAULT_SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let batch = batch::run(seeds, Watch::WELL, threads, 3, |_| {});
    let failed: Vec<String> =
        batch.failures.iter().map(|(seed, _)| report::of(*seed, false, &records()).text).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn seeds_that_failed_once_are_clean() {
    for (seed, what) in REGRESSIONS {
        let result = play(&Scenario::from_seed(*seed), Watch::CLOSELY, &mut Bench::default(), None);
        assert!(result.is_ok(), "{what}\n{}", report::of(*seed, false, &records()).text);
    }
}

#[test]
fn a_seed_replays_exactly() {
    let mut bench = Bench::default();
    for seed in 1..20 {
        let scenario = Scenario::from_seed(seed);
        let mut run = |watch| play(&scenario, watch, &mut bench, None);
        assert_eq!(run(Watch::WELL), run(Watch::CLOSELY), "seed {seed}");
    }
}
