//! What a server grants: checked as a whole before anything of it is believed.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use super::message::Reply;
use crate::ip::Cidr;
use crate::ip::addresses::can_be_own;
use crate::time::Instant;

/// A shorter lease is not taken: it would be all renewals.
const SHORTEST: Duration = Duration::from_secs(30);
/// RFC 791 §3.1: every host takes packets of 576 bytes; less is a mistake, or worse (Linux and the BSDs have 576, too).
const LEAST_MTU: u16 = 576;

/// An address and what comes with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The address with the prefix of its link.
    pub cidr: Cidr,
    /// The server's identifier.
    pub server: Ipv4Addr,
    /// The default router; `None` when there is none, or classless routes say otherwise (RFC 3442).
    pub router: Option<Ipv4Addr>,
    /// Other routes: destination and gateway, `None` for a destination on the link.
    pub routes: Vec<(Cidr, Option<Ipv4Addr>)>,
    /// The largest IPv4 packet of the link, in bytes.
    pub mtu: Option<u16>,
    /// When it began: as the request for it left (RFC 2131 §4.4.1).
    pub since: Instant,
    /// T1.
    pub renew_at: Instant,
    /// T2.
    pub rebind_at: Instant,
    /// Its end.
    pub until: Instant,
}

impl Lease {
    /// The lease that a reply grants to a request sent at `since`; `None` when it cannot be used.
    pub(super) fn read(reply: &Reply, since: Instant) -> Option<Lease> {
        let server = reply.server.filter(|server| !server.is_unspecified() && !server.is_multicast())?;
        let cidr = Cidr::new(IpAddr::V4(reply.address), prefix_len(reply)?)?;
        if !can_be_own(cidr) || cidr.prefix_len() < 8 {
            return None;
        }
        let (renew_at, rebind_at, until) = times(reply, since)?;
        let on_link = |address: &Ipv4Addr| cidr.contains(IpAddr::V4(*address)) && *address != reply.address;
        let mut routes = Vec::new();
        // RFC 3442: with classless routes, the router option is ignored.
        let mut router = reply.router.filter(|_| reply.routes.is_empty()).filter(on_link);
        for &(dest, gateway) in &reply.routes {
            if !gateway.is_unspecified() && !on_link(&gateway) {
                continue;
            }
            match (dest.prefix_len(), gateway.is_unspecified()) {
                (0, true) => {}
                (0, false) => router = Some(gateway),
                (_, link) => routes.push((dest, (!link).then_some(gateway))),
            }
        }
        let mtu = reply.mtu.filter(|mtu| *mtu >= LEAST_MTU);
        Some(Lease { cidr, server, router, routes, mtu, since, renew_at, rebind_at, until })
    }

