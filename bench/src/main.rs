//! `anygate-bench`: `run` measures everything, `generate` is the load generator alone.

#![forbid(unsafe_code)]

use bench::{generate, instructions, linux_peer, run, scale};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Measures AnyGate beside other servers, on the same wire with the same generator.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Every scenario against every server; writes latest.json and latest.html
    Run(run::RunArgs),
    /// Load from one AF_XDP interface to one server
    Generate(generate::GenerateArgs),
    /// A fixed number of requests over an in-memory wire in virtual time, to be run under `valgrind --tool=callgrind`
    Count(instructions::CountArgs),
    /// Connections accepted a second, each opened by a peer that keeps no state
    Accept(scale::AcceptArgs),
    /// A million idle connections: memory of each, and what a request costs among them
    Idle(scale::IdleArgs),
    /// Served clients beside a flood of SYNs from forged addresses
    Flood(scale::FloodArgs),
    /// Our TCP beside Linux's on paths with loss, delay and a bottleneck; writes linux-peer.json, .md and .svg
    LinuxPeer(linux_peer::LinuxPeerArgs),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        What::Run(args) => run::run(&args),
        What::Generate(args) => generate::generate(&args),
        What::Count(args) => instructions::count(&args),
        What::Accept(args) => scale::accept(&args),
        What::Idle(args) => scale::idle(&args),
        What::Flood(args) => scale::flood(&args),
        What::LinuxPeer(args) => linux_peer::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("anygate-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
