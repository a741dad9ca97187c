//! `anygate-bench generate`: one run of the load generator on one AF_XDP interface; and driving such a run from
//! another process.
//!
//! The run prints a line when its connections stand, when it begins and when it ends to record, and last its figures
//! as one line of JSON.

use crate::error::BenchError;
use crate::generator::{Generator, LoadConfig, LoadReport, Pacing, Reuse, Stage};
use crate::run::{CLIENT_INTERFACE, RunArgs, Wire};
use crate::scenario::Scenario;
use crate::{host, ports};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

/// One run.
#[derive(clap::Args, Clone, Debug)]
pub struct GenerateArgs {
    /// Interface to send from; the generator takes queue 0 of it for the source addresses below.
    #[arg(long)]
    pub interface: String,
    /// Server to ask.
    #[arg(long)]
    pub remote: SocketAddr,
    /// Source addresses, with their prefix length, used in turn; they must not belong to the kernel.
    #[arg(long, required = true, value_delimiter = ',')]
    pub local: Vec<String>,
    /// Target of the request.
    #[arg(long, default_value = "/fastest/ever/ok")]
    pub target: String,
    /// Connections under load.
    #[arg(long, default_value_t = 64)]
    pub connections: usize,
    /// Connections that are only held.
    #[arg(long, default_value_t = 0)]
    pub idle: usize,
    /// A new connection for each request.
    #[arg(long)]
    pub new_connections: bool,
    /// Requests a second (open loop); without it the next request follows the answer (closed loop).
    #[arg(long)]
    pub rate: Option<u64>,
    /// Seconds before recording.
    #[arg(long, default_value_t = 1.0)]
    pub warm_up: f64,
    /// Seconds recorded.
    #[arg(long, default_value_t = 4.0)]
    pub seconds: f64,
    /// Core to run on, under real-time priority where allowed.
    #[arg(long)]
    pub core: Option<usize>,
}

/// Figures of one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Answers recorded.
    pub requests: u64,
    /// Answers a second.
    pub requests_per_second: f64,
    /// Median latency, microseconds.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// 99.9th percentile.
    pub p999_us: f64,
    /// Idle connections that stood until the end.
    pub idle_connections: usize,
    /// What went wrong, by name.
    pub faults: BTreeMap<String, u64>,
    /// Filled in by who watches the server.
    pub cpu_us_per_request: Option<f64>,
    /// Filled in by who counts instructions.
    pub instructions_per_request: Option<f64>,
    /// Filled in by who watches the server.
    pub bytes_per_connection: Option<f64>,
}

impl From<LoadReport> for Outcome {
    fn from(report: LoadReport) -> Outcome {
        Outcome {
            requests: report.requests(),
            requests_per_second: report.requests_per_second(),
            p50_us: report.latency_us(0.5),
            p99_us: report.latency_us(0.99),
            p999_us: report.latency_us(0.999),
            idle_connections: report.idle_connections,
            faults: report.faults().iter().map(|(name, &count)| ((*name).to_owned(), count)).collect(),
            ..Outcome::default()
        }
    }
}

/// Moments of a run at which somebody may want to look at the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// All connections stand, no load yet.
    Standing,
    /// Recording begins.
    Measuring,
    /// Recording has ended.
    Ended,
}

const MARKS: [(Mark, &str); 3] = [(Mark::Standing, "standing"), (Mark::Measuring, "measuring"), (Mark::Ended, "ended")];

impl GenerateArgs {
    /// The command-line words that mean these arguments.
    pub fn to_arguments(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut pair = |name: &str, value: String| words.extend([name.to_owned(), value]);
        pair("--interface", self.interface.clone());
        pair("--remote", self.remote.to_string());
        pair("--local", self.local.join(","));
        pair("--target", self.target.clone());
        pair("--connections", self.connections.to_string());
        pair("--idle", self.idle.to_string());
        pair("--warm-up", self.warm_up.to_string());
        pair("--seconds", self.seconds.to_string());
        if let Some(rate) = self.rate {
            pair("--rate", rate.to_string());
        }
        if let Some(core) = self.core {
            pair("--core", core.to_string());
        }
        if self.new_connections {
            words.push("--new-connections".into());
        }
        words
    }

