//! The default routers of both families: configured ones first, then those that advertised themselves or that DHCP named;
//! and which of them is used.
//!
//! Of the routers that answer, the one with the highest preference (RFC 4191 §3.2), of these the one known longest. A
//! router that does not answer (RFC 4861 §7.3) is passed over while another one is there, and asked again once a minute;
//! when none answers, each has its turn (RFC 4861 §6.3.6).

use core::net::IpAddr;
use core::time::Duration;

use crate::time::Instant;

/// How often a router that is passed over is asked whether it is back (RFC 4191 §3.5: no more than once a minute).
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_secs(60);

/// RFC 4191 §2.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub enum RouterPreference {
    /// To be used when there is nothing else.
    Low,
    /// The usual one.
    #[default]
    Medium,
    /// Before all others.
    High,
}

impl RouterPreference {
    /// From the two bits of an advertisement or option; the reserved value counts as medium for a router (§2.2).
    pub(crate) const fn from_bits(bits: u8) -> RouterPreference {
        match bits & 3 {
            1 => RouterPreference::High,
            3 => RouterPreference::Low,
            _ => RouterPreference::Medium,
        }
    }

    /// The word that people are shown.
    pub const fn name(self) -> &'static str {
        match self {
            RouterPreference::Low => "low",
            RouterPreference::Medium => "medium",
            RouterPreference::High => "high",
        }
    }
}

/// How a router became known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum RouterOrigin {
    /// The configuration.
    Static,
    /// It advertised itself.
    Advertised,
    /// A DHCP lease named it.
    Dhcp,
}

/// One default router, as shown to people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouterInfo {
    /// Its address.
    pub address: IpAddr,
    /// How it became known.
    pub origin: RouterOrigin,
    /// Its preference.
    pub preference: RouterPreference,
    /// False when it did not answer lately.
    pub reachable: bool,
    /// Packets that leave the links go there.
    pub used: bool,
    /// Until when it wants to be a default router; `None`: always.
    pub until: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Router {
    address: IpAddr,
    origin: RouterOrigin,
    preference: RouterPreference,
    reachable: bool,
    until: Instant,
}

/// The list. See the module's description.
#[derive(Clone, Debug)]
pub(crate) struct Routers {
    list: Vec<Router>,
    limit: usize,
    probe_at: Instant,
}

/// The list of learned routers is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

impl Routers {
    pub(crate) fn new(limit: usize) -> Routers {
        Routers { list: Vec::new(), limit, probe_at: Instant::FAR_FUTURE }
    }

    /// Adds a configured router, in order of choice.
    pub(crate) fn add_static(&mut self, address: IpAddr) {
        self.insert(address, RouterOrigin::Static, RouterPreference::Medium, Instant::FAR_FUTURE);
    }

    /// A router is there until `until`. True when it is new or its preference has changed; what is configured stays.
    pub(crate) fn learn(
        &mut self,
        address: IpAddr,
        origin: RouterOrigin,
        preference: RouterPreference,
        until: Instant,
    ) -> Result<bool, Full> {
        if let Some(known) = self.list.iter_mut().find(|router| router.address == address) {
            if known.origin == RouterOrigin::Static {
                return Ok(false);
            }
            let changed = known.preference != preference;
            (known.preference, known.until, known.origin) = (preference, until, origin);
            return Ok(changed);
        }
        if self.list.iter().filter(|router| router.origin == origin).count() >= self.limit {
            return Err(Full);
        }
        self.insert(address, origin, preference, until);
        Ok(true)
    }

    fn insert(&mut self, address: IpAddr, origin: RouterOrigin, preference: RouterPreference, until: Instant) {
        self.list.push(Router { address, origin, preference, reachable: true, until });
    }

    /// Forgets a learned router; true when it was there.
    pub(crate) fn forget(&mut self, address: IpAddr) -> bool {
        self.retain(|router| router.address != address || router.origin == RouterOrigin::Static)
    }

    /// Forgets those that DHCP named and that are gone.
    pub(crate) fn forget_leased_if(&mut self, gone: impl Fn(&IpAddr) -> bool) {
        self.list.retain(|router| router.origin != RouterOrigin::Dhcp || !gone(&router.address));
    }

