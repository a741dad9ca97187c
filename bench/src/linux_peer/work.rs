//! What is done on a lane in one run, and what came of it.

use super::bridge::BridgeReport;
use super::lane::{Lane, PathConfig, Rival};
use super::ledger::Ledger;
use super::ours::OursReport;
use super::protocol::Request;
use super::sockets::{Client, SocketEndpoint};
use crate::error::BenchError;
use crate::host;
use netstack::Instant;
use netstack::rng::Rng;
use netstack::tcp::{CongestionKind, TcpConfig};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// The client's congestion control: Linux's default.
const CLIENT_CONGESTION: &str = "cubic";
/// Counters of the kernel that tell how a sender fared.
const KERNEL_COUNTERS: [&str; 14] = [
    "RetransSegs",
    "TCPTimeouts",
    "TCPFastRetrans",
    "TCPSlowStartRetrans",
    "TCPSackRecovery",
    "TCPLossProbes",
    "TCPLossProbeRecovery",
    "TCPSpuriousRTOs",
    "TCPDSACKUndo",
    "TCPFullUndo",
    "TCPPartialUndo",
    "TCPSACKReorder",
    "TCPTSReorder",
    "TCPHystartTrainDetect",
];

/// Which way the bytes go, as the client sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The endpoint under test sends.
    Download,
    /// The endpoint under test receives.
    Upload,
}

impl Way {
    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Way::Download => "download",
            Way::Upload => "upload",
        }
    }
}

/// How an endpoint sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Control {
    /// Ours.
    pub ours: CongestionKind,
    /// The kernel's, by its name.
    pub kernel: &'static str,
}

impl Control {
    /// CUBIC on both sides: the default of both.
    pub fn cubic() -> Control {
        Control { ours: CongestionKind::default(), kernel: "cubic" }
    }
}

/// What ran, apart from TCP: whether the figures are TCP's.
#[derive(Clone, Default, Debug, Serialize)]
pub struct Conditions {
    /// The path.
    pub bridge: BridgeReport,
    /// Frames that our endpoint's port lost, and those that the kernel lost at any interface.
    pub port_losses: u64,
    /// Busiest thread of the endpoints and the client, processor time over the run's time.
    pub busy: f64,
}

impl Conditions {
    /// Why the run says more about the machine than about TCP, if it does. `rtt` is the path's.
    pub fn machine_limited(&self, rtt: Duration) -> Option<String> {
        let tolerated_us = (rtt.as_micros() as f64 / 10.0).max(1000.0);
        if self.bridge.stray_losses + self.port_losses > 0 {
            let lost = self.bridge.stray_losses + self.port_losses;
            return Some(format!("{lost} frames lost beside the models"));
        }
        if self.bridge.late_p99_us > tolerated_us {
            return Some(format!("1 % of the frames left {:.1} ms late or more", self.bridge.late_p99_us / 1000.0));
        }
        if self.bridge.busy > 0.9 || self.busy > 0.9 {
            return Some("a thread was busy for more than 90 % of the time".into());
        }
        None
    }
}

/// A bulk transfer.
#[derive(Clone, Default, Debug, Serialize)]
pub struct BulkOutcome {
    /// Payload received by the application in the time.
    pub mbit_per_second: f64,
    /// What went wrong.
    pub fault: Option<String>,
    /// Around it.
    pub conditions: Conditions,
    /// The endpoint's counters: ours by our names, the kernel's by its.
    pub counters: BTreeMap<String, u64>,
}

/// Requests one after the other, each on its own connection.
#[derive(Clone, Default, Debug, Serialize)]
pub struct RequestOutcome {
    /// Milliseconds from opening a connection to the last byte, of every request.
    pub milliseconds: Vec<f64>,
    /// Requests that failed.
    pub failed: u64,
    /// Around it.
    pub conditions: Conditions,
    /// The endpoint's counters.
    pub counters: BTreeMap<String, u64>,
}

/// Flows of both rivals through one bottleneck.
#[derive(Clone, Default, Debug, Serialize)]
pub struct ShareOutcome {
    /// Of each of our flows.
    pub anygate_mbit_per_second: Vec<f64>,
    /// Of each of the kernel's.
    pub linux_mbit_per_second: Vec<f64>,
    /// What went wrong.
    pub fault: Option<String>,
    /// Around it.
    pub conditions: Conditions,
}

/// A whole transfer, checked byte for byte.
#[derive(Clone, Default, Debug, Serialize)]
pub struct ExactOutcome {
    /// Payload that arrived and was right.
    pub bytes: u64,
    /// What went wrong.
    pub fault: Option<String>,
    /// Connections that were reset or broke off.
    pub broken: u64,
    /// Around it.
    pub conditions: Conditions,
}

/// The endpoints of one run.
struct Endpoints<'a> {
    lane: &'a Lane,
    ours: Option<Arc<Ledger>>,
    linux: Option<(SocketEndpoint, Arc<Ledger>, BTreeMap<String, u64>)>,
    device_losses: u64,
}

