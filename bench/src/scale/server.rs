//! The measured side: a worker with its HTTP service at one end of a ring, in virtual time, and the time that it takes.

use super::peer::{GATEWAY, MAC, Peer, Purpose, SERVER};
use crate::error::BenchError;
use crate::fixture;
use anygate::clock::Clock;
use anygate::worker::{Worker, WorkerHandle};
use netstack::tcp::{TcpConfig, TcpCounter};
use netstack::{Cidr, Instant, Route, StackConfig};
use port::Port;
use port::sim::ring::{RingConfig, RingPort, pair};
use rustix::time::{ClockId, clock_gettime};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// What one turn of the loop takes in virtual time.
const TURN: Duration = Duration::from_micros(5);

/// Server and peer in one thread, by turns.
pub struct Pair {
    /// The server.
    pub worker: Worker<RingPort>,
    /// Everybody else.
    pub peer: Peer,
    /// Virtual time.
    pub now: Instant,
    /// Time of this thread in the server's turns.
    pub server_time: Duration,
    /// Off under callgrind, whose processor has no such clock.
    pub timed: bool,
    _handle: WorkerHandle,
}

impl Pair {
    /// A server whose stack is configured by `tcp`, and the peer that opens connections for `purpose`.
    pub fn new(tcp: TcpConfig, backlog: usize, request: &[u8], purpose: Purpose) -> Result<Pair, BenchError> {
        let ring = RingConfig { slots: 4096, ..RingConfig::default() };
        let (server_end, peer_end) = pair(&ring).map_err(|e| BenchError::new(e.to_string()))?;
        let port = server_end.into_port();
        let mac = port.info().mac;
        let default = Cidr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let plan = StackConfig {
            mtu: port.info().mtu,
            addresses: Cidr::new(IpAddr::V4(SERVER), 24).into_iter().collect(),
            routes: default.map(|dest| Route { dest, via: IpAddr::V4(GATEWAY) }).into_iter().collect(),
            static_neighbors: vec![(IpAddr::V4(GATEWAY), MAC)],
            tcp,
            ..StackConfig::default()
        };
        let clock = Clock::start();
        let (worker, handle) = fixture::worker_with(port, &plan, backlog, &clock)?;
        let peer = Peer::new(peer_end.into_port(), mac, request, purpose);
        Ok(Pair { worker, peer, now: clock.now(), server_time: Duration::ZERO, timed: true, _handle: handle })
    }

    /// One turn of the server, timed.
    pub fn serve(&mut self) {
        self.now += TURN;
        let before = self.thread_time();
        self.worker.turn(self.now);
        self.server_time += self.thread_time().saturating_sub(before);
    }

    /// Processor time of this thread: what other processes take from the core is not in it.
    pub fn thread_time(&self) -> Duration {
        if !self.timed {
            return Duration::ZERO;
        }
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    /// A TCP counter of the server.
    pub fn count(&self, which: TcpCounter) -> u64 {
        self.worker.stack().tcp_counters().get(which)
    }
}

/// Resident memory of this process, in bytes.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
