//! A peer that follows the sequence numbers of its connections, so that its segments can be nearly right.

use std::collections::VecDeque;

use crate::program::Program;
use crate::wire::{self, PORT, TCP};

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

struct Flow {
    v6: bool,
    /// The stack's port and the peer's.
    ports: (u16, u16),
    /// The peer's next sequence number.
    next: u32,
    /// The stack's next sequence number, as seen from its segments.
    expected: u32,
}

pub struct Peer {
    vlan: Option<u16>,
    flows: Vec<Flow>,
    out: VecDeque<Vec<u8>>,
    /// The last frames sent, to be repeated.
    sent: VecDeque<Vec<u8>>,
    next_port: u16,
}

impl Peer {
    pub fn new(vlan: Option<u16>) -> Peer {
        Peer { vlan, flows: Vec::new(), out: VecDeque::new(), sent: VecDeque::new(), next_port: 2000 }
    }

    pub fn vlan(&self) -> Option<u16> {
        self.vlan
    }

    /// Begins a connection; the handshake goes on by itself.
    pub fn open(&mut self, kind: u8) {
        if self.flows.len() >= 24 {
            self.flows.remove(0);
        }
        self.next_port += 1;
        let flow = Flow { v6: kind & 1 == 1, ports: (PORT, self.next_port), next: 0x1000, expected: 0 };
        // MSS, SACK permitted, timestamps, window scale: as the kind's bits say.
        let mut options = Vec::new();
        for (bit, option) in
            [(2, &[2, 4, 5, 0xb4][..]), (4, &[4, 2]), (8, &[8, 10, 0, 0, 0, 1, 0, 0, 0, 0]), (16, &[3, 3, 7])]
        {
            if kind & bit == 0 {
                options.extend_from_slice(option);
            }
        }
        options.resize(options.len().next_multiple_of(4), 1);
        let frame = self.build(&flow, SYN, flow.next, 0, 0xffff, &options, &[]);
        self.flows.push(Flow { next: flow.next + 1, ..flow });
        self.out.push_back(frame);
    }

    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let frame = self.out.pop_front()?;
        self.remember(&frame);
        Some(frame)
    }

    /// A segment of one of the flows: flags, numbers near the right ones, options and payload from the program.
    pub fn segment(&mut self, program: &mut Program<'_>) -> Vec<u8> {
        let which = usize::from(program.byte()) % self.flows.len().max(1);
        let flags = program.byte();
        let deviation = program.byte();
        let seq_off = if deviation & 1 == 0 { 0 } else { i32::from(program.word() as i16) };
        let ack_off = if deviation & 2 == 0 { 0 } else { i32::from(program.word() as i16) };
        let window = if deviation & 4 == 0 { 0xffff } else { program.word() };
        let mut options = if deviation & 8 == 0 { Vec::new() } else { program.bytes().to_vec() };
        options.truncate(40);
        options.resize(options.len().next_multiple_of(4), 0);
        let length = if deviation & 16 == 0 { 0 } else { usize::from(program.word()) % 1400 };
        let flags = if flags & 0x80 != 0 { ACK } else { flags & 0x3f };
        let Some(flow) = self.flows.get(which) else { return Vec::new() };
        let (seq, ack) = (flow.next.wrapping_add_signed(seq_off), flow.expected.wrapping_add_signed(ack_off));
        let payload = vec![b'p'; length];
        let frame = self.build(flow, flags, seq, ack, window, &options, &payload);
        if seq_off == 0 {
            let advance = length as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
            let flow = &mut self.flows[which];
            flow.next = flow.next.wrapping_add(advance);
        }
        self.remember(&frame);
        frame
    }

    pub fn ip_packet(&mut self, kind: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
        wire::packet(self.vlan, kind & 1 == 1, protocol, payload)
    }

    /// A frame that was sent before.
    pub fn repeat(&self, which: u8) -> Option<Vec<u8>> {
        self.sent.get(usize::from(which) % self.sent.len().max(1)).cloned()
    }

    /// Learns from a frame of the stack; completes handshakes in both directions.
    pub fn handle_frame(&mut self, frame: &[u8]) {
        let Some((v6, TCP, _, segment)) = wire::open(frame, self.vlan) else { return };
        let word = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
        let long = |at: usize| u32::from(word(at)) << 16 | u32::from(word(at + 2));
        let (ports, seq, flags) = ((word(0), word(2)), long(4), segment[13]);
        let payload = segment.len() - usize::from(segment[12] >> 4) * 4;
        let occupied = payload as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        let known = self.flows.iter().position(|flow| flow.v6 == v6 && flow.ports == ports);
        if flags & (SYN | ACK) == SYN && known.is_none() && self.flows.len() < 24 {
            // The stack opens: answer with SYN and ACK.
            let flow = Flow { v6, ports, next: 0x8000, expected: seq.wrapping_add(1) };
            let frame = self.build(&flow, SYN | ACK, flow.next, flow.expected, 0xffff, &[2, 4, 5, 0xb4], &[]);
            self.flows.push(Flow { next: flow.next + 1, ..flow });
            self.out.push_back(frame);
            return;
        }
        let Some(known) = known else { return };
        let end = seq.wrapping_add(occupied);
        let flow = &mut self.flows[known];
        if end.wrapping_sub(flow.expected) < 1 << 31 || flags & SYN != 0 {
            flow.expected = end;
        }
        if flags & (SYN | ACK) == SYN | ACK {
            let flow = &self.flows[known];
            let frame = self.build(flow, ACK, flow.next, flow.expected, 0xffff, &[], &[]);
            self.out.push_back(frame);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of a TCP header")]
    fn build(
        &self,
        flow: &Flow,
        flags: u8,
        seq: u32,
        ack: u32,
        window: u16,
        options: &[u8],
        payload: &[u8],
    ) -> Vec<u8> {
        let mut segment = Vec::with_capacity(20 + options.len() + payload.len());
        segment.extend_from_slice(&flow.ports.1.to_be_bytes());
        segment.extend_from_slice(&flow.ports.0.to_be_bytes());
        segment.extend_from_slice(&seq.to_be_bytes());
        segment.extend_from_slice(&ack.to_be_bytes());
        segment.push(((20 + options.len()) as u8 / 4) << 4);
        segment.push(flags);
        segment.extend_from_slice(&window.to_be_bytes());
        segment.extend_from_slice(&[0, 0, 0, 0]);
        segment.extend_from_slice(options);
        segment.extend_from_slice(payload);
        wire::packet(self.vlan, flow.v6, TCP, &segment)
    }

    fn remember(&mut self, frame: &[u8]) {
        if self.sent.len() == 8 {
            self.sent.pop_front();
        }
        self.sent.push_back(frame.to_vec());
    }
}
