//! `anygate-bench flood`: served clients beside a flood of SYNs from forged addresses.
//!
//! 64 connections ask and are answered, all the time. Beside them come SYNs from random addresses and ports, in a given
//! number for each request. Their handshakes are never completed: after the first few thousand the backlog is full and
//! every further SYN is answered with a cookie. The clients' rate is that of a server's core which does both.

use super::peer::Purpose;
use super::server::Pair;
use super::{REQUEST, counted_turn, instructions_of, publish};
use crate::error::BenchError;
use netstack::tcp::{TcpConfig, TcpCounter};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

const CLIENTS: u32 = 64;
const BACKLOG: usize = 4096;
/// SYNs that fill the backlog before anything is measured.
const FILL: u64 = 6_000;
/// Requests in one burst of the clients.
const BURST: u64 = 16;
const FEW: u64 = 2_000;
const MANY: u64 = 12_000;

/// Arguments of `flood`.
#[derive(clap::Args, Clone, Debug)]
pub struct FloodArgs {
    /// Requests to make in each row
    #[arg(long, default_value_t = 200_000)]
    pub requests: u64,
    /// Folder for flood.json
    #[arg(long)]
    pub write: Option<PathBuf>,
    /// Only one row with that many SYNs for each request, for callgrind
    #[arg(long)]
    pub only: Option<u64>,
}

#[derive(Serialize)]
struct Figures {
    clients: u32,
    /// Of the server, for one SYN that is answered with a cookie.
    instructions_per_flood_syn: Option<f64>,
    instructions_per_request: Option<f64>,
    ns_per_flood_syn: f64,
    ns_per_request: f64,
    /// What the generator spends on a SYN and its answer: no core can send more than one in this time.
    generator_ns_per_flood_syn: f64,
    /// A flood at which the clients keep 70 % of their rate on one core.
    flood_syns_per_second_at_70_percent: f64,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    flood_syns_per_request: u64,
    flood_syns_per_second: f64,
    /// Of the server's core alone.
    requests_per_second: f64,
    /// To the rate without a flood, of a core that does nothing but serve.
    rate_ratio: f64,
    /// To the rate without a flood, when generator and server share one core.
    rate_ratio_on_a_shared_core: f64,
    cookies_sent: u64,
    half_open: usize,
}

struct Outcome {
    server: Duration,
    generator: Duration,
    flooded: u64,
    cookies_sent: u64,
    half_open: usize,
}

/// Measures and prints.
pub fn flood(args: &FloodArgs) -> Result<(), BenchError> {
    if let Some(syns) = args.only {
        run(syns, args.requests, false)?;
        return Ok(());
    }
    let quiet = run(0, args.requests, true)?;
    let (mut rows, mut last) = (Vec::new(), None);
    for syns in [0, 1, 2, 4] {
        let outcome = run(syns, args.requests, true)?;
        rows.push(row(&outcome, &quiet, syns, args.requests));
        last = Some(outcome);
    }
    let loud = last.ok_or_else(|| BenchError::new("nothing was measured"))?;
    let per_syn =
        |loud: Duration, quiet: Duration| loud.saturating_sub(quiet).as_nanos() as f64 / loud_count(args.requests);
    let ns_per_flood_syn = per_syn(loud.server, quiet.server);
    let figures = Figures {
        clients: CLIENTS,
        instructions_per_flood_syn: instructions_per_syn(),
        instructions_per_request: counted(0, MANY).zip(counted(0, FEW)).map(per_thing),
        ns_per_flood_syn,
        ns_per_request: quiet.server.as_nanos() as f64 / args.requests as f64,
        generator_ns_per_flood_syn: per_syn(loud.generator, quiet.generator),
        flood_syns_per_second_at_70_percent: 0.3e9 / ns_per_flood_syn,
        rows,
    };
    publish(figures, args.write.as_deref(), "flood.json")
}