    /// The address.
    pub fn address(&self) -> Ipv4Addr {
        match self.cidr.address() {
            IpAddr::V4(v4) => v4,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// The mask's ones, which must be contiguous; without a mask, that of the address's class (RFC 2131 §3.5, RFC 950).
fn prefix_len(reply: &Reply) -> Option<u8> {
    match reply.mask.map(u32::from) {
        Some(mask) if mask.count_ones() == mask.leading_ones() => Some(mask.leading_ones() as u8),
        Some(_) => None,
        None => match reply.address.octets()[0] {
            0..128 => Some(8),
            128..192 => Some(16),
            _ => Some(24),
        },
    }
}

/// RFC 2131 §4.4.5: T1 and T2 are half and seven eighths of the lease, unless the server says otherwise, in order.
fn times(reply: &Reply, since: Instant) -> Option<(Instant, Instant, Instant)> {
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    let never = Instant::FAR_FUTURE;
    let lease = reply.lease?;
    if lease == u32::MAX {
        return Some((never, never, never));
    }
    let lease = seconds(lease);
    if lease < SHORTEST {
        return None;
    }
    let (half, most) = (lease / 2, lease * 7 / 8);
    let given = (reply.renewal.map(seconds), reply.rebinding.map(seconds));
    let (t1, t2) = match (given.0.unwrap_or(half), given.1.unwrap_or(most)) {
        (t1, t2) if t1 >= SHORTEST / 3 && t1 < t2 && t2 < lease => (t1, t2),
        _ => (half, most),
    };
    Some((since + t1, since + t2, since + lease))
}

#[cfg(test)]
mod tests {
    use super::super::message::ReplyKind;
    use super::*;

    fn reply() -> Reply {
        Reply {
            kind: ReplyKind::Ack,
            xid: 1,
            address: Ipv4Addr::new(10, 0, 0, 9),
            server: Some(Ipv4Addr::new(10, 0, 0, 1)),
            mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            router: Some(Ipv4Addr::new(10, 0, 0, 254)),
            mtu: None,
            lease: Some(1000),
            renewal: None,
            rebinding: None,
            routes: Vec::new(),
        }
    }

    fn read(reply: &Reply) -> Option<Lease> {
        Lease::read(reply, Instant::ZERO)
    }

    #[test]
    fn times_are_those_of_the_server_when_they_are_in_order() {
        let secs = |reply: &Reply| {
            let lease = read(reply).unwrap();
            [lease.renew_at, lease.rebind_at, lease.until].map(|at| at.as_millis() / 1000)
        };
        assert_eq!(secs(&reply()), [500, 875, 1000]);
        assert_eq!(secs(&Reply { renewal: Some(100), rebinding: Some(900), ..reply() }), [100, 900, 1000]);
        for (t1, t2) in [(900, 100), (0, 900), (100, 1000), (u32::MAX, 5)] {
            assert_eq!(secs(&Reply { renewal: Some(t1), rebinding: Some(t2), ..reply() }), [500, 875, 1000]);
        }
        assert_eq!(read(&Reply { lease: Some(u32::MAX), ..reply() }).unwrap().until, Instant::FAR_FUTURE);
        assert_eq!(secs(&Reply { lease: Some(u32::MAX - 1), ..reply() })[2], u64::from(u32::MAX - 1));
    }

    #[test]
    fn what_cannot_be_used_is_not_taken() {
        let address = |a, b, c, d| Some(Ipv4Addr::new(a, b, c, d));
        for bad in [
            Reply { server: None, ..reply() },
            Reply { server: address(0, 0, 0, 0), ..reply() },
            Reply { lease: None, ..reply() },
            Reply { lease: Some(29), ..reply() },
            Reply { mask: address(255, 0, 255, 0), ..reply() },
            Reply { mask: address(0, 0, 0, 0), ..reply() },
            Reply { address: Ipv4Addr::new(10, 0, 0, 255), ..reply() },
            Reply { address: Ipv4Addr::new(10, 0, 0, 0), ..reply() },
            Reply { address: Ipv4Addr::new(127, 0, 0, 1), ..reply() },
            Reply { address: Ipv4Addr::UNSPECIFIED, ..reply() },
            Reply { address: Ipv4Addr::new(224, 0, 0, 1), ..reply() },
        ] {
            assert_eq!(read(&bad), None, "{bad:?}");
        }
        assert_eq!(read(&Reply { mask: None, ..reply() }).unwrap().cidr.prefix_len(), 8);
        assert_eq!(read(&Reply { router: address(192, 0, 2, 1), ..reply() }).unwrap().router, None, "not on link");
        assert_eq!(read(&Reply { router: address(10, 0, 0, 9), ..reply() }).unwrap().router, None, "ourselves");
        assert_eq!(read(&Reply { mtu: Some(68), ..reply() }).unwrap().mtu, None);
        assert_eq!(read(&Reply { mtu: Some(1400), ..reply() }).unwrap().mtu, Some(1400));
    }

    #[test]
    fn classless_routes_replace_the_router() {
        let cidr = |text: &str| text.parse::<Cidr>().unwrap();
        let gateway = Ipv4Addr::new(10, 0, 0, 7);
        let routes = vec![
            (cidr("0.0.0.0/0"), gateway),
            (cidr("192.0.2.0/24"), gateway),
            (cidr("198.51.100.0/24"), Ipv4Addr::UNSPECIFIED),
            (cidr("203.0.113.0/24"), Ipv4Addr::new(192, 168, 0, 1)),
        ];
        let lease = read(&Reply { routes, ..reply() }).unwrap();
        assert_eq!(lease.router, Some(gateway));
        assert_eq!(lease.routes, [(cidr("192.0.2.0/24"), Some(gateway)), (cidr("198.51.100.0/24"), None)]);
    }
}
