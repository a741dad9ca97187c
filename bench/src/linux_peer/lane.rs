//! One measuring place: three namespaces, three pairs of virtual Ethernet interfaces, the bridge and the endpoints.
//!
//! ```text
//!   peer's namespace        bridge's namespace              endpoints' namespace
//!   Linux client, a0 ═══════ a1 ▸ bridge ▸ b1 ═══════ b0, Linux endpoint
//!                                       └▸ c1 ═══════ c0, AnyGate over AF_XDP
//! ```
//!
//! Everything is gone with the process: see [`super::namespace`] and the `port-afxdp` crate.

use super::bridge::{self, Bridge, BridgeReport, LegConfig};
use super::cells::FRAME_BYTES;
use super::ledger::Ledger;
use super::namespace::Namespace;
use super::ours::{self, Ours, OursConfig, OursReport};
use super::sockets::SocketEndpoint;
use crate::error::BenchError;
use crate::host;
use anygate::clock::Clock;
use netstack::tcp::TcpConfig;
use port::impair::LinkConfig;
use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The client's address.
const PEER: Ipv4Addr = Ipv4Addr::new(10, 81, 0, 1);
/// The address of the endpoint on kernel sockets.
const LINUX: Ipv4Addr = Ipv4Addr::new(10, 81, 0, 2);
/// The address of the endpoint on our stack.
const ANYGATE: Ipv4Addr = Ipv4Addr::new(10, 81, 0, 3);
/// What the kernel's buffers of a connection grow to at most, either way. It counts its own overhead in: about half of it
/// is payload, as much as ours grow to by default, and what 1 Gbit/s over 100 ms with a full deep buffer needs.
pub const KERNEL_BUFFER_BYTES: u32 = 64 << 20;

/// Who is under test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rival {
    /// Our stack.
    AnyGate,
    /// The kernel's.
    Linux,
}

impl Rival {
    /// Both.
    pub const BOTH: [Rival; 2] = [Rival::AnyGate, Rival::Linux];

    /// Where it listens.
    pub fn address(self) -> Ipv4Addr {
        match self {
            Rival::AnyGate => ANYGATE,
            Rival::Linux => LINUX,
        }
    }

    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Rival::AnyGate => "anygate",
            Rival::Linux => "linux",
        }
    }
}

/// How a lane is laid out.
#[derive(Clone, Copy, Debug)]
pub struct LaneConfig {
    /// Frames of each interface's pool.
    pub frames: u32,
    /// Core of the bridge.
    pub bridge_core: usize,
    /// Core of both ends.
    pub ends_core: usize,
}

impl LaneConfig {
    /// The lanes of a machine share its cores: every other one has bridge and ends the other way round.
    pub fn of_index(index: usize) -> LaneConfig {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let [bridge_core, ends_core] = [0, 1].map(|thread| (index + thread) % cores);
        LaneConfig { frames: 16_384, bridge_core, ends_core }
    }
}

/// The path of one run.
#[derive(Clone, Debug)]
pub struct PathConfig {
    /// Towards the endpoints, and towards the peer.
    pub links: [LinkConfig; 2],
    /// The source of every random decision.
    pub seed: u64,
    /// Where to write a capture and a trace, without an ending.
    pub record: Option<PathBuf>,
}

impl PathConfig {
    /// The file of that ending beside a recorded run. Names of cells have points, which are no endings.
    fn recorded(&self, ending: &str) -> Option<PathBuf> {
        self.record.as_ref().map(|record| PathBuf::from(format!("{}.{ending}", record.display())))
    }

    /// Pause between two looks of the bridge: eight frames' time, as NICs hold interrupts back, and never so long that
    /// it counts beside a delay.
    fn quantum(&self) -> Duration {
        let rate = self.links.iter().filter_map(|link| link.rate_bits_per_second).max();
        let eight = rate.map_or(0, |rate| 8 * 8 * FRAME_BYTES * 1_000_000_000 / rate.max(1));
        Duration::from_nanos(eight).clamp(Duration::from_micros(50), Duration::from_micros(200))
    }
}

