//! `anygate-sim`: the simulation from the command line.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "says how long things took")]

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use sim::world::Watch;
use sim::{batch, play, report, table};

/// The stack in virtual time.
#[derive(Parser)]
#[command(name = "anygate-sim", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays many seeds on every core.
    Run(RunArgs),
    /// Plays one seed; a failure is shrunk, and leaves a pcapng file.
    Replay(ReplayArgs),
    /// Goodput of one connection over a grid of paths.
    Table(TableArgs),
}

#[derive(Args)]
struct RunArgs {
    /// How many.
    #[arg(default_value_t = 10_000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Ends after so many failures.
    #[arg(long, default_value_t = 3)]
    failures: usize,
    /// Looks into the stacks at every so many steps.
    #[arg(long, default_value_t = Watch::WELL.audit_every)]
    audit_every: u32,
    /// Threads; every core when absent.
    #[arg(long)]
    threads: Option<usize>,
    /// Where the recordings of failures go.
    #[arg(long, default_value = "target/sim")]
    records: PathBuf,
}

#[derive(Args)]
struct ReplayArgs {
    /// The seed.
    seed: u64,
    /// Plays it as it is, and records that.
    #[arg(long)]
    whole: bool,
    /// Where the recording goes.
    #[arg(long, default_value = "target/sim")]
    records: PathBuf,
}

#[derive(Args)]
struct TableArgs {
    /// Virtual seconds of each transfer.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Only these controllers.
    #[arg(long)]
    controller: Vec<String>,
    /// Only these rates, in Mbit/s.
    #[arg(long)]
    megabits: Vec<u64>,
    /// Writes sim-throughput.txt and sim-throughput.json there.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Threads; every core when absent.
    #[arg(long)]
    threads: Option<usize>,
}

fn main() -> ExitCode {
    play::keep_panics_quiet();
    let result = match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Replay(args) => replay(&args),
        Command::Table(args) => print_table(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("anygate-sim: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn run(args: &RunArgs) -> Result<(), String> {
    let begun = Instant::now();
    let seeds = args.first..args.first.saturating_add(args.seeds);
    let watch = Watch { audit_every: args.audit_every, ..Watch::WELL };
    let terminal = std::io::stderr().is_terminal();
    let progress = |played: u64| {
        if terminal {
            eprint!("\r{played} of {} seeds, {:.0} s ", args.seeds, begun.elapsed().as_secs_f64());
        }
    };
    let batch = batch::run(seeds, watch, threads(args.threads), args.failures, progress);
    let seconds = begun.elapsed().as_secs_f64();
    let back = if terminal { "\r" } else { "" };
    let rate = batch.played as f64 / seconds;
    println!("{back}{} seeds in {seconds:.1} s ({rate:.0} a second): {}", batch.played, batch.summary);
    for (seed, fault) in &batch.failures {
        let report = report::of(*seed, false, &args.records);
        let first = if report.failed { String::new() } else { format!("not again: seed {seed} failed with {fault}\n") };
        println!("\n{first}{}", report.text);
    }
    if batch.failures.is_empty() { Ok(()) } else { Err(format!("{} seeds failed", batch.failures.len())) }
}

fn replay(args: &ReplayArgs) -> Result<(), String> {
    let report = report::of(args.seed, args.whole, &args.records);
    print!("{}", report.text);
    if report.failed { Err(format!("seed {} failed", args.seed)) } else { Ok(()) }
}

fn print_table(args: &TableArgs) -> Result<(), String> {
    let cells: Vec<_> = table::grid()
        .into_iter()
        .filter(|cell| args.controller.is_empty() || args.controller.iter().any(|name| name == cell.kind.name()))
        .filter(|cell| args.megabits.is_empty() || args.megabits.contains(&cell.megabits))
        .collect();
    let time = Duration::from_secs(args.seconds.max(1));
    let begun = Instant::now();
    let measured = table::measure_all(&cells, time, threads(args.threads))?;
    let text = table::text(&cells, &measured, time);
    print!("{text}");
    eprintln!("{} cells in {:.1} s", cells.len(), begun.elapsed().as_secs_f64());
    let Some(directory) = &args.write else { return Ok(()) };
    let json =
        serde_json::to_string_pretty(&table::json(&cells, &measured, time)).map_err(|error| error.to_string())?;
    for (name, content) in [("sim-throughput.txt", text), ("sim-throughput.json", json + "\n")] {
        let path = directory.join(name);
        std::fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
