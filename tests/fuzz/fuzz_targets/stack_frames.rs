//! Frames, time and an application's calls into a whole stack with established connections.
//!
//! An input is a program: each operation is a byte and its arguments. Frames are arbitrary bytes, arbitrary payloads in
//! a good IP header, or TCP segments of a peer that knows the sequence numbers and lies about them by small amounts, so
//! that the fuzzer gets behind the handshake. After each operation what the stack sends must be well-formed and its
//! books must balance; at the end no frame may be missing.

#![no_main]

#[path = "stack_frames/peer.rs"]
mod peer;
#[path = "stack_frames/program.rs"]
mod program;
#[allow(dead_code, reason = "shared with tcp_sender")]
#[path = "stack_frames/wire.rs"]
mod wire;

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use netstack::frame::RxChecksum;
use netstack::rng::Seed;
use netstack::tcp::{ConnId, ConnectConfig, ListenConfig, ListenerId, MemoryLimits, Ready, TcpConfig};
use netstack::{FramePool, Instant, IpLimits, Stack, StackConfig};

use peer::Peer;
use program::Program;

const FRAMES: usize = 256;
const MTU: u16 = 1500;
/// Operations of one input at most.
const OPERATIONS: usize = 400;

thread_local! {
    /// One for all inputs: laying it out would take longer than most of them.
    static POOL: FramePool = FramePool::heap(FRAMES);
}

fuzz_target!(|input: &[u8]| {
    let mut program = Program::new(input);
    let pool = POOL.with(Clone::clone);
    let mut run = Run::new(pool.clone(), program.byte());
    run.peer.open(0);
    run.exchange();
    assert_eq!(run.conns.len(), 1, "the first handshake completes");
    for _ in 0..OPERATIONS {
        let Some(operation) = program.next() else { break };
        run.operate(operation, &mut program);
        run.exchange();
    }
    run.end();
    drop(run);
    assert_eq!(pool.available(), FRAMES, "frames are missing");
});

/// The stack, its application, and the peer on the wire.
struct Run {
    stack: Stack,
    now: Instant,
    pool: FramePool,
    peer: Peer,
    listener: Option<ListenerId>,
    conns: Vec<ConnId>,
    out: VecDeque<netstack::Frame>,
}

fn config(flags: u8) -> StackConfig {
    let cidr = |text: &str| text.parse().expect("a prefix");
    let ip = |text: &str| text.parse().expect("an address");
    StackConfig {
        mac: wire::US,
        mtu: MTU,
        addresses: vec![cidr("10.0.0.1/24"), cidr("2001:db8::1/64")],
        vlan: (flags & 1 != 0).then_some(7),
        answer_arp: flags & 2 == 0,
        static_neighbors: vec![(ip("10.0.0.2"), wire::PEER), (ip("2001:db8::2"), wire::PEER)],
        tcp: TcpConfig {
            max_connections: 16,
            reserve_connections: 4,
            max_half_open: 8,
            max_time_wait: 4,
            receive_buffer: 8192,
            send_buffer: 16_384,
            max_out_of_order_segments: 8,
            max_out_of_order_bytes: 4096,
            memory: MemoryLimits::of(96 * 1024),
            max_held_frames: 32,
            timestamps: flags & 4 == 0,
            sack: flags & 8 == 0,
            nagle: flags & 16 != 0,
            ..TcpConfig::default()
        },
        limits: IpLimits {
            neighbors: 16,
            neighbors_incomplete: 4,
            tx_frames: 64,
            tx_control_frames: 16,
            fragment_datagrams: 4,
            fragment_datagrams_per_source: 2,
            fragment_parts: 8,
            fragment_bytes: 32_768,
            reassembled_datagrams: 1,
            udp_datagrams: 8,
            ..IpLimits::default()
        },
        ..StackConfig::default()
    }
}

impl Run {
    fn new(pool: FramePool, flags: u8) -> Run {
        let now = Instant::from_millis(1000);
        let mut stack =
            Stack::new(config(flags), pool.clone(), Seed::from_number(7), now).expect("a good configuration");
        let listener = stack.listen(ListenConfig { backlog: 4, ..ListenConfig::port(wire::PORT) }).ok();
        stack.udp_bind(None, wire::PORT).expect("a free port");
        let peer = Peer::new((flags & 1 != 0).then_some(7));
        Run { stack, now, pool, peer, listener, conns: Vec::new(), out: VecDeque::new() }
    }

