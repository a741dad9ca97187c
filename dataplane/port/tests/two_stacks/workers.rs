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
use netstack::stack::Stack;
use netstack::tcp::{ConnectConfig, ListenConfig, Ready};
use netstack::{FramePool, Instant};
use port::Port;
use port::sim::{LinkConfig, Side, SimConfig, SimPort, Wire};

const QUEUES: u16 = 4;
const CONNECTIONS: u32 = 100;
const REQUEST: &[u8] = b"which worker is this?";

struct Worker {
    stack: Stack,
    port: SimPort,
    finished: u32,
}

fn worker(wire: &Wire, side: Side, queue: u16) -> Worker {
    let pool = FramePool::heap(2048);
    let port = wire.port(side, queue, pool.clone());
    let address = IpAddr::from([10, 0, 0, side as u8 + 1]);
    let config = StackConfig {
        mac: port.info().mac,
        addresses: vec![Cidr::new(address, 24).expect("a prefix")],
        steering: port.capabilities().steering,
        ..StackConfig::default()
    };
    let seed = Seed::from_number(u64::from(queue) + 10 * side as u64);
    let mut stack = Stack::new(config, pool, seed, Instant::ZERO).expect("a stack");
    if side == Side::B {
        stack.listen(ListenConfig::port(80)).expect("a free port");
    }
    Worker { stack, port, finished: 0 }
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

#[test]
fn connections_stay_on_the_queue_that_opened_them() {
    let link = LinkConfig { delay: Duration::from_millis(1), ..LinkConfig::default() };
    let mut config = SimConfig::symmetric(link);
    config.ends.queues = QUEUES;
    let wire = Wire::new(config, 1);
    let mut sides =
        [Side::A, Side::B].map(|side| (0..QUEUES).map(|queue| worker(&wire, side, queue)).collect::<Vec<_>>());
    for worker in &mut sides[0] {
        for token in 0..CONNECTIONS {
            let to = ConnectConfig::to((IpAddr::from([10, 0, 0, 2]), 80).into(), token);
            worker.stack.connect(Instant::ZERO, to).expect("a free port");
        }
    }
    for step in 0..20_000 {
        let now = Instant::from_micros(step * 250);
        let mut moved = true;
        while moved {
            moved = false;
            for side in &mut sides {
                share_neighbors(side, now);
                for worker in side.iter_mut() {
                    moved |= worker.turn(now);
                }
            }
        }
    }
    for worker in sides.iter().flatten() {
        let info = worker.port.info();
        let tcp = worker.stack.tcp_counters();
        assert_eq!(tcp.get(TcpCounter::ResetNoConnection), 0, "{} queue {}", info.interface, info.queue);
        if worker.port.side() == Side::A {
            assert_eq!(tcp.get(TcpCounter::Established), u64::from(CONNECTIONS), "queue {}", info.queue);
        }
        assert_eq!(worker.finished as u64, tcp.get(TcpCounter::Established), "{} queue {}", info.interface, info.queue);
    }
    let served: Vec<_> = sides[1].iter().map(|worker| worker.finished).collect();
    assert_eq!(served.iter().sum::<u32>(), u32::from(QUEUES) * CONNECTIONS);
    assert!(served.iter().all(|&count| count > CONNECTIONS / 4), "the server's workers share the load: {served:?}");
}
