//! The peer of one connection that receives: it knows every segment that the stack sent, so that what it acknowledges
//! can be true, nearly true, or a lie.

use crate::program::Program;
use crate::wire::{self, TCP};

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const ACK: u8 = 16;
const ECE: u8 = 64;
const CWR: u8 = 128;
/// Segments remembered; more of them count as lost.
const MEMORY: usize = 512;

/// A segment of the stack with data or FIN.
#[derive(Clone, Copy)]
struct Sent {
    seq: u32,
    end: u32,
    arrived: bool,
}

pub struct Receiver {
    /// Offered in the SYN: timestamps, SACK, ECN.
    timestamps: bool,
    sack: bool,
    ecn: bool,
    port: u16,
    /// Our next number and the first of the stack's that is missing.
    next: u32,
    expected: u32,
    /// The stack's highest number.
    highest: u32,
    pub window: u16,
    clock: u32,
    echo: u32,
    sent: Vec<Sent>,
    pub established: bool,
    pub reset: bool,
}

impl Receiver {
    pub fn new(timestamps: bool, sack: bool, ecn: bool) -> Receiver {
        Receiver {
            timestamps,
            sack,
            ecn,
            port: 2000,
            next: 0x1000,
            expected: 0,
            highest: 0,
            window: 0xffff,
            clock: 1,
            echo: 0,
            sent: Vec::new(),
            established: false,
            reset: false,
        }
    }

    pub fn syn(&mut self) -> Vec<u8> {
        let mut options = vec![2, 4, 5, 0xb4, 3, 3, 7, 1];
        if self.sack {
            options.extend_from_slice(&[4, 2, 1, 1]);
        }
        let flags = if self.ecn { SYN | ECE | CWR } else { SYN };
        let frame = self.build(flags, self.next, 0, &options, 0);
        self.next += 1;
        frame
    }

    /// Takes in a frame of the stack.
    pub fn handle_frame(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let (_, TCP, _, segment) = wire::open(frame, None)? else { return None };
        let long = |at: usize| u32::from_be_bytes([segment[at], segment[at + 1], segment[at + 2], segment[at + 3]]);
        let (seq, flags, header) = (long(4), segment[13], usize::from(segment[12] >> 4) * 4);
        self.reset |= flags & 4 != 0;
        self.read_timestamps(&segment[20..header]);
        let occupied = (segment.len() - header) as u32 + u32::from(flags & FIN != 0);
        if flags & SYN != 0 {
            self.expected = seq.wrapping_add(1);
            self.highest = self.expected;
            self.established = true;
            return Some(self.acknowledge(ACK, self.expected, &[]));
        }
        let end = seq.wrapping_add(occupied);
        if occupied > 0 {
            if self.sent.len() == MEMORY {
                self.sent.remove(0);
            }
            self.sent.push(Sent { seq, end, arrived: false });
            if before(self.highest, end) {
                self.highest = end;
            }
        }
        None
    }

