//! `anygate-bench idle`: a million established connections that say nothing, what each costs in memory, and what a
//! request costs among them.

use super::peer::Purpose;
use super::server::{Pair, resident_bytes};
use super::{REQUEST, counted_turn, instructions_of, publish};
use crate::error::BenchError;
use netstack::tcp::TcpConfig;
use serde::Serialize;
use std::path::PathBuf;

/// Opens under way at once.
const UNDER_WAY: u64 = 1024;
/// Requests under way at once.
const ASKED_AT_ONCE: usize = 32;
/// Connections that carry requests at most, evenly spread over all.
const SPREAD: u32 = 10_000;
const FEW_CONNECTIONS: u32 = 100;
/// Requests that are made under callgrind.
const COUNTED: u64 = 20_000;

/// Arguments of `idle`.
#[derive(clap::Args, Clone, Debug)]
pub struct IdleArgs {
    /// Connections to open
    #[arg(long, default_value_t = 1_000_000)]
    pub connections: u32,
    /// Requests to make among them
    #[arg(long, default_value_t = 500_000)]
    pub requests: u64,
    /// Count instructions, too (some minutes: the connections are opened under callgrind)
    #[arg(long)]
    pub count: bool,
    /// Folder for idle.json
    #[arg(long)]
    pub write: Option<PathBuf>,
    /// Only open and ask, and print nothing: what callgrind is run on
    #[arg(long, hide = true)]
    pub quiet: bool,
}

#[derive(Serialize)]
struct Figures {
    connections: u32,
    bytes_per_connection: f64,
    resident_bytes: u64,
    accepted_per_second: f64,
    /// The longest single turn of the server while they were opened: growth of tables included.
    longest_turn_us: f64,
    ns_per_request: f64,
    ns_per_request_among_100: f64,
    instructions_per_request: Option<f64>,
    instructions_per_request_among_100: Option<f64>,
    instructions_ratio: Option<f64>,
}

struct Outcome {
    grown_bytes: u64,
    resident_bytes: u64,
    open_seconds: f64,
    longest_turn_us: f64,
    ns_per_request: f64,
}

/// Measures and prints.
pub fn idle(args: &IdleArgs) -> Result<(), BenchError> {
    if args.quiet {
        run(args.connections, args.requests, false)?;
        return Ok(());
    }
    let many = run(args.connections, args.requests, true)?;
    let few = run(FEW_CONNECTIONS, args.requests, true)?;
    let counted = |connections| args.count.then(|| instructions(connections)).flatten();
    let (among_few, among_many) = (counted(FEW_CONNECTIONS), counted(args.connections));
    let figures = Figures {
        connections: args.connections,
        bytes_per_connection: many.grown_bytes as f64 / f64::from(args.connections),
        resident_bytes: many.resident_bytes,
        accepted_per_second: f64::from(args.connections) / many.open_seconds,
        longest_turn_us: many.longest_turn_us,
        ns_per_request: many.ns_per_request,
        ns_per_request_among_100: few.ns_per_request,
        instructions_per_request: among_many,
        instructions_per_request_among_100: among_few,
        instructions_ratio: among_many.zip(among_few).map(|(many, few)| many / few),
    };
    publish(figures, args.write.as_deref(), "idle.json")
}

fn instructions(connections: u32) -> Option<f64> {
    let (connections, requests) = (connections.to_string(), COUNTED.to_string());
    let arguments = ["idle", "--quiet", "--connections", &connections, "--requests", &requests];
    instructions_of(&arguments).map(|count| count as f64 / COUNTED as f64)
}

fn run(connections: u32, requests: u64, timed: bool) -> Result<Outcome, BenchError> {
    let tcp = TcpConfig { max_connections: connections as usize + 1, ..TcpConfig::default() };
    let mut pair = Pair::new(tcp, 4096, REQUEST, Purpose::Stand)?;
    pair.timed = timed;
    pair.peer.keep(connections, connections.div_ceil(SPREAD));
    let before = resident_bytes();
    let longest_turn_us = open(&mut pair, connections)?;
    let resident = resident_bytes();
    let open_seconds = pair.server_time.as_secs_f64();
    // Each of the connections that carry requests has had some: the first one of a connection is dearer.
    let warm = 3 * pair.peer.kept() as u64;
    ask(&mut pair, warm, Pair::serve)?;
    pair.server_time = std::time::Duration::ZERO;
    ask(&mut pair, requests, counted_turn)?;
    let standing = pair.worker.stack().connection_count();
    if standing != connections as usize {
        return Err(BenchError::new(format!("{standing} of {connections} connections stand")));
    }
    Ok(Outcome {
        grown_bytes: resident.saturating_sub(before),
        resident_bytes: resident,
        open_seconds,
        longest_turn_us,
        ns_per_request: pair.server_time.as_nanos() as f64 / requests.max(1) as f64,
    })
}

/// Opens the connections; the longest turn, in microseconds.
fn open(pair: &mut Pair, connections: u32) -> Result<f64, BenchError> {
    let (mut begun, mut opened, mut longest) = (0u64, 0u64, 0f64);
    let mut idle_turns = 0;
    while opened < u64::from(connections) {
        while begun < u64::from(connections) && begun - opened < UNDER_WAY {
            pair.peer.open(begun as u32);
            begun += 1;
        }
        let seen = pair.peer.turn(pair.now);
        opened += seen.opened;
        idle_turns = if seen.opened > 0 { 0 } else { idle_turns + 1 };
        if idle_turns > 100_000 {
            return Err(BenchError::new(format!("{opened} of {connections} connections were opened")));
        }
        let before = pair.server_time;
        pair.serve();
        longest = longest.max((pair.server_time - before).as_secs_f64() * 1e6);
    }
    for _ in 0..64 {
        pair.peer.turn(pair.now);
        pair.serve();
    }
    Ok(longest)
}

/// Requests on connections that are spread over all, a burst at a time.
fn ask(pair: &mut Pair, requests: u64, turn: fn(&mut Pair)) -> Result<(), BenchError> {
    let (mut asked, mut answered) = (0, 0);
    let mut idle_turns = 0;
    while answered < requests {
        if asked == answered {
            for _ in 0..ASKED_AT_ONCE.min((requests - asked) as usize).min(pair.peer.kept()) {
                // A prime step: neighbours in time are not neighbours in memory.
                pair.peer.ask((asked as usize).wrapping_mul(7919) % pair.peer.kept());
                asked += 1;
            }
        }
        let seen = pair.peer.turn(pair.now);
        answered += seen.answers;
        idle_turns = if seen.answers > 0 { 0 } else { idle_turns + 1 };
        if idle_turns > 100_000 || seen.resets > 0 {
            return Err(BenchError::new(format!("{answered} of {requests} requests were answered")));
        }
        if answered < asked {
            turn(pair);
        }
    }
    Ok(())
}
