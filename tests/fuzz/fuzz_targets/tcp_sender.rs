//! Loss recovery, congestion control and timers against a receiver that tells the truth, half of it, or lies.
//!
//! The stack sends on one connection. An input is a program of acknowledgments: true ones of any subset of what is in
//! flight, and false ones with numbers near the right ones, duplicate reports, congestion echoes, window changes, ICMP
//! errors, and time. After each operation the books must balance. At the end the receiver becomes honest: then all that
//! was queued must arrive and the connection must end, in bounded time.

#![no_main]

#[allow(dead_code, reason = "shared with stack_frames")]
#[path = "stack_frames/program.rs"]
mod program;
#[path = "tcp_sender/receiver.rs"]
mod receiver;
#[allow(dead_code, reason = "shared with stack_frames")]
#[path = "stack_frames/wire.rs"]
mod wire;

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use netstack::frame::RxChecksum;
use netstack::rng::Seed;
use netstack::tcp::{CongestionKind, ConnId, ConnOptions, ListenConfig, Ready, TcpConfig};
use netstack::{Frame, FramePool, Instant, Stack, StackConfig};

use program::Program;
use receiver::Receiver;

const FRAMES: usize = 1024;
const MTU: u16 = 1500;
/// Operations of one input at most.
const OPERATIONS: usize = 300;
/// Steps that an honest receiver needs at most; each is a timer or an acknowledgment.
const HONEST_STEPS: usize = 3000;
const CONTROLLERS: &[CongestionKind] = &[CongestionKind::Cubic, CongestionKind::NewReno, CongestionKind::Bbr];

thread_local! {
    static POOL: FramePool = FramePool::heap(FRAMES);
}

fuzz_target!(|input: &[u8]| {
    let mut program = Program::new(input);
    let pool = POOL.with(Clone::clone);
    let mut run = Run::new(pool.clone(), &mut program);
    for _ in 0..OPERATIONS {
        let Some(operation) = program.next() else { break };
        run.operate(operation, &mut program);
        run.exchange();
    }
    run.finish();
    drop(run);
    assert_eq!(pool.available(), FRAMES, "frames are missing");
});

struct Run {
    stack: Stack,
    now: Instant,
    pool: FramePool,
    peer: Receiver,
    conn: Option<ConnId>,
    out: VecDeque<Frame>,
}

impl Run {
    fn new(pool: FramePool, program: &mut Program<'_>) -> Run {
        let (flags, controller) = (program.byte(), usize::from(program.byte()));
        let now = Instant::from_millis(1000);
        let config = StackConfig {
            mac: wire::US,
            mtu: MTU,
            addresses: vec!["10.0.0.1/24".parse().expect("a prefix")],
            static_neighbors: vec![(wire::PEER4.into(), wire::PEER)],
            tcp: TcpConfig {
                max_connections: 4,
                reserve_connections: 4,
                data_retries: if flags & 8 == 0 { 15 } else { 4 },
                nagle: flags & 16 != 0,
                ..TcpConfig::default()
            },
            ..StackConfig::default()
        };
        let mut stack = Stack::new(config, pool.clone(), Seed::from_number(11), now).expect("a good configuration");
        let congestion = CONTROLLERS.get(controller % CONTROLLERS.len()).copied();
        let options = ConnOptions { congestion, send_buffer: Some(256 * 1024), ..ConnOptions::default() };
        stack.listen(ListenConfig { options, ..ListenConfig::port(wire::PORT) }).expect("a free port");
        let peer = Receiver::new(flags & 1 == 0, flags & 2 == 0, flags & 4 != 0);
        let mut run = Run { stack, now, pool, peer, conn: None, out: VecDeque::new() };
        let syn = run.peer.syn();
        run.receive(&syn);
        run.exchange();
        run.exchange();
        assert!(run.conn.is_some(), "the handshake completes");
        run
    }

