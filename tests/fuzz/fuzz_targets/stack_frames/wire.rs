//! Ethernet, IP and TCP by hand: what the peer builds, and what every frame of the stack is held to.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub const US: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
pub const PEER: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
pub const US4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PEER4: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const US6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub const PEER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
/// The port that the stack listens on.
pub const PORT: u16 = 80;
pub const TCP: u8 = 6;

/// Where the stack connects to.
pub fn remote(which: u8) -> SocketAddr {
    let address = if which & 1 == 0 { IpAddr::V4(PEER4) } else { IpAddr::V6(PEER6) };
    SocketAddr::new(address, 1000 + u16::from(which >> 1))
}

pub fn ethernet(vlan: Option<u16>, ethertype: u16) -> Vec<u8> {
    let mut frame = [US, PEER].concat();
    if let Some(vlan) = vlan {
        frame.extend_from_slice(&0x8100_u16.to_be_bytes());
        frame.extend_from_slice(&vlan.to_be_bytes());
    }
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame
}

/// A packet from the peer with a good IP header.
pub fn packet(vlan: Option<u16>, v6: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    if v6 {
        let mut frame = ethernet(vlan, 0x86dd);
        frame.extend_from_slice(&[0x60, 0, 0, 0]);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&[protocol, 64]);
        frame.extend_from_slice(&PEER6.octets());
        frame.extend_from_slice(&US6.octets());
        frame.extend_from_slice(payload);
        return frame;
    }
    let mut header = [0_u8; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&(20 + length).to_be_bytes());
    header[8] = 64;
    header[9] = protocol;
    header[12..16].copy_from_slice(&PEER4.octets());
    header[16..20].copy_from_slice(&US4.octets());
    let checksum = !sum(0, &header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    [&ethernet(vlan, 0x0800)[..], &header, payload].concat()
}

/// The Internet checksum's sum (RFC 1071), not complemented.
fn sum(start: u32, bytes: &[u8]) -> u16 {
    let mut total = start;
    for pair in bytes.chunks(2) {
        total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    total as u16
}

/// The Internet checksum of `bytes` (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    !sum(0, bytes)
}

/// The IP payload of a frame: version, protocol, sum of the pseudo-header, bytes.
pub fn open(frame: &[u8], vlan: Option<u16>) -> Option<(bool, u8, u32, &[u8])> {
    let at = if vlan.is_some() { 16 } else { 12 };
    let ethertype = u16::from_be_bytes([frame[at], frame[at + 1]]);
    let packet = &frame[at + 2..];
    let pseudo =
        |addresses: &[u8], protocol: u8, length: usize| u32::from(sum(u32::from(protocol) + length as u32, addresses));
    match ethertype {
        0x0800 => {
            let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            let header = usize::from(packet[0] & 15) * 4;
            let payload = &packet[header..total];
            Some((false, packet[9], pseudo(&packet[12..20], packet[9], payload.len()), payload))
        }
        0x86dd => {
            let length = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
            let payload = &packet[40..40 + length];
            Some((true, packet[6], pseudo(&packet[8..40], packet[6], payload.len()), payload))
        }
        _ => None,
    }
}

/// What the stack sends fits the link, comes from us, and has right lengths and checksums.
pub fn check(frame: &[u8], mtu: u16, vlan: Option<u16>) {
    let link = if vlan.is_some() { 18 } else { 14 };
    assert!(frame.len() >= link && frame.len() <= link + usize::from(mtu), "{} bytes", frame.len());
    assert_eq!(frame[6..12], US);
    if let Some(vlan) = vlan {
        assert_eq!(frame[12..16], [0x81, 0, (vlan >> 8) as u8, vlan as u8]);
    }
    let Some((v6, protocol, pseudo, payload)) = open(frame, vlan) else { return };
    if !v6 {
        let header = &frame[link..link + usize::from(frame[link] & 15) * 4];
        assert_eq!(sum(0, header), 0xffff, "IPv4 header checksum");
        let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff;
        assert_eq!(fragment, 0, "nothing is fragmented here");
    }
    if protocol == TCP {
        assert_eq!(sum(pseudo, payload), 0xffff, "TCP checksum");
        assert!(payload.len() >= 20 && usize::from(payload[12] >> 4) * 4 <= payload.len());
    }
}
