//! Our own addresses: what is for us, and which one we speak from.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cidr::{Cidr, common_prefix_len};
use crate::config::{ConfigError, link_local};

/// What a destination address of a received packet is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// One of our unicast addresses.
    Local,
    /// An IPv4 broadcast address of a prefix of ours, or the limited one.
    Broadcast,
    /// A multicast group that we belong to (IPv6 only: all-nodes and solicited-node groups).
    Group,
    /// A multicast group that we do not belong to.
    OtherGroup,
    /// Somebody else's.
    Other,
}

/// The addresses of one stack. Sorted, so that a lookup is a binary search over at most
/// [`MAX_ADDRESSES`](crate::config::MAX_ADDRESSES) entries.
#[derive(Debug)]
pub struct Addresses {
    all: Vec<Cidr>,
    v4: Vec<u32>,
    v6: Vec<u128>,
    broadcasts: Vec<u32>,
    groups: Vec<u128>,
}

impl Addresses {
    /// Checks and indexes `configured`, and adds the link-local address of `mac`.
    pub fn new(configured: &[Cidr], mac: [u8; 6]) -> Result<Addresses, ConfigError> {
        let mut this =
            Addresses { all: Vec::new(), v4: Vec::new(), v6: Vec::new(), broadcasts: Vec::new(), groups: Vec::new() };
        for cidr in configured {
            this.add(*cidr)?;
        }
        let own = IpAddr::V6(link_local(mac));
        if !this.is_local(own)
            && let Some(cidr) = Cidr::new(own, 64)
        {
            this.add(cidr)?;
        }
        this.groups.push(u128::from(ALL_NODES));
        this.groups.sort_unstable();
        this.groups.dedup();
        Ok(this)
    }

    fn add(&mut self, cidr: Cidr) -> Result<(), ConfigError> {
        if !can_be_own(cidr) {
            return Err(ConfigError::Address(cidr));
        }
        if self.is_local(cidr.address()) {
            return Err(ConfigError::DuplicateAddress(cidr.address()));
        }
        match cidr.address() {
            IpAddr::V4(v4) => insert_sorted(&mut self.v4, u32::from(v4)),
            IpAddr::V6(v6) => {
                insert_sorted(&mut self.v6, u128::from(v6));
                self.groups.push(u128::from(solicited_node(v6)));
            }
        }
        if let Some(broadcast) = cidr.broadcast() {
            insert_sorted(&mut self.broadcasts, u32::from(broadcast));
        }
        self.all.push(cidr);
        Ok(())
    }

    /// Every address with its prefix: the configured ones in their order, then the link-local one.
    pub fn iter(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.all.iter().copied()
    }

    /// The IPv6 groups that we belong to, except all-nodes.
    pub fn solicited_groups(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.groups.iter().map(|&bits| Ipv6Addr::from(bits)).filter(|group| *group != ALL_NODES)
    }

    /// True for our own unicast addresses.
    #[inline]
    pub fn is_local(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.is_local_v4(v4),
            IpAddr::V6(v6) => self.is_local_v6(v6),
        }
    }

    /// True for our own IPv4 addresses.
    #[inline]
    pub fn is_local_v4(&self, address: Ipv4Addr) -> bool {
        has(&self.v4, u32::from(address))
    }

    /// True for our own IPv6 addresses.
    #[inline]
    pub fn is_local_v6(&self, address: Ipv6Addr) -> bool {
        has(&self.v6, u128::from(address))
    }

    /// True for the limited broadcast address and those of our prefixes.
    #[inline]
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        address == Ipv4Addr::BROADCAST || has(&self.broadcasts, u32::from(address))
    }

    /// What `address` is to us.
    #[inline]
    pub fn classify_v4(&self, address: Ipv4Addr) -> Destination {
        if self.is_local_v4(address) {
            Destination::Local
        } else if self.is_broadcast(address) {
            Destination::Broadcast
        } else if address.is_multicast() {
            Destination::OtherGroup
        } else {
            Destination::Other
        }
    }

    /// What `address` is to us.
    #[inline]
    pub fn classify_v6(&self, address: Ipv6Addr) -> Destination {
        if self.is_local_v6(address) {
            Destination::Local
        } else if !address.is_multicast() {
            Destination::Other
        } else if self.groups.binary_search(&u128::from(address)).is_ok() {
            Destination::Group
        } else {
            Destination::OtherGroup
        }
    }

    /// The address that a packet to `remote` leaves from, RFC 6724 §5: rule 1 (the same address), rule 2 (the
    /// smallest scope that is wide enough, else the widest) and rule 8 (longest matching prefix); ties go to the
    /// order of configuration.
    pub fn select_source(&self, remote: IpAddr) -> Option<IpAddr> {
        if self.is_local(remote) {
            return Some(remote);
        }
        let mut best: Option<(IpAddr, (bool, i8, u8))> = None;
        for candidate in self.all.iter().filter(|cidr| cidr.address().is_ipv4() == remote.is_ipv4()) {
            let address = candidate.address();
            let rank = source_rank(address, remote, candidate);
            if best.is_none_or(|(_, known)| rank > known) {
                best = Some((address, rank));
            }
        }
        best.map(|(address, _)| address)
    }
}

