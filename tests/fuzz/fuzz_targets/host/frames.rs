//! Frames for a host: Ethernet, IP and ICMP headers with right lengths and checksums around what the input says.

#![allow(dead_code, reason = "each target uses a part of it")]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const US: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
pub const PEER: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
pub const US4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PEER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const US6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub const PEER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

pub fn ethernet(to: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &PEER, &ethertype.to_be_bytes(), payload].concat()
}

/// An IPv4 packet; `place` is the word of flags and fragment offset.
pub fn ipv4(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, place: u16, identification: u16, payload: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    header[4..6].copy_from_slice(&identification.to_be_bytes());
    header[6..8].copy_from_slice(&place.to_be_bytes());
    (header[8], header[9]) = (64, protocol);
    header[12..16].copy_from_slice(&src.octets());
    header[16..20].copy_from_slice(&dst.octets());
    let sum = !sum(0, &header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let to = if dst == Ipv4Addr::BROADCAST { [0xff; 6] } else { US };
    ethernet(to, 0x0800, &[&header[..], payload].concat())
}

pub fn ipv6(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next_header, hop_limit]);
    packet.extend(src.octets());
    packet.extend(dst.octets());
    packet.extend_from_slice(payload);
    let [.., a, b, c, d] = dst.octets();
    ethernet(if dst.is_multicast() { [0x33, 0x33, a, b, c, d] } else { US }, 0x86dd, &packet)
}

/// An ICMPv6 message in its frame; bytes 2 and 3 become the checksum.
pub fn icmpv6(src: Ipv6Addr, dst: Ipv6Addr, hop_limit: u8, mut message: Vec<u8>) -> Vec<u8> {
    message.resize(message.len().max(4), 0);
    message[2..4].fill(0);
    let sum = !transport_sum(src.into(), dst.into(), 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv6(src, dst, 58, hop_limit, &message)
}

/// An ICMPv4 message in its frame.
pub fn icmpv4(mut message: Vec<u8>) -> Vec<u8> {
    message.resize(message.len().max(4), 0);
    message[2..4].fill(0);
    let sum = !sum(0, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv4(PEER4, US4, 1, 0, 0, &message)
}

/// A UDP datagram with its checksum.
pub fn udp(src: IpAddr, dst: IpAddr, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend_from_slice(payload);
    let sum = !transport_sum(src, dst, 17, &datagram);
    datagram[6..8].copy_from_slice(&if sum == 0 { 0xffff } else { sum }.to_be_bytes());
    datagram
}

/// An ARP packet of the peer.
pub fn arp(operation: u16, mac: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let head = [&[0, 1, 8, 0, 6, 4][..], &operation.to_be_bytes()].concat();
    let packet = [&head[..], &mac, &sender.octets(), &US, &target.octets()].concat();
    ethernet([0xff; 6], 0x0806, &packet)
}

/// The Internet checksum's sum (RFC 1071), not complemented.
pub fn sum(start: u32, bytes: &[u8]) -> u16 {
    let mut total = start;
    for pair in bytes.chunks(2) {
        total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    total as u16
}

fn transport_sum(src: IpAddr, dst: IpAddr, protocol: u8, message: &[u8]) -> u16 {
    let bytes = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let addresses = sum(0, &[bytes(src), bytes(dst)].concat());
    sum(u32::from(protocol) + message.len() as u32 + u32::from(addresses), message)
}
