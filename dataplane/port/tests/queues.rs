//! Several workers on one interface: a wire that steers by the Toeplitz hash, a stack a queue. Active opens must choose
//! ports whose replies come to their own queue, and what one worker learns of a neighbour must reach the others, since
//! ARP comes to queue 0 only.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use netstack::config::StackConfig;
use netstack::counters::TcpCounter;
use netstack::ip::Cidr;
use netstack::rng::Seed;
use netstack::rss::Steering;
use netstack::stack::Stack;
use netstack::tcp::{ConnectConfig, ConnectError, ListenConfig, Ready, TcpConfig};
use netstack::{FramePool, Instant};
use port::Port;
use port::sim::{LinkConfig, Side, SimConfig, SimPort, Wire};

const CONNECTIONS: u32 = 100;
const REQUEST: &[u8] = b"which worker is this?";

/// Addresses of the sides.
type Addresses = [IpAddr; 2];

fn families() -> [Addresses; 2] {
    let v4 = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
    let v6 = [1, 2].map(|last| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]));
    [v4, v6]
}

struct Worker {
    stack: Stack,
    port: SimPort,
    finished: u32,
}

fn worker(wire: &Wire, side: Side, queue: u16, addresses: Addresses, tcp: &TcpConfig) -> Worker {
    let pool = FramePool::heap(4096);
    let port = wire.port(side, queue, pool.clone());
    let address = addresses[side as usize];
    let config = StackConfig {
        mac: port.info().mac,
        addresses: vec![Cidr::new(address, if address.is_ipv4() { 24 } else { 64 }).expect("a prefix")],
        steering: port.capabilities().steering,
        tcp: tcp.clone(),
        ..StackConfig::default()
    };
    let seed = Seed::from_number(u64::from(queue) + 10 * side as u64);
    let mut stack = Stack::new(config, pool, seed, Instant::ZERO).expect("a stack");
    if side == Side::B {
        stack.listen(ListenConfig::port(80)).expect("a free port");
    }
    Worker { stack, port, finished: 0 }
}

/// Both sides of a wire with `queues` queues each.
fn sides(queues: u16, addresses: Addresses, tcp: &TcpConfig) -> [Vec<Worker>; 2] {
    let link = LinkConfig { delay: Duration::from_millis(1), ..LinkConfig::default() };
    let mut config = SimConfig::symmetric(link);
    config.ends.queues = queues;
    let wire = Wire::new(config, 1);
    [Side::A, Side::B].map(|side| (0..queues).map(|queue| worker(&wire, side, queue, addresses, tcp)).collect())
}

impl Worker {
    /// The client sends, the server answers with the same and closes, and then the client does.
    fn application(&mut self, now: Instant) {
        while let Some(event) = self.stack.poll_event() {
            if event.ready.contains(Ready::CONNECTED) {
                self.stack.send(event.conn, REQUEST.into()).expect("an empty send queue");
            }
            if self.stack.peek(event.conn) == REQUEST {
                self.stack.consume(event.conn, REQUEST.len());
                if self.port.side() == Side::B {
                    self.stack.send(event.conn, REQUEST.into()).expect("an empty send queue");
                }
                self.stack.close(now, event.conn);
            }
            self.finished += u32::from(event.ready.contains(Ready::ENDED));
        }
    }

    fn turn(&mut self, now: Instant) -> bool {
        let mut received = Vec::new();
        self.port.rx_burst(now, &mut received, 64);
        let moved = !received.is_empty();
        received.into_iter().for_each(|frame| self.stack.handle_frame(now, frame));
        self.stack.handle_timeout(now);
        self.application(now);
        self.stack.settle(now);
        let mut frames = VecDeque::new();
        self.stack.poll_transmit(now, &mut frames, 64);
        self.port.tx_burst(now, &mut frames) > 0 || moved
    }
}

/// Tells every worker of a side what one of them learned.
fn share_neighbors(workers: &mut [Worker], now: Instant) {
    for learner in 0..workers.len() {
        while let Some(update) = workers[learner].stack.poll_neighbor() {
            for (number, worker) in workers.iter_mut().enumerate() {
                if number != learner {
                    worker.stack.handle_neighbor(now, update);
                }
            }
        }
    }
}