impl<'a> Endpoints<'a> {
    fn start(lane: &'a Lane, path: &PathConfig, rivals: &[Rival], control: Control) -> Result<Self, BenchError> {
        let mut endpoints = Endpoints { lane, ours: None, linux: None, device_losses: lane.device_losses()? };
        for rival in rivals {
            let ledger = Arc::<Ledger>::default();
            match rival {
                Rival::AnyGate => {
                    let tcp = TcpConfig { congestion: control.ours, ..TcpConfig::default() };
                    lane.start_ours(tcp, path, Arc::clone(&ledger))?;
                    endpoints.ours = Some(ledger);
                }
                Rival::Linux => {
                    let before = lane.kernel_counters()?;
                    let sockets = lane.start_linux(control.kernel, Arc::clone(&ledger))?;
                    endpoints.linux = Some((sockets, ledger, before));
                }
            }
        }
        lane.open_path(path)?;
        Ok(endpoints)
    }

    fn ledger(&self) -> Arc<Ledger> {
        let linux = || self.linux.as_ref().map(|(_, ledger, _)| Arc::clone(ledger));
        self.ours.clone().or_else(linux).unwrap_or_default()
    }

    fn stop(self) -> Result<(Conditions, BTreeMap<String, u64>), BenchError> {
        let bridge = self.lane.close_path()?;
        let mut conditions = Conditions { bridge, ..Conditions::default() };
        conditions.port_losses = self.lane.device_losses()?.saturating_sub(self.device_losses);
        let mut counters = BTreeMap::new();
        if self.ours.is_some() {
            let OursReport { counters: ours, port_losses, busy } = self.lane.stop_ours()?;
            conditions.port_losses += port_losses;
            conditions.busy = busy;
            counters.extend(ours);
        }
        if let Some((sockets, _, before)) = self.linux {
            let after = self.lane.kernel_counters()?;
            let grown = |name: &&str| Some(after.get(*name)?.saturating_sub(*before.get(*name)?));
            let named = KERNEL_COUNTERS.iter().filter_map(|name| Some(((*name).to_owned(), grown(name)?)));
            counters.extend(named.filter(|(_, value)| *value > 0));
            sockets.stop();
        }
        Ok((conditions, counters))
    }
}

/// Bulk data for `time`, counted from when the connection stands.
pub fn bulk(
    lane: &Lane,
    path: &PathConfig,
    rival: Rival,
    way: Way,
    time: Duration,
    control: Control,
) -> Result<BulkOutcome, BenchError> {
    let endpoints = Endpoints::start(lane, path, &[rival], control)?;
    let ledger = endpoints.ledger();
    let transferred = (|| {
        let mut client = Client::connect(rival.address(), CLIENT_CONGESTION, lane.clock())?;
        let began = lane.clock().now();
        let received = AtomicU64::new(0);
        match way {
            Way::Download => {
                client.ask(Request::Send(u64::MAX))?;
                if client.receive(began + time, &received)? {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            Way::Upload => {
                client.ask(Request::Receive)?;
                client.send(began + time, u64::MAX)?;
                received.store(ledger.received(), Ordering::Relaxed);
            }
        }
        let elapsed = lane.clock().now().saturating_since(began);
        let mismatches = ledger.mismatches.load(Ordering::Relaxed);
        client.abort();
        let bytes = received.into_inner();
        if mismatches > 0 { Err(ErrorKind::InvalidData.into()) } else { Ok(megabits(bytes, elapsed)) }
    })();
    let (conditions, counters) = endpoints.stop()?;
    let (mbit_per_second, fault) = figure(transferred);
    Ok(BulkOutcome { mbit_per_second, fault, conditions, counters })
}

/// `bytes` bytes, to the end of the connection; every one is checked.
pub fn exact(
    lane: &Lane,
    path: &PathConfig,
    rival: Rival,
    way: Way,
    bytes: u64,
    patience: Duration,
) -> Result<ExactOutcome, BenchError> {
    let endpoints = Endpoints::start(lane, path, &[rival], Control::cubic())?;
    let ledger = endpoints.ledger();
    let deadline = lane.clock().now() + patience;
    let transferred = (|| {
        let mut client = Client::connect(rival.address(), CLIENT_CONGESTION, lane.clock())?;
        match way {
            Way::Download => {
                let received = AtomicU64::new(0);
                client.ask(Request::Send(bytes))?;
                let closed = client.receive(deadline, &received)?;
                if closed { Ok(received.into_inner()) } else { Err(std::io::Error::from(ErrorKind::TimedOut)) }
            }
            Way::Upload => {
                client.ask(Request::Receive)?;
                client.send(deadline, bytes)?;
                client.finish_sending(deadline)
            }
        }
    })();
    let wrong = ledger.mismatches.load(Ordering::Relaxed) > 0;
    let broken = ledger.broken.load(Ordering::Relaxed);
    let (conditions, _) = endpoints.stop()?;
    let fault = match &transferred {
        Ok(_) if wrong => Some("other bytes than were sent".to_owned()),
        Ok(got) if *got != bytes => Some(format!("{got} bytes of {bytes}")),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    Ok(ExactOutcome { bytes: transferred.unwrap_or(0), fault, broken, conditions })
}

/// Requests for `bytes` bytes for `time`: `clients` at a time, each the next one when the last is answered.
pub fn requests(
    lane: &Lane,
    path: &PathConfig,
    rival: Rival,
    bytes: u64,
    clients: usize,
    time: Duration,
) -> Result<RequestOutcome, BenchError> {
    let endpoints = Endpoints::start(lane, path, &[rival], Control::cubic())?;
    let until = lane.clock().now() + time;
    let each: Vec<(Vec<f64>, u64)> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(|| ask_until(lane, rival, bytes, until))).collect();
        clients.into_iter().map(|client| client.join().unwrap_or_default()).collect()
    });
    let (conditions, counters) = endpoints.stop()?;
    let failed = each.iter().map(|(_, failed)| failed).sum();
    let milliseconds = each.into_iter().flat_map(|(times, _)| times).collect();
    Ok(RequestOutcome { milliseconds, failed, conditions, counters })
}

