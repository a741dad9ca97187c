//! Many seeds, on every core.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::fault::Fault;
use crate::play::{Summary, play};
use crate::scenario::Scenario;
use crate::world::{Bench, Watch};

/// How a batch went.
#[derive(Debug, Default)]
pub struct Batch {
    /// Seeds that were played.
    pub played: u64,
    /// The sum of those that went well.
    pub summary: Summary,
    /// The first failures, by seed.
    pub failures: Vec<(u64, Fault)>,
}

/// Plays `seeds` with `threads` threads until `most` have failed. `progress` is told the number of seeds played, now and
/// then.
pub fn run(seeds: Range<u64>, watch: Watch, threads: usize, most: usize, progress: impl Fn(u64) + Sync) -> Batch {
    let next = AtomicU64::new(seeds.start);
    let failed = AtomicUsize::new(0);
    let result = Mutex::new(Batch::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                let (mut bench, mut own) = (Bench::default(), Batch::default());
                while failed.load(Ordering::Relaxed) < most {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match play(&Scenario::from_seed(seed), watch, &mut bench, None) {
                        Ok(summary) => own.summary.add(&summary),
                        Err(fault) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            own.failures.push((seed, fault));
                        }
                    }
                    own.played += 1;
                    if seed.is_multiple_of(1_024) {
                        progress(seed - seeds.start);
                    }
                }
                if let Ok(mut result) = result.lock() {
                    result.played += own.played;
                    result.summary.add(&own.summary);
                    result.failures.append(&mut own.failures);
                }
            });
        }
    });
    let mut batch = result.into_inner().unwrap_or_default();
    batch.failures.sort_by_key(|(seed, _)| *seed);
    batch
}
