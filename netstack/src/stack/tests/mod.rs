//! Frame in, frame out: scripts against a whole stack, each ending in the ledger of its counters.

mod arp;
mod conflict;
mod dhcp;
mod foreign;
mod fragments;
mod icmp;
mod ipv4;
mod ipv6;
mod mutations;
mod ndp;
mod neighbors;
mod slaac;
mod udp;
mod vlan;
mod workers;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::VecDeque;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpPacket, ArpRepr, EthernetAddress, Icmpv4Packet, Icmpv4Repr, Icmpv6Message, Icmpv6Packet, Icmpv6Repr, IpAddress,
    IpProtocol, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, NdiscRepr, UdpPacket, UdpRepr,
};

use super::Stack;
use crate::config::StackConfig;
use crate::counters::{IpCounter, IpCounters};
use crate::frame::{FramePool, RxChecksum};
use crate::rng::Seed;
use crate::time::Instant;

pub(super) const US: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
pub(super) const PEER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];
pub(super) const OTHER: [u8; 6] = [0x02, 0, 0, 0, 0, 0x03];
pub(super) const BROADCAST: [u8; 6] = [0xff; 6];

pub(super) const US4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const PEER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(super) const US6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub(super) const PEER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

/// A stack at 10.0.0.1/24 and 2001:db8::1/64 with gateways 10.0.0.254 and 2001:db8::fe, quiet at its start.
pub(super) fn config() -> StackConfig {
    let cidr = |text: &str| text.parse().unwrap();
    let ip = |text: &str| text.parse().unwrap();
    StackConfig {
        mac: US,
        addresses: vec![cidr("10.0.0.1/24"), cidr("2001:db8::1/64")],
        routes: vec![
            crate::Route { dest: cidr("0.0.0.0/0"), via: ip("10.0.0.254") },
            crate::Route { dest: cidr("::/0"), via: ip("2001:db8::fe") },
        ],
        announce: false,
        ..StackConfig::default()
    }
}

/// One stack and the wire in front of it.
pub(super) struct Wire {
    pub stack: Stack,
    pub now: Instant,
    pool: FramePool,
    before: IpCounters,
    frames: (u64, u64),
    pub rx_checksum: RxChecksum,
}

impl Wire {
    pub fn new(config: StackConfig) -> Wire {
        let pool = FramePool::heap(64);
        let now = Instant::from_millis(1000);
        let stack = Stack::new(config, pool.clone(), Seed::from_number(7), now).unwrap();
        let before = stack.ip_counters().clone();
        Wire { stack, now, pool, before, frames: (0, 0), rx_checksum: RxChecksum::Unknown }
    }

    pub fn wait_millis(&mut self, millis: u64) {
        self.now = self.now.plus_nanos(millis * 1_000_000);
        self.stack.handle_timeout(self.now);
    }

    /// A frame arrives.
    pub fn input(&mut self, bytes: &[u8]) {
        let mut frame = self.pool.alloc().unwrap();
        frame.extend(bytes.len()).unwrap().copy_from_slice(bytes);
        frame.rx_checksum = self.rx_checksum;
        self.stack.handle_frame(self.now, frame);
        self.frames.0 += 1;
    }

    /// What the stack sends, as bytes.
    pub fn output(&mut self) -> Vec<Vec<u8>> {
        let mut out = VecDeque::new();
        self.stack.poll_transmit(self.now, &mut out, 1000);
        self.frames.1 += out.len() as u64;
        out.iter().map(|frame| frame.data().to_vec()).collect()
    }

    /// What the stack sends, one line a frame.
    pub fn lines(&mut self) -> Vec<String> {
        self.output().iter().map(|bytes| describe(bytes)).collect()
    }

    /// Asserts that exactly these counters moved since the last ledger.
    #[track_caller]
    pub fn ledger(&mut self, expected: &[(IpCounter, u64)]) {
        let mut moved: Vec<(&str, u64)> = Vec::new();
        for ((which, now), (_, before)) in self.stack.ip_counters().iter().zip(self.before.iter()) {
            match which {
                IpCounter::RxFrames => assert_eq!(now - before, self.frames.0, "rx_frames"),
                IpCounter::TxFrames => assert_eq!(now - before, self.frames.1, "tx_frames"),
                _ if now != before => moved.push((which.name(), now - before)),
                _ => {}
            }
        }
        let mut expected: Vec<_> = expected.iter().map(|(which, n)| (which.name(), *n)).collect();
        expected.sort_unstable();
        moved.sort_unstable();
        assert_eq!(moved, expected);
        self.before = self.stack.ip_counters().clone();
        self.frames = (0, 0);
    }

    /// Asserts that the stack holds no frame any more.
    #[track_caller]
    pub fn nothing_held(&self) {
        assert_eq!(self.pool.available(), self.pool.capacity(), "frames are held");
    }

