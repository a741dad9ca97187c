//! Active opens over a veth with two queues. Nothing in `anygate` opens connections yet, so this is an application of
//! its own on what a worker is made of: the AF_XDP port, the stack, the directory of flows and the handover.

use super::{WIRE, with_changing_queues};
use anygate::clock::Clock;
use anygate::wake::Bell;
use anygate::worker::handover::{self, Handover, HandoverCounter, Seat};
use bytes::Bytes;
use e2e::{CLIENT_INTERFACE, Lab, SERVER_INTERFACE, SERVER_V4, SERVER_V6};
use netstack::counters::{IpCounter, TcpCounter};
use netstack::rng::Seed;
use netstack::tcp::{ConnId, ConnectConfig, EndReason, Ready, TcpConfig};
use netstack::{Cidr, FlowDirectory, Flows, Stack, StackConfig};
use port::Port;
use port_afxdp::{AfXdpConfig, AfXdpDevice, LocalAddress, QueueBuilder};
use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

const PORT: u16 = 9000;
/// Outside of the kernel's own range.
const EPHEMERAL: (u16, u16) = (20_000, 29_999);
const CONNECTIONS: usize = 40;
const ROUNDS: usize = 100;
const REQUEST: usize = 2_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// What one worker came to.
#[derive(Debug)]
struct Outcome {
    finished: usize,
    handed_over: u64,
    taken_over: u64,
    foreign: u64,
    resets: u64,
}

/// The kernel's echo service at the far end.
fn echo_service(lab: &Lab, address: IpAddr) {
    let listener = lab.client().enter(|| TcpListener::bind((address, PORT))).expect("a free port");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
}

/// The peer's IPv4 and IPv6 address in turn.
fn peer_address(number: usize) -> IpAddr {
    match number % 2 {
        0 => Ipv4Addr::new(10, 77, 0, 2).into(),
        _ => Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2).into(),
    }
}

/// The link address of the peer.
fn peer_mac(lab: &Lab) -> [u8; 6] {
    let text = lab.client().sh(&format!("cat /sys/class/net/{CLIENT_INTERFACE}/address"));
    let bytes: Vec<u8> =
        text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect();
    bytes.try_into().expect("six bytes")
}

fn pattern(conn: usize, round: usize) -> Bytes {
    (0..REQUEST).map(|at| (conn.wrapping_mul(31) ^ round.wrapping_mul(7) ^ at) as u8).collect()
}

/// One worker: opens its connections, and on each sends a request a round and waits for it to come back.
struct Opener {
    stack: Stack,
    /// Number and round of each connection, and how much of the answer has come.
    open: HashMap<ConnId, (usize, usize, usize)>,
    finished: usize,
}

impl Opener {
    fn events(&mut self, now: netstack::Instant) {
        while let Some(event) = self.stack.poll_event() {
            let conn = event.conn;
            if event.ready.contains(Ready::ENDED) {
                let (_, round, _) = self.open.remove(&conn).expect("it was open");
                assert_eq!((event.ended, round), (Some(EndReason::Closed), ROUNDS));
                self.finished += 1;
                continue;
            }
            let Some((number, round, got)) = self.open.get_mut(&conn) else { continue };
            if event.ready.contains(Ready::CONNECTED) {
                self.stack.send(conn, pattern(*number, 0)).expect("an empty queue");
            }
            loop {
                let chunk = self.stack.peek(conn);
                if chunk.is_empty() {
                    break;
                }
                let length = chunk.len();
                assert_eq!(chunk, &pattern(*number, *round)[*got..*got + length], "connection {number} round {round}");
                self.stack.consume(conn, length);
                *got += length;
                if *got == REQUEST {
                    (*round, *got) = (*round + 1, 0);
                    match *round {
                        ROUNDS => self.stack.close(now, conn),
                        next => self.stack.send(conn, pattern(*number, next)).expect("an empty queue"),
                    }
                }
            }
        }
    }
}