/// Lets both sides talk for five seconds.
fn run(sides: &mut [Vec<Worker>; 2]) {
    for step in 0..5_000 {
        let now = Instant::from_millis(step);
        let mut moved = true;
        while moved {
            moved = false;
            for side in sides.iter_mut() {
                share_neighbors(side, now);
                for worker in side.iter_mut() {
                    moved |= worker.turn(now);
                }
            }
        }
    }
}

fn nobody_was_reset(sides: &[Vec<Worker>; 2]) {
    for worker in sides.iter().flatten() {
        let info = worker.port.info();
        let tcp = worker.stack.tcp_counters();
        assert_eq!(tcp.get(TcpCounter::ResetNoConnection), 0, "{} queue {}", info.interface, info.queue);
    }
}

#[test]
fn connections_stay_on_the_queue_that_opened_them() {
    for queues in [1, 2, 4] {
        for addresses in families() {
            let mut sides = sides(queues, addresses, &TcpConfig::default());
            for worker in &mut sides[0] {
                for token in 0..CONNECTIONS {
                    let to = ConnectConfig::to((addresses[1], 80).into(), token);
                    worker.stack.connect(Instant::ZERO, to).expect("a free port");
                }
            }
            run(&mut sides);
            nobody_was_reset(&sides);
            for worker in sides.iter().flatten() {
                let (info, tcp) = (worker.port.info(), worker.stack.tcp_counters());
                let established = tcp.get(TcpCounter::Established);
                if worker.port.side() == Side::A {
                    assert_eq!(established, u64::from(CONNECTIONS), "queue {} of {queues}", info.queue);
                }
                assert_eq!(u64::from(worker.finished), established, "{} queue {}", info.interface, info.queue);
            }
            let served: Vec<_> = sides[1].iter().map(|worker| worker.finished).collect();
            assert_eq!(served.iter().sum::<u32>(), u32::from(queues) * CONNECTIONS);
            assert!(served.iter().all(|&count| count > CONNECTIONS / 4), "the workers share the load: {served:?}");
        }
    }
}

/// Every worker opens connections until it finds no port: it finds them all but for a few, none twice, and all replies
/// come to its queue.
#[test]
fn a_range_of_ports_is_used_up_to_its_end() {
    const RANGE: (u16, u16) = (40_000, 40_799);
    let tcp = TcpConfig { ephemeral_ports: RANGE, ..TcpConfig::default() };
    for queues in [1u16, 2, 4] {
        for addresses in families() {
            let mut sides = sides(queues, addresses, &tcp);
            for worker in &mut sides[0] {
                let to = || ConnectConfig::to((addresses[1], 80).into(), 0);
                let (mut opened, mut refused) = (0, 0);
                while refused < 3 {
                    match worker.stack.connect(Instant::ZERO, to()) {
                        Ok(_) => opened += 1,
                        Err(error) => {
                            assert_eq!(error, ConnectError::NoPort);
                            refused += 1;
                        }
                    }
                }
                let ours = own_ports(worker.port.capabilities().steering.as_ref(), addresses, RANGE);
                assert_eq!(opened, ours, "queue {} of {queues}", worker.port.info().queue);
                assert_eq!(worker.stack.tcp_counters().get(TcpCounter::RefuseNoPort), 3);
            }
            run(&mut sides);
            nobody_was_reset(&sides);
            let count = |side: usize, which| -> u64 {
                sides[side].iter().map(|worker| worker.stack.tcp_counters().get(which)).sum()
            };
            assert_eq!(count(0, TcpCounter::Established), 800, "every port of the range belongs to one worker");
            assert_eq!(count(1, TcpCounter::Established), 800);
        }
    }
}

/// How many ports of the range belong to the worker with this steering; without any, all.
fn own_ports(steering: Option<&Steering>, addresses: Addresses, (first, last): (u16, u16)) -> usize {
    let search = steering.map(|steering| steering.ports_to(addresses[0], addresses[1], 80));
    (first..=last).filter(|&port| search.as_ref().is_none_or(|search| search.is_ours(port))).count()
}