    /// A bad frame: nothing answers, one counter moves (with what was counted before the fault), nothing is held.
    #[track_caller]
    pub fn dropped(&mut self, bytes: &[u8], reason: IpCounter, before: &[IpCounter]) {
        self.input(bytes);
        assert_eq!(self.lines(), Vec::<String>::new());
        let mut expected = vec![(reason, 1)];
        expected.extend(before.iter().map(|which| (*which, 1)));
        self.ledger(&expected);
        self.nothing_held();
    }
}

pub(super) fn eth(dst: [u8; 6], src: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&dst[..], &src, &ethertype.to_be_bytes(), payload].concat()
}

/// An IPv4 packet in a frame from the peer to us.
pub(super) fn ip4(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    eth(US, PEER, 0x0800, &packet4(src, dst, protocol, payload))
}

pub(super) fn packet4(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let next_header = IpProtocol::from(protocol);
    let repr = Ipv4Repr { src_addr: src, dst_addr: dst, next_header, payload_len: payload.len(), hop_limit: 64 };
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(&mut Ipv4Packet::new_unchecked(&mut bytes), &ChecksumCapabilities::default());
    bytes.extend_from_slice(payload);
    bytes
}

/// Changes an IPv4 frame's header and mends its checksum.
pub(super) fn edit4(mut frame: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut frame[14..]);
    let header_len = usize::from(frame[14] & 15) * 4;
    frame[24..26].fill(0);
    let end = (14 + header_len).min(frame.len());
    let sum = !smoltcp::wire::checksum::data(&frame[14..end]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// An IPv6 packet in a frame from the peer to us.
pub(super) fn ip6(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    eth(US, PEER, 0x86dd, &packet6(src, dst, next_header, 64, payload))
}

pub(super) fn packet6(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let repr = Ipv6Repr {
        src_addr: src,
        dst_addr: dst,
        next_header: IpProtocol::from(next_header),
        payload_len: payload.len(),
        hop_limit,
    };
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(&mut Ipv6Packet::new_unchecked(&mut bytes));
    bytes.extend_from_slice(payload);
    bytes
}

pub(super) fn udp(src: impl Into<IpAddress>, dst: impl Into<IpAddress>, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let repr = UdpRepr { src_port: ports.0, dst_port: ports.1 };
    let mut bytes = vec![0; repr.header_len() + payload.len()];
    let mut packet = UdpPacket::new_unchecked(&mut bytes);
    let fill = |out: &mut [u8]| out.copy_from_slice(payload);
    repr.emit(&mut packet, &src.into(), &dst.into(), payload.len(), fill, &ChecksumCapabilities::default());
    bytes
}

pub(super) fn echo4(payload: &[u8]) -> Vec<u8> {
    icmp4(&Icmpv4Repr::EchoRequest { ident: 0x1234, seq_no: 5, data: payload })
}

pub(super) fn icmp4(repr: &Icmpv4Repr<'_>) -> Vec<u8> {
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(&mut Icmpv4Packet::new_unchecked(&mut bytes[..]), &ChecksumCapabilities::default());
    bytes
}

pub(super) fn echo6(src: Ipv6Addr, dst: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    icmp6(src, dst, &Icmpv6Repr::EchoRequest { ident: 0x1234, seq_no: 5, data: payload })
}

pub(super) fn icmp6(src: Ipv6Addr, dst: Ipv6Addr, repr: &Icmpv6Repr<'_>) -> Vec<u8> {
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(&src, &dst, &mut Icmpv6Packet::new_unchecked(&mut bytes[..]), &ChecksumCapabilities::default());
    bytes
}

/// A raw ICMPv6 message with its checksum filled in.
pub(super) fn raw6(src: Ipv6Addr, dst: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    message[2..4].fill(0);
    let sums = [
        smoltcp::wire::checksum::pseudo_header_v6(&src, &dst, IpProtocol::Icmpv6, message.len() as u32),
        smoltcp::wire::checksum::data(&message),
    ];
    let sum = !smoltcp::wire::checksum::combine(&sums);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// One line for a frame, its checksums verified.
pub(super) fn describe(frame: &[u8]) -> String {
    let mac = |at: usize| match <[u8; 6]>::try_from(&frame[at..at + 6]).unwrap() {
        US => "us".to_string(),
        PEER => "peer".to_string(),
        OTHER => "other".to_string(),
        BROADCAST => "all".to_string(),
        [0x33, 0x33, .., last] => format!("group-{last:x}"),
        bytes => EthernetAddress(bytes).to_string(),
    };
    let (kind, at) = match u16::from_be_bytes([frame[12], frame[13]]) {
        0x8100 => (u16::from_be_bytes([frame[16], frame[17]]), 18),
        kind => (kind, 14),
    };
    let tag =
        if at == 18 { format!("vlan {} ", u16::from_be_bytes([frame[14], frame[15]]) & 0xfff) } else { String::new() };
    let inner = match kind {
        0x0806 => describe_arp(&frame[at..]),
        0x0800 => describe4(&frame[at..]),
        _ => describe6(&frame[at..]),
    };
    format!("{}>{} {tag}{inner}", mac(6), mac(0))
}

fn describe_arp(packet: &[u8]) -> String {
    let packet = ArpPacket::new_checked(packet).unwrap();
    let ArpRepr::EthernetIpv4 { operation, source_protocol_addr, target_protocol_addr, .. } =
        ArpRepr::parse(&packet).unwrap()
    else {
        panic!("not Ethernet and IPv4")
    };
    format!("arp {} {source_protocol_addr} -> {target_protocol_addr}", format!("{operation:?}").to_lowercase())
}

fn describe4(packet: &[u8]) -> String {
    let packet = Ipv4Packet::new_checked(packet).unwrap();
    assert!(packet.verify_checksum() && packet.dont_frag());
    let (src, dst) = (packet.src_addr(), packet.dst_addr());
    let payload = packet.payload();
    let inner = match packet.next_header() {
        IpProtocol::Icmp => {
            let icmp = Icmpv4Packet::new_checked(payload).unwrap();
            assert!(icmp.verify_checksum());
            format!("icmp {}/{} +{}", u8::from(icmp.msg_type()), icmp.msg_code(), payload.len() - 8)
        }
        _ => describe_udp(payload, src.into(), dst.into()),
    };
    format!("{src} -> {dst} {inner}")
}

fn describe6(packet: &[u8]) -> String {
    let packet = Ipv6Packet::new_checked(packet).unwrap();
    let (src, dst) = (packet.src_addr(), packet.dst_addr());
    let mut payload = packet.payload();
    let mut next_header = packet.next_header();
    let mut alert = "";
    if next_header == IpProtocol::HopByHop {
        (next_header, payload, alert) = (IpProtocol::from(payload[0]), &payload[8..], "alert ");
    }
    let inner = match next_header {
        IpProtocol::Icmpv6 => {
            let icmp = Icmpv6Packet::new_unchecked(payload);
            assert!(icmp.verify_checksum(&src, &dst), "ICMPv6 checksum");
            let head = format!("{}/{} +{}", u8::from(icmp.msg_type()), icmp.msg_code(), payload.len() - 8);
            match icmp.msg_type() {
                Icmpv6Message::NeighborSolicit if src.is_unspecified() => {
                    assert_eq!((packet.hop_limit(), payload.len(), &payload[24..26]), (255, 32, &[14, 1][..]));
                    format!("probe {}", icmp.target_addr())
                }
                kind if kind.is_ndisc() => {
                    assert_eq!(packet.hop_limit(), 255);
                    describe_ndisc(NdiscRepr::parse(&icmp).unwrap())
                }
                Icmpv6Message::MldReport => format!("{alert}mld report of {}", payload[7]),
                _ => format!("icmpv6 {head}"),
            }
        }
        _ => describe_udp(payload, src.into(), dst.into()),
    };
    format!("{src} -> {dst} {inner}")
}

fn describe_ndisc(repr: NdiscRepr<'_>) -> String {
    match repr {
        NdiscRepr::RouterSolicit { lladdr } => {
            assert!(lladdr.is_some());
            "solicit routers".into()
        }
        NdiscRepr::NeighborSolicit { target_addr, lladdr } => {
            assert!(lladdr.is_some());
            format!("solicit {target_addr}")
        }
        NdiscRepr::NeighborAdvert { target_addr, flags, .. } => format!("advertise {target_addr} {flags:?}"),
        other => format!("{other:?}"),
    }
}

fn describe_udp(payload: &[u8], src: IpAddr, dst: IpAddr) -> String {
    let udp = UdpPacket::new_checked(payload).unwrap();
    if udp.dst_port() == 67 {
        assert!(udp.verify_checksum(&src.into(), &dst.into()), "UDP checksum");
        return dhcp::describe(udp.payload());
    }
    assert!(udp.verify_checksum(&src.into(), &dst.into()), "UDP checksum");
    format!("udp {} -> {} {:?}", udp.src_port(), udp.dst_port(), String::from_utf8_lossy(udp.payload()))
}

/// Tells the stack where the peer's IPv4 and IPv6 addresses are, as another worker would.
pub(super) fn know_peer(wire: &mut Wire) {
    for address in [IpAddr::V4(PEER4), IpAddr::V6(PEER6)] {
        let update = crate::NeighborUpdate { address, mac: PEER, confirmed: true, known: true };
        wire.stack.handle_neighbor(wire.now, update);
    }
    wire.ledger(&[(IpCounter::NeighborUpdates, 2)]);
}
