//! One unfinished datagram: what it takes, what it refuses, and how it becomes whole.

use core::net::IpAddr;

use super::Fragment;
use crate::counters::IpCounter;
use crate::frame::Frame;
use crate::ip::{IpMeta, checksum, ipv4, ipv6, protocol};

/// The longest packet, headers included.
const MAX_PACKET: usize = 65_535;

/// What fragments of one datagram have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub identification: u32,
    /// IPv4 keeps protocols apart (RFC 791 §3.2), IPv6 does not; 0 there.
    pub protocol: u8,
}

/// One fragment that is held.
pub(super) struct Part {
    pub offset: usize,
    pub len: usize,
    pub payload: usize,
    pub frame: Frame,
}

/// A datagram of which something is missing.
pub(super) struct Datagram {
    pub key: Key,
    pub meta: IpMeta,
    pub protocol: u8,
    pub parts: Vec<Part>,
    pub received: usize,
    /// Bytes of the fragmentable part, once the last fragment is there.
    pub total: Option<usize>,
    /// An overlap was seen: nothing of it is kept any more.
    pub refused: bool,
    pub dropped: u64,
}

impl Datagram {
    /// Holds a fragment whose own shape was checked.
    pub(super) fn insert(
        &mut self,
        meta: &IpMeta,
        fragment: &Fragment,
        len: usize,
        frame: Frame,
        max_parts: usize,
    ) -> Result<(), IpCounter> {
        if self.refused {
            return Err(IpCounter::DropFragmentOverlap);
        }
        let (begin, end) = (fragment.offset, fragment.offset + len);
        let at = self.parts.partition_point(|part| part.offset < begin);
        if self.parts.get(at).is_some_and(|part| part.offset == begin && part.len == len) {
            // RFC 8200 §4.5: exact duplicates may be ignored.
            return Err(IpCounter::DropFragmentDuplicate);
        }
        let overlaps_before = at > 0 && self.parts.get(at - 1).is_some_and(|part| part.offset + part.len > begin);
        let overlaps_after = self.parts.get(at).is_some_and(|part| part.offset < end);
        if overlaps_before || overlaps_after {
            return Err(IpCounter::DropFragmentOverlap);
        }
        let highest = self.parts.last().map_or(0, |part| part.offset + part.len);
        let beyond = match (self.total, fragment.more) {
            (Some(total), true) => end > total,
            (Some(total), false) => end != total,
            (None, true) => false,
            (None, false) => highest > end,
        };
        if beyond {
            return Err(IpCounter::DropFragmentTooLong);
        }
        if self.parts.len() >= max_parts {
            return Err(IpCounter::DropFragmentParts);
        }
        if !fragment.more {
            self.total = Some(end);
        }
        if begin == 0 {
            // RFC 8200 §4.5: the first fragment's next header counts.
            self.protocol = fragment.protocol;
        }
        // RFC 3168 §5.3: congestion marked on one fragment is congestion of the whole.
        if meta.ecn == 3 {
            self.meta.ecn = 3;
        }
        self.received += len;
        self.parts.insert(at, Part { offset: begin, len, payload: fragment.payload, frame });
        Ok(())
    }

    /// Copies the parts behind a fresh IP header; false when they do not fit (they were checked to).
    pub(super) fn assemble(&self, out: &mut Frame) -> bool {
        let payload_len = self.received;
        let header = match (self.meta.src, self.meta.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => out.extend(ipv4::HEADER_LEN).map(|head| {
                head.fill(0);
                let total = (payload_len + ipv4::HEADER_LEN) as u16;
                head[0] = 0x45;
                head[1] = self.meta.ecn;
                head[2..4].copy_from_slice(&total.to_be_bytes());
                head[8..10].copy_from_slice(&[64, self.protocol]);
                head[12..16].copy_from_slice(&src.octets());
                head[16..20].copy_from_slice(&dst.octets());
                let sum = checksum::of(head);
                head[10..12].copy_from_slice(&sum.to_be_bytes());
            }),
            (IpAddr::V6(src), IpAddr::V6(dst)) => out.extend(ipv6::HEADER_LEN).map(|head| {
                head.fill(0);
                head[0] = 0x60;
                head[1] = self.meta.ecn << 4;
                head[4..6].copy_from_slice(&(payload_len as u16).to_be_bytes());
                head[6..8].copy_from_slice(&[self.protocol, 64]);
                head[8..24].copy_from_slice(&src.octets());
                head[24..40].copy_from_slice(&dst.octets());
            }),
            _ => None,
        };
        header.is_some()
            && self.parts.iter().all(|part| {
                let bytes = part.frame.data().get(part.payload..part.payload + part.len);
                match (bytes, out.extend(part.len)) {
                    (Some(bytes), Some(place)) => {
                        place.copy_from_slice(bytes);
                        true
                    }
                    _ => false,
                }
            })
    }
}

/// What a fragment must satisfy by itself.
pub(super) fn check_shape(meta: &IpMeta, fragment: &Fragment, frame: &Frame, len: usize) -> Result<(), IpCounter> {
    // RFC 791 §3.2, RFC 8200 §4.5: all but the last are multiples of 8 bytes.
    if len == 0 || (fragment.more && !len.is_multiple_of(8)) {
        return Err(IpCounter::DropFragmentMalformed);
    }
    let header = if meta.src.is_ipv4() { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
    if fragment.offset + len + header > MAX_PACKET {
        return Err(IpCounter::DropFragmentTooLong);
    }
    if splits_transport_header(meta, fragment, frame, len) { Err(IpCounter::DropFragmentTiny) } else { Ok(()) }
}

/// RFC 1858 §4.2 and RFC 3128 for IPv4, RFC 7112 §5 for IPv6: the first fragment holds the transport header whole, and
/// no other fragment reaches into it.
fn splits_transport_header(meta: &IpMeta, fragment: &Fragment, frame: &Frame, len: usize) -> bool {
    if fragment.offset > 0 {
        return fragment.offset < transport_header_len(fragment.protocol);
    }
    if meta.src.is_ipv4() {
        return len < transport_header_len(fragment.protocol);
    }
    match ipv6::walk(frame.data(), fragment.protocol, fragment.payload, true) {
        Ok(ipv6::Upper::Payload { protocol, offset, .. }) => frame.len() < offset + transport_header_len(protocol),
        _ => true,
    }
}

fn transport_header_len(number: u8) -> usize {
    match number {
        protocol::TCP => 20,
        protocol::UDP | protocol::ICMP | protocol::ICMPV6 => 8,
        _ => 1,
    }
}
