//! Frames made by hand: right where nothing else is said.

use std::net::IpAddr;

use netstack::ip::{checksum, protocol};

/// The hop limit of what liars send, by which the judge of the wire knows it from what honest stacks send.
pub const HOP_LIMIT: u8 = 77;
const CHECKSUM_AT: usize = 16;
/// The sides' MAC addresses, as the simulated wire gives them.
const MACS: [[u8; 6]; 2] = [[0x02, 0, 0, 0, 0, 0x0a], [0x02, 0, 0, 0, 0, 0x0b]];

/// A TCP segment to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Sender.
    pub source: (IpAddr, u16),
    /// Receiver.
    pub destination: (IpAddr, u16),
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Flags.
    pub flags: u8,
    /// Window.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options; padded with zeros, at most 40 bytes.
    pub options: Vec<u8>,
    /// Payload.
    pub payload: Vec<u8>,
    /// The header's length in words, when it shall be another than the right one.
    pub offset: Option<u8>,
}

impl Draft {
    /// The segment, its checksum right.
    pub fn tcp(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.truncate(40);
        options.resize(options.len().next_multiple_of(4), 0);
        let offset = self.offset.unwrap_or(5 + (options.len() / 4) as u8);
        let mut tcp = Vec::with_capacity(20 + options.len() + self.payload.len());
        tcp.extend(self.source.1.to_be_bytes());
        tcp.extend(self.destination.1.to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([offset << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0, 0]);
        tcp.extend(self.urgent.to_be_bytes());
        tcp.extend(&options);
        tcp.extend(&self.payload);
        checksum::fill_transport(self.source.0, self.destination.0, protocol::TCP, &mut tcp, CHECKSUM_AT, false);
        tcp
    }

    /// The whole frame.
    pub fn frame(&self, vlan: Option<u16>) -> Vec<u8> {
        ethernet(vlan, &ip(self.source.0, self.destination.0, protocol::TCP, &self.tcp()))
    }
}

/// An Ethernet frame from the client's side to the server's.
fn ethernet(vlan: Option<u16>, packet: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(18 + packet.len());
    frame.extend(MACS[1]);
    frame.extend(MACS[0]);
    if let Some(id) = vlan {
        frame.extend([0x81, 0x00]);
        frame.extend(id.to_be_bytes());
    }
    frame.extend(if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] });
    frame.extend_from_slice(packet);
    frame
}

fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut packet = vec![0x45, 0];
            packet.extend((20 + payload.len() as u16).to_be_bytes());
            packet.extend([0, 0, 0x40, 0, HOP_LIMIT, protocol, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            let sum = checksum::of(&packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend_from_slice(payload);
            packet
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend((payload.len() as u16).to_be_bytes());
            packet.extend([protocol, HOP_LIMIT]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend_from_slice(payload);
            packet
        }
        _ => vec![0],
    }
}

/// What an ICMP forgery claims.
#[derive(Clone, Copy, Debug)]
pub enum Claim {
    /// The packet was too big for a link of so many bytes.
    TooBig(u16),
    /// Nobody listens there.
    PortUnreachable,
    /// The host cannot be reached.
    HostUnreachable,
}

/// A forged ICMP error from `router` to the sender of the quoted segment.
pub fn icmp(router: IpAddr, quoted: &Draft, claim: Claim, vlan: Option<u16>) -> Vec<u8> {
    let quote = ip(quoted.source.0, quoted.destination.0, protocol::TCP, &quoted.tcp());
    let v4 = router.is_ipv4();
    let (kind, code, word) = match (claim, v4) {
        (Claim::TooBig(mtu), true) => (3, 4, u32::from(mtu)),
        (Claim::TooBig(mtu), false) => (2, 0, u32::from(mtu)),
        (Claim::PortUnreachable, true) => (3, 3, 0),
        (Claim::PortUnreachable, false) => (1, 4, 0),
        (Claim::HostUnreachable, true) => (3, 1, 0),
        (Claim::HostUnreachable, false) => (1, 3, 0),
    };
    let mut message = vec![kind, code, 0, 0];
    message.extend(word.to_be_bytes());
    message.extend_from_slice(&quote);
    let protocol = if v4 { protocol::ICMP } else { protocol::ICMPV6 };
    if v4 {
        let sum = checksum::of(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    } else {
        checksum::fill_transport(router, quoted.source.0, protocol, &mut message, 2, false);
    }
    ethernet(vlan, &ip(router, quoted.source.0, protocol, &message))
}
