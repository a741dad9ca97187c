//! In steady state a worker allocates nothing for a fixed answer: received, parsed, routed, answered, sent
//! (invariant 3 of docs/ARCHITECTURE.md). Counted by the allocator while `Worker::turn` runs.

use anygate::clock::Clock;
use anygate::devices::stack_on;
use anygate::snapshot::{Current, Snapshot};
use anygate::worker::{Parts, Polling, Worker, WorkerHandle};
use bytes::Bytes;
use config::{Config, Format};
use netstack::rng::Seed;
use netstack::tcp::{ConnId, ConnectConfig, Ready};
use netstack::{Cidr, Instant, Stack, StackConfig};
use port::Port;
use port::sim::ring::{RingConfig, RingPort, pair};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

struct Counting;

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    if COUNTING.get() {
        COUNT.set(COUNT.get() + 1);
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches only thread-local cells.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise about `pointer` and `layout` is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise about `pointer`, `layout` and `size` is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 2));
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 1));
const CONFIGURATION: &str = "server:\n  listen: [':80']\nroutes: |\n  GET /ok: OK\n  /old: 301 /new\n";

fn server(port: RingPort, clock: &Clock) -> Worker<RingPort> {
    let loaded = Config::parse("test", CONFIGURATION, Format::Yaml, std::iter::empty()).unwrap();
    let (snapshot, _) = Snapshot::compile(&loaded.config, 1).unwrap();
    let now = clock.now();
    let stack = stack_on(&port, &plan(SERVER), Seed::from_number(1), now).unwrap();
    let (handle, inbox) = WorkerHandle::new(0, None, port.info().clone()).unwrap();
    let parts = Parts {
        port,
        stack,
        snapshot: Current::new(snapshot),
        inbox,
        handle,
        peers: Vec::new(),
        polling: Polling::Always,
        addresses: vec![SERVER],
        backlog: 128,
    };
    let mut worker = Worker::new(parts, now, 1_700_000_000);
    worker.listen(&loaded.config.server.listen).unwrap();
    worker
}

fn plan(address: IpAddr) -> StackConfig {
    StackConfig { addresses: vec![Cidr::new(address, 24).unwrap()], ..StackConfig::default() }
}

/// The other end: a stack that asks, and asks again when the answer has come.
struct Client {
    port: RingPort,
    stack: Stack,
    tx: VecDeque<netstack::Frame>,
    answered: u64,
}

impl Client {
    fn turn(&mut self, now: Instant, request: &Bytes) {
        let mut received = Vec::new();
        self.port.rx_burst(now, &mut received, 64);
        received.into_iter().for_each(|frame| self.stack.handle_frame(now, frame));
        self.stack.handle_timeout(now);
        while let Some(event) = self.stack.poll_event() {
            if event.ready.contains(Ready::CONNECTED) {
                self.ask(event.conn, request);
            }
            while let Some(chunk) = self.stack.take_chunk(event.conn) {
                assert!(chunk.starts_with(b"HTTP/1.1 "), "each answer is one segment");
                self.answered += 1;
                self.ask(event.conn, request);
            }
        }
        self.stack.settle(now);
        self.stack.poll_transmit(now, &mut self.tx, 64);
        self.port.tx_burst(now, &mut self.tx);
    }

    fn ask(&mut self, conn: ConnId, request: &Bytes) {
        self.stack.send(conn, request.clone()).unwrap();
    }
}

fn allocations_for(request: &'static str) -> u64 {
    let (server_end, client_end) = pair(&RingConfig::default()).unwrap();
    let clock = Clock::start();
    let mut worker = server(server_end.into_port(), &clock);
    let port = client_end.into_port();
    let mut now = clock.now();
    let stack = stack_on(&port, &plan(CLIENT), Seed::from_number(2), now).unwrap();
    let mut client = Client { port, stack, tx: VecDeque::new(), answered: 0 };
    let request = Bytes::from_static(request.as_bytes());
    for slot in 0..8 {
        client.stack.connect(now, ConnectConfig::to(SocketAddr::new(SERVER, 80), slot)).unwrap();
    }
    let mut run = |until: u64, worker: &mut Worker<RingPort>, client: &mut Client| {
        for _ in 0..1_000_000 {
            if client.answered >= until {
                return;
            }
            now += Duration::from_micros(50);
            client.turn(now, &request);
            COUNTING.set(true);
            worker.turn(now);
            COUNTING.set(false);
        }
        panic!("only {} answers", client.answered);
    };
    // Long enough for every table, queue and pool to have grown to what this load needs.
    run(5_000, &mut worker, &mut client);
    COUNT.set(0);
    run(15_000, &mut worker, &mut client);
    COUNT.get()
}

#[test]
fn a_fixed_answer_allocates_nothing() {
    assert_eq!(allocations_for("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
}

#[test]
fn neither_does_a_redirect_or_a_refusal() {
    assert_eq!(allocations_for("GET /old HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    assert_eq!(allocations_for("GET /nothing/here HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
}
