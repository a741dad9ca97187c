//! A peer that keeps no state: what it sends next follows from the segment that arrives.
//!
//! ```text
//!   open(n) ─▶ SYN                                    server ─▶ SYN,ACK ─▶ ACK (and the request, when there is one)
//!                                                     server ─▶ answer  ─▶ FIN,ACK (or nothing)
//!                                                     server ─▶ FIN     ─▶ ACK
//! ```
//!
//! Connection `n` has an address and a port of its own, so that a million of them cost the peer nothing. It offers
//! what Linux offers: MSS, SACK, timestamps, window scale.

use netstack::Frame;
use netstack::ip::{checksum, protocol};
use netstack::rng::Rng;
use port::Port;
use port::sim::ring::RingPort;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

/// The link address of everything that is not the server.
pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
/// The router between the server and everybody.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 1);
/// The server.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);

const SYN: u8 = 2;
const FIN: u8 = 1;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
/// Ports that one address of the peer uses.
const PORTS: u32 = 60_000;
const SYN_OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
const IP_AT: usize = 14;
const TCP_AT: usize = 34;

/// What a connection is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To stand.
    Stand,
    /// To be closed at once, by a reset.
    Reset,
    /// For one request, after whose answer the peer closes.
    OneRequest,
}

/// What happened since the last look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// SYN-ACKs.
    pub opened: u64,
    /// Segments with data.
    pub answers: u64,
    /// FINs.
    pub closed: u64,
    /// Resets.
    pub resets: u64,
}

/// A connection's next numbers, for those few on which requests are sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    seq: u32,
    ack: u32,
    /// Our timestamp clock, and the server's last one.
    clock: u32,
    echo: u32,
}

/// The peer at one end of a ring.
pub struct Peer {
    port: RingPort,
    server_mac: [u8; 6],
    request: Vec<u8>,
    purpose: Purpose,
    rx: Vec<Frame>,
    tx: VecDeque<Frame>,
    rng: Rng,
    /// Numbers of every `stride`-th connection.
    kept: Vec<Numbers>,
    stride: u32,
    deaf_to_forged: bool,
}

struct Segment {
    source: (Ipv4Addr, u16),
    seq: u32,
    ack: u32,
    flags: u8,
    stamps: Option<(u32, u32)>,
}

impl Peer {
    /// A peer of the server with `server_mac`, which asks for `request`.
    pub fn new(port: RingPort, server_mac: [u8; 6], request: &[u8], purpose: Purpose) -> Peer {
        Peer {
            port,
            server_mac,
            request: request.to_vec(),
            purpose,
            rx: Vec::with_capacity(256),
            tx: VecDeque::with_capacity(1024),
            rng: Rng::new(79),
            kept: Vec::new(),
            stride: 1,
            deaf_to_forged: false,
        }
    }

    /// Keeps the numbers of every `stride`-th of `count` connections, so that requests can be sent on them.
    pub fn keep(&mut self, count: u32, stride: u32) {
        self.kept = vec![Numbers::default(); count.div_ceil(stride) as usize];
        self.stride = stride;
    }

    /// Sends the SYN of connection `n`.
    pub fn open(&mut self, n: u32) {
        let segment = Segment { source: endpoint(n), seq: isn(n), ack: 0, flags: SYN, stamps: None };
        self.push(&segment, &[]);
    }

    /// Sends a SYN from an address and a port that nobody has.
    pub fn flood(&mut self) {
        let random = self.rng.next_u64();
        // 198.18.0.0/15: addresses for benchmarks (RFC 2544 appendix C.2.2).
        let address = Ipv4Addr::from(0xc612_0000 | random as u32 & 0x1_ffff);
        let source = (address, (random >> 32) as u16 | 1024);
        self.push(&Segment { source, seq: (random >> 17) as u32, ack: 0, flags: SYN, stamps: None }, &[]);
    }

    /// Sends a request on the kept connection number `which`.
    pub fn ask(&mut self, which: usize) {
        let Numbers { seq, ack, clock, echo } = self.kept[which];
        let request = core::mem::take(&mut self.request);
        let stamps = Some((clock.wrapping_add(1), echo));
        let n = which as u32 * self.stride;
        self.push(&Segment { source: endpoint(n), seq, ack, flags: ACK | PSH, stamps }, &request);
        self.kept[which].seq = seq.wrapping_add(request.len() as u32);
        self.request = request;
    }

