//! Packets for tests, built by hand: just enough of each header, checksums where a kernel looks at them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const ARP: u16 = 0x0806;
pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;

/// The one's complement sum of `bytes` on top of `start` (RFC 1071), not inverted.
pub fn sum(start: u16, bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |&low| u32::from(low)));
    let mut total = words.fold(u32::from(start), |total, word| total + word);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// An Ethernet frame from 02::1 to 02::2.
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1][..], &ethertype.to_be_bytes(), payload].concat()
}

/// The same frame with an 802.1Q tag.
pub fn tagged(vlan: u16, frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &0x8100u16.to_be_bytes(), &vlan.to_be_bytes(), &frame[12..]].concat()
}

/// What differs between IPv4 packets.
#[derive(Clone, Copy, Default)]
pub struct V4 {
    /// Flags and fragment offset, as on the wire.
    pub fragment: u16,
    /// Words of options.
    pub options: u8,
}

/// An IPv4 packet.
pub fn ipv4(fields: V4, protocol: u8, src: Ipv4Addr, dst: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let header = 20 + usize::from(fields.options) * 4;
    let mut packet = vec![0; header];
    packet[0] = 0x45 + fields.options;
    packet[2..4].copy_from_slice(&((header + payload.len()) as u16).to_be_bytes());
    packet[6..8].copy_from_slice(&fields.fragment.to_be_bytes());
    packet[8] = 64;
    packet[9] = protocol;
    packet[12..16].copy_from_slice(&src.octets());
    packet[16..20].copy_from_slice(&dst.octets());
    packet[20..header].fill(1); // no operation
    let sum = !sum(0, &packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// An IPv6 packet.
pub fn ipv6(next: u8, src: Ipv6Addr, dst: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    packet.extend_from_slice(&[next, 64]);
    packet.extend_from_slice(&src.octets());
    packet.extend_from_slice(&dst.octets());
    packet.extend_from_slice(payload);
    packet
}

/// Ports, and the rest of a TCP header.
pub fn tcp(src: u16, dst: u16) -> Vec<u8> {
    let mut header = vec![0; 20];
    header[..2].copy_from_slice(&src.to_be_bytes());
    header[2..4].copy_from_slice(&dst.to_be_bytes());
    header[12] = 0x50;
    header
}

/// A UDP datagram without a checksum.
pub fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload].concat()
}

/// A TCP, UDP or other packet between two addresses of one family, in an Ethernet frame.
pub fn frame(protocol: u8, src: IpAddr, dst: IpAddr, payload: &[u8]) -> Vec<u8> {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => ethernet(IPV4, &ipv4(V4::default(), protocol, src, dst, payload)),
        (IpAddr::V6(src), IpAddr::V6(dst)) => ethernet(IPV6, &ipv6(protocol, src, dst, payload)),
        _ => panic!("both addresses must be of one family"),
    }
}

/// An ARP request for `target`.
pub fn arp_request(sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1];
    packet.extend_from_slice(&sender.octets());
    packet.extend_from_slice(&[0; 6]);
    packet.extend_from_slice(&target.octets());
    ethernet(ARP, &packet)
}
