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

/// An address in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Own {
    pub cidr: Cidr,
    /// Its preferred lifetime is over: new connections leave from another one (RFC 4862 §5.5.4).
    pub deprecated: bool,
}

/// The addresses in use of one stack: an index over what [`host`](crate::host) keeps, made anew when that changes.
/// Sorted, so that a lookup is a binary search over at most [`MAX_ADDRESSES`](crate::config::MAX_ADDRESSES) entries and
/// what was learned.
#[derive(Debug, Default)]
pub struct Addresses {
    all: Vec<Own>,
    v4: Vec<u32>,
    v6: Vec<u128>,
    broadcasts: Vec<u32>,
    groups: Vec<u128>,
}

impl Addresses {
    /// Checks and indexes `configured`, and adds the link-local address of `mac`.
    pub fn new(configured: &[Cidr], mac: [u8; 6]) -> Result<Addresses, ConfigError> {
        check(configured)?;
        let own = IpAddr::V6(link_local(mac));
        let link_local = Cidr::new(own, 64).filter(|cidr| !configured.iter().any(|c| c.address() == cidr.address()));
        let all = configured.iter().copied().chain(link_local);
        let mut this = Addresses::default();
        this.set(all.map(|cidr| Own { cidr, deprecated: false }), core::iter::empty());
        Ok(this)
    }

    /// Replaces everything: `used` are the addresses in use, in order of choice; of the IPv6 addresses in `awaited`, which
    /// are not in use yet, only the solicited-node groups are joined (RFC 4862 §5.4.2).
    pub(crate) fn set(&mut self, used: impl Iterator<Item = Own>, awaited: impl Iterator<Item = Ipv6Addr>) {
        self.all.clear();
        self.v4.clear();
        self.v6.clear();
        self.broadcasts.clear();
        self.groups.clear();
        insert_sorted(&mut self.groups, u128::from(ALL_NODES));
        for own in used {
            match own.cidr.address() {
                IpAddr::V4(v4) => insert_sorted(&mut self.v4, u32::from(v4)),
                IpAddr::V6(v6) => {
                    insert_sorted(&mut self.v6, u128::from(v6));
                    insert_sorted(&mut self.groups, u128::from(solicited_node(v6)));
                }
            }
            if let Some(broadcast) = own.cidr.broadcast() {
                insert_sorted(&mut self.broadcasts, u32::from(broadcast));
            }
            self.all.push(own);
        }
        for address in awaited {
            insert_sorted(&mut self.groups, u128::from(solicited_node(address)));
        }
    }

    /// Every address in use with its prefix: the configured ones in their order, then the link-local one, then those
    /// learned.
    pub fn iter(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.all.iter().map(|own| own.cidr)
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
    /// smallest scope that is wide enough, else the widest), rule 3 (none that is deprecated) and rule 8 (longest
    /// matching prefix); ties go to the order of configuration. Rules 4 to 7 need mobility, several interfaces or labels,
    /// which there are none of.
    pub fn select_source(&self, remote: IpAddr) -> Option<IpAddr> {
        if self.is_local(remote) {
            return Some(remote);
        }
        let mut best: Option<(IpAddr, (bool, i8, bool, u8))> = None;
        for candidate in self.all.iter().filter(|own| own.cidr.address().is_ipv4() == remote.is_ipv4()) {
            let address = candidate.cidr.address();
            let rank = source_rank(address, remote, candidate);
            if best.is_none_or(|(_, known)| rank > known) {
                best = Some((address, rank));
            }
        }
        best.map(|(address, _)| address)
    }
}

/// Larger is better: wide enough, then nearest in scope, then preferred, then longest prefix in common (counted up to
/// the candidate's own prefix, RFC 6724 §2.2).
fn source_rank(address: IpAddr, remote: IpAddr, candidate: &Own) -> (bool, i8, bool, u8) {
    let (ours, theirs) = (scope(address), scope(remote));
    let wide_enough = ours >= theirs;
    let nearness = if wide_enough { -(ours - theirs) } else { ours - theirs };
    let common = common_prefix_len(address, remote).min(candidate.cidr.prefix_len());
    (wide_enough, nearness, !candidate.deprecated, common)
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

/// Refuses what cannot be the address of an interface, and what is given twice.
pub(crate) fn check(configured: &[Cidr]) -> Result<(), ConfigError> {
    for (nth, cidr) in configured.iter().enumerate() {
        if !can_be_own(*cidr) {
            return Err(ConfigError::Address(*cidr));
        }
        if configured.iter().take(nth).any(|earlier| earlier.address() == cidr.address()) {
            return Err(ConfigError::DuplicateAddress(cidr.address()));
        }
    }
    Ok(())
}

/// True for a unicast address of a host: no group, no martian, neither network nor broadcast address.
pub(crate) fn can_be_own(cidr: Cidr) -> bool {
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

/// `ff02::2`.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

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
