//! The message of a router whose next link is too narrow.
//!
//! ```text
//!   | Ethernet, reversed | IP: router ─▶ sender | ICMP "too big", MTU | the packet's beginning |
//! ```

use netstack::ip::{checksum, protocol};

use crate::headers::{ETHERTYPE_IPV4, Headers};

/// Bytes of the packet that are quoted: enough for every header (RFC 1812 §4.3.2.3 asks for as many as fit 576 bytes;
/// RFC 4443 §3.2 for as many as fit 1,280).
const QUOTED: usize = 512;
const ICMPV6: u8 = 58;

/// The frame with which a router, speaking with the receiver's addresses, tells the sender of `frame` that the path
/// takes packets of `mtu` bytes. `None` for what is not IP, for fragments after the first, and for IPv4 packets that may
/// be fragmented (RFC 1191 §4).
pub fn packet_too_big(frame: &[u8], mtu: u16) -> Option<Vec<u8>> {
    let Headers { ethertype, l3, ip } = Headers::parse(frame)?;
    let ip = ip?;
    let packet = frame.get(l3..)?;
    let quoted = packet.get(..packet.len().min(QUOTED))?;
    let mut reply = Vec::with_capacity(l3 + 48 + quoted.len());
    reply.extend_from_slice(frame.get(6..12)?);
    reply.extend_from_slice(frame.get(..6)?);
    reply.extend_from_slice(frame.get(12..l3)?);
    if ethertype == ETHERTYPE_IPV4 {
        const DONT_FRAGMENT: u8 = 0x40;
        if packet.get(6)? & DONT_FRAGMENT == 0 || ip.ports.is_none() {
            return None;
        }
        reply.extend(ipv4_header(packet, quoted.len() + 8)?);
        let message = reply.len();
        // RFC 1191 §4: type 3 code 4, the MTU in the low 16 bits of the second word.
        reply.extend([3, 4, 0, 0, 0, 0]);
        reply.extend(mtu.to_be_bytes());
        reply.extend_from_slice(quoted);
        let sum = checksum::of(&reply[message..]);
        reply[message + 2..message + 4].copy_from_slice(&sum.to_be_bytes());
    } else {
        reply.extend([0x60, 0, 0, 0]);
        reply.extend((quoted.len() as u16 + 8).to_be_bytes());
        reply.extend([ICMPV6, 64]);
        reply.extend_from_slice(packet.get(24..40)?);
        reply.extend_from_slice(packet.get(8..24)?);
        let message = reply.len();
        // RFC 4443 §3.2: type 2 code 0, the MTU in 32 bits.
        reply.extend([2, 0, 0, 0, 0, 0]);
        reply.extend(mtu.to_be_bytes());
        reply.extend_from_slice(quoted);
        checksum::fill_transport(ip.destination, ip.source, ICMPV6, &mut reply[message..], 2, false);
    }
    Some(reply)
}

fn ipv4_header(packet: &[u8], payload: usize) -> Option<[u8; 20]> {
    let mut header = [0; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&(20 + payload as u16).to_be_bytes());
    header[8] = 64;
    header[9] = protocol::ICMP;
    header[12..16].copy_from_slice(packet.get(16..20)?);
    header[16..20].copy_from_slice(packet.get(12..16)?);
    let sum = checksum::of(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    Some(header)
}
