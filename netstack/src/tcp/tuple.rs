//! The 4-tuple that names a connection, in one form for both families.
//!
//! Every segment makes one, hashes it and compares it: an address is two words here, so that each of that is a few
//! instructions.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::siphash::SipKey;

/// An address as 16 bytes; IPv4 in its IPv6-mapped form (RFC 4291 §2.5.5.2), which never appears on the wire here.
#[inline]
pub(crate) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// An address as two numbers, the first bytes in the high one; IPv4 mapped as in [`octets`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Address {
    high: u64,
    low: u64,
}

/// What stands before an IPv4 address in the low word.
const MAPPED: u64 = 0xffff;

impl Address {
    #[inline]
    fn new(address: IpAddr) -> Address {
        match address {
            IpAddr::V4(v4) => Address { high: 0, low: MAPPED << 32 | u64::from(u32::from(v4)) },
            IpAddr::V6(v6) => {
                let bits = u128::from(v6);
                Address { high: (bits >> 64) as u64, low: bits as u64 }
            }
        }
    }

    #[inline]
    fn is_v4(self) -> bool {
        self.high == 0 && self.low >> 32 == MAPPED
    }

    #[inline]
    fn ip(self) -> IpAddr {
        if self.is_v4() {
            IpAddr::V4(Ipv4Addr::from(self.low as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from(u128::from(self.high) << 64 | u128::from(self.low)))
        }
    }
}

/// Both ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tuple {
    local: Address,
    remote: Address,
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
}

impl Tuple {
    #[inline]
    pub(crate) fn new(local: IpAddr, local_port: u16, remote: IpAddr, remote_port: u16) -> Tuple {
        Tuple { local: Address::new(local), remote: Address::new(remote), local_port, remote_port }
    }

    #[inline]
    pub(crate) fn local_ip(&self) -> IpAddr {
        self.local.ip()
    }

    #[inline]
    pub(crate) fn remote_ip(&self) -> IpAddr {
        self.remote.ip()
    }

    pub(crate) fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local_ip(), self.local_port)
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.remote_ip(), self.remote_port)
    }

    /// A keyed hash; IPv4 addresses are hashed as one word.
    #[inline]
    pub(crate) fn hash(&self, key: &SipKey) -> u64 {
        let ports = u32::from(self.local_port) << 16 | u32::from(self.remote_port);
        let (local, remote) = (self.local, self.remote);
        if local.is_v4() {
            key.hash([local.low << 32 | remote.low & 0xffff_ffff], ports)
        } else {
            key.hash([local.high, local.low, remote.high, remote.low], ports)
        }
    }

    /// An authentication code of the tuple with a `number` and a `tail`; of IPv4 addresses as one word.
    #[inline]
    pub(crate) fn mac(&self, key: &SipKey, number: u32, tail: u32) -> u64 {
        let ports = u32::from(self.local_port) << 16 | u32::from(self.remote_port);
        let last = u64::from(ports) << 32 | u64::from(number);
        let (local, remote) = (self.local, self.remote);
        if local.is_v4() {
            key.mac([local.low << 32 | remote.low & 0xffff_ffff, last], tail)
        } else {
            key.mac([local.high, local.low, remote.high, remote.low, last], tail)
        }
    }
}

/// True when `address` can be the end of a connection (RFC 9293 §3.9.2.3: never multicast or broadcast).
pub(crate) fn is_peer(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast() || v6.to_ipv4_mapped().is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went_in() {
        for (local, remote) in [("10.1.2.3", "192.0.2.9"), ("fd00::1", "2001:db8::2")] {
            let (local, remote): (IpAddr, IpAddr) = (local.parse().unwrap(), remote.parse().unwrap());
            let tuple = Tuple::new(local, 80, remote, 40_000);
            assert_eq!(tuple.local(), SocketAddr::new(local, 80));
            assert_eq!(tuple.remote(), SocketAddr::new(remote, 40_000));
        }
    }

    #[test]
    fn every_field_changes_the_hash() {
        let key = SipKey::new(1, 2);
        for [a, b, c] in [["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["fd00::1", "fd00::2", "fd00:0:0:1::1"]] {
            let [a, b, c] = [a, b, c].map(|text| text.parse::<IpAddr>().unwrap());
            let tuples =
                [(a, 1, b, 2), (c, 1, b, 2), (a, 1, c, 2), (a, 3, b, 2), (a, 1, b, 3), (b, 1, a, 2), (a, 2, b, 1)];
            for hash in [Tuple::hash as fn(&Tuple, &SipKey) -> u64, |tuple, key| tuple.mac(key, 0, 0)] {
                let mut hashes = tuples.map(|(local, lp, remote, rp)| hash(&Tuple::new(local, lp, remote, rp), &key));
                hashes.sort_unstable();
                assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]));
            }
        }
    }

    #[test]
    fn multicast_broadcast_and_mapped_addresses_are_no_peers() {
        for bad in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "::ffff:10.0.0.1"] {
            assert!(!is_peer(bad.parse().unwrap()), "{bad}");
        }
        assert!(is_peer("10.0.0.1".parse().unwrap()) && is_peer("fd00::1".parse().unwrap()));
    }
}