/// A lane that stands.
pub struct Lane {
    peer: Namespace,
    middle: Namespace,
    endpoints: Namespace,
    bridge: Sender<bridge::Order>,
    ours: Sender<ours::Order>,
    threads: Vec<JoinHandle<()>>,
    clock: Clock,
}

impl Lane {
    /// Builds a lane, and moves the calling thread to the ends' core and into the peer's namespace.
    pub fn up(config: LaneConfig, clock: Clock) -> Result<Lane, BenchError> {
        // One at a time: the first `ip netns add` of a machine prepares the folder of names.
        static ONE: Mutex<()> = Mutex::new(());
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut namespaces = [Namespace::new()?, Namespace::new()?, Namespace::new()?];
        wire(&namespaces, config.ends_core)?;
        namespaces.iter_mut().for_each(Namespace::forget_name);
        drop(one);
        let [peer, middle, endpoints] = namespaces;
        let (bridge, bridge_thread) = start_bridge(middle.another_handle()?, config, clock)?;
        let (ours, ours_thread) = start_ours(&endpoints, config, clock)?;
        host::pin_this_thread(config.ends_core);
        peer.enter()?;
        Ok(Lane { peer, middle, endpoints, bridge, ours, threads: vec![bridge_thread, ours_thread], clock })
    }

    /// The clock of everything here.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Opens the path, empty, with fresh counters.
    pub fn open_path(&self, path: &PathConfig) -> Result<(), BenchError> {
        // No run profits from what an earlier one learned of the path.
        host::command("ip", &["tcp_metrics", "flush", "all"])?;
        self.in_endpoints(|| host::command("ip", &["tcp_metrics", "flush", "all"]))??;
        let (done, begun) = channel();
        let capture = path.recorded("pcapng");
        let links = Box::new(path.links.clone());
        let quantum = path.quantum();
        let order = bridge::Order::Begin { links, seed: path.seed, quantum, capture, done };
        self.bridge.send(order).map_err(|_| gone("bridge"))?;
        begun.recv().map_err(|_| gone("bridge"))
    }

    /// Closes the path; what is under way is lost.
    pub fn close_path(&self) -> Result<BridgeReport, BenchError> {
        let (reply, report) = channel();
        self.bridge.send(bridge::Order::End(reply)).map_err(|_| gone("bridge"))?;
        report.recv().map_err(|_| gone("bridge"))
    }

    /// Makes our endpoint listen.
    pub fn start_ours(&self, tcp: TcpConfig, path: &PathConfig, ledger: Arc<Ledger>) -> Result<(), BenchError> {
        let (done, begun) = channel();
        let trace = path.recorded("csv");
        let begin = ours::Begin { tcp, seed: path.seed, ledger, trace, done };
        self.ours.send(ours::Order::Begin(Box::new(begin))).map_err(|_| gone("endpoint"))?;
        begun.recv().map_err(|_| gone("endpoint"))?.map_err(BenchError::new)
    }

    /// Ends our endpoint.
    pub fn stop_ours(&self) -> Result<OursReport, BenchError> {
        let (reply, report) = channel();
        self.ours.send(ours::Order::End(reply)).map_err(|_| gone("endpoint"))?;
        report.recv().map_err(|_| gone("endpoint"))
    }

    /// Makes the kernel's endpoint listen.
    pub fn start_linux(&self, congestion: &str, ledger: Arc<Ledger>) -> Result<SocketEndpoint, BenchError> {
        self.in_endpoints(|| SocketEndpoint::start(LINUX, congestion, ledger))?
    }

    /// The TCP counters of the kernel at the endpoints' side, by the kernel's names.
    pub fn kernel_counters(&self) -> Result<BTreeMap<String, u64>, BenchError> {
        self.in_endpoints(kernel_counters)
    }