fn ask_until(lane: &Lane, rival: Rival, bytes: u64, until: Instant) -> (Vec<f64>, u64) {
    let clock = lane.clock();
    let (mut times, mut failed) = (Vec::new(), 0);
    while clock.now() < until {
        let began = clock.now();
        let received = AtomicU64::new(0);
        let answered = Client::connect(rival.address(), CLIENT_CONGESTION, clock).and_then(|mut client| {
            client.ask(Request::Send(bytes))?;
            client.receive(began + Duration::from_secs(60), &received)
        });
        match answered {
            Ok(true) if received.into_inner() == bytes => {
                times.push(clock.now().saturating_since(began).as_secs_f64() * 1000.0);
            }
            _ => {
                failed += 1;
                // What fails at once would do so for ever, under real-time priority.
                host::nap(Duration::from_millis(10));
            }
        }
    }
    (times, failed)
}

/// Downloads from both endpoints at once, so many flows of each; counted after `warm_up`.
pub fn share(
    lane: &Lane,
    path: &PathConfig,
    flows: [usize; 2],
    warm_up: Duration,
    time: Duration,
    control: Control,
) -> Result<ShareOutcome, BenchError> {
    let endpoints = Endpoints::start(lane, path, &Rival::BOTH, control)?;
    let began = lane.clock().now();
    let (counting, until) = (began + warm_up, began + warm_up + time);
    let mut pauses = Rng::new(path.seed);
    let of = |rival: Rival, count: usize| std::iter::repeat_n(rival, count);
    let each: Vec<(Rival, std::io::Result<f64>)> = thread::scope(|scope| {
        // In turn, so that neither is always first.
        let mut order: Vec<Rival> = Vec::new();
        let mut queues = [of(Rival::AnyGate, flows[0]), of(Rival::Linux, flows[1])];
        while order.len() < flows[0] + flows[1] {
            order.extend(queues.iter_mut().filter_map(Iterator::next));
        }
        let begin = |rival: Rival| {
            // Runs with other seeds begin with another distance between the flows.
            host::nap(Duration::from_millis(pauses.below(300).into()));
            (rival, scope.spawn(move || flow(lane, rival, counting, until)))
        };
        let flows: Vec<_> = order.into_iter().map(begin).collect();
        let joined = |(rival, flow): (Rival, thread::ScopedJoinHandle<'_, std::io::Result<f64>>)| {
            (rival, flow.join().unwrap_or_else(|_| Err(ErrorKind::Other.into())))
        };
        flows.into_iter().map(joined).collect()
    });
    let (conditions, _) = endpoints.stop()?;
    let rates = |rival| {
        let of_rival = each.iter().filter(move |(of, _)| *of == rival);
        of_rival.map(|(_, rate)| *rate.as_ref().unwrap_or(&0.0))
    };
    Ok(ShareOutcome {
        anygate_mbit_per_second: rates(Rival::AnyGate).collect(),
        linux_mbit_per_second: rates(Rival::Linux).collect(),
        fault: each.iter().find_map(|(_, rate)| rate.as_ref().err().map(ToString::to_string)),
        conditions,
    })
}

fn flow(lane: &Lane, rival: Rival, counting: Instant, until: Instant) -> std::io::Result<f64> {
    let (early, counted) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut client = Client::connect(rival.address(), CLIENT_CONGESTION, lane.clock())?;
    client.ask(Request::Send(u64::MAX))?;
    let mut place = Default::default();
    client.receive_from(&mut place, counting, &early)?;
    let began = lane.clock().now();
    client.receive_from(&mut place, until, &counted)?;
    let elapsed = lane.clock().now().saturating_since(began);
    client.abort();
    Ok(megabits(counted.into_inner(), elapsed))
}

fn megabits(bytes: u64, time: Duration) -> f64 {
    bytes as f64 * 8.0 / 1e6 / time.as_secs_f64().max(1e-9)
}

fn figure(rate: std::io::Result<f64>) -> (f64, Option<String>) {
    match rate {
        Ok(rate) => (rate, None),
        Err(error) => (0.0, Some(error.to_string())),
    }
}