    /// Kept connections.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Receives what the server sent, answers it, sends what waits.
    pub fn turn(&mut self, now: netstack::Instant) -> Seen {
        let mut seen = Seen::default();
        let mut rx = core::mem::take(&mut self.rx);
        while self.port.rx_burst(now, &mut rx, 256) > 0 {
            for frame in rx.drain(..) {
                self.receive(frame, &mut seen);
            }
        }
        self.rx = rx;
        while !self.tx.is_empty() && self.port.tx_burst(now, &mut self.tx) > 0 {}
        // An empty burst takes sent frames back.
        self.port.tx_burst(now, &mut VecDeque::new());
        seen
    }

    /// As [`Peer::turn`]; what is for the forged addresses never reaches anybody.
    pub fn turn_among_forged(&mut self, now: netstack::Instant) -> Seen {
        self.deaf_to_forged = true;
        let seen = self.turn(now);
        self.deaf_to_forged = false;
        seen
    }

    fn receive(&mut self, frame: Frame, seen: &mut Seen) {
        let bytes = frame.data();
        if self.deaf_to_forged && bytes.get(30..32).is_some_and(|to| to[0] == 198 && to[1] & 0xfe == 18) {
            return;
        }
        if bytes.get(12..14) == Some(&[8, 6]) {
            return self.answer_arp(frame);
        }
        let Some(tcp) = bytes.get(TCP_AT..).filter(|tcp| bytes[12..14] == [8, 0] && tcp.len() >= 20) else { return };
        let word = |at: usize| u32::from_be_bytes([tcp[at], tcp[at + 1], tcp[at + 2], tcp[at + 3]]);
        let header = usize::from(tcp[12] >> 4) * 4;
        let total = usize::from(u16::from_be_bytes([bytes[IP_AT + 2], bytes[IP_AT + 3]]));
        let payload = (total - 20 - header) as u32;
        let (seq, ack, flags) = (word(4), word(8), tcp[13]);
        let stamps = stamps(&tcp[20..header]);
        let address = Ipv4Addr::new(bytes[30], bytes[31], bytes[32], bytes[33]);
        let source = (address, u16::from_be_bytes([tcp[2], tcp[3]]));
        let end = seq.wrapping_add(payload);
        let back = |flags, ack_no| Segment {
            source,
            seq: ack,
            ack: ack_no,
            flags,
            stamps: stamps.map(|(val, ecr)| (ecr.wrapping_add(1), val)),
        };
        if flags & RST != 0 {
            seen.resets += 1;
        } else if flags & SYN != 0 {
            seen.opened += 1;
            self.established(source, &back(ACK, seq.wrapping_add(1)));
        } else if flags & FIN != 0 {
            seen.closed += 1;
            seen.answers += u64::from(payload > 0);
            self.push(&back(ACK, end.wrapping_add(1)), &[]);
        } else if payload > 0 {
            seen.answers += 1;
            match self.purpose {
                Purpose::OneRequest => self.push(&back(FIN | ACK, end), &[]),
                _ => self.remember(source, ack, end, stamps),
            }
        }
    }

    fn established(&mut self, source: (Ipv4Addr, u16), ack: &Segment) {
        match self.purpose {
            Purpose::Stand => {
                self.push(ack, &[]);
                self.remember(source, ack.seq, ack.ack, ack.stamps.map(|(ours, theirs)| (theirs, ours)));
            }
            Purpose::Reset => {
                self.push(ack, &[]);
                self.push(&Segment { flags: RST, ack: 0, stamps: None, ..*ack }, &[]);
            }
            Purpose::OneRequest => {
                self.push(ack, &[]);
                let request = core::mem::take(&mut self.request);
                self.push(&Segment { flags: ACK | PSH, ..*ack }, &request);
                self.request = request;
            }
        }
    }

    fn remember(&mut self, source: (Ipv4Addr, u16), seq: u32, ack: u32, stamps: Option<(u32, u32)>) {
        let n = number(source);
        if n.is_multiple_of(self.stride)
            && let Some(kept) = self.kept.get_mut((n / self.stride) as usize)
        {
            let (echo, clock) = stamps.unwrap_or_default();
            *kept = Numbers { seq, ack, clock, echo };
        }
    }

    /// Every address that is asked for is here.
    fn answer_arp(&mut self, mut frame: Frame) {
        let Some(arp) = frame.data().get(14..42).map(<[u8]>::to_vec).filter(|arp| arp[6..8] == [0, 1]) else { return };
        let out = frame.data_mut();
        out[..6].copy_from_slice(&self.server_mac);
        out[6..12].copy_from_slice(&MAC);
        out[20..22].copy_from_slice(&[0, 2]);
        out[22..28].copy_from_slice(&MAC);
        out[28..32].copy_from_slice(&arp[24..28]);
        out[32..38].copy_from_slice(&arp[8..14]);
        out[38..42].copy_from_slice(&arp[14..18]);
        self.tx.push_back(frame);
    }

