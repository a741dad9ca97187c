//! The route table: longest prefix first, few entries, made anew when the host's addresses, routers or routes change.

use core::net::IpAddr;

use crate::ip::Cidr;

/// A route through a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Route {
    /// Where to.
    pub dest: Cidr,
    /// The neighbour that forwards.
    pub via: IpAddr,
}

/// One line of the table, as shown to people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouteInfo {
    /// Where to.
    pub dest: Cidr,
    /// The gateway; `None` for a prefix on link.
    pub via: Option<IpAddr>,
}

/// Routes of both families, sorted by falling prefix length within each.
#[derive(Debug, Default)]
pub struct Routes {
    v4: Vec<RouteInfo>,
    v6: Vec<RouteInfo>,
}

impl Routes {
    /// Adds a prefix on link or a gateway's route. A second entry for the same prefix comes behind the first.
    pub fn add(&mut self, dest: Cidr, via: Option<IpAddr>) {
        let info = RouteInfo { dest: dest.network(), via };
        let table = if dest.address().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        if table.contains(&info) {
            return;
        }
        let at = table.partition_point(|known| known.dest.prefix_len() >= info.dest.prefix_len());
        table.insert(at, info);
    }

    /// Forgets every entry.
    pub(crate) fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
    }

    /// The neighbour that a packet for `dst` goes to: `dst` itself on link, else a gateway. The number of entries is
    /// bounded by the configuration (`MAX_ADDRESSES + MAX_ROUTES`) and by the limits of what is learned
    /// ([`HostLimits`](crate::host::HostLimits)); connections ask once and keep the answer.
    #[inline]
    pub fn next_hop(&self, dst: IpAddr) -> Option<IpAddr> {
        let table = if dst.is_ipv4() { &self.v4 } else { &self.v6 };
        table.iter().find(|route| route.dest.contains(dst)).map(|route| route.via.unwrap_or(dst))
    }

    /// True when the longest matching prefix is on link.
    pub fn on_link(&self, dst: IpAddr) -> bool {
        self.next_hop(dst) == Some(dst)
    }

    /// Every entry, IPv4 first, in order of choice.
    pub fn iter(&self) -> impl Iterator<Item = RouteInfo> + '_ {
        self.v4.iter().chain(&self.v6).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_and_families_are_apart() {
        let mut routes = Routes::default();
        let cidr = |text: &str| text.parse::<Cidr>().unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        routes.add(cidr("0.0.0.0/0"), Some(ip("10.0.0.1")));
        routes.add(cidr("10.0.0.9/24"), None);
        routes.add(cidr("10.0.0.128/25"), Some(ip("10.0.0.2")));
        routes.add(cidr("10.0.0.9/24"), None);
        assert_eq!(routes.next_hop(ip("10.0.0.7")), Some(ip("10.0.0.7")));
        assert_eq!(routes.next_hop(ip("10.0.0.200")), Some(ip("10.0.0.2")));
        assert_eq!(routes.next_hop(ip("192.0.2.1")), Some(ip("10.0.0.1")));
        assert_eq!(routes.next_hop(ip("2001:db8::1")), None);
        assert!(routes.on_link(ip("10.0.0.7")) && !routes.on_link(ip("192.0.2.1")));
        assert_eq!(routes.iter().map(|r| r.dest.prefix_len()).collect::<Vec<_>>(), [25, 24, 0]);
    }
}