    /// Frames that the kernel has dropped at any of the interfaces so far: full queues, which no model asked for.
    pub fn device_losses(&self) -> Result<u64, BenchError> {
        let dropped = || device_losses(&fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default());
        [&self.peer, &self.middle, &self.endpoints].into_iter().map(|namespace| within(namespace, dropped)).sum()
    }

    /// Runs `work` on a thread in the endpoints' namespace.
    fn in_endpoints<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, BenchError> {
        within(&self.endpoints, work)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Closed channels end the threads.
        (self.bridge, self.ours) = (channel().0, channel().0);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Runs `work` on a thread of its own in a namespace.
fn within<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> Result<T, BenchError> {
    let inside = || namespace.enter().map(|()| work());
    thread::scope(|scope| scope.spawn(inside).join().unwrap_or_else(|_| Err(gone("helper"))))
}

fn gone(who: &str) -> BenchError {
    BenchError::new(format!("the {who}'s thread ended; its message stands above"))
}

/// MAC address of an interface: `a0` is 02:00:00:00:0a:00.
fn mac(leg: u8, end: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0x0a + leg, end]
}

fn mac_text(leg: u8, end: u8) -> String {
    mac(leg, end).map(|byte| format!("{byte:02x}")).join(":")
}

/// The namespaces' rules and the interfaces between them.
///
/// The congestion control is set by each socket: a host may forbid namespaces all but Reno as their default, and another
/// default (BBR) would leave its pacing on when the socket changes to CUBIC.
fn wire([peer, middle, endpoints]: &[Namespace; 3], ends_core: usize) -> Result<(), BenchError> {
    for namespace in [peer, middle, endpoints] {
        namespace.sh(&format!(
            "ip link set lo up
             for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done
             echo reno > /proc/sys/net/ipv4/tcp_congestion_control
             echo 1 > /proc/sys/net/ipv4/tcp_no_metrics_save
             echo 4096 131072 {KERNEL_BUFFER_BYTES} > /proc/sys/net/ipv4/tcp_rmem
             echo 4096 16384 {KERNEL_BUFFER_BYTES} > /proc/sys/net/ipv4/tcp_wmem"
        ))?;
    }
    for (leg, letter, far) in [(0, "a", peer), (1, "b", endpoints), (2, "c", endpoints)] {
        middle.sh(&format!(
            "ip link add {letter}1 address {} numrxqueues 1 numtxqueues 1 type veth \
             peer name {letter}0 address {} numrxqueues 1 numtxqueues 1 netns {}
             ip link set {letter}1 up",
            mac_text(leg, 1),
            mac_text(leg, 0),
            far.name()
        ))?;
    }
    // Checksums complete and segments as they go over a wire: the bridge carries frames as they are. The receive work of
    // the kernel's ends is done on their core, not on the bridge's.
    let end = |interface: &str, address: Ipv4Addr| {
        format!(
            "ethtool -K {interface} tx off tso off gso off gro off > /dev/null
             echo {:x} > /sys/class/net/{interface}/queues/rx-0/rps_cpus
             ip addr add {address}/24 dev {interface}
             ip link set {interface} up\n",
            1u64 << ends_core
        )
    };
    let neighbor = |interface: &str, address: Ipv4Addr, mac: String| {
        format!("ip neigh replace {address} lladdr {mac} dev {interface} nud permanent\n")
    };
    // Whatever leaves an end goes to the bridge, with the far end's MAC address: the bridge changes no byte.
    let (a0, b0, c0) = (mac_text(0, 0), mac_text(1, 0), mac_text(2, 0));
    peer.sh(&(end("a0", PEER) + &neighbor("a0", LINUX, b0) + &neighbor("a0", ANYGATE, c0)))?;
    endpoints.sh(&(end("b0", LINUX) + &neighbor("b0", PEER, a0) + "ip link set c0 up"))
}

type Started<T> = (Sender<T>, JoinHandle<()>);

/// Starts a thread that opens something and then works off orders; its refusal to open is returned.
fn start<T: Send + 'static>(
    run: impl FnOnce(&Sender<Result<(), BenchError>>, std::sync::mpsc::Receiver<T>) + Send + 'static,
) -> Result<Started<T>, BenchError> {
    let (orders, inbox) = channel();
    let (opened, told) = channel();
    let thread = thread::spawn(move || run(&opened, inbox));
    told.recv().map_err(|_| gone("new"))??;
    Ok((orders, thread))
}

