//! The IPv4 header (RFC 791 §3.1): checked on the way in, written on the way out. Hand-written because every packet
//! passes here.
//!
//! ```text
//!    0                   1                   2                   3
//!   |Version|  IHL  |   DSCP    |ECN|          Total Length         |
//!   |         Identification        |Flags|     Fragment Offset     |
//!   |  Time to Live |    Protocol   |        Header Checksum        |
//!   |                       Source Address                          |
//!   |                    Destination Address                        |
//!   |                    Options, Padding ...                       |
//! ```

use core::net::Ipv4Addr;

use super::addresses::{Addresses, Destination, is_martian_v4};
use super::checksum;
use super::egress::IpHeader;
use crate::counters::IpCounter;
use crate::frame::Frame;

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

/// What a checked header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv4Header {
    /// Bytes of the header, options included.
    pub header_len: usize,
    /// Bytes of header and payload.
    pub total_len: usize,
    /// Protocol of the payload.
    pub protocol: u8,
    /// The two ECN bits.
    pub ecn: u8,
    /// Identification, for reassembly.
    pub identification: u16,
    /// Flags and offset when the packet is a fragment.
    pub fragment: Option<Ipv4Fragment>,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
}

/// Place of a fragment in its datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv4Fragment {
    /// Bytes from the start of the datagram's payload.
    pub offset: usize,
    /// More fragments follow.
    pub more: bool,
}

/// Checks the header at the front of `packet`, which may carry link padding behind. Options are skipped. The TTL is not
/// looked at: a host must not discard a packet that has arrived because of it (RFC 1122 §3.2.1.7).
#[inline]
pub fn parse(packet: &[u8]) -> Result<Ipv4Header, IpCounter> {
    let head = packet.first_chunk::<HEADER_LEN>().ok_or(IpCounter::DropIpv4Header)?;
    let header_len = usize::from(head[0] & 0x0f) * 4;
    let total_len = usize::from(u16::from_be_bytes([head[2], head[3]]));
    if head[0] >> 4 != 4 || header_len < HEADER_LEN || total_len < header_len || total_len > packet.len() {
        return Err(IpCounter::DropIpv4Header);
    }
    let right = if header_len == HEADER_LEN {
        checksum::verify(head)
    } else {
        packet.get(..header_len).is_some_and(checksum::verify)
    };
    if !right {
        return Err(IpCounter::DropIpv4Checksum);
    }
    let flags = u16::from_be_bytes([head[6], head[7]]);
    let (more, offset) = (flags & MORE_FRAGMENTS != 0, usize::from(flags & 0x1fff) * 8);
    let fragment = if more || offset != 0 { Some(Ipv4Fragment { offset, more }) } else { None };
    Ok(Ipv4Header {
        header_len,
        total_len,
        protocol: head[9],
        ecn: head[1] & 3,
        identification: u16::from_be_bytes([head[4], head[5]]),
        fragment,
        src: Ipv4Addr::new(head[12], head[13], head[14], head[15]),
        dst: Ipv4Addr::new(head[16], head[17], head[18], head[19]),
    })
}

/// Checks that the packet may come from its source and is for us (RFC 1122 §3.2.1.3, §3.3.6).
#[inline]
pub fn check_addresses(header: &Ipv4Header, ours: &Addresses, link_group: bool) -> Result<(), IpCounter> {
    if header.src.is_multicast() || ours.is_broadcast(header.src) {
        return Err(IpCounter::DropIpv4SourceGroup);
    }
    if is_martian_v4(header.src) {
        return Err(IpCounter::DropIpv4SourceMartian);
    }
    if ours.is_local_v4(header.src) {
        return Err(IpCounter::DropIpv4SourceOwn);
    }
    match ours.classify_v4(header.dst) {
        Destination::Local if link_group => Err(IpCounter::DropLinkBroadcast),
        Destination::Local => Ok(()),
        Destination::Broadcast => Err(IpCounter::DropIpv4Broadcast),
        Destination::Group | Destination::OtherGroup => Err(IpCounter::DropIpv4Multicast),
        Destination::Other => Err(IpCounter::DropIpv4Destination),
    }
}

/// Puts a header in front of a transport packet; false without the headroom.
///
/// Everything we send has DF set and is never fragmented, so its identification carries no meaning and is zero
/// (RFC 6864 §4.1).
#[inline]
pub(crate) fn push_header(frame: &mut Frame, src: Ipv4Addr, dst: Ipv4Addr, fields: &IpHeader) -> bool {
    let total_len = (frame.len() + HEADER_LEN) as u16;
    let Some(out) = frame.push_front(HEADER_LEN).and_then(|out| out.first_chunk_mut::<HEADER_LEN>()) else {
        return false;
    };
    let words: [u16; 5] = [
        0x4500 | u16::from(fields.ecn & 3),
        total_len,
        0,
        DONT_FRAGMENT,
        u16::from(fields.hop_limit) << 8 | u16::from(fields.protocol),
    ];
    let (src, dst) = (u32::from(src), u32::from(dst));
    let mut sum: u32 = words.iter().map(|&word| u32::from(word)).sum();
    sum += (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    for (bytes, word) in out.as_chunks_mut::<2>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    out[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    out[12..16].copy_from_slice(&src.to_be_bytes());
    out[16..20].copy_from_slice(&dst.to_be_bytes());
    true
}

#[cfg(test)]
#[path = "ipv4_tests.rs"]
mod tests;