/// Every counter that moved.
fn counters(stack: &Stack, port: &impl Port) -> String {
    let (tcp, ip, port) = (stack.tcp_counters(), stack.ip_counters(), port.counters());
    let tcp = tcp.iter().map(|(which, value)| (which.name(), value));
    let ip = ip.iter().map(|(which, value)| (which.name(), value));
    let port = port.iter().map(|(which, value)| (which.name(), value));
    let moved = tcp.chain(ip).chain(port).filter(|(_, value)| *value > 0);
    moved.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

fn work(builder: QueueBuilder, peer: [u8; 6], flows: Flows, seat: Seat, bell: &Bell, clock: &Clock) -> Outcome {
    let mut port = builder.build().expect("a queue");
    let queue = port.info().queue;
    let config = StackConfig {
        mac: port.info().mac,
        addresses: vec![
            Cidr::new(SERVER_V4.into(), 24).expect("a prefix"),
            Cidr::new(SERVER_V6.into(), 64).expect("a prefix"),
        ],
        // The kernel has the same addresses, and answers for them.
        answer_arp: false,
        static_neighbors: [peer_address(0), peer_address(1)].map(|address| (address, peer)).to_vec(),
        steering: port.capabilities().steering,
        flows: Some(flows),
        tcp: TcpConfig { ephemeral_ports: EPHEMERAL, ..TcpConfig::default() },
        ..StackConfig::default()
    };
    let stack = Stack::new(config, port.pool().clone(), Seed::from_number(u64::from(queue)), clock.now());
    let mut worker = Opener { stack: stack.expect("a stack"), open: HashMap::new(), finished: 0 };
    for number in 0..CONNECTIONS {
        let conn = worker.stack.connect(clock.now(), ConnectConfig::to(SocketAddr::new(peer_address(number), PORT), 0));
        worker.open.insert(conn.expect("a free port"), (number, 0, 0));
    }
    let mut handover = Handover::new(seat);
    let (mut received, mut transmit) = (Vec::new(), VecDeque::new());
    let until = clock.now() + PATIENCE;
    loop {
        let now = clock.now();
        assert!(now < until, "{} of {CONNECTIONS} done\n{}", worker.finished, counters(&worker.stack, &port));
        let mut moved = port.rx_burst(now, &mut received, 32);
        received.drain(..).for_each(|frame| worker.stack.handle_frame(now, frame));
        moved += handover.exchange(now, &mut worker.stack);
        worker.stack.handle_timeout(now);
        worker.events(now);
        worker.stack.settle(now);
        worker.stack.poll_transmit(now, &mut transmit, 64);
        moved += port.tx_burst(now, &mut transmit);
        if handover.all_idle(worker.open.is_empty()) {
            break;
        }
        if moved == 0 && transmit.is_empty() && port.prepare_sleep() {
            let next = worker.stack.poll_timeout().map_or(PATIENCE, |at| at.saturating_since(now));
            bell.sleep(port.wait_fd(), next.min(Duration::from_millis(100)), || handover.is_waiting());
        }
    }
    let ip = worker.stack.ip_counters();
    let tcp = worker.stack.tcp_counters();
    Outcome {
        finished: worker.finished,
        handed_over: handover.counters().get(HandoverCounter::HandedOver),
        taken_over: ip.get(IpCounter::RxHandedOver),
        foreign: ip.get(IpCounter::RxForeign),
        resets: tcp.get(TcpCounter::ResetNoConnection) + tcp.get(TcpCounter::ResetReceived),
    }
}

#[test]
fn active_opens_get_their_answers_from_any_queue() {
    let Some(lab) = Lab::new(WIRE) else { return };
    [0, 1].map(peer_address).into_iter().for_each(|address| echo_service(&lab, address));
    let peer = peer_mac(&lab);
    let addresses = [IpAddr::V4(SERVER_V4), IpAddr::V6(SERVER_V6)]
        .map(|address| LocalAddress { ports: Some(EPHEMERAL.0..=EPHEMERAL.1), ..LocalAddress::shared(address) });
    let config = AfXdpConfig { addresses: addresses.to_vec(), ..AfXdpConfig::new(SERVER_INTERFACE) };
    let (_device, builders) = lab.server().enter(|| AfXdpDevice::open(config)).expect("a device");
    let directory = FlowDirectory::new(2, 1000, &Seed::from_number(1));
    let bells = [(); 2].map(|()| Bell::new().expect("a bell"));
    let clock = Clock::start();
    let outcomes: Vec<Outcome> = with_changing_queues(&lab, || {
        std::thread::scope(|scope| {
            let threads: Vec<_> = builders
                .into_iter()
                .zip(handover::group(&bells))
                .zip((0..).zip(&bells))
                .map(|((builder, seat), (number, bell))| {
                    let (flows, clock) = (directory.worker(number), &clock);
                    scope.spawn(move || work(builder, peer, flows, seat, bell, clock))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no worker panicked")).collect()
        })
    });
    println!("{outcomes:?}");
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    assert_eq!(outcomes.iter().map(|outcome| outcome.finished).sum::<usize>(), 2 * CONNECTIONS);
    assert!(sum(|o| o.taken_over) > 100, "the queues hardly changed");
    assert_eq!((sum(|o| o.foreign), sum(|o| o.resets)), (sum(|o| o.handed_over), 0));
}
