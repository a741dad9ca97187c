//! `anygate-sim`: the simulation from the command line.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "says how long things took")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use sim::table;

/// The stack in virtual time.
#[derive(Parser)]
#[command(name = "anygate-sim", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Goodput of one connection over a grid of paths.
    Table(TableArgs),
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
    let result = match Cli::parse().command {
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

fn print_table(args: &TableArgs) -> Result<(), String> {
    let cells: Vec<_> = table::grid()
        .into_iter()
        .filter(|cell| args.controller.is_empty() || args.controller.iter().any(|name| name == cell.controller))
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