    fn operate(&mut self, operation: u8, program: &mut Program<'_>) {
        match operation % 16 {
            0 => self.wait(u64::from(program.byte()) * 100),
            1 => self.wait(u64::from(program.word()) * 1000),
            2 | 3 => self.send(usize::from(program.word())),
            4..=6 => {
                let mask = u64::from(program.word()) << 32 | u64::from(program.word()) << 8 | u64::from(program.byte());
                let frame = self.peer.honest(mask, program.byte());
                self.receive(&frame);
            }
            7..=9 => {
                let frame = self.peer.lie(program);
                self.receive(&frame);
            }
            10 => {
                self.peer.window = program.word();
                let frame = self.peer.honest(0, 0);
                self.receive(&frame);
            }
            11 => {
                let frame = self.peer.honest(0, 0);
                (0..program.byte() % 8).for_each(|_| self.receive(&frame));
            }
            12 => {
                let frame = self.peer.data(1 + usize::from(program.byte()), 0);
                self.receive(&frame);
            }
            13 => self.icmp(program),
            14 => {
                if let Some(conn) = self.conn.filter(|_| program.byte() & 15 == 0) {
                    self.stack.close(self.now, conn);
                }
            }
            _ => {
                let frame = self.peer.catch_up();
                self.receive(&frame);
            }
        }
    }

    fn wait(&mut self, micros: u64) {
        self.now += Duration::from_micros(micros);
        self.stack.handle_timeout(self.now);
    }

    fn send(&mut self, length: usize) {
        if let Some(conn) = self.conn {
            let room = self.stack.send_room(conn);
            let _ = self.stack.send(conn, Bytes::from(vec![b's'; length.min(room)]));
        }
    }

    /// Destination unreachable, the code and the next MTU as the program says, about something in flight.
    fn icmp(&mut self, program: &mut Program<'_>) {
        let (code, mtu) = (program.byte() % 16, program.word());
        let mut inner = wire::packet(None, false, wire::TCP, &self.peer.quoted(program)).split_off(14);
        let (ours, theirs) = (wire::US4.octets(), wire::PEER4.octets());
        inner[12..16].copy_from_slice(&ours);
        inner[16..20].copy_from_slice(&theirs);
        let mut message = vec![3, code, 0, 0, 0, 0];
        message.extend_from_slice(&mtu.to_be_bytes());
        message.extend_from_slice(&inner);
        let checksum = wire::checksum(&message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        let frame = wire::packet(None, false, 1, &message);
        self.receive(&frame);
    }

    fn receive(&mut self, bytes: &[u8]) {
        let Some(mut frame) = self.pool.alloc() else { return };
        if let Some(to) = frame.extend(bytes.len()) {
            to.copy_from_slice(bytes);
        }
        frame.rx_checksum = RxChecksum::Verified;
        self.stack.handle_frame(self.now, frame);
    }

    fn exchange(&mut self) {
        let mut answers = Vec::new();
        for _ in 0..16 {
            self.events();
            let sent = self.stack.poll_transmit(self.now, &mut self.out, 64);
            for frame in self.out.drain(..) {
                wire::check(frame.data(), MTU, None);
                answers.extend(self.peer.handle_frame(frame.data()));
            }
            for frame in answers.drain(..) {
                self.receive(&frame);
            }
            if sent == 0 {
                break;
            }
        }
        self.stack.tcp().audit().expect("the books balance");
    }

    fn events(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            if event.ready.contains(Ready::ACCEPTED) {
                self.conn = Some(event.conn);
            }
            if event.ready.contains(Ready::ENDED) {
                self.conn = None;
            } else if let Some(length) = self.conn.map(|conn| self.stack.recv_len(conn)) {
                self.stack.consume(event.conn, length);
            }
        }
    }

    /// The receiver acknowledges all that comes, and closes; so does the application.
    fn finish(&mut self) {
        self.peer.window = 0xffff;
        if let Some(conn) = self.conn {
            self.stack.close(self.now, conn);
        }
        let frame = self.peer.data(0, receiver::FIN);
        self.receive(&frame);
        for _ in 0..HONEST_STEPS {
            self.exchange();
            if self.peer.is_behind() {
                self.now += Duration::from_millis(1);
                let frame = self.peer.catch_up();
                self.receive(&frame);
                continue;
            }
            let Some(at) = self.stack.poll_timeout() else { break };
            self.now = self.now.max(at);
            self.stack.handle_timeout(self.now);
        }
        assert!(self.conn.is_none() || self.peer.reset, "the connection does not end");
    }
}
