//! `mgmt status`.

use crate::table::{Cell, Table};
use crate::text::{count, number, printable, seconds};
use mgmt_api::{ServiceState, StatusReply, WorkerStatus};
use std::fmt::Write;

pub(super) fn table(reply: &StatusReply, width: Option<usize>) -> String {
    let configuration = &reply.configuration;
    let listeners: Vec<String> = reply.listeners.iter().map(ToString::to_string).collect();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}  {}  up {}  pid {}",
        printable(&reply.product),
        state(reply.state),
        seconds(reply.uptime_seconds),
        reply.pid
    );
    let _ = writeln!(
        text,
        "configuration  {}, generation {}, {}",
        printable(&configuration.file),
        configuration.generation,
        count(configuration.routes, "route")
    );
    let _ = writeln!(text, "listening      {}", listeners.join(", "));
    let _ = writeln!(text, "connections    {}", number(reply.connections));
    let _ = writeln!(text, "requests       {}", number(reply.requests));
    let taken_over: u64 = reply.workers.iter().map(|worker| worker.packets_taken_over).sum();
    if taken_over > 0 {
        let _ = writeln!(text, "handed over    {} between workers", count(taken_over, "packet"));
    }
    if let Some(error) = &configuration.last_error {
        let _ = writeln!(text, "last reload    refused: {}", printable(error));
    }
    for warning in &reply.warnings {
        let _ = writeln!(text, "warning        {}", printable(warning));
    }
    text.push('\n');
    text.push_str(&workers(&reply.workers).render(width));
    text
}

fn workers(workers: &[WorkerStatus]) -> Table {
    let mut table = Table::new([
        "WORKER",
        "CPU",
        "INTERFACE",
        "QUEUE",
        "CONNECTIONS",
        "REQUESTS",
        "BUSY",
        "FRAMES",
        "FREE",
        "LOWEST",
    ]);
    for worker in workers {
        table.row([
            worker.worker.into(),
            worker.cpu.into(),
            worker.interface.as_str().into(),
            worker.queue.into(),
            worker.connections.into(),
            worker.requests.into(),
            busy(worker),
            worker.pool_frames.into(),
            worker.pool_free_frames.into(),
            worker.pool_low_water_frames.into(),
        ]);
    }
    table
}

/// The share of the turns of the run loop that found work.
fn busy(worker: &WorkerStatus) -> Cell {
    match worker.turns {
        0 => Cell::None,
        turns => {
            let percent = u128::from(worker.busy_turns) * 100 / u128::from(turns);
            Cell::Figure(format!("{percent} %"))
        }
    }
}

fn state(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Starting => "starting",
        ServiceState::Serving => "serving",
        ServiceState::Draining => "draining",
        ServiceState::Stopped => "stopped",
    }
}
