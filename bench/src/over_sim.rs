//! Server and generator on two cores of one process, with rings in memory between them: what the stack, HTTP and the
//! router cost without a NIC. Software checksums on both sides, as over AF_XDP.

use crate::error::BenchError;
use crate::generate::Outcome;
use crate::generator::{Generator, LoadConfig, Pacing, Stage};
use crate::ports::client_stack;
use crate::run::RunArgs;
use crate::scenario::Scenario;
use crate::{fixture, host};
use anygate::clock::Clock;
use anygate::worker::Command;
use netstack::Cidr;
use port::sim::ring::{RingConfig, RingEnd, pair};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Address of the server.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);

/// One run of a scenario.
pub fn run(scenario: &Scenario, args: &RunArgs) -> Result<Outcome, BenchError> {
    let ring = RingConfig { pool_frames: 32_768, slots: 4096, ..RingConfig::default() };
    let (server_end, client_end) = pair(&ring).map_err(|e| BenchError::new(e.to_string()))?;
    let clock = Clock::start();
    let (handles, started) = std::sync::mpsc::channel();
    let core = args.server_core;
    let server = std::thread::spawn(move || {
        host::pin_this_thread(core);
        let worker = fixture::worker(server_end.into_port(), SERVER, &clock);
        let told = worker.map(|(worker, handle)| {
            let _ = handles.send(Ok(handle));
            worker.run(&clock);
        });
        if let Err(error) = told {
            let _ = handles.send(Err(error));
        }
    });
    let handle = started.recv().map_err(|_| BenchError::new("the server's thread ended"))??;
    let (scenario, seconds, core) = (scenario.clone(), args.seconds, args.generator_core);
    let client = std::thread::spawn(move || generate(client_end, &scenario, seconds, core, &clock));
    let outcome = client.join().map_err(|_| BenchError::new("the generator's thread ended"));
    handle.send(Command::Drain { deadline: Duration::ZERO });
    server.join().map_err(|_| BenchError::new("the server's thread panicked"))?;
    outcome?
}

fn generate(
    end: RingEnd,
    scenario: &Scenario,
    seconds: f64,
    core: usize,
    clock: &Clock,
) -> Result<Outcome, BenchError> {
    host::pin_this_thread(core);
    let port = end.into_port();
    let locals: Vec<IpAddr> = (0..8).map(|i| IpAddr::from([10, 79, 0, 16 + i])).collect();
    let cidrs = locals.iter().filter_map(|&local| Cidr::new(local, 24)).collect();
    let stack = client_stack(&port, cidrs, clock)?;
    let load = LoadConfig {
        remote: SocketAddr::from((SERVER, 80)),
        locals,
        connections: scenario.connections,
        idle_connections: scenario.idle_connections,
        request: LoadConfig::get("/fastest/ever/ok", "anygate.test", scenario.reuse),
        pacing: Pacing::Closed,
        reuse: scenario.reuse,
        warm_up: Duration::from_secs_f64(seconds / 4.0),
        duration: Duration::from_secs_f64(seconds),
        open_deadline: Duration::from_secs(60),
    };
    let mut generator = Generator::new(port, stack, load, clock.now());
    while generator.stage() != Stage::Done {
        generator.turn(clock.now());
    }
    let outcome = Outcome::from(generator.into_report());
    // A worker that always polls keeps its core busy: the time for one request is the inverse of the rate.
    let cpu_us_per_request = (outcome.requests > 0).then(|| 1e6 / outcome.requests_per_second);
    Ok(Outcome { cpu_us_per_request, ..outcome })
}
