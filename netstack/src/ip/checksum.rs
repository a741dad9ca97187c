//! The Internet checksum (RFC 1071), and its use over a pseudo-header.
//!
//! Sums are kept in the machine's byte order while they accumulate (RFC 1071 §2(B): the sum does not depend on it) and
//! turned to network order once, at the end. Every function that returns a `u16` returns a value that is *written
//! big-endian* (`to_be_bytes`).

use core::net::IpAddr;

use crate::frame::RxChecksum;

/// A one's complement sum under way: an unfolded accumulator in native byte order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds `data`, which must begin at an even offset of what is summed.
    #[inline]
    #[must_use]
    pub fn add_bytes(self, data: &[u8]) -> Sum {
        // Sixty-four bits at a time; what they carry is counted in the upper half, and added again at the end.
        let (words, mut rest) = data.as_chunks::<8>();
        let wide: u128 = words.iter().map(|word| u128::from(u64::from_ne_bytes(*word))).sum();
        let (carries, sum) = ((wide >> 64) as u64, wide as u64);
        let mut total = self.0 + (sum & 0xffff_ffff) + (sum >> 32) + carries;
        // Below 8 bytes are left: at most one each of 4, 2 and 1.
        if let Some((word, after)) = rest.split_first_chunk::<4>() {
            total += u64::from(u32::from_ne_bytes(*word));
            rest = after;
        }
        if let Some((word, after)) = rest.split_first_chunk::<2>() {
            total += u64::from(u16::from_ne_bytes(*word));
            rest = after;
        }
        if let [last] = rest {
            // RFC 1071 §4.1: an odd byte counts as if a zero byte followed.
            total += u64::from(u16::from_ne_bytes([*last, 0]));
        }
        Sum(total)
    }

    /// Adds a 16-bit number as it stands on the wire.
    #[inline]
    #[must_use]
    pub const fn add_u16(self, value: u16) -> Sum {
        Sum(self.0 + value.to_be() as u64)
    }

    /// The sum as 16 bits in network order, not complemented.
    #[inline]
    #[must_use]
    pub const fn fold(self) -> u16 {
        let mut sum = (self.0 & 0xffff_ffff) + (self.0 >> 32);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        u16::from_be(sum as u16)
    }

    /// The checksum: the complement of the folded sum.
    #[inline]
    #[must_use]
    pub const fn complement(self) -> u16 {
        !self.fold()
    }
}

/// The pseudo-header's sum: RFC 9293 §3.1 for IPv4, RFC 8200 §8.1 for IPv6. Addresses of different families (which no
/// caller passes) sum as they are.
#[inline]
#[must_use]
pub fn pseudo_header(src: IpAddr, dst: IpAddr, protocol: u8, transport_len: usize) -> Sum {
    let sum = add_address(add_address(Sum::default(), src), dst);
    // Length and protocol both fit 16 bits here: no packet of this stack exceeds 65,535 bytes.
    sum.add_u16(transport_len as u16).add_u16(u16::from(protocol))
}

#[inline]
fn add_address(sum: Sum, address: IpAddr) -> Sum {
    match address {
        IpAddr::V4(v4) => Sum(sum.0 + u64::from(u32::from_ne_bytes(v4.octets()))),
        IpAddr::V6(v6) => sum.add_bytes(&v6.octets()),
    }
}

/// True when the transport checksum of a received packet is right, or need not be.
///
/// `packet` is transport header and payload, `field` the position of the checksum field in it. A UDP checksum of
/// zero is the caller's to judge, before.
#[inline]
#[must_use]
pub fn verify_transport(
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    packet: &[u8],
    field: usize,
    known: RxChecksum,
) -> bool {
    if known == RxChecksum::Verified {
        return true;
    }
    let pseudo = pseudo_header(src, dst, protocol, packet.len());
    if known == RxChecksum::MaybePartial {
        // Linux leaves the folded pseudo-header sum in the field of a packet that never met a wire.
        if let Some(bytes) = packet.get(field..field + 2)
            && bytes == pseudo.fold().to_be_bytes()
        {
            return true;
        }
    }
    pseudo.add_bytes(packet).fold() == 0xffff
}

/// Fills the checksum field (two bytes at `field`) of a transport packet that is to be sent.
///
/// With `offload` only the pseudo-header's sum is stored and the caller marks the frame
/// [`TxChecksum::Offload`](crate::frame::TxChecksum::Offload); without, the whole checksum is.
#[inline]
pub fn fill_transport(src: IpAddr, dst: IpAddr, protocol: u8, packet: &mut [u8], field: usize, offload: bool) {
    let pseudo = pseudo_header(src, dst, protocol, packet.len());
    if let Some(bytes) = packet.get_mut(field..field + 2) {
        bytes.copy_from_slice(&[0, 0]);
    }
    let value = if offload {
        pseudo.fold()
    } else {
        match pseudo.add_bytes(packet).complement() {
            // RFC 768: a computed zero is sent as all ones. For TCP both mean the same.
            0 => 0xffff,
            sum => sum,
        }
    };
    if let Some(bytes) = packet.get_mut(field..field + 2) {
        bytes.copy_from_slice(&value.to_be_bytes());
    }
}

/// The plain checksum of `data` (IPv4 header, ICMP for IPv4).
#[inline]
#[must_use]
pub fn of(data: &[u8]) -> u16 {
    Sum::default().add_bytes(data).complement()
}

/// True when `data` with its checksum field in it sums to all ones.
#[inline]
#[must_use]
pub fn verify(data: &[u8]) -> bool {
    Sum::default().add_bytes(data).fold() == 0xffff
}

#[cfg(test)]
#[path = "checksum_tests.rs"]
mod tests;
