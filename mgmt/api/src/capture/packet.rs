//! What a filter looks at in a frame: protocols, addresses and ports, as far as the bytes reach.

use std::net::IpAddr;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88a8;

/// Extension headers walked before giving up.
const MAX_EXTENSIONS: usize = 8;

pub(super) const PROTOCOL_ICMP: u8 = 1;
pub(super) const PROTOCOL_TCP: u8 = 6;
pub(super) const PROTOCOL_UDP: u8 = 17;
pub(super) const PROTOCOL_ICMPV6: u8 = 58;

/// The parts of one frame that a filter can name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Packet {
    pub ethertype: u16,
    pub source: Option<IpAddr>,
    pub destination: Option<IpAddr>,
    /// The transport protocol, by its IANA number.
    pub protocol: Option<u8>,
    pub source_port: Option<u16>,
    pub destination_port: Option<u16>,
}

impl Packet {
    pub fn is_arp(&self) -> bool {
        self.ethertype == ETHERTYPE_ARP
    }

    pub fn is_ipv4(&self) -> bool {
        self.ethertype == ETHERTYPE_IPV4
    }

    pub fn is_ipv6(&self) -> bool {
        self.ethertype == ETHERTYPE_IPV6
    }

    /// Reads an Ethernet frame; what is cut off or unknown stays empty.
    pub fn parse(frame: &[u8]) -> Packet {
        let mut packet = Packet::default();
        let mut at = 12;
        for _ in 0..3 {
            let Some(ethertype) = u16_at(frame, at) else { return packet };
            at += 2;
            packet.ethertype = ethertype;
            if !matches!(ethertype, ETHERTYPE_VLAN | ETHERTYPE_QINQ) {
                break;
            }
            at += 2;
        }
        let payload = frame.get(at..).unwrap_or_default();
        match packet.ethertype {
            ETHERTYPE_IPV4 => packet.parse_ipv4(payload),
            ETHERTYPE_IPV6 => packet.parse_ipv6(payload),
            ETHERTYPE_ARP => packet.parse_arp(payload),
            _ => {}
        }
        packet
    }

    /// RFC 826, for IPv4 over Ethernet.
    fn parse_arp(&mut self, bytes: &[u8]) {
        if u16_at(bytes, 2) == Some(ETHERTYPE_IPV4) {
            self.source = array_at::<4>(bytes, 14).map(IpAddr::from);
            self.destination = array_at::<4>(bytes, 24).map(IpAddr::from);
        }
    }

    /// RFC 791 §3.1.
    fn parse_ipv4(&mut self, bytes: &[u8]) {
        let Some(&[first, ..]) = bytes.first_chunk::<1>() else { return };
        self.source = array_at::<4>(bytes, 12).map(IpAddr::from);
        self.destination = array_at::<4>(bytes, 16).map(IpAddr::from);
        self.protocol = bytes.get(9).copied();
        let is_later_fragment = u16_at(bytes, 6).is_some_and(|field| field & 0x1fff != 0);
        if !is_later_fragment {
            let header = usize::from(first & 0x0f) * 4;
            self.parse_ports(bytes.get(header..).unwrap_or_default());
        }
    }

    /// RFC 8200 §3 and §4.
    fn parse_ipv6(&mut self, bytes: &[u8]) {
        self.source = array_at::<16>(bytes, 8).map(IpAddr::from);
        self.destination = array_at::<16>(bytes, 24).map(IpAddr::from);
        let Some(&next) = bytes.get(6) else { return };
        let mut next = next;
        let mut rest = bytes.get(40..).unwrap_or_default();
        for _ in 0..MAX_EXTENSIONS {
            let length = match next {
                // Hop-by-hop, routing and destination options: length in units of 8 bytes, the first not counted.
                0 | 43 | 60 => match rest.get(1) {
                    Some(&units) => (usize::from(units) + 1) * 8,
                    None => return,
                },
                // A fragment; only the first one has the ports.
                44 if u16_at(rest, 2).is_some_and(|field| field & 0xfff8 == 0) => 8,
                44 => {
                    self.protocol = rest.first().copied();
                    return;
                }
                _ => {
                    self.protocol = Some(next);
                    self.parse_ports(rest);
                    return;
                }
            };
            let Some(&following) = rest.first() else { return };
            next = following;
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    fn parse_ports(&mut self, bytes: &[u8]) {
        if matches!(self.protocol, Some(PROTOCOL_TCP | PROTOCOL_UDP)) {
            self.source_port = u16_at(bytes, 0);
            self.destination_port = u16_at(bytes, 2);
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at::<2>(bytes, at).map(u16::from_be_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}