fn start_bridge(middle: Namespace, config: LaneConfig, clock: Clock) -> Result<Started<bridge::Order>, BenchError> {
    let leg = |interface: &str, carries: &[Ipv4Addr], leads_to: Ipv4Addr| LegConfig {
        interface: interface.to_owned(),
        carries: carries.to_vec(),
        leads_to,
    };
    let legs = [leg("a1", &[LINUX, ANYGATE], PEER), leg("b1", &[PEER], LINUX), leg("c1", &[PEER], ANYGATE)];
    start(move |opened, orders| {
        host::pin_this_thread(config.bridge_core);
        match middle.enter().and_then(|()| Bridge::open(&legs, config.frames, clock)) {
            Ok(bridge) => {
                let _ = opened.send(Ok(()));
                bridge.run(&orders);
            }
            Err(error) => drop(opened.send(Err(error))),
        }
    })
}

fn start_ours(endpoints: &Namespace, config: LaneConfig, clock: Clock) -> Result<Started<ours::Order>, BenchError> {
    let place =
        OursConfig { interface: "c0".to_owned(), address: ANYGATE, peer: (PEER, mac(0, 0)), frames: config.frames };
    let endpoints = endpoints.another_handle()?;
    start(move |opened, orders| {
        host::pin_this_thread(config.ends_core);
        match endpoints.enter().and_then(|()| Ours::open(place, clock)) {
            Ok(ours) => {
                let _ = opened.send(Ok(()));
                ours.serve(&orders);
            }
            Err(error) => drop(opened.send(Err(error))),
        }
    })
}

/// Counters of the calling thread's namespace, from the files that `nstat` reads.
fn kernel_counters() -> BTreeMap<String, u64> {
    let read = |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
    let mut counters = parse_counters(&read("snmp"), "Tcp:");
    counters.extend(parse_counters(&read("netstat"), "TcpExt:"));
    counters
}

/// A line of names and a line of values, both of which begin with `section`.
fn parse_counters(text: &str, section: &str) -> BTreeMap<String, u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(section));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let values = values.split_whitespace().map(|value| value.parse().unwrap_or(0));
    names.split_whitespace().map(str::to_owned).zip(values).collect()
}

/// The columns of dropped frames, received and sent, of every interface.
fn device_losses(text: &str) -> u64 {
    let counted = |line: &str| {
        let (_, fields) = line.split_once(':')?;
        let mut fields = fields.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
        // bytes packets errs drop fifo frame compressed multicast | bytes packets errs drop ...
        Some(fields.nth(3)? + fields.nth(7)?)
    };
    text.lines().filter_map(counted).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_what_the_interfaces_dropped() {
        let text = "Inter-| Receive | Transmit\n face |bytes packets errs drop fifo\n\
            lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  a0: 9 9 0 3 0 0 0 0 9 9 0 4 0 0 0 0\n";
        assert_eq!(device_losses(text), 7);
    }

    #[test]
    fn reads_the_kernels_counters_by_name() {
        let text = "Ip: a\nIp: 9\nTcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 17\n";
        let counters = parse_counters(text, "Tcp:");
        assert_eq!(counters["RetransSegs"], 17);
        assert_eq!(counters["MaxConn"], 0);
        assert!(!counters.contains_key("a"));
    }
}
