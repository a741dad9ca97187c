//! Option lists of every shape on SYNs, SYN-ACKs and segments of established connections.
//!
//! An input is a list of segments: flags, and options as kinds with lengths and values that fit, nearly fit, or do not.
//! What the stack negotiates must show in what it sends: no timestamps, SACK blocks or scale that the peer did not offer,
//! never more than 40 bytes of options, each of them whole.

#![no_main]

#[allow(dead_code, reason = "shared with stack_frames")]
#[path = "stack_frames/program.rs"]
mod program;
#[allow(dead_code, reason = "shared with stack_frames")]
#[path = "stack_frames/wire.rs"]
mod wire;

use std::collections::VecDeque;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use netstack::frame::RxChecksum;
use netstack::rng::Seed;
use netstack::tcp::{ConnId, ConnectConfig, ListenConfig, Ready, TcpConfig};
use netstack::{Frame, FramePool, Instant, Stack, StackConfig};

use program::Program;
use wire::{PORT, TCP};

const FRAMES: usize = 128;
const SYN: u8 = 2;
const ACK: u8 = 16;
/// Segments of one input at most.
const SEGMENTS: usize = 64;

thread_local! {
    static POOL: FramePool = FramePool::heap(FRAMES);
}

fuzz_target!(|input: &[u8]| {
    let mut program = Program::new(input);
    let pool = POOL.with(Clone::clone);
    let mut run = Run::new(pool.clone(), program.byte());
    run.open(&mut program);
    for _ in 0..SEGMENTS {
        let Some(kind) = program.next() else { break };
        run.segment(kind, &mut program);
        run.exchange();
    }
    drop(run);
    assert_eq!(pool.available(), FRAMES, "frames are missing");
});

struct Run {
    stack: Stack,
    now: Instant,
    pool: FramePool,
    /// The stack's port and the peer's.
    ports: (u16, u16),
    next: u32,
    expected: u32,
    conns: Vec<ConnId>,
    /// What the peer's SYN offered: kinds of options that were whole.
    offered: Vec<u8>,
    out: VecDeque<Frame>,
}

impl Run {
    fn new(pool: FramePool, flags: u8) -> Run {
        let now = Instant::from_millis(1000);
        let config = StackConfig {
            mac: wire::US,
            addresses: vec!["10.0.0.1/24".parse().expect("a prefix")],
            static_neighbors: vec![(wire::PEER4.into(), wire::PEER)],
            tcp: TcpConfig { max_connections: 8, reserve_connections: 4, ..TcpConfig::default() },
            ..StackConfig::default()
        };
        let mut stack = Stack::new(config, pool.clone(), Seed::from_number(5), now).expect("a good configuration");
        stack.listen(ListenConfig::port(PORT)).expect("a free port");
        let mut run = Run {
            stack,
            now,
            pool,
            ports: (PORT, 2000),
            next: 0x1000,
            expected: 0,
            conns: Vec::new(),
            offered: Vec::new(),
            out: VecDeque::new(),
        };
        if flags & 1 != 0 {
            // The stack opens; the peer's SYN-ACK carries the options.
            let conn = run.stack.connect(now, ConnectConfig::to(wire::remote(0), 1)).expect("a free port");
            run.conns.push(conn);
            run.exchange();
        }
        run
    }

    fn open(&mut self, program: &mut Program<'_>) {
        let options = options(program);
        self.offered = whole_kinds(&options);
        let flags = if self.ports.0 == PORT { SYN } else { SYN | ACK };
        self.receive(flags, self.next, &options, 0);
        self.next += 1;
        self.exchange();
        self.receive(ACK, self.next, &[], 0);
        self.exchange();
    }

    fn segment(&mut self, kind: u8, program: &mut Program<'_>) {
        let options = options(program);
        let length = usize::from(kind >> 2 & 7) * 100;
        let flags = if kind & 1 == 0 { ACK } else { program.byte() & 0xfb };
        self.receive(flags, self.next, &options, length);
        if kind & 2 == 0 {
            self.next = self.next.wrapping_add(length as u32);
        }
        if kind & 128 != 0
            && let Some(&conn) = self.conns.first()
        {
            let _ = self.stack.send(conn, Bytes::from_static(&[7; 3000]));
        }
    }

