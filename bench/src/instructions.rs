//! Instructions for one request, counted by callgrind: the same for the same binary, whatever else the machine does.
//!
//! `anygate-bench count` runs a fixed number of requests through a worker and a generator that take turns in one
//! thread, in virtual time. Under callgrind only [`anygate::worker::Worker::turn`] is collected, so the figure is the
//! server's alone: port, stack, HTTP, router, action and back.

use crate::error::BenchError;
use crate::fixture;
use crate::generator::{Generator, LoadConfig, Pacing, Reuse, Stage};
use crate::over_sim::SERVER;
use crate::ports::client_stack;
use anygate::clock::Clock;
use netstack::{Cidr, Instant};
use port::sim::ring::{RingConfig, pair};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How many requests are made under callgrind: two runs, whose difference has no start-up in it.
const FEW: u64 = 2_000;
const MANY: u64 = 12_000;

/// Arguments of `count`.
#[derive(clap::Args, Clone, Debug)]
pub struct CountArgs {
    /// Requests to make.
    #[arg(long, default_value_t = 10_000)]
    pub requests: u64,
    /// Connections that carry them.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
}

/// Makes the requests; prints how many were answered.
pub fn count(args: &CountArgs) -> Result<(), BenchError> {
    let (server_end, client_end) = pair(&RingConfig::default()).map_err(|e| BenchError::new(e.to_string()))?;
    let clock = Clock::start();
    let (mut worker, _handle) = fixture::worker(server_end.into_port(), SERVER, &clock)?;
    let port = client_end.into_port();
    let local = IpAddr::from([10, 79, 0, 16]);
    let stack = client_stack(&port, Cidr::new(local, 24).into_iter().collect(), &clock)?;
    let load = LoadConfig {
        remote: SocketAddr::from((SERVER, 80)),
        locals: vec![local],
        connections: args.connections,
        idle_connections: 0,
        request: LoadConfig::get("/fastest/ever/ok", "anygate.test", Reuse::KeepAlive),
        pacing: Pacing::Closed,
        reuse: Reuse::KeepAlive,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(3600),
        open_deadline: Duration::from_secs(10),
    };
    let mut now: Instant = clock.now();
    let mut generator = Generator::new(port, stack, load, now);
    while generator.answers() < args.requests {
        if generator.stage() == Stage::Done {
            return Err(BenchError::new("the connections could not be opened"));
        }
        now += Duration::from_micros(20);
        generator.turn(now);
        worker.turn(now);
    }
    println!("{} requests", generator.answers());
    Ok(())
}

/// Instructions of the server for one request; `None` without valgrind.
pub fn per_request(bin_dir: &Path) -> Option<f64> {
    let few = collected(bin_dir, FEW)?;
    let many = collected(bin_dir, MANY)?;
    Some(many.checked_sub(few)? as f64 / (MANY - FEW) as f64)
}

fn collected(bin_dir: &Path, requests: u64) -> Option<u64> {
    let binary = bin_dir.join("anygate-bench");
    collected_in(&binary, "*Worker*turn*", &["count", "--requests", &requests.to_string()])
}

/// Instructions that `binary` with `arguments` spends in the functions that `pattern` names, and below them; `None`
/// without valgrind.
pub fn collected_in(binary: &Path, pattern: &str, arguments: &[&str]) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={pattern}"))
        .arg(binary)
        .args(arguments)
        .output()
        .ok()?;
    parse(&String::from_utf8_lossy(&output.stderr))
}

/// callgrind's last line: `==123== Collected : 4567`.
fn parse(text: &str) -> Option<u64> {
    let (_, count) = text.lines().rev().find_map(|line| line.split_once("Collected :"))?;
    count.trim().parse().ok().filter(|&count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_callgrind_prints() {
        assert_eq!(parse("==7== Events    : Ir\n==7== Collected : 4567\n==7==\n"), Some(4567));
        assert_eq!(parse("==7== Collected : 0\n"), None);
        assert_eq!(parse("not found"), None);
    }
}