    /// The arguments for a scenario on a wire.
    pub fn for_scenario(scenario: &Scenario, wire: &Wire, run: &RunArgs) -> GenerateArgs {
        GenerateArgs {
            interface: CLIENT_INTERFACE.to_owned(),
            remote: wire.server(),
            local: wire.client_addresses(),
            target: "/fastest/ever/ok".to_owned(),
            connections: scenario.connections,
            idle: scenario.idle_connections,
            new_connections: scenario.reuse == Reuse::NewEach,
            rate: scenario.rate,
            warm_up: 1.0,
            seconds: run.seconds,
            core: Some(run.generator_core),
        }
    }

    fn load(&self) -> Result<LoadConfig, BenchError> {
        let reuse = if self.new_connections { Reuse::NewEach } else { Reuse::KeepAlive };
        Ok(LoadConfig {
            remote: self.remote,
            locals: self.local.iter().map(|text| address_of(text)).collect::<Result<_, _>>()?,
            connections: self.connections,
            idle_connections: self.idle,
            request: LoadConfig::get(&self.target, &self.remote.to_string(), reuse),
            pacing: self.rate.map_or(Pacing::Closed, |requests_per_second| Pacing::Open { requests_per_second }),
            reuse,
            warm_up: Duration::from_secs_f64(self.warm_up),
            duration: Duration::from_secs_f64(self.seconds),
            open_deadline: Duration::from_secs(60),
        })
    }
}

fn address_of(text: &str) -> Result<IpAddr, BenchError> {
    let address = text.split('/').next().unwrap_or(text);
    address
        .parse()
        .map_err(|_| BenchError::new(format!("`{text}` is not an address with a prefix length, as 10.0.0.9/24")))
}

/// Runs the generator in this process.
pub fn generate(args: &GenerateArgs) -> Result<(), BenchError> {
    if let Some(core) = args.core {
        host::pin_this_thread(core);
    }
    let clock = anygate::clock::Clock::start();
    let (ports::ClientPort { port, device: _device }, stack) = ports::client_on(&args.interface, &args.local, &clock)?;
    let mut generator = Generator::new(port, stack, args.load()?, clock.now());
    let mut stage = Stage::Opening;
    while generator.stage() != Stage::Done {
        generator.turn(clock.now());
        if generator.stage() != stage {
            stage = generator.stage();
            match stage {
                Stage::WarmUp => announce(Mark::Standing),
                Stage::Measuring => announce(Mark::Measuring),
                Stage::Opening | Stage::Done => {}
            }
        }
    }
    announce(Mark::Ended);
    let outcome = Outcome::from(generator.into_report());
    let line = serde_json::to_string(&outcome).map_err(|e| BenchError::new(e.to_string()))?;
    println!("{line}");
    Ok(())
}

fn announce(mark: Mark) {
    let name = MARKS.iter().find(|(known, _)| *known == mark).map_or("", |(_, name)| name);
    println!("{name}");
}

/// Runs `command`, which is a `generate`, to its end, and calls `at` at each mark.
pub fn drive(mut command: Command, mut at: impl FnMut(Mark)) -> Result<Outcome, BenchError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| BenchError::io("start the generator", e))?;
    let mut outcome = None;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            match MARKS.iter().find(|(_, name)| *name == line) {
                Some(&(mark, _)) => at(mark),
                None => outcome = serde_json::from_str(&line).ok(),
            }
        }
    }
    let status = child.wait().map_err(|e| BenchError::io("wait for the generator", e))?;
    match outcome {
        Some(outcome) if status.success() => Ok(outcome),
        _ => Err(BenchError::new(format!("the generator ended with {status}; its message stands above"))),
    }
}