    fn receive(&mut self, flags: u8, seq: u32, options: &[u8], length: usize) {
        let mut segment = Vec::with_capacity(60 + length);
        segment.extend_from_slice(&self.ports.1.to_be_bytes());
        segment.extend_from_slice(&self.ports.0.to_be_bytes());
        segment.extend_from_slice(&seq.to_be_bytes());
        segment.extend_from_slice(&self.expected.to_be_bytes());
        segment.push(((20 + options.len()) as u8 / 4) << 4);
        segment.push(flags);
        segment.extend_from_slice(&[0xff, 0xff, 0, 0, 0, 0]);
        segment.extend_from_slice(options);
        segment.resize(segment.len() + length, b'p');
        let bytes = wire::packet(None, false, TCP, &segment);
        let Some(mut frame) = self.pool.alloc() else { return };
        if let Some(to) = frame.extend(bytes.len()) {
            to.copy_from_slice(&bytes);
        }
        frame.rx_checksum = RxChecksum::Verified;
        self.stack.handle_frame(self.now, frame);
    }

    fn exchange(&mut self) {
        for _ in 0..8 {
            while let Some(event) = self.stack.poll_event() {
                if event.ready.contains(Ready::ACCEPTED) {
                    self.conns.push(event.conn);
                }
                if event.ready.contains(Ready::ENDED) {
                    self.conns.retain(|&conn| conn != event.conn);
                }
                let held = self.stack.recv_len(event.conn);
                self.stack.consume(event.conn, held);
            }
            if self.stack.poll_transmit(self.now, &mut self.out, 64) == 0 {
                break;
            }
            let frames: Vec<Frame> = self.out.drain(..).collect();
            frames.iter().for_each(|frame| self.look_at(frame.data()));
        }
        self.stack.tcp().audit().expect("the books balance");
    }

    /// Holds what the stack sends against what the peer offered.
    fn look_at(&mut self, frame: &[u8]) {
        wire::check(frame, 1500, None);
        let Some((_, TCP, _, segment)) = wire::open(frame, None) else { return };
        let word = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
        let seq = u32::from(word(4)) << 16 | u32::from(word(6));
        let (flags, header) = (segment[13], usize::from(segment[12] >> 4) * 4);
        self.ports = (word(0), self.ports.1.max(1));
        if word(2) != 2000 {
            self.ports.1 = word(2);
        }
        let occupied = (segment.len() - header) as u32 + u32::from(flags & SYN != 0) + u32::from(flags & 1);
        if flags & 4 == 0 && (seq.wrapping_add(occupied).wrapping_sub(self.expected) as i32 > 0 || flags & SYN != 0) {
            self.expected = seq.wrapping_add(occupied);
        }
        let kinds = whole_kinds(&segment[20..header]);
        assert_eq!(kinds.iter().filter(|&&kind| kind == 255).count(), 0, "an option that is not whole");
        if flags & (SYN | ACK | 4) == SYN {
            return;
        }
        for (kind, needed) in [(8, 8), (5, 4), (3, 3)] {
            let offered = self.offered.contains(&needed);
            assert!(offered || !kinds.contains(&kind), "option {kind} was not offered");
        }
    }
}

/// Options as the program says: known kinds with good values, or any kind, length and bytes; padded to words.
fn options(program: &mut Program<'_>) -> Vec<u8> {
    let mut options = Vec::new();
    for _ in 0..program.byte() % 8 {
        let kind = program.byte();
        match kind % 16 {
            0 => options.push(0),
            1 => options.push(1),
            2 => options.extend_from_slice(&[2, 4, program.byte(), program.byte()]),
            3 => options.extend_from_slice(&[3, 3, program.byte()]),
            4 => options.extend_from_slice(&[4, 2]),
            5 => {
                let blocks = program.byte() % 5;
                options.extend_from_slice(&[5, 2 + 8 * blocks]);
                (0..8 * blocks).for_each(|_| options.push(program.byte()));
            }
            8 => {
                options.extend_from_slice(&[8, 10]);
                (0..8).for_each(|_| options.push(program.byte()));
            }
            9 => {
                let cookie = program.bytes();
                options.extend_from_slice(&[34, (cookie.len() as u8).wrapping_add(2)]);
                options.extend_from_slice(&cookie[..cookie.len().min(36)]);
            }
            _ => {
                let value = program.bytes();
                options.extend_from_slice(&[kind, program.byte()]);
                options.extend_from_slice(&value[..value.len().min(36)]);
            }
        }
    }
    options.truncate(40);
    options.resize(options.len().next_multiple_of(4), 1);
    options
}

/// The kinds of the options that are whole; 255 stands for the first that is not, which ends the list.
fn whole_kinds(options: &[u8]) -> Vec<u8> {
    let (mut kinds, mut at) = (Vec::new(), 0);
    while let Some(&kind) = options.get(at) {
        match kind {
            0 => break,
            1 => at += 1,
            _ => match options.get(at + 1) {
                Some(&length) if length >= 2 && at + usize::from(length) <= options.len() => {
                    kinds.push(kind);
                    at += usize::from(length);
                }
                _ => {
                    kinds.push(255);
                    break;
                }
            },
        }
    }
    kinds
}
