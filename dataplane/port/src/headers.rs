//! What wrappers and the simulated wire read of a packet: addresses, protocol, ports, ECN. A view for observers; the
//! stack's own parsing is in `netstack`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netstack::ip::checksum::Sum;
use netstack::ip::protocol;

/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: [u16; 2] = [0x8100, 0x88a8];

/// The headers of one frame, as far as they are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Headers {
    /// EtherType behind the VLAN tags.
    pub ethertype: u16,
    /// Position of the header behind Ethernet.
    pub l3: usize,
    /// The IP part.
    pub ip: Option<Ip>,
}

/// The IP part of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ip {
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Position of the payload; behind the first fragment there is no transport header.
    pub l4: usize,
    /// It is a fragment of a packet, the first or a later one.
    pub fragment: bool,
    /// Source and destination port of TCP and UDP; absent in later fragments.
    pub ports: Option<(u16, u16)>,
    /// Flag byte of TCP (FIN is bit 0); zero for other protocols.
    pub tcp_flags: u8,
}

impl Headers {
    /// Reads the headers of an Ethernet frame. `None` when not even Ethernet is complete.
    pub fn parse(frame: &[u8]) -> Option<Headers> {
        let (mut l3, mut ethertype) = (14, be16(frame, 12)?);
        for _ in 0..2 {
            if !ETHERTYPE_VLAN.contains(&ethertype) {
                break;
            }
            ethertype = be16(frame, l3 + 2)?;
            l3 += 4;
        }
        let ip = match ethertype {
            ETHERTYPE_IPV4 => ipv4(frame, l3),
            ETHERTYPE_IPV6 => ipv6(frame, l3),
            _ => None,
        };
        Some(Headers { ethertype, l3, ip })
    }
}

fn byte(frame: &[u8], at: usize) -> Option<u8> {
    frame.get(at).copied()
}

fn be16(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?))
}

fn ipv4(frame: &[u8], l3: usize) -> Option<Ip> {
    let address = |at| Some(IpAddr::from(Ipv4Addr::from(*frame.get(at..)?.first_chunk::<4>()?)));
    let l4 = l3 + usize::from(byte(frame, l3)? & 0x0f) * 4;
    let place = be16(frame, l3 + 6)?;
    let ip = transport(frame, address(l3 + 12)?, address(l3 + 16)?, byte(frame, l3 + 9)?, l4, place & 0x1fff == 0);
    Some(Ip { fragment: place & 0x3fff != 0, ..ip })
}

fn ipv6(frame: &[u8], l3: usize) -> Option<Ip> {
    let address = |at| Some(IpAddr::from(Ipv6Addr::from(*frame.get(at..)?.first_chunk::<16>()?)));
    let (source, destination) = (address(l3 + 8)?, address(l3 + 24)?);
    let (mut next, mut at, mut first_fragment) = (byte(frame, l3 + 6)?, l3 + 40, true);
    let mut fragment = false;
    for _ in 0..8 {
        let length = match next {
            // RFC 8200 §4: hop-by-hop, routing and destination options count in units of 8 beyond the first 8.
            0 | 43 | 60 => 8 + usize::from(byte(frame, at + 1)?) * 8,
            44 => {
                first_fragment = be16(frame, at + 2)? & 0xfff8 == 0;
                fragment = true;
                8
            }
            _ => break,
        };
        next = byte(frame, at)?;
        at += length;
    }
    Some(Ip { fragment, ..transport(frame, source, destination, next, at, first_fragment) })
}

fn transport(frame: &[u8], source: IpAddr, destination: IpAddr, protocol: u8, l4: usize, first: bool) -> Ip {
    let has_ports = first && matches!(protocol, protocol::TCP | protocol::UDP);
    let ports = if has_ports { be16(frame, l4).zip(be16(frame, l4 + 2)) } else { None };
    let tcp_flags = if first && protocol == protocol::TCP { byte(frame, l4 + 13).unwrap_or(0) } else { 0 };
    Ip { source, destination, protocol, l4, fragment: false, ports, tcp_flags }
}

/// Marks an ECN-capable packet with "congestion experienced" (RFC 3168 §5). False when the packet is not ECN-capable
/// or not IP; then nothing changes.
pub fn mark_congestion(frame: &mut [u8]) -> bool {
    let Some(Headers { ethertype, l3, ip: Some(_) }) = Headers::parse(frame) else { return false };
    match ethertype {
        ETHERTYPE_IPV4 => {
            let header = l3..l3 + usize::from(frame[l3] & 0x0f) * 4;
            if matches!(frame[l3 + 1] & 0b11, 0b00 | 0b11) || header.len() < 20 || header.end > frame.len() {
                return false;
            }
            frame[l3 + 1] |= 0b11;
            frame[l3 + 10..l3 + 12].fill(0);
            let sum = Sum::default().add_bytes(&frame[header]).complement();
            frame[l3 + 10..l3 + 12].copy_from_slice(&sum.to_be_bytes());
            true
        }
        _ => {
            // The traffic class lies across the first two bytes; its low two bits are bits 4 and 5 of the second.
            let capable = matches!((frame[l3 + 1] >> 4) & 0b11, 0b01 | 0b10);
            if capable {
                frame[l3 + 1] |= 0b11 << 4;
            }
            capable
        }
    }
}

#[cfg(test)]
mod tests;
