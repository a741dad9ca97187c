//! What is said of a seed, and the recording that goes with it.

use std::path::Path;

use crate::play::play;
use crate::scenario::Scenario;
use crate::shrink::shrink;
use crate::world::{Bench, Watch};

/// A seed, played closely watched and recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// It failed.
    pub failed: bool,
    /// What it is, what failed, and how to see it again.
    pub text: String,
}

/// Plays `seed`; when it fails, shrinks it unless `whole`. The recording goes to a file in `records`.
pub fn of(seed: u64, whole: bool, records: &Path) -> Report {
    let mut bench = Bench::default();
    let scenario = Scenario::from_seed(seed);
    let packets = records.join(format!("seed-{seed}.pcapng"));
    let fault = match play(&scenario, Watch::CLOSELY, &mut bench, Some(&packets)) {
        Ok(summary) => {
            let text = format!("seed {seed}: {summary}\n{scenario}packets: {}\n", packets.display());
            return Report { failed: false, text };
        }
        Err(fault) => fault,
    };
    let mut text = format!("seed {seed} fails: {fault}\n");
    let scenario = if whole { scenario } else { shrink(scenario, fault, &mut bench).0 };
    if let Err(fault) = play(&scenario, Watch::CLOSELY, &mut bench, Some(&packets)) {
        text += &format!("{}: {fault}\n{scenario}", if whole { "whole" } else { "shrunk" });
    }
    text += &format!("replay:  make sim SEED={seed}\npackets: {}\n", packets.display());
    Report { failed: true, text }
}