fn loud_count(requests: u64) -> f64 {
    (4 * requests) as f64
}

fn row(outcome: &Outcome, quiet: &Outcome, syns: u64, requests: u64) -> Row {
    let seconds = outcome.server.as_secs_f64();
    Row {
        flood_syns_per_request: syns,
        flood_syns_per_second: outcome.flooded as f64 / seconds,
        requests_per_second: requests as f64 / seconds,
        rate_ratio: quiet.server.as_secs_f64() / seconds,
        rate_ratio_on_a_shared_core: (quiet.server + quiet.generator).as_secs_f64()
            / (outcome.server + outcome.generator).as_secs_f64(),
        cookies_sent: outcome.cookies_sent,
        half_open: outcome.half_open,
    }
}

fn counted(syns: u64, requests: u64) -> Option<u64> {
    instructions_of(&["flood", "--only", &syns.to_string(), "--requests", &requests.to_string()])
}

fn per_thing((many, few): (u64, u64)) -> f64 {
    many.saturating_sub(few) as f64 / (MANY - FEW) as f64
}

/// What a request with one SYN beside it costs more than a request.
fn instructions_per_syn() -> Option<f64> {
    let with = counted(1, MANY).zip(counted(1, FEW)).map(per_thing)?;
    let without = counted(0, MANY).zip(counted(0, FEW)).map(per_thing)?;
    Some(with - without)
}

fn run(syns_per_request: u64, requests: u64, timed: bool) -> Result<Outcome, BenchError> {
    let mut pair = Pair::new(TcpConfig::default(), BACKLOG, REQUEST, Purpose::Stand)?;
    pair.timed = timed;
    pair.peer.keep(CLIENTS, 1);
    stand(&mut pair)?;
    fill(&mut pair, syns_per_request);
    let cookies_before = pair.count(TcpCounter::CookiesSent);
    pair.server_time = Duration::ZERO;
    let (mut asked, mut answered, mut flooded) = (0, 0, 0);
    let mut generator = Duration::ZERO;
    let mut idle_turns = 0;
    while answered < requests {
        let began = pair.thread_time();
        if asked == answered {
            for _ in 0..BURST.min(requests - asked) {
                pair.peer.ask((asked % u64::from(CLIENTS)) as usize);
                asked += 1;
                for _ in 0..syns_per_request {
                    pair.peer.flood();
                    flooded += 1;
                }
            }
        }
        let seen = pair.peer.turn_among_forged(pair.now);
        generator += pair.thread_time().saturating_sub(began);
        answered += seen.answers;
        idle_turns = if seen.answers > 0 { 0 } else { idle_turns + 1 };
        if idle_turns > 100_000 || seen.resets > 0 {
            return Err(BenchError::new(format!("{answered} of {requests} requests were answered")));
        }
        if answered < asked {
            counted_turn(&mut pair);
        }
    }
    let half_open = pair.worker.stack().tcp().half_open_count();
    let cookies_sent = pair.count(TcpCounter::CookiesSent) - cookies_before;
    Ok(Outcome { server: pair.server_time, generator, flooded, cookies_sent, half_open })
}

/// Opens the clients' connections.
fn stand(pair: &mut Pair) -> Result<(), BenchError> {
    (0..CLIENTS).for_each(|n| pair.peer.open(n));
    for _ in 0..1000 {
        pair.peer.turn(pair.now);
        pair.serve();
    }
    match pair.worker.stack().connection_count() {
        64 => Ok(()),
        standing => Err(BenchError::new(format!("{standing} of {CLIENTS} connections stand"))),
    }
}

/// Fills the backlog.
fn fill(pair: &mut Pair, syns_per_request: u64) {
    for _ in 0..if syns_per_request > 0 { FILL / 32 } else { 0 } {
        (0..32).for_each(|_| pair.peer.flood());
        pair.peer.turn_among_forged(pair.now);
        pair.serve();
    }
}
