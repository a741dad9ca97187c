//! What a router advertisement changes: default routers, prefixes on link, our own addresses, and the link's parameters
//! (RFC 4861 §6.3.4, RFC 4862 §5.5.3, RFC 4191 §3.1).
//!
//! Every table that an advertisement fills has a limit of its own, what goes beyond it is counted (`drop_host_table`), and
//! advertisements have a rate: anybody on the link can send them.

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use super::address::{AddressOrigin, AddressState, HostAddress};
use super::advertisement::{Advertisement, PrefixInformation, RouteInformation, RouterOption};
use super::routers::RouterOrigin;
use super::update::HostUpdate;
use super::{LearnedRoute, OnLink};
use crate::counters::IpCounter;
use crate::ip::resolution::Tidings;
use crate::ip::{Cidr, Egress};
use crate::time::Instant;

/// RFC 4862 §5.5.3 (e): what no advertisement shortens a valid lifetime below, since none is authenticated.
const TWO_HOURS: Duration = Duration::from_secs(2 * 3600);
/// RFC 4861 §6.2.1: AdvReachableTime is an hour at most.
const LONGEST_REACHABLE: Duration = Duration::from_secs(3600);
/// Bounds of RetransTimer: a forged one shall neither flood the link nor stop resolution.
const RETRANS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

impl Egress {
    /// Handles an advertisement whose hop limit and checksum are right.
    pub(crate) fn handle_router_advertisement(
        &mut self,
        now: Instant,
        src: Ipv6Addr,
        mac: [u8; 6],
        message: &[u8],
    ) -> Result<(), IpCounter> {
        if !self.host.config.slaac || !self.answer_arp {
            return Err(IpCounter::DropRouterAdvertisement);
        }
        // RFC 4861 §6.1.2: source, and the form of the message.
        if !src.is_unicast_link_local() {
            return Err(IpCounter::DropRouterAdvertisementSource);
        }
        let advertisement = Advertisement::parse(message).ok_or(IpCounter::DropNdpMalformed)?;
        if !self.host.advertisements.take(now) {
            return Err(IpCounter::DropRouterAdvertisementRate);
        }
        self.counters.bump(IpCounter::RxRouterAdvertisements);
        if !self.host.config.keeps_state {
            self.push_host_update(HostUpdate::Advertisement { src, mac, message: message.into() });
            return Ok(());
        }
        self.take_default_router(now, src, &advertisement);
        self.take_link_parameters(&advertisement);
        for option in advertisement.options() {
            match option {
                RouterOption::SourceLinkAddress(mac) => {
                    // RFC 4861 §6.3.4: as from a solicitation, STALE.
                    self.hear_neighbor(now, IpAddr::V6(src), mac, Tidings::AskedUs);
                }
                RouterOption::Prefix(information) => self.take_prefix(now, &information),
                RouterOption::Route(route) if self.host.config.route_information => self.take_route(now, src, &route),
                // RFC 4861 §6.3.4: between the least for IPv6 and what the link carries.
                RouterOption::Mtu(mtu) => {
                    if let Some(mtu) = u16::try_from(mtu).ok().filter(|mtu| (1280..=self.mtu).contains(mtu)) {
                        self.mtu_v6 = mtu;
                    }
                }
                RouterOption::Dns => self.counters.bump(IpCounter::IgnoredDnsOptions),
                RouterOption::Malformed => self.counters.bump(IpCounter::DropRouterOption),
                RouterOption::Route(_) | RouterOption::Unknown => {}
            }
        }
        self.host_changed(now);
        Ok(())
    }

    fn take_default_router(&mut self, now: Instant, src: Ipv6Addr, advertisement: &Advertisement<'_>) {
        let address = IpAddr::V6(src);
        let lifetime = advertisement.router_lifetime;
        if lifetime.is_zero() {
            self.host.routers.forget(address);
            return;
        }
        // RFC 7559 §2: an advertisement with a router lifetime ends the solicitations.
        self.host.solicitation.stop();
        let (origin, preference) = (RouterOrigin::Advertised, advertisement.preference);
        if self.host.routers.learn(address, origin, preference, now + lifetime).is_err() {
            self.counters.bump(IpCounter::DropHostTable);
        }
    }

    fn take_link_parameters(&mut self, advertisement: &Advertisement<'_>) {
        // Only raised: a forged hop limit of one would cut off everything beyond the link (RFC 4861 §11.2).
        self.hop_limit = self.hop_limit.max(advertisement.hop_limit);
        let reachable = advertisement.reachable_time;
        if !reachable.is_zero() && reachable <= LONGEST_REACHABLE {
            self.neighbors.times.reachable = reachable.max(Duration::from_secs(1));
        }
        let retrans = advertisement.retrans_timer;
        if !retrans.is_zero() {
            self.neighbors.times.retrans = retrans.clamp(RETRANS.0, RETRANS.1);
        }
    }

