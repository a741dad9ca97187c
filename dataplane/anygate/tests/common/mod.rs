//! A worker and a client stack, wired by rings, taking turns in one thread in virtual time.

#![allow(dead_code, reason = "each test uses a part of it")]

use anygate::devices::stack_on;
use anygate::snapshot::{Current, Snapshot};
use anygate::worker::{Command, Parts, Polling, Worker, WorkerHandle};
use bytes::Bytes;
use config::{Config, Format};
use netstack::rng::Seed;
use netstack::tcp::{ConnId, ConnectConfig, EndReason, Ready};
use netstack::{Cidr, Frame, Instant, Stack, StackConfig};
use port::Port;
use port::sim::ring::{RingConfig, RingPort, pair};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

pub const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 2));
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1));
/// Virtual time of one turn of both sides.
pub const TURN: Duration = Duration::from_micros(50);

pub fn compile(text: &str, generation: u64) -> (Config, Snapshot) {
    let loaded = Config::parse("test", text, Format::Yaml, std::iter::empty()).expect("the test's configuration");
    let (snapshot, _) = Snapshot::compile(&loaded.config, generation).expect("the test's routes");
    (loaded.config, snapshot)
}

/// What the client knows of one connection.
#[derive(Default, Debug)]
pub struct Seen {
    pub connected: bool,
    pub received: Vec<u8>,
    pub peer_closed: bool,
    pub ended: Option<EndReason>,
}

impl Seen {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// How often an answer with this status line was received.
    pub fn answers(&self, status: &str) -> usize {
        self.text().matches(&format!("HTTP/1.1 {status}")).count()
    }
}

pub struct Lab {
    pub now: Instant,
    pub worker: Worker<RingPort>,
    pub handle: WorkerHandle,
    pub current: Current,
    pub stack: Stack,
    /// Connections whose received bytes are left in the stack.
    pub paused: Vec<ConnId>,
    pub seen: HashMap<ConnId, Seen>,
    port: RingPort,
    tx: VecDeque<Frame>,
}

impl Lab {
    pub fn new(configuration: &str) -> Lab {
        let (server_end, client_end) = pair(&RingConfig::default()).expect("a ring pair");
        let (config, snapshot) = compile(configuration, 1);
        let now = Instant::from_millis(1);
        let port = server_end.into_port();
        let mut plan = plan(SERVER);
        let send_buffer = u32::try_from(config.server.limits.send_buffer.0).expect("a small send buffer");
        (plan.tcp.send_buffer, plan.tcp.send_buffer_max) = (send_buffer, send_buffer);
        let stack = stack_on(&port, &plan, Seed::from_number(1), now).expect("the server's stack");
        let (handle, inbox) = WorkerHandle::new(0, None, port.info().clone()).expect("a handle");
        let current = Current::new(snapshot);
        let parts = Parts {
            port,
            stack,
            snapshot: current.clone(),
            inbox,
            handle: handle.clone(),
            peers: Vec::new(),
            handover: None,
            polling: Polling::Always,
            backlog: 128,
            fast_open: 0,
        };
        let mut worker = Worker::new(parts, now, 1_700_000_000);
        worker.listen(&config.server.listen).expect("to listen");
        let port = client_end.into_port();
        let stack = stack_on(&port, &self::plan(CLIENT), Seed::from_number(2), now).expect("the client's stack");
        let (tx, seen, paused) = (VecDeque::new(), HashMap::new(), Vec::new());
        Lab { now, worker, handle, current, stack, paused, seen, port, tx }
    }

    /// Both sides, until `duration` of virtual time has passed.
    pub fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.now < until {
            // Without work the time jumps to the next deadline of either side.
            if !self.turn() {
                let next = [self.worker.poll_timeout(), self.stack.poll_timeout()].into_iter().flatten().min();
                self.now = next.map_or(until, |at| at.max(self.now).min(until));
            }
        }
    }

    pub fn turn(&mut self) -> bool {
        self.now += TURN;
        let client = self.client_turn();
        let server = self.worker.turn(self.now);
        client || server
    }

    /// The client's half of a turn.
    pub fn client_turn(&mut self) -> bool {
        let now = self.now;
        let mut received = Vec::new();
        self.port.rx_burst(now, &mut received, 64);
        let worked = !received.is_empty();
        received.into_iter().for_each(|frame| self.stack.handle_frame(now, frame));
        self.stack.handle_timeout(now);
        while let Some(event) = self.stack.poll_event() {
            let seen = self.seen.entry(event.conn).or_default();
            seen.connected |= event.ready.contains(Ready::CONNECTED);
            seen.peer_closed |= event.ready.contains(Ready::PEER_CLOSED);
            seen.ended = seen.ended.or(event.ended);
        }
        let open: Vec<ConnId> = self.seen.keys().copied().filter(|conn| !self.paused.contains(conn)).collect();
        for conn in open {
            while let Some(chunk) = self.stack.take_chunk(conn) {
                self.seen.entry(conn).or_default().received.extend_from_slice(&chunk);
            }
        }
        self.stack.settle(now);
        self.stack.poll_transmit(now, &mut self.tx, 64);
        self.port.tx_burst(now, &mut self.tx) > 0 || worked
    }

    /// A connection that stands.
    pub fn connect(&mut self) -> ConnId {
        let config = ConnectConfig::to(SocketAddr::new(SERVER, 80), 0);
        let conn = self.stack.connect(self.now, config).expect("to connect");
        self.seen.insert(conn, Seen::default());
        self.run(Duration::from_millis(5));
        assert!(self.seen[&conn].connected);
        conn
    }

    pub fn send(&mut self, conn: ConnId, text: &str) {
        self.stack.send(conn, Bytes::copy_from_slice(text.as_bytes())).expect("room to send");
    }

    pub fn command(&self, command: Command) {
        assert!(self.handle.send(command));
    }
}

pub fn plan(address: IpAddr) -> StackConfig {
    StackConfig { addresses: Cidr::new(address, 24).into_iter().collect(), ..StackConfig::default() }
}
