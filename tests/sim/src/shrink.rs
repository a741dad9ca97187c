//! A failing scenario made smaller, as long as the same invariant fails: fewer connections, less data, a plainer path,
//! default configurations.
//!
//! Greedy, in rounds: each way to make it smaller is tried on what is left, from the boldest to the finest, until a round
//! finds nothing or the trials are used up.

use std::time::Duration;

use crate::fault::Fault;
use crate::play::play;
use crate::scenario::knobs::{self, Base, Knob};
use crate::scenario::{CLIENT, Job, Open, Pace, SERVER, Scenario, Talk};
use crate::world::{Bench, Watch};

/// Scenarios that are tried at most.
const TRIALS: u32 = 3_000;

/// The smallest scenario found, and its fault.
pub fn shrink(scenario: Scenario, fault: Fault, bench: &mut Bench) -> (Scenario, Fault) {
    shrink_by(scenario, fault, |scenario| play(scenario, Watch::CLOSELY, bench, None).err())
}

/// As [`shrink`], where `fails` plays a scenario.
pub fn shrink_by(
    scenario: Scenario,
    fault: Fault,
    mut fails: impl FnMut(&Scenario) -> Option<Fault>,
) -> (Scenario, Fault) {
    let (mut best, mut fault) = (scenario, fault);
    let mut trials = 0;
    loop {
        let mut smaller = false;
        for change in changes(&best) {
            if trials >= TRIALS {
                return (best, fault);
            }
            let mut candidate = best.clone();
            if !change(&mut candidate) {
                continue;
            }
            trials += 1;
            if let Some(found) = fails(&candidate).filter(|found| found.invariant == fault.invariant) {
                (best, fault, smaller) = (candidate, found, true);
            }
        }
        if !smaller {
            return (best, fault);
        }
    }
}

/// A way to make a scenario smaller; false when it changes nothing.
type Change = Box<dyn Fn(&mut Scenario) -> bool>;

fn changes(scenario: &Scenario) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let jobs = scenario.jobs.len();
    // Halves, quarters, ... of the jobs.
    let mut part = jobs / 2;
    while part > 0 {
        for start in (0..jobs).step_by(part) {
            changes.push(Box::new(move |scenario| remove_jobs(scenario, start, part)));
        }
        part /= 2;
    }
    for at in (0..scenario.liars.len()).rev() {
        changes.push(Box::new(move |scenario| {
            at < scenario.liars.len() && {
                scenario.liars.remove(at);
                true
            }
        }));
    }
    changes.push(Box::new(|scenario| scenario.unplugged.take().is_some()));
    changes.push(Box::new(|scenario| scenario.reloads.pop().is_some()));
    changes.push(Box::new(|scenario| core::mem::take(&mut scenario.fast_open)));
    changes.push(Box::new(|scenario| core::mem::replace(&mut scenario.backlog, 4_096) != 4_096));
    add_knobs(&mut changes, knobs::NETWORK, |scenario| &mut scenario.network);
    for side in [CLIENT, SERVER] {
        add_knobs(&mut changes, knobs::LINK, move |scenario| &mut scenario.links[side]);
        add_knobs(&mut changes, knobs::TCP, move |scenario| &mut scenario.tcp[side]);
    }
    for number in 0..jobs {
        for change in JOB_CHANGES {
            changes.push(Box::new(move |scenario| scenario.jobs.get_mut(number).is_some_and(change)));
        }
    }
    changes
}

fn add_knobs<T: Base + 'static>(
    changes: &mut Vec<Change>,
    knobs: &'static [Knob<T>],
    of: impl Fn(&mut Scenario) -> &mut T + Copy + 'static,
) {
    for knob in knobs {
        changes.push(Box::new(move |scenario| {
            let value = of(scenario);
            let differs = knob.differs(value).is_some();
            knob.reset(value);
            differs
        }));
    }
}

/// Jobs that use a removed one's port again open from a port of their own.
fn remove_jobs(scenario: &mut Scenario, start: usize, count: usize) -> bool {
    if start >= scenario.jobs.len() {
        return false;
    }
    let end = (start + count).min(scenario.jobs.len());
    scenario.jobs.drain(start..end);
    for job in &mut scenario.jobs {
        job.port_of = match job.port_of {
            Some(earlier) if earlier >= end => Some(earlier - (end - start)),
            Some(earlier) if earlier >= start => None,
            other => other,
        };
    }
    true
}

/// Replaces a value; false when it was the same.
fn set<T: PartialEq>(place: &mut T, value: T) -> bool {
    let changed = *place != value;
    *place = value;
    changed
}

const JOB_CHANGES: [fn(&mut Job) -> bool; 13] = [
    |job| set(&mut job.options, Base::base()),
    |job| job.port_of.take().is_some(),
    |job| set(&mut job.open, Open::Client),
    |job| job.abort.take().is_some(),
    |job| job.closes_last.take().is_some(),
    |job| set(&mut job.talk, Talk::Streams),
    |job| set(&mut job.read, [Pace::FREE; 2]),
    |job| set(&mut job.write, [Pace::FREE; 2]),
    |job| set(&mut job.start, Duration::ZERO),
    |job| set(&mut job.bytes[CLIENT], 0),
    |job| set(&mut job.bytes[SERVER], 0),
    |job| halve(&mut job.bytes[CLIENT]),
    |job| halve(&mut job.bytes[SERVER]),
];

fn halve(bytes: &mut u64) -> bool {
    let half = *bytes / 2;
    set(bytes, half)
}
