//! IPv4 and IPv6: what is common to both, their input, and the way out.
//!
//! ```text
//!   ethernet ─▶ ipv4::parse / ipv6::parse ─▶ fragments ─▶ TCP · UDP · ICMP        (in, driven by `Stack`)
//!   TCP · UDP · ICMP ─▶ egress::Egress::send ─▶ route ─▶ neighbour ─▶ Ethernet     (out)
//! ```

pub mod addresses;
pub mod checksum;
pub mod cidr;
pub mod egress;
mod error;
pub mod ipv4;
pub mod ipv6;
pub(crate) mod keyed_hash;
pub mod path;
pub(crate) mod path_mtu;
pub(crate) mod resolution;
pub(crate) mod token_bucket;

use core::net::IpAddr;

pub use cidr::Cidr;
pub use egress::{Egress, EgressError};
pub use path::PathCache;

/// Protocol numbers that the stack knows (IANA).
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
}

/// The hop limit of everything that is not neighbour discovery (RFC 1340's recommended default).
pub const HOP_LIMIT: u8 = 64;

/// What the IP layer tells the transport about a packet it hands up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpMeta {
    /// Who sent it.
    pub src: IpAddr,
    /// Which address of ours it came to.
    pub dst: IpAddr,
    /// The two ECN bits (RFC 3168 §5).
    pub ecn: u8,
    /// Source MAC address of the Ethernet frame.
    pub ingress_mac: [u8; 6],
}

/// The ECN field of an IP header (RFC 3168 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
#[repr(u8)]
pub enum Ecn {
    /// Not ECN-capable.
    #[default]
    NotEct = 0,
    /// ECN-capable, codepoint 1 (L4S).
    Ect1 = 1,
    /// ECN-capable, codepoint 0.
    Ect0 = 2,
    /// Congestion experienced.
    Ce = 3,
}

impl Ecn {
    /// The codepoint in the two low bits of `bits`.
    pub const fn from_bits(bits: u8) -> Ecn {
        match bits & 3 {
            0 => Ecn::NotEct,
            1 => Ecn::Ect1,
            2 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }

    /// The two bits on the wire.
    pub const fn bits(self) -> u8 {
        self as u8
    }
}
