//! The IPv6 header and its extension headers (RFC 8200 §3, §4).
//!
//! ```text
//!    0                   1                   2                   3
//!   |Version| Traffic Class |           Flow Label                  |
//!   |         Payload Length        |  Next Header  |   Hop Limit   |
//!   |                  Source Address, 16 bytes                     |
//!   |                Destination Address, 16 bytes                  |
//! ```

use core::net::Ipv6Addr;

use super::addresses::{Addresses, Destination, is_martian_v6};
use super::egress::IpHeader;
use crate::counters::IpCounter;
use crate::frame::Frame;

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;
/// Extension headers of one packet that are walked (RFC 8504 §5.3 allows a limit).
pub const MAX_EXTENSIONS: usize = 8;
/// Options of one extension header that are walked (RFC 8504 §5.3).
pub const MAX_OPTIONS: usize = 16;

/// Next-header values of extension headers.
mod next_header {
    pub const HOP_BY_HOP: u8 = 0;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const NONE: u8 = 59;
    pub const DESTINATION: u8 = 60;
}

/// What a checked fixed header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv6Header {
    /// Bytes of header and payload.
    pub total_len: usize,
    /// Protocol or extension header that follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// The two ECN bits.
    pub ecn: u8,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
}

/// What lies behind the extension headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upper {
    /// A transport packet.
    Payload {
        /// Protocol of the transport.
        protocol: u8,
        /// Its first byte, from the start of the IPv6 header.
        offset: usize,
        /// Where the packet names the protocol, from the start of the IPv6 header.
        named_at: usize,
    },
    /// A fragment of a packet.
    Fragment(Ipv6Fragment),
}

/// The fragment header (RFC 8200 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv6Fragment {
    /// Next header of the reassembled packet (of the first fragment, by RFC 8200 §4.5).
    pub next_header: u8,
    /// Bytes from the start of the fragmentable part.
    pub offset: usize,
    /// More fragments follow.
    pub more: bool,
    /// Identification.
    pub identification: u32,
    /// First byte behind the fragment header, from the start of the IPv6 header.
    pub payload: usize,
}

/// Why a packet's extension headers stop it, and what its sender is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The counter of the reason.
    pub counter: IpCounter,
    /// The parameter problem to report, if one is due.
    pub report: Option<ParameterProblem>,
}

/// An ICMPv6 parameter problem (RFC 4443 §3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParameterProblem {
    /// The ICMPv6 code.
    pub code: u8,
    /// Position of the fault from the start of the IPv6 header.
    pub pointer: u32,
    /// Report it even when the packet came to a multicast address (option type 10, RFC 8200 §4.2).
    pub even_multicast: bool,
}

impl Refusal {
    const fn silent(counter: IpCounter) -> Refusal {
        Refusal { counter, report: None }
    }

    const fn reported(counter: IpCounter, code: u8, pointer: usize) -> Refusal {
        Refusal { counter, report: Some(ParameterProblem { code, pointer: pointer as u32, even_multicast: false }) }
    }
}

/// Checks the fixed header at the front of `packet`, which may carry link padding behind.
#[inline]
pub fn parse(packet: &[u8]) -> Result<Ipv6Header, IpCounter> {
    let head = packet.first_chunk::<HEADER_LEN>().ok_or(IpCounter::DropIpv6Header)?;
    let total_len = HEADER_LEN + usize::from(u16::from_be_bytes([head[4], head[5]]));
    if head[0] >> 4 != 6 || total_len > packet.len() {
        return Err(IpCounter::DropIpv6Header);
    }
    let address =
        |at: usize| head[at..].first_chunk::<16>().map_or(Ipv6Addr::UNSPECIFIED, |bytes| Ipv6Addr::from(*bytes));
    Ok(Ipv6Header {
        total_len,
        next_header: head[6],
        hop_limit: head[7],
        ecn: head[1] >> 4 & 3,
        src: address(8),
        dst: address(24),
    })
}

/// Checks that the packet may come from its source and is for us. The unspecified source passes: duplicate address
/// detection uses it, and nothing else accepts it (RFC 4291 §2.5.2).
#[inline]
pub fn check_addresses(header: &Ipv6Header, ours: &Addresses, link_group: bool) -> Result<Destination, IpCounter> {
    if header.src.is_multicast() {
        return Err(IpCounter::DropIpv6SourceGroup);
    }
    if is_martian_v6(header.src) && !header.src.is_unspecified() {
        return Err(IpCounter::DropIpv6SourceMartian);
    }
    if ours.is_local_v6(header.src) {
        return Err(IpCounter::DropIpv6SourceOwn);
    }
    match ours.classify_v6(header.dst) {
        Destination::Local if link_group => Err(IpCounter::DropLinkBroadcast),
        Destination::Local => Ok(Destination::Local),
        Destination::Group => Ok(Destination::Group),
        Destination::Broadcast | Destination::OtherGroup => Err(IpCounter::DropIpv6Multicast),
        Destination::Other => Err(IpCounter::DropIpv6Destination),
    }
}