    fn read_timestamps(&mut self, options: &[u8]) {
        let mut at = 0;
        while let Some(&kind) = options.get(at) {
            let length = match kind {
                0 => return,
                1 => 1,
                _ => usize::from(options.get(at + 1).copied().unwrap_or(0)).max(2),
            };
            if kind == 8
                && let Some(bytes) = options.get(at + 2..at + 6)
            {
                self.echo = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            at += length;
        }
    }

    /// Some of what was sent arrives, as the bits of `mask` say, and is acknowledged truthfully.
    pub fn honest(&mut self, mask: u64, flags: u8) -> Vec<u8> {
        for (bit, sent) in self.sent.iter_mut().enumerate() {
            sent.arrived |= mask >> (bit % 64) & 1 == 1;
        }
        self.move_on();
        self.acknowledge(ACK | flags & ECE, self.expected, &self.islands())
    }

    /// Everything that was sent arrived.
    pub fn catch_up(&mut self) -> Vec<u8> {
        self.expected = self.highest;
        self.sent.clear();
        self.acknowledge(ACK, self.expected, &[])
    }

    pub fn is_behind(&self) -> bool {
        self.expected != self.highest
    }

    fn move_on(&mut self) {
        loop {
            let expected = self.expected;
            let next = self.sent.iter().find(|s| s.arrived && !before(expected, s.seq) && before(expected, s.end));
            let Some(next) = next else { break };
            self.expected = next.end;
        }
        let expected = self.expected;
        self.sent.retain(|sent| before(expected, sent.end));
    }

    /// Up to three blocks of what arrived beyond the first gap.
    fn islands(&self) -> Vec<(u32, u32)> {
        let mut blocks: Vec<(u32, u32)> = Vec::new();
        for sent in self.sent.iter().rev().filter(|sent| sent.arrived && before(self.expected, sent.seq)) {
            if let Some(block) = blocks.iter_mut().find(|block| block.0 == sent.end) {
                block.0 = sent.seq;
            } else if blocks.len() < 3 {
                blocks.push((sent.seq, sent.end));
            }
        }
        blocks
    }

    /// An acknowledgment whose numbers deviate as the program says.
    pub fn lie(&mut self, program: &mut Program<'_>) -> Vec<u8> {
        let kind = program.byte();
        let ack = self.near(program);
        let mut blocks = Vec::new();
        for _ in 0..kind & 3 {
            let start = self.near(program);
            let length = u32::from(program.word());
            blocks.push((start, start.wrapping_add(length)));
        }
        if kind & 4 != 0 {
            // A duplicate report: a first block at or below the acknowledgment.
            let length = 1 + u32::from(program.byte()) * 16;
            blocks.insert(0, (ack.wrapping_sub(length), ack));
        }
        let flags = ACK | if kind & 8 != 0 { ECE } else { 0 } | if kind & 16 != 0 { CWR } else { 0 };
        if kind & 32 != 0 {
            self.echo = self.echo.wrapping_add_signed(i32::from(program.word() as i16));
        }
        let ack = if kind & 64 != 0 { self.expected } else { ack };
        self.acknowledge(flags, ack, &blocks)
    }

    /// A number at a boundary of a segment in flight, or close to one.
    fn near(&self, program: &mut Program<'_>) -> u32 {
        let byte = program.byte();
        let base = match self.sent.get(usize::from(byte >> 2) % self.sent.len().max(1)) {
            Some(sent) if byte & 1 == 0 => sent.seq,
            Some(sent) => sent.end,
            None => self.highest,
        };
        if byte & 2 == 0 { base } else { base.wrapping_add_signed(i32::from(program.word() as i16)) }
    }

    /// Data of the peer, `length` bytes.
    pub fn data(&mut self, length: usize, flags: u8) -> Vec<u8> {
        let options = self.options(&[]);
        let frame = self.build(ACK | flags, self.next, self.expected, &options, length);
        self.next = self.next.wrapping_add(length as u32 + u32::from(flags & FIN));
        frame
    }

    /// An ICMP error about a segment in flight: the quoted header, for the caller to wrap.
    pub fn quoted(&self, program: &mut Program<'_>) -> Vec<u8> {
        let seq = self.near(program);
        let mut quoted = [0; 20];
        quoted[0..2].copy_from_slice(&wire::PORT.to_be_bytes());
        quoted[2..4].copy_from_slice(&self.port.to_be_bytes());
        quoted[4..8].copy_from_slice(&seq.to_be_bytes());
        quoted.to_vec()
    }

    fn options(&self, blocks: &[(u32, u32)]) -> Vec<u8> {
        let mut options = Vec::new();
        if self.timestamps {
            options.extend_from_slice(&[1, 1, 8, 10]);
            options.extend_from_slice(&self.clock.to_be_bytes());
            options.extend_from_slice(&self.echo.to_be_bytes());
        }
        let blocks = &blocks[..blocks.len().min(if self.timestamps { 3 } else { 4 })];
        if self.sack && !blocks.is_empty() {
            options.extend_from_slice(&[1, 1, 5, 2 + 8 * blocks.len() as u8]);
            for (start, end) in blocks {
                options.extend_from_slice(&start.to_be_bytes());
                options.extend_from_slice(&end.to_be_bytes());
            }
        }
        options
    }

    fn acknowledge(&mut self, flags: u8, ack: u32, blocks: &[(u32, u32)]) -> Vec<u8> {
        self.clock += 1;
        let options = self.options(blocks);
        self.build(flags, self.next, ack, &options, 0)
    }

    fn build(&self, flags: u8, seq: u32, ack: u32, options: &[u8], length: usize) -> Vec<u8> {
        let mut stamped = Vec::new();
        if flags & SYN != 0 && self.timestamps {
            stamped.extend_from_slice(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0]);
        }
        stamped.extend_from_slice(options);
        let mut segment = Vec::with_capacity(60 + length);
        segment.extend_from_slice(&self.port.to_be_bytes());
        segment.extend_from_slice(&wire::PORT.to_be_bytes());
        segment.extend_from_slice(&seq.to_be_bytes());
        segment.extend_from_slice(&ack.to_be_bytes());
        segment.push(((20 + stamped.len()) as u8 / 4) << 4);
        segment.push(flags);
        segment.extend_from_slice(&self.window.to_be_bytes());
        segment.extend_from_slice(&[0, 0, 0, 0]);
        segment.extend_from_slice(&stamped);
        segment.resize(segment.len() + length, b'p');
        wire::packet(None, false, TCP, &segment)
    }
}

fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}
