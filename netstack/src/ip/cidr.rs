//! An address with the length of its prefix, as in `192.0.2.1/24`.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An address and a prefix length. The host bits may be set (an interface address) or not (a destination).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    prefix_len: u8,
}

/// Why a text is not a [`Cidr`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CidrError {
    /// Not an IPv4 or IPv6 address before the slash.
    Address,
    /// No number after the slash, or one beyond 32 (IPv4) or 128 (IPv6).
    PrefixLen,
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CidrError::Address => "not an IPv4 or IPv6 address; expected one like 192.0.2.1/24 or 2001:db8::1/64",
            CidrError::PrefixLen => "the prefix length must be 0 to 32 for IPv4 and 0 to 128 for IPv6",
        })
    }
}

impl core::error::Error for CidrError {}

impl Cidr {
    /// `None` when `prefix_len` is more bits than the address has.
    pub const fn new(address: IpAddr, prefix_len: u8) -> Option<Cidr> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if prefix_len > bits { None } else { Some(Cidr { address, prefix_len }) }
    }

    /// The whole address as its own prefix (/32 or /128).
    pub const fn host(address: IpAddr) -> Cidr {
        Cidr { address, prefix_len: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The address as given, host bits included.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Length of the prefix in bits.
    pub const fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// True when `other` is of the same family and shares the prefix.
    #[inline]
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)) & mask_v4(self.prefix_len) == 0,
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)) & mask_v6(self.prefix_len) == 0,
            _ => false,
        }
    }

    /// The prefix with all host bits zero.
    pub fn network(&self) -> Cidr {
        let address = match self.address {
            IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from(u32::from(a) & mask_v4(self.prefix_len))),
            IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from(u128::from(a) & mask_v6(self.prefix_len))),
        };
        Cidr { address, prefix_len: self.prefix_len }
    }

    /// The directed broadcast address; IPv4 prefixes of at most 30 bits have one (RFC 3021 §2.2).
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(a) if self.prefix_len <= 30 => Some(Ipv4Addr::from(u32::from(a) | !mask_v4(self.prefix_len))),
            _ => None,
        }
    }
}

const fn mask_v4(prefix_len: u8) -> u32 {
    if prefix_len == 0 { 0 } else { u32::MAX << (32 - prefix_len as u32) }
}

const fn mask_v6(prefix_len: u8) -> u128 {
    if prefix_len == 0 { 0 } else { u128::MAX << (128 - prefix_len as u32) }
}

/// How many leading bits two addresses share; 0 across families.
pub fn common_prefix_len(a: IpAddr, b: IpAddr) -> u8 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros() as u8,
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros() as u8,
        _ => 0,
    }
}

impl FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        match len {
            None => Ok(Cidr::host(address)),
            Some(len) => {
                let len = len.parse().map_err(|_| CidrError::PrefixLen)?;
                Cidr::new(address, len).ok_or(CidrError::PrefixLen)
            }
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_print_and_bounds() {
        let cidr: Cidr = "192.0.2.77/26".parse().unwrap();
        assert_eq!(cidr.to_string(), "192.0.2.77/26");
        assert_eq!(cidr.network().to_string(), "192.0.2.64/26");
        assert_eq!(cidr.broadcast(), Some(Ipv4Addr::new(192, 0, 2, 127)));
        assert!(cidr.contains("192.0.2.64".parse().unwrap()));
        assert!(!cidr.contains("192.0.2.128".parse().unwrap()));
        assert!(!cidr.contains("::1".parse().unwrap()));
        assert_eq!("192.0.2.1/33".parse::<Cidr>(), Err(CidrError::PrefixLen));
        assert_eq!("x/3".parse::<Cidr>(), Err(CidrError::Address));
        assert_eq!("2001:db8::1".parse::<Cidr>().unwrap().prefix_len(), 128);
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("203.0.113.9".parse().unwrap()));
        assert!("::/0".parse::<Cidr>().unwrap().contains("2001:db8::1".parse().unwrap()));
        assert_eq!("198.51.100.0/31".parse::<Cidr>().unwrap().broadcast(), None);
    }

    #[test]
    fn common_prefixes() {
        let a = |s: &str| s.parse::<IpAddr>().unwrap();
        assert_eq!(common_prefix_len(a("10.0.0.1"), a("10.0.0.1")), 32);
        assert_eq!(common_prefix_len(a("10.0.0.1"), a("10.0.1.1")), 23);
        assert_eq!(common_prefix_len(a("2001:db8::"), a("2001:db8:0:1::")), 63);
        assert_eq!(common_prefix_len(a("10.0.0.1"), a("::1")), 0);
    }
}