/// Larger is better: wide enough, then nearest in scope, then longest prefix in common (counted up to the candidate's
/// own prefix, RFC 6724 §2.2).
fn source_rank(address: IpAddr, remote: IpAddr, candidate: &Cidr) -> (bool, i8, u8) {
    let (ours, theirs) = (scope(address), scope(remote));
    let wide_enough = ours >= theirs;
    let nearness = if wide_enough { -(ours - theirs) } else { ours - theirs };
    (wide_enough, nearness, common_prefix_len(address, remote).min(candidate.prefix_len()))
}

/// Scopes of RFC 4291 §2.7 and RFC 6724 §3.1–3.2: 2 link-local, 14 global; multicast carries its own.
fn scope(address: IpAddr) -> i8 {
    const LINK: i8 = 2;
    const GLOBAL: i8 = 14;
    match address {
        IpAddr::V4(v4) if v4.is_link_local() || v4.is_loopback() => LINK,
        IpAddr::V4(_) => GLOBAL,
        IpAddr::V6(v6) if v6.is_multicast() => (v6.octets()[1] & 0xf) as i8,
        IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_loopback() => LINK,
        IpAddr::V6(_) => GLOBAL,
    }
}

fn can_be_own(cidr: Cidr) -> bool {
    match cidr.address() {
        IpAddr::V4(v4) => {
            let network = cidr.prefix_len() <= 30 && cidr.network().address() == cidr.address();
            !(is_martian_v4(v4) || v4.is_multicast() || cidr.broadcast() == Some(v4) || network)
        }
        IpAddr::V6(v6) => !(is_martian_v6(v6) || v6.is_multicast()),
    }
}

/// Sources that no host may use on a wire: 0/8, 127/8 and 240/4 (RFC 1122 §3.2.1.3, RFC 6890).
#[inline]
pub fn is_martian_v4(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first == 0 || first == 127 || first >= 240
}

/// Sources that no host may use on a wire: unspecified, loopback, IPv4-mapped (RFC 4291 §2.5, RFC 6890).
#[inline]
pub fn is_martian_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    bits <= 1 || bits >> 32 == 0xffff
}

/// `ff02::1`.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The solicited-node group of an address (RFC 4291 §2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    const PREFIX: u128 = 0xff02_0000_0000_0000_0000_0001_ff00_0000;
    Ipv6Addr::from(PREFIX | (u128::from(address) & 0xff_ffff))
}

/// The MAC address of an IPv6 group (RFC 2464 §7).
pub fn group_mac(group: Ipv6Addr) -> [u8; 6] {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// Membership in a sorted list; most stacks have one or two addresses of a family.
#[inline]
fn has<T: Ord + Copy>(sorted: &[T], value: T) -> bool {
    match *sorted {
        [] => false,
        [only] => only == value,
        [first, second] => first == value || second == value,
        _ => sorted.binary_search(&value).is_ok(),
    }
}

fn insert_sorted<T: Ord>(list: &mut Vec<T>, value: T) {
    if let Err(at) = list.binary_search(&value) {
        list.insert(at, value);
    }
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
