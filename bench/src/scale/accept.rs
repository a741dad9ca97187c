//! `anygate-bench accept`: connections accepted a second by one core.

use super::peer::Purpose;
use super::server::Pair;
use super::{REQUEST, counted_turn, instructions_of, publish};
use crate::error::BenchError;
use netstack::tcp::{TcpConfig, TcpCounter};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Opens under way at once.
const UNDER_WAY: u64 = 256;
const FEW: u64 = 2_000;
const MANY: u64 = 12_000;

/// Arguments of `accept`.
#[derive(clap::Args, Clone, Debug)]
pub struct AcceptArgs {
    /// Connections to open of each kind
    #[arg(long, default_value_t = 300_000)]
    pub connections: u64,
    /// Folder for accept.json
    #[arg(long)]
    pub write: Option<PathBuf>,
    /// Only that many connections of one kind, for callgrind
    #[arg(long, value_enum)]
    pub only: Option<Kind>,
}

/// What is done with a connection.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Handshake, and the peer resets it
    Handshake,
    /// Handshake, one request, its answer, and both close
    Request,
}

#[derive(Serialize)]
struct Figures {
    connections: u64,
    handshake: Rate,
    handshake_request_close: Rate,
}

#[derive(Serialize)]
struct Rate {
    accepted_per_second: f64,
    ns_per_connection: f64,
    instructions_per_connection: Option<f64>,
}

/// Measures and prints.
pub fn accept(args: &AcceptArgs) -> Result<(), BenchError> {
    if let Some(kind) = args.only {
        run(kind, args.connections, false)?;
        return Ok(());
    }
    let figures = Figures {
        connections: args.connections,
        handshake: rate(Kind::Handshake, args.connections)?,
        handshake_request_close: rate(Kind::Request, args.connections)?,
    };
    publish(figures, args.write.as_deref(), "accept.json")
}

fn rate(kind: Kind, connections: u64) -> Result<Rate, BenchError> {
    let time = run(kind, connections, true)?;
    let name = if kind == Kind::Handshake { "handshake" } else { "request" };
    let counted = |n: u64| instructions_of(&["accept", "--only", name, "--connections", &n.to_string()]);
    let instructions = counted(MANY).zip(counted(FEW));
    Ok(Rate {
        accepted_per_second: connections as f64 / time.as_secs_f64(),
        ns_per_connection: time.as_nanos() as f64 / connections as f64,
        instructions_per_connection: instructions.map(|(many, few)| (many - few) as f64 / (MANY - FEW) as f64),
    })
}

/// Opens and ends `connections`; the server's time.
fn run(kind: Kind, connections: u64, timed: bool) -> Result<Duration, BenchError> {
    let purpose = if kind == Kind::Handshake { Purpose::Reset } else { Purpose::OneRequest };
    let mut pair = Pair::new(TcpConfig::default(), 4096, REQUEST, purpose)?;
    pair.timed = timed;
    let (mut begun, mut ended) = (0, 0);
    let mut idle_turns = 0;
    while ended < connections {
        while begun < connections && begun - ended < UNDER_WAY {
            pair.peer.open(begun as u32);
            begun += 1;
        }
        let seen = pair.peer.turn(pair.now);
        let progress = if kind == Kind::Handshake { seen.opened } else { seen.closed };
        ended += progress;
        idle_turns = if progress > 0 { 0 } else { idle_turns + 1 };
        if idle_turns > 100_000 {
            return Err(BenchError::new(format!("{ended} of {connections} connections came to an end")));
        }
        counted_turn(&mut pair);
    }
    // What is still on its way.
    for _ in 0..64 {
        pair.peer.turn(pair.now);
        counted_turn(&mut pair);
    }
    let accepted = pair.count(TcpCounter::Established);
    if accepted != connections {
        return Err(BenchError::new(format!("{accepted} of {connections} connections were accepted")));
    }
    Ok(pair.server_time)
}