    fn operate(&mut self, operation: u8, program: &mut Program<'_>) {
        match operation % 16 {
            0 => self.wait(u64::from(program.byte())),
            1 => self.wait(u64::from(program.word()) * 100),
            2 => {
                let bytes = program.bytes();
                self.receive(bytes, RxChecksum::Unknown);
            }
            3 => {
                let (protocol, payload) = (program.byte(), program.bytes());
                let packet = self.peer.ip_packet(program.byte(), protocol, payload);
                self.receive(&packet, RxChecksum::Verified);
            }
            4 => self.peer.open(program.byte()),
            5..=8 => {
                let segment = self.peer.segment(program);
                self.receive(&segment, RxChecksum::Verified);
            }
            9 => self.send(program),
            10 => self.consume(program),
            11 => self.leave(program),
            12 => {
                let remote = wire::remote(program.byte());
                let _ = self.stack.connect(self.now, ConnectConfig::to(remote, 1)).map(|conn| self.conns.push(conn));
            }
            13 => self.toggle_listener(),
            14 => self.stack.settle(self.now),
            _ => {
                if let Some(frame) = self.peer.repeat(program.byte()) {
                    self.receive(&frame, RxChecksum::Verified);
                }
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.stack.handle_timeout(self.now);
    }

    fn receive(&mut self, bytes: &[u8], checksum: RxChecksum) {
        let Some(mut frame) = self.pool.alloc() else { return };
        let room = bytes.len().min(frame.tailroom());
        if let Some(to) = frame.extend(room) {
            to.copy_from_slice(&bytes[..room]);
        }
        frame.rx_checksum = checksum;
        self.stack.handle_frame(self.now, frame);
    }

    /// The connection that the next byte names.
    fn conn(&self, program: &mut Program<'_>) -> Option<ConnId> {
        let which = usize::from(program.byte());
        self.conns.get(which % self.conns.len().max(1)).copied()
    }

    fn send(&mut self, program: &mut Program<'_>) {
        let Some(conn) = self.conn(program) else { return };
        let length = usize::from(program.word()) % 6000;
        let before = self.stack.send_queued(conn);
        if self.stack.send(conn, Bytes::from(vec![b'x'; length])).is_ok() {
            assert_eq!(self.stack.send_queued(conn), before + length);
        }
    }

    fn consume(&mut self, program: &mut Program<'_>) {
        let Some(conn) = self.conn(program) else { return };
        let length = usize::from(program.word());
        let before = self.stack.recv_len(conn);
        let chunk = self.stack.peek(conn).len();
        assert!(chunk <= before && (chunk > 0 || before == 0));
        if length % 4 == 3 {
            let taken = self.stack.take_chunk(conn).map_or(0, |chunk| chunk.len());
            assert_eq!(taken, chunk);
            assert_eq!(self.stack.recv_len(conn), before - taken);
        } else {
            self.stack.consume(conn, length.min(before));
            assert_eq!(self.stack.recv_len(conn), before - length.min(before));
        }
    }

    fn leave(&mut self, program: &mut Program<'_>) {
        let Some(conn) = self.conn(program) else { return };
        if program.byte().is_multiple_of(3) {
            self.stack.abort(self.now, conn);
            assert!(!self.stack.is_open(conn));
        } else {
            self.stack.close(self.now, conn);
        }
    }

    fn toggle_listener(&mut self) {
        match self.listener.take() {
            Some(listener) => self.stack.unlisten(listener),
            None => {
                self.listener = self.stack.listen(ListenConfig { backlog: 4, ..ListenConfig::port(wire::PORT) }).ok()
            }
        }
    }

    /// Delivers what the peer's side has ready, and lets the application and the wire see what the stack has.
    fn exchange(&mut self) {
        for _ in 0..8 {
            let mut moved = false;
            while let Some(frame) = self.peer.poll_transmit() {
                self.receive(&frame, RxChecksum::Verified);
                moved = true;
            }
            self.events();
            while self.stack.poll_datagram().is_some() || self.stack.poll_datagram_error().is_some() {}
            while self.stack.poll_neighbor().is_some() {}
            while self.stack.poll_transmit(self.now, &mut self.out, 64) > 0 {
                for frame in self.out.drain(..) {
                    wire::check(frame.data(), MTU, self.peer.vlan());
                    self.peer.handle_frame(frame.data());
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        self.stack.tcp().audit().expect("the books balance");
        assert!(self.stack.connection_count() <= 16);
    }

    fn events(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            if event.ready.contains(Ready::ACCEPTED) {
                self.conns.push(event.conn);
            }
            if event.ready.contains(Ready::ENDED) {
                assert!(event.ended.is_some());
                assert!(!self.stack.is_open(event.conn));
                self.conns.retain(|&conn| conn != event.conn);
            }
        }
    }

    /// Aborts what is left and waits until every timer has run.
    fn end(&mut self) {
        for conn in core::mem::take(&mut self.conns) {
            self.stack.abort(self.now, conn);
        }
        for _ in 0..200 {
            self.exchange();
            let Some(at) = self.stack.poll_timeout() else { break };
            self.now = self.now.max(at);
            self.stack.handle_timeout(self.now);
        }
    }
}
