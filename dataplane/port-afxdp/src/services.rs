//! What is ours: the services and addresses that the XDP program redirects, as the keys and values of its maps.

use core::net::IpAddr;
use core::ops::RangeInclusive;

/// The transport of a service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Protocol {
    /// TCP.
    Tcp = 6,
    /// UDP.
    Udp = 17,
}

/// One (protocol, address, port) that belongs to us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Service {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The destination address. `None`: any address of either family; an unspecified address (`0.0.0.0`, `::`): any
    /// address of its family.
    pub address: Option<IpAddr>,
    /// The destination port.
    pub port: u16,
}

impl Service {
    /// The TCP service at `address` and `port`.
    pub const fn tcp(address: Option<IpAddr>, port: u16) -> Service {
        Service { protocol: Protocol::Tcp, address, port }
    }

    /// The UDP service at `address` and `port`.
    pub const fn udp(address: Option<IpAddr>, port: u16) -> Service {
        Service { protocol: Protocol::Udp, address, port }
    }
}

/// One of our addresses, and what of its traffic is ours beside the services.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalAddress {
    /// The address.
    pub address: IpAddr,
    /// All TCP and UDP to this address is ours.
    pub exclusive: bool,
    /// TCP and UDP to these ports of the address is ours: the range that active opens take their source port from.
    /// It must not overlap the kernel's `net.ipv4.ip_local_port_range` when the kernel has the address too.
    pub ports: Option<RangeInclusive<u16>>,
    /// ARP for the address, and neighbour solicitations and advertisements, are ours.
    pub answer_arp: bool,
    /// Echo requests and replies to the address are ours.
    pub answer_echo: bool,
    /// IP fragments to the address are ours. All of them: only the first fragment tells its port.
    pub fragments: bool,
}

impl LocalAddress {
    /// An address shared with the kernel: only services and fragments are ours.
    pub const fn shared(address: IpAddr) -> LocalAddress {
        LocalAddress { address, exclusive: false, ports: None, answer_arp: false, answer_echo: false, fragments: true }
    }

    /// An address that is ours alone: all TCP and UDP, ARP, NDP and echo.
    pub const fn exclusive(address: IpAddr) -> LocalAddress {
        LocalAddress { address, exclusive: true, ports: None, answer_arp: true, answer_echo: true, fragments: true }
    }
}

/// Bits of [`AddressValue`]: what to redirect.
pub(crate) mod flag {
    pub const EXCLUSIVE: i32 = 1;
    pub const ARP: i32 = 2;
    pub const ECHO: i32 = 4;
    pub const FRAGMENTS: i32 = 8;
}

/// IP version as the service key has it.
pub(crate) const FAMILY_V4: u8 = 4;
/// IP version as the service key has it.
pub(crate) const FAMILY_V6: u8 = 6;

/// Key of the services map: protocol, IP version, port in network order, address (IPv4 in the last four bytes, after
/// `::ffff`; all zero for any address).
pub(crate) type ServiceKey = [u8; 20];
/// Key of the address map: the address as in [`ServiceKey`].
pub(crate) type AddressKey = [u8; 16];
/// Value of the address map: flags (u32), first port, last port (u16), all in the machine's order.
pub(crate) type AddressValue = [u8; 8];

pub(crate) fn address_key(address: IpAddr) -> AddressKey {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The map keys of a service: two when it is open to both families.
pub(crate) fn service_keys(service: &Service) -> impl Iterator<Item = ServiceKey> {
    let key = |family: u8, address: AddressKey| {
        let mut key = [0; 20];
        key[0] = service.protocol as u8;
        key[1] = family;
        key[2..4].copy_from_slice(&service.port.to_be_bytes());
        key[4..].copy_from_slice(&address);
        key
    };
    let any = [0; 16];
    let keys = match service.address {
        None => [Some(key(FAMILY_V4, any)), Some(key(FAMILY_V6, any))],
        Some(address) => {
            let family = if address.is_ipv4() { FAMILY_V4 } else { FAMILY_V6 };
            let address = if address.is_unspecified() { any } else { address_key(address) };
            [Some(key(family, address)), None]
        }
    };
    keys.into_iter().flatten()
}

pub(crate) fn address_value(local: &LocalAddress) -> AddressValue {
    let bit = |on: bool, flag: i32| if on { flag as u32 } else { 0 };
    let flags = bit(local.exclusive, flag::EXCLUSIVE)
        | bit(local.answer_arp, flag::ARP)
        | bit(local.answer_echo, flag::ECHO)
        | bit(local.fragments, flag::FRAGMENTS);
    // An empty range has its first port behind its last.
    let (first, last) = local.ports.as_ref().map_or((1, 0), |ports| (*ports.start(), *ports.end()));
    let mut value = [0; 8];
    value[..4].copy_from_slice(&flags.to_ne_bytes());
    value[4..6].copy_from_slice(&first.to_ne_bytes());
    value[6..].copy_from_slice(&last.to_ne_bytes());
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_without_address_has_a_key_for_each_family() {
        let keys: Vec<_> = service_keys(&Service::tcp(None, 80)).collect();
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0][..4], [6, 4, 0, 80]);
        assert_eq!(keys[1][..4], [6, 6, 0, 80]);
        assert!(keys.iter().all(|key| key[4..] == [0; 16]));
        let v4: Vec<_> = service_keys(&Service::udp("0.0.0.0".parse().ok(), 443)).collect();
        assert_eq!(v4, [[17, 4, 1, 187, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]);
    }

    #[test]
    fn ipv4_addresses_are_mapped() {
        let key = address_key(IpAddr::from([10, 77, 0, 2]));
        assert_eq!(key, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 77, 0, 2]);
    }

    #[test]
    fn the_value_carries_flags_and_the_port_range() {
        let mut local = LocalAddress::shared(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(address_value(&local)[..4], (flag::FRAGMENTS as u32).to_ne_bytes());
        local.ports = Some(40_000..=50_000);
        assert_eq!(address_value(&local)[4..6], 40_000u16.to_ne_bytes());
        assert_eq!(address_value(&local)[6..], 50_000u16.to_ne_bytes());
    }
}