    fn take_prefix(&mut self, now: Instant, information: &PrefixInformation) {
        let PrefixInformation { prefix, on_link, autonomous, valid, preferred } = *information;
        let IpAddr::V6(network) = prefix.address() else { return };
        // RFC 4861 §6.3.4, RFC 4862 §5.5.3 (b): the link-local prefix is not theirs to advertise.
        if network.is_unicast_link_local() || network.is_multicast() || prefix.prefix_len() == 0 {
            return self.counters.bump(IpCounter::DropRouterOption);
        }
        if on_link {
            self.take_on_link(now, prefix, valid.until(now));
        }
        // RFC 4862 §5.5.3 (c)
        if autonomous && preferred <= valid {
            self.take_autonomous(now, information);
        } else if autonomous {
            self.counters.bump(IpCounter::DropRouterOption);
        }
    }

    fn take_on_link(&mut self, now: Instant, cidr: Cidr, until: Instant) {
        let prefixes = &mut self.host.prefixes;
        if let Some(known) = prefixes.iter_mut().find(|known| known.cidr == cidr) {
            known.until = until;
            prefixes.retain(|known| known.until > now);
        } else if until > now && prefixes.len() < self.host.config.limits.prefixes {
            prefixes.push(OnLink { cidr, until });
        } else if until > now {
            self.counters.bump(IpCounter::DropHostTable);
        }
    }

    /// RFC 4862 §5.5.3 (d) and (e).
    fn take_autonomous(&mut self, now: Instant, information: &PrefixInformation) {
        let PrefixInformation { prefix, valid, preferred, .. } = *information;
        let ours = |known: &&mut HostAddress| known.origin == AddressOrigin::Slaac && prefix == known.cidr.network();
        if let Some(known) = self.host.addresses.iter_mut().find(ours) {
            let advertised = valid.until(now);
            known.preferred_until = preferred.until(now);
            let remaining = known.valid_until.saturating_since(now);
            if advertised > now + TWO_HOURS || advertised > known.valid_until {
                known.valid_until = advertised;
            } else if remaining > TWO_HOURS {
                known.valid_until = now + TWO_HOURS;
            }
            return;
        }
        if valid.0 == 0 || !self.host.link_local_is_usable() {
            return;
        }
        let learned = self.host.addresses.iter().filter(|known| known.origin == AddressOrigin::Slaac).count();
        if learned >= self.host.config.limits.addresses {
            return self.counters.bump(IpCounter::DropHostTable);
        }
        let Some(address) = self.host.config.identifiers.address(prefix, self.mac, 0) else {
            return self.counters.bump(IpCounter::DropRouterOption);
        };
        if self.host.addresses.iter().any(|known| known.address() == IpAddr::V6(address)) {
            return;
        }
        let Some(cidr) = Cidr::new(IpAddr::V6(address), prefix.prefix_len()) else { return };
        let mut fresh = HostAddress::new(cidr, AddressOrigin::Slaac, AddressState::Tentative);
        (fresh.preferred_until, fresh.valid_until) = (preferred.until(now), valid.until(now));
        self.begin_detection(now, fresh);
    }

    /// RFC 4191 §3.1, type C hosts: a more specific route through the router that advertised it.
    fn take_route(&mut self, now: Instant, src: Ipv6Addr, information: &RouteInformation) {
        let RouteInformation { prefix, preference, lifetime } = *information;
        let (via, until) = (IpAddr::V6(src), lifetime.until(now));
        if prefix.prefix_len() == 0 {
            // RFC 4191 §3.1: the default route in an option overrides preference and lifetime of the header.
            match self.host.routers.learn(via, RouterOrigin::Advertised, preference, until) {
                Ok(_) if until <= now => _ = self.host.routers.forget(via),
                Ok(_) => {}
                Err(_) => self.counters.bump(IpCounter::DropHostTable),
            }
            return;
        }
        if prefix.address().is_multicast() || Cidr::new(prefix.address(), 10).is_some_and(|cidr| is_link_local(&cidr)) {
            return self.counters.bump(IpCounter::DropRouterOption);
        }
        let routes = &mut self.host.routes;
        if let Some(known) = routes.iter_mut().find(|known| known.dest == prefix && known.via == via) {
            (known.until, known.preference) = (until, preference);
            routes.retain(|known| known.until > now);
        } else if until > now && routes.len() < self.host.config.limits.routes {
            routes.push(LearnedRoute { dest: prefix, via, preference, until });
        } else if until > now {
            self.counters.bump(IpCounter::DropHostTable);
        }
    }

    /// A neighbour advertisement came without the router flag: its sender forwards no more (RFC 4861 §7.2.5).
    pub(crate) fn hear_no_router(&mut self, now: Instant, address: IpAddr) {
        if !self.host.config.keeps_state && self.host.routers_of_keeper.contains(&address) {
            return self.push_host_update(HostUpdate::NoRouter(address));
        }
        if self.host.routers.contains(address) && self.host.routers.forget(address) {
            self.host.routes.retain(|route| route.via != address);
            self.host_changed(now);
        }
    }
}

fn is_link_local(cidr: &Cidr) -> bool {
    matches!(cidr.network().address(), IpAddr::V6(v6) if v6.is_unicast_link_local())
}
