//! One scenario from beginning to end, and its verdict.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use netstack::counters::TcpCounter;

use crate::fault::{Fault, Invariant};
use crate::record;
use crate::scenario::Scenario;
use crate::world::{Bench, Watch, World};

/// What a run that went well was.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Connections.
    pub connections: u64,
    /// Payload bytes received, both ways.
    pub bytes: u64,
    /// Segments sent, both ways.
    pub segments: u64,
    /// Segments sent again.
    pub retransmits: u64,
    /// Virtual time that it took.
    pub virtual_nanos: u64,
}

impl Summary {
    /// Adds another run's.
    pub fn add(&mut self, other: &Summary) {
        self.connections += other.connections;
        self.bytes += other.bytes;
        self.segments += other.segments;
        self.retransmits += other.retransmits;
        self.virtual_nanos += other.virtual_nanos;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections, {} bytes, {} segments, {} sent again, {:?} of virtual time",
            self.connections,
            self.bytes,
            self.segments,
            self.retransmits,
            Duration::from_nanos(self.virtual_nanos)
        )
    }
}

thread_local! {
    /// Where a panic of this thread happened, and what it said.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics are faults like others: their text goes into the report instead of to the terminal. For programs only.
pub fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with(|text| *text.borrow_mut() = info.to_string());
    }));
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let noted = PANIC.with(|text| core::mem::take(&mut *text.borrow_mut()));
    if !noted.is_empty() {
        return noted;
    }
    let said = payload.downcast_ref::<String>().map(String::as_str);
    said.or(payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

/// Plays `scenario`; with `record`, what both sides send goes to a pcapng file.
pub fn play(scenario: &Scenario, watch: Watch, bench: &mut Bench, record: Option<&Path>) -> Result<Summary, Fault> {
    play_with(scenario, watch, bench, record, |_| {})
}

/// As [`play`], after `prepare` had its way with the world.
pub fn play_with(
    scenario: &Scenario,
    watch: Watch,
    bench: &mut Bench,
    record: Option<&Path>,
    prepare: impl FnOnce(&mut World<'_>),
) -> Result<Summary, Fault> {
    let run = AssertUnwindSafe(|| {
        let mut world = World::new(scenario, watch, bench)?;
        prepare(&mut world);
        let recording = record.map(|path| record::observe(&world, path)).transpose()?;
        let result =
            world.play().map_err(|fault| Fault { text: format!("{}\n{}", fault.text, world.progress()), ..fault });
        drop(recording);
        result.map(|()| summary(&world))
    });
    catch_unwind(run).unwrap_or_else(|payload| Err(Invariant::Panic.fault(panic_text(payload.as_ref()))))
}

fn summary(world: &World<'_>) -> Summary {
    let sum = |which| world.workers().map(|worker| worker.stack.tcp_counters().get(which)).sum();
    Summary {
        connections: world.jobs.streams.len() as u64,
        bytes: sum(TcpCounter::RxBytes),
        segments: sum(TcpCounter::TxSegments),
        retransmits: sum(TcpCounter::TxRetransmits),
        virtual_nanos: world.now.as_nanos(),
    }
}
