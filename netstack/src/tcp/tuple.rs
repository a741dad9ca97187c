//! The 4-tuple that names a connection, in one form for both families.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An address as 16 bytes; IPv4 in its IPv6-mapped form (RFC 4291 §2.5.5.2), which never appears on the wire here.
#[inline]
pub(crate) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[inline]
fn address(octets: [u8; 16]) -> IpAddr {
    match octets {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] => IpAddr::from([a, b, c, d]),
        octets => IpAddr::V6(Ipv6Addr::from(octets)),
    }
}

/// Both ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tuple {
    local: [u8; 16],
    remote: [u8; 16],
    pub(crate) local_port: u16,
    pub(crate) remote_port: u16,
}

impl Tuple {
    #[inline]
    pub(crate) fn new(local: IpAddr, local_port: u16, remote: IpAddr, remote_port: u16) -> Tuple {
        Tuple { local: octets(local), remote: octets(remote), local_port, remote_port }
    }

    #[inline]
    pub(crate) fn local_ip(&self) -> IpAddr {
        address(self.local)
    }

    #[inline]
    pub(crate) fn remote_ip(&self) -> IpAddr {
        address(self.remote)
    }

    pub(crate) fn local(&self) -> SocketAddr {
        SocketAddr::new(self.local_ip(), self.local_port)
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.remote_ip(), self.remote_port)
    }

    /// The bytes that keyed hashes cover, and how many there are: IPv4 addresses are hashed as four bytes.
    #[inline]
    pub(crate) fn hash_input(&self) -> ([u8; 36], usize) {
        let mut bytes = [0; 36];
        if self.local.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) {
            bytes[..4].copy_from_slice(&self.local[12..]);
            bytes[4..8].copy_from_slice(&self.remote[12..]);
            bytes[8..10].copy_from_slice(&self.local_port.to_be_bytes());
            bytes[10..12].copy_from_slice(&self.remote_port.to_be_bytes());
            (bytes, 12)
        } else {
            bytes[..16].copy_from_slice(&self.local);
            bytes[16..32].copy_from_slice(&self.remote);
            bytes[32..34].copy_from_slice(&self.local_port.to_be_bytes());
            bytes[34..].copy_from_slice(&self.remote_port.to_be_bytes());
            (bytes, 36)
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
        for (local, remote, bytes) in [("10.1.2.3", "192.0.2.9", 12), ("fd00::1", "2001:db8::2", 36)] {
            let tuple = Tuple::new(local.parse().unwrap(), 80, remote.parse().unwrap(), 40_000);
            assert_eq!(tuple.local(), SocketAddr::new(local.parse().unwrap(), 80));
            assert_eq!(tuple.remote(), SocketAddr::new(remote.parse().unwrap(), 40_000));
            assert_eq!(tuple.hash_input().1, bytes);
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