/// Walks the extension headers of a packet from `next_header` at `offset` on.
///
/// `packet` ends with the packet. `reassembled` refuses a fragment inside of fragments.
pub fn walk(packet: &[u8], mut next_header: u8, mut offset: usize, reassembled: bool) -> Result<Upper, Refusal> {
    let mut named_at = 6;
    for position in 0..=MAX_EXTENSIONS {
        match next_header {
            next_header::HOP_BY_HOP if position > 0 => {
                // RFC 8200 §4.1: only directly behind the IPv6 header.
                return Err(Refusal::reported(IpCounter::DropIpv6ExtensionMalformed, 1, named_at));
            }
            next_header::HOP_BY_HOP | next_header::DESTINATION => {
                let header = extension(packet, offset)?;
                options(header, offset)?;
            }
            next_header::ROUTING => {
                let header = extension(packet, offset)?;
                // RFC 8200 §4.4 (and RFC 5095 for type 0): with segments left we are no router for it.
                if header.get(3).is_none_or(|segments_left| *segments_left != 0) {
                    return Err(Refusal::reported(IpCounter::DropIpv6RoutingHeader, 0, offset + 2));
                }
            }
            next_header::FRAGMENT => {
                let fragment = fragment(packet, offset)?;
                if reassembled {
                    return Err(Refusal::silent(IpCounter::DropIpv6ExtensionMalformed));
                }
                // RFC 6946: an atomic fragment is a whole packet and is not put together with others.
                if fragment.offset != 0 || fragment.more {
                    return Ok(Upper::Fragment(fragment));
                }
                (named_at, next_header, offset) = (offset, fragment.next_header, fragment.payload);
                continue;
            }
            next_header::NONE => return Err(Refusal::silent(IpCounter::DropIpv6NoNextHeader)),
            protocol => return Ok(Upper::Payload { protocol, offset, named_at }),
        }
        let header = extension(packet, offset)?;
        named_at = offset;
        next_header = header[0];
        offset += header.len();
    }
    Err(Refusal::silent(IpCounter::DropIpv6ExtensionLimit))
}

/// The extension header at `offset`: at least 8 bytes, whole.
fn extension(packet: &[u8], offset: usize) -> Result<&[u8], Refusal> {
    let malformed = Refusal::silent(IpCounter::DropIpv6ExtensionMalformed);
    let rest = packet.get(offset..).ok_or(malformed)?;
    let len = 8 + usize::from(*rest.get(1).ok_or(malformed)?) * 8;
    rest.get(..len).ok_or(malformed)
}

/// Walks the options of a hop-by-hop or destination header (RFC 8200 §4.2). We understand padding only; the two high
/// bits of any other say what to do.
fn options(header: &[u8], offset: usize) -> Result<(), Refusal> {
    let mut at = 2;
    for _ in 0..MAX_OPTIONS {
        let Some(&kind) = header.get(at) else { return Ok(()) };
        if kind == 0 {
            at += 1;
            continue;
        }
        let Some(&len) = header.get(at + 1) else {
            return Err(Refusal::silent(IpCounter::DropIpv6ExtensionMalformed));
        };
        let report = |even_multicast| {
            // RFC 4443 §3.4: code 2, unrecognised option; the pointer names its type.
            Some(ParameterProblem { code: 2, pointer: (offset + at) as u32, even_multicast })
        };
        match kind >> 6 {
            _ if kind == 1 => {}
            0 => {}
            1 => return Err(Refusal::silent(IpCounter::DropIpv6Option)),
            2 => return Err(Refusal { counter: IpCounter::DropIpv6Option, report: report(true) }),
            _ => return Err(Refusal { counter: IpCounter::DropIpv6Option, report: report(false) }),
        }
        at += 2 + usize::from(len);
        if at > header.len() {
            return Err(Refusal::silent(IpCounter::DropIpv6ExtensionMalformed));
        }
    }
    if at < header.len() { Err(Refusal::silent(IpCounter::DropIpv6ExtensionLimit)) } else { Ok(()) }
}

fn fragment(packet: &[u8], offset: usize) -> Result<Ipv6Fragment, Refusal> {
    let bytes = packet.get(offset..).and_then(|rest| rest.first_chunk::<8>());
    let bytes = bytes.ok_or(Refusal::silent(IpCounter::DropIpv6ExtensionMalformed))?;
    let place = u16::from_be_bytes([bytes[2], bytes[3]]);
    Ok(Ipv6Fragment {
        next_header: bytes[0],
        offset: usize::from(place & 0xfff8),
        more: place & 1 != 0,
        identification: u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        payload: offset + 8,
    })
}

/// Puts a header in front of a transport packet; false without the headroom. The flow label is zero (RFC 6437 §3 allows
/// a source that does not label flows).
#[inline]
pub(crate) fn push_header(frame: &mut Frame, src: Ipv6Addr, dst: Ipv6Addr, fields: &IpHeader) -> bool {
    let payload_len = frame.len() as u16;
    let Some(out) = frame.push_front(HEADER_LEN).and_then(|out| out.first_chunk_mut::<HEADER_LEN>()) else {
        return false;
    };
    let [len_high, len_low] = payload_len.to_be_bytes();
    out[..8].copy_from_slice(&[
        0x60,
        (fields.ecn & 3) << 4,
        0,
        0,
        len_high,
        len_low,
        fields.protocol,
        fields.hop_limit,
    ]);
    out[8..24].copy_from_slice(&src.octets());
    out[24..].copy_from_slice(&dst.octets());
    true
}

#[cfg(test)]
#[path = "ipv6_tests.rs"]
mod tests;