    fn push(&mut self, segment: &Segment, payload: &[u8]) {
        // Without a frame the segment is lost, as on a wire.
        let Some(mut frame) = self.port.pool().alloc() else { return };
        let options = if segment.flags & SYN != 0 { 20 } else { 12 * usize::from(segment.stamps.is_some()) };
        let header = 20 + options;
        let Some(out) = frame.extend(TCP_AT + header + payload.len()) else { return };
        self.write_headers(out, segment, header, payload.len());
        out[TCP_AT + header..].copy_from_slice(payload);
        let (from, to) = (IpAddr::V4(segment.source.0), IpAddr::V4(SERVER));
        checksum::fill_transport(from, to, protocol::TCP, &mut out[TCP_AT..], 16, false);
        self.tx.push_back(frame);
    }

    fn write_headers(&self, out: &mut [u8], segment: &Segment, header: usize, payload: usize) {
        out[..6].copy_from_slice(&self.server_mac);
        out[6..12].copy_from_slice(&MAC);
        out[12..14].copy_from_slice(&[8, 0]);
        let ip = &mut out[IP_AT..TCP_AT];
        ip.copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        ip[2..4].copy_from_slice(&((20 + header + payload) as u16).to_be_bytes());
        ip[12..16].copy_from_slice(&segment.source.0.octets());
        ip[16..20].copy_from_slice(&SERVER.octets());
        let sum = checksum::of(ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let tcp = &mut out[TCP_AT..TCP_AT + header];
        tcp[..2].copy_from_slice(&segment.source.1.to_be_bytes());
        tcp[2..4].copy_from_slice(&80u16.to_be_bytes());
        tcp[4..8].copy_from_slice(&segment.seq.to_be_bytes());
        tcp[8..12].copy_from_slice(&segment.ack.to_be_bytes());
        tcp[12..14].copy_from_slice(&[(header as u8 / 4) << 4, segment.flags]);
        tcp[14..16].copy_from_slice(&0xfff0u16.to_be_bytes());
        tcp[16..20].fill(0);
        if segment.flags & SYN != 0 {
            tcp[20..].copy_from_slice(&SYN_OPTIONS);
        } else if let Some((val, ecr)) = segment.stamps {
            tcp[20..24].copy_from_slice(&[1, 1, 8, 10]);
            tcp[24..28].copy_from_slice(&val.to_be_bytes());
            tcp[28..32].copy_from_slice(&ecr.to_be_bytes());
        }
    }
}

/// Address and port of connection `n`, from 100.64.0.0/10 (RFC 6598).
fn endpoint(n: u32) -> (Ipv4Addr, u16) {
    (Ipv4Addr::from(0x6440_0001 + n / PORTS), (1024 + n % PORTS) as u16)
}

/// The connection of an address and a port.
fn number((address, port): (Ipv4Addr, u16)) -> u32 {
    u32::from(address).wrapping_sub(0x6440_0001).wrapping_mul(PORTS) + u32::from(port).wrapping_sub(1024)
}

/// The initial sequence number of connection `n`.
fn isn(n: u32) -> u32 {
    n.wrapping_mul(0x9e37_79b9)
}

/// The two timestamps among `options`.
fn stamps(mut options: &[u8]) -> Option<(u32, u32)> {
    loop {
        match options {
            [1, rest @ ..] => options = rest,
            [8, 10, a, b, c, d, e, f, g, h, ..] => {
                return Some((u32::from_be_bytes([*a, *b, *c, *d]), u32::from_be_bytes([*e, *f, *g, *h])));
            }
            [0, ..] | [] | [_] => return None,
            [_, length, ..] => options = options.get(usize::from(*length).max(2)..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_known_by_its_address_and_port() {
        for n in [0, 1, 59_999, 60_000, 999_999] {
            assert_eq!(number(endpoint(n)), n);
        }
    }

    #[test]
    fn timestamps_are_found_wherever_they_lie() {
        assert_eq!(stamps(&[1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]), Some((5, 6)));
        assert_eq!(stamps(&[2, 4, 5, 180, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]), Some((5, 6)));
        assert_eq!(stamps(&[2, 4, 5, 180, 0]), None);
    }
}