    /// Forgets those whose lifetime is over.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        self.retain(|router| router.until > now)
    }

    fn retain(&mut self, keep: impl Fn(&Router) -> bool) -> bool {
        let before = self.list.len();
        self.list.retain(keep);
        self.list.len() != before
    }

    /// True for an address in the list.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.list.iter().any(|router| router.address == address)
    }

    /// True while a router has advertised itself: there is nobody to solicit.
    pub(crate) fn any_advertised(&self) -> bool {
        self.list.iter().any(|router| router.origin == RouterOrigin::Advertised)
    }

    /// A router did not answer. True when another one takes its place.
    pub(crate) fn unreachable(&mut self, now: Instant, address: IpAddr) -> bool {
        let v4 = address.is_ipv4();
        let before = self.chosen(v4);
        let Some(router) = self.list.iter_mut().find(|router| router.address == address) else { return false };
        router.reachable = false;
        let others = |router: &Router| router.address.is_ipv4() == v4 && router.address != address;
        if !self.list.iter().any(|router| others(router) && router.reachable) {
            // RFC 4861 §6.3.6: none answers, so each has its turn.
            self.list.iter_mut().filter(|router| others(router)).for_each(|router| router.reachable = true);
        }
        self.probe_at = self.probe_at.min(now + PROBE_INTERVAL);
        self.chosen(v4) != before
    }

    /// A router answered. True when it takes the place of another one.
    pub(crate) fn reachable(&mut self, address: IpAddr) -> bool {
        let before = self.chosen(address.is_ipv4());
        let passed_over = self.list.iter_mut().find(|router| router.address == address && !router.reachable);
        let Some(router) = passed_over else { return false };
        router.reachable = true;
        self.chosen(address.is_ipv4()) != before
    }

    /// A router to be asked whether it is back: one that the choice would fall on. At most one each interval.
    pub(crate) fn poll_probe(&mut self, now: Instant) -> Option<IpAddr> {
        if now < self.probe_at {
            return None;
        }
        let mut silent = self.list.iter().filter(|router| !router.reachable);
        let first = silent.next().map(|router| router.address);
        self.probe_at = if first.is_some() { now + PROBE_INTERVAL } else { Instant::FAR_FUTURE };
        first
    }

    /// The router in use for a family.
    pub(crate) fn chosen(&self, v4: bool) -> Option<IpAddr> {
        let mut best: Option<&Router> = None;
        for router in self.list.iter().filter(|router| router.address.is_ipv4() == v4) {
            let rank = |router: &Router| (router.reachable, router.preference);
            if best.is_none_or(|known| rank(router) > rank(known)) {
                best = Some(router);
            }
        }
        best.map(|router| router.address)
    }

    pub(crate) fn next_at(&self) -> Instant {
        self.list.iter().map(|router| router.until).fold(self.probe_at, Instant::min)
    }

    /// Every router, in the order in which they became known.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RouterInfo> + '_ {
        let chosen = [self.chosen(true), self.chosen(false)];
        self.list.iter().map(move |router| RouterInfo {
            address: router.address,
            origin: router.origin,
            preference: router.preference,
            reachable: router.reachable,
            used: chosen.contains(&Some(router.address)),
            until: (router.until != Instant::FAR_FUTURE).then_some(router.until),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u16) -> IpAddr {
        core::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last).into()
    }

    fn at(secs: u64) -> Instant {
        Instant::from_millis(secs * 1000)
    }

    fn learn(routers: &mut Routers, last: u16, preference: RouterPreference) -> Result<bool, Full> {
        routers.learn(ip(last), RouterOrigin::Advertised, preference, at(1800))
    }

    #[test]
    fn the_best_that_answers_is_used_and_the_others_have_their_turn() {
        let mut routers = Routers::new(8);
        learn(&mut routers, 1, RouterPreference::Medium).unwrap();
        learn(&mut routers, 2, RouterPreference::High).unwrap();
        learn(&mut routers, 3, RouterPreference::Medium).unwrap();
        assert_eq!(routers.chosen(false), Some(ip(2)));
        assert!(routers.unreachable(at(10), ip(2)));
        assert_eq!(routers.chosen(false), Some(ip(1)));
        assert_eq!(routers.poll_probe(at(69)), None);
        assert_eq!(routers.poll_probe(at(70)), Some(ip(2)));
        assert!(routers.unreachable(at(71), ip(1)));
        assert_eq!(routers.chosen(false), Some(ip(3)));
        assert!(routers.unreachable(at(72), ip(3)), "none answers: the others get another chance");
        assert_eq!(routers.chosen(false), Some(ip(2)));
        assert!(!routers.reachable(ip(3)) && !routers.reachable(ip(9)));
        assert_eq!(routers.chosen(false), Some(ip(2)));
    }

    #[test]
    fn lifetimes_and_limits() {
        let mut routers = Routers::new(2);
        routers.add_static("10.0.0.254".parse().unwrap());
        assert_eq!(learn(&mut routers, 1, RouterPreference::Low), Ok(true));
        assert_eq!(learn(&mut routers, 2, RouterPreference::Low), Ok(true));
        assert_eq!(learn(&mut routers, 2, RouterPreference::High), Ok(true));
        assert_eq!(learn(&mut routers, 2, RouterPreference::High), Ok(false));
        assert_eq!(learn(&mut routers, 3, RouterPreference::High), Err(Full));
        assert_eq!(routers.chosen(false), Some(ip(2)));
        assert!(routers.any_advertised() && routers.forget(ip(2)) && !routers.forget(ip(2)));
        assert!(!routers.expire(at(1799)) && routers.expire(at(1800)));
        assert_eq!((routers.chosen(false), routers.next_at()), (None, Instant::FAR_FUTURE));
        assert_eq!(routers.iter().filter(|router| router.used).count(), 1, "the configured one of IPv4");
        assert!(!routers.forget("10.0.0.254".parse().unwrap()));
    }
}
