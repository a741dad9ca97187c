//! `anygate-bench run`: every scenario against every server on the same wire, then the report.

pub(crate) mod machine;
mod page;
mod plot;
mod readings;
mod rows;
mod servers;
mod wire;

pub use rows::Row;

use crate::error::BenchError;
use crate::generate::{self, GenerateArgs, Mark, Outcome};
use crate::scenario::{Scenario, Wiring, scenarios};
use readings::Readings;
use rows::{Report, median_of};
use servers::{Server, ServerKind};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
pub use wire::{CLIENT_INTERFACE, Wire};

/// What `run` is asked to do.
#[derive(clap::Args, Clone, Debug)]
pub struct RunArgs {
    /// Folder with the binaries `anygate` and `anygate-bench`.
    #[arg(long, default_value = "target/release")]
    pub bin_dir: PathBuf,
    /// Where the report goes.
    #[arg(long, default_value = "bench/reports")]
    pub out: PathBuf,
    /// Recorded seconds of each run.
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Runs of each row; the row is the one with the median rate.
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
    /// Only scenarios whose name contains this.
    #[arg(long)]
    pub only: Option<String>,
    /// Core of the server.
    #[arg(long, default_value_t = 0)]
    pub server_core: usize,
    /// Core of the generator.
    #[arg(long, default_value_t = 1)]
    pub generator_core: usize,
}

/// Runs everything that was asked for. A row that fails says why in its note, and the others go on.
pub fn run(args: &RunArgs) -> Result<(), BenchError> {
    crate::host::require_root()?;
    let facts = machine::facts(args);
    for note in &facts.notes {
        eprintln!("note: {note}");
    }
    let wanted = |scenario: &&Scenario| args.only.as_ref().is_none_or(|only| scenario.name.contains(only.as_str()));
    let mut rows = Vec::new();
    for scenario in scenarios().iter().filter(wanted) {
        match scenario.wiring {
            Wiring::Sim => rows.push(sim_row(args, scenario)),
            Wiring::Veth => {
                rows.extend([ServerKind::AnyGate, ServerKind::Nginx].map(|kind| wire_row(args, scenario, kind)));
            }
        }
    }
    let report = Report { facts, rows };
    fs::create_dir_all(&args.out).map_err(|e| BenchError::io("create the report folder", e))?;
    let write = |name: &str, text: String| {
        fs::write(args.out.join(name), text).map_err(|e| BenchError::io("write the report", e))
    };
    write("latest.json", rows::to_json(&report)?)?;
    write("latest.html", page::render(&report))?;
    println!("{}", rows::to_table(&report.rows));
    println!("written: {0}/latest.json, {0}/latest.html", args.out.display());
    Ok(())
}

fn wire_row(args: &RunArgs, scenario: &Scenario, kind: ServerKind) -> Row {
    eprintln!("{} · {} …", scenario.name, kind.name());
    let row = Row::new(scenario, kind.name(), kind.port());
    if let Some(reason) = kind.cannot(scenario) {
        return row.with_note(reason);
    }
    let outcomes: Result<Vec<Outcome>, BenchError> =
        (0..args.runs.max(1)).map(|_| one_run(args, scenario, kind)).collect();
    match outcomes {
        Ok(outcomes) => row.filled(median_of(outcomes)),
        Err(error) => row.with_note(error.to_string()),
    }
}

fn one_run(args: &RunArgs, scenario: &Scenario, kind: ServerKind) -> Result<Outcome, BenchError> {
    let wire = Wire::up(kind, args.server_core)?;
    let server = Server::start(kind, &wire, args, scenario)?;
    let before = Readings::take(server.pid(), args.server_core);
    let mut command = Command::new("ip");
    command.args(["netns", "exec", wire.client_namespace()]).arg(args.bin_dir.join("anygate-bench"));
    command.arg("generate").args(GenerateArgs::for_scenario(scenario, &wire, args).to_arguments());
    let (mut standing, mut measuring, mut ended) = (None, None, None);
    let mut outcome = generate::drive(command, |mark| {
        let readings = Some(Readings::take(server.pid(), args.server_core));
        match mark {
            Mark::Standing => standing = readings,
            Mark::Measuring => measuring = readings,
            Mark::Ended => ended = readings,
        }
    })?;
    if let (Some(from), Some(to)) = (&measuring, &ended) {
        outcome.cpu_us_per_request = from.core_us_until(to).map(|us| us / outcome.requests.max(1) as f64);
    }
    if let (Some(standing), true) = (&standing, scenario.idle_connections >= 1000) {
        let grown = standing.memory_bytes.saturating_sub(before.memory_bytes);
        outcome.bytes_per_connection = Some(grown as f64 / scenario.idle_connections as f64);
    }
    server.stop();
    Ok(outcome)
}

fn sim_row(args: &RunArgs, scenario: &Scenario) -> Row {
    eprintln!("{} · anygate over sim …", scenario.name);
    let row = Row::new(scenario, "anygate", "sim");
    let outcomes: Result<Vec<Outcome>, BenchError> =
        (0..args.runs.max(1)).map(|_| crate::over_sim::run(scenario, args)).collect();
    match outcomes {
        Ok(outcomes) => {
            let mut outcome = median_of(outcomes);
            outcome.instructions_per_request = crate::instructions::per_request(&args.bin_dir);
            row.filled(outcome)
        }
        Err(error) => row.with_note(error.to_string()),
    }
}
