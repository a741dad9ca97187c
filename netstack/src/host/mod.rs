//! The host's side of IPv4 and IPv6: which addresses, prefixes, routers and parameters this interface has, where they came
//! from, and how long they are good.
//!
//! ```text
//!   configuration ──────────────┐
//!   router advertisement ─ slaac ┼─▶ addresses ─ conflict (DAD, ACD) ─┐
//!   DHCP ─ dhcp ─────────────────┤                                    ├─▶ index of addresses ┐
//!                                └─▶ prefixes, routers, routes ───────┴─▶ route table ───────┼─▶ HostState ─▶ other workers
//!                                                                         MTU, hop limit ────┘   (update)      and people
//! ```
//!
//! Everything here is slow and rare; what packets meet is the index of addresses and the route table of
//! [`Egress`], which are made anew when something changes. One worker of a port keeps the state; see [`update`].

mod address;
mod advertisement;
mod conflict;
pub(crate) mod dhcp;
mod identifier;
mod lease;
mod routers;
mod slaac;
mod solicit;
pub(crate) mod update;

use core::net::IpAddr;
use std::collections::VecDeque;
use std::sync::Arc;

pub use address::{AddressEvent, AddressInfo, AddressOrigin, AddressState};
pub use dhcp::{DhcpConfig, DhcpInfo, DhcpState, DhcpTransition, Lease};
pub use identifier::Identifiers;
pub use routers::{RouterInfo, RouterOrigin, RouterPreference};
pub use update::{HostState, HostUpdate};

use crate::config::StackConfig;
use crate::counters::IpCounter;
use crate::ip::addresses::Own;
use crate::ip::token_bucket::TokenBucket;
use crate::ip::{Cidr, Egress};
use crate::rng::{Rng, Seed};
use crate::routes::{Route, Routes};
use crate::time::Instant;
use crate::{mld, ndp};
use address::HostAddress;
use dhcp::Dhcp;
use routers::Routers;
use solicit::Solicitation;

/// Purposes of the seed's keys.
const PURPOSE_HOST: u64 = 0x0068_6f73_7400;
const PURPOSE_DHCP: u64 = 0x0064_6863_7000;

/// Router advertisements handled a second, and at once.
const ADVERTISEMENTS: (u32, u32) = (20, 40);

/// What the host finds out by itself. The default is a host whose addresses are all configured, and used at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostConfig {
    /// This worker runs the machines, for all workers of its port; others follow it (see [`HostState`]).
    pub keeps_state: bool,
    /// Probes of each IPv6 address before it is used (RFC 4862 §5.1, DupAddrDetectTransmits); 0: none.
    pub dad_transmits: u8,
    /// Configured IPv4 addresses are probed before they are used (RFC 5227); leased ones always are.
    pub probe_ipv4: bool,
    /// Router advertisements are solicited and obeyed.
    pub slaac: bool,
    /// Routes of router advertisements are obeyed, too (RFC 4191 §3.1, type C).
    pub route_information: bool,
    /// How IPv6 addresses are made.
    pub identifiers: Identifiers,
    /// An IPv4 address is leased.
    pub dhcp: Option<DhcpConfig>,
    /// Bounds of what strangers can make us remember.
    pub limits: HostLimits,
}

/// Bounds of the host's tables; each is enforced before memory is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostLimits {
    /// Prefixes on link that were advertised.
    pub prefixes: usize,
    /// Addresses made from advertised prefixes.
    pub addresses: usize,
    /// Default routers that advertised themselves.
    pub routers: usize,
    /// Routes that were advertised.
    pub routes: usize,
    /// Updates kept for the other workers.
    pub updates: usize,
}

impl Default for HostConfig {
    fn default() -> Self {
        HostConfig {
            keeps_state: true,
            dad_transmits: 0,
            probe_ipv4: false,
            slaac: false,
            route_information: false,
            identifiers: Identifiers::Eui64,
            dhcp: None,
            limits: HostLimits::default(),
        }
    }
}

impl Default for HostLimits {
    fn default() -> Self {
        HostLimits { prefixes: 16, addresses: 16, routers: 8, routes: 16, updates: 64 }
    }
}

/// A prefix on link that was advertised.
struct OnLink {
    cidr: Cidr,
    until: Instant,
}

/// A route that was advertised.
struct LearnedRoute {
    dest: Cidr,
    via: IpAddr,
    preference: RouterPreference,
    until: Instant,
}

/// The tables and machines. See the module's description.
pub(crate) struct Host {
    pub(crate) config: HostConfig,
    announce: bool,
    rng: Rng,
    addresses: Vec<HostAddress>,
    prefixes: Vec<OnLink>,
    routers: Routers,
    routes: Vec<LearnedRoute>,
    static_routes: Vec<Route>,
    solicitation: Solicitation,
    advertisements: TokenBucket,
    dhcp: Option<Dhcp>,
    /// Nothing is due before.
    next_at: Instant,
    state: Arc<HostState>,
    updates: VecDeque<HostUpdate>,
    /// Routers of the worker that keeps the state.
    routers_of_keeper: Vec<IpAddr>,
    /// Addresses that are not ours any more, whose connections shall end.
    departed: Vec<IpAddr>,
}

impl Host {
    /// The tables as configured; `Egress::start_host` puts them into force. The configuration was checked.
    pub(crate) fn new(config: &StackConfig, seed: &Seed, now: Instant) -> Host {
        let host = config.host.clone();
        let runs = config.answer_arp && host.keeps_state;
        let mut routers = Routers::new(host.limits.routers);
        let (defaults, others): (Vec<Route>, Vec<Route>) =
            config.routes.iter().partition(|route| route.dest.prefix_len() == 0);
        defaults.iter().for_each(|route| routers.add_static(route.via));
        let client = host.dhcp.clone().filter(|_| runs);
        Host {
            announce: config.answer_arp && config.announce,
            rng: Rng::new(seed.keys(PURPOSE_HOST).0),
            addresses: Vec::new(),
            prefixes: Vec::new(),
            routers,
            routes: Vec::new(),
            static_routes: others,
            solicitation: Solicitation::idle(),
            advertisements: TokenBucket::new(ADVERTISEMENTS.0, ADVERTISEMENTS.1),
            dhcp: client.map(|client| Dhcp::new(client, config.mac, config.mtu, seed.keys(PURPOSE_DHCP).0, now)),
            next_at: now,
            state: Arc::default(),
            updates: VecDeque::new(),
            routers_of_keeper: Vec::new(),
            departed: Vec::new(),
            config: host,
        }
    }

    /// Probes before an address is used.
    fn probes_for(&self, record: &HostAddress) -> u8 {
        match (record.address(), record.origin) {
            (IpAddr::V6(_), _) => self.config.dad_transmits,
            (IpAddr::V4(_), AddressOrigin::Dhcp) => conflict::PROBE_NUM,
            (IpAddr::V4(_), _) if self.config.probe_ipv4 => conflict::PROBE_NUM,
            (IpAddr::V4(_), _) => 0,
        }
    }

    /// True for an address that is being probed.
    pub(crate) fn is_tentative(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|record| record.state == AddressState::Tentative && record.address() == address)
    }

    /// False when another host has our link-local address: then nothing else is formed (RFC 4862 §5.4.5).
    fn link_local_is_usable(&self) -> bool {
        self.addresses.iter().any(|own| own.origin == AddressOrigin::LinkLocal && own.state != AddressState::Duplicate)
    }

    /// When [`Egress::run_host`] has something to do.
    #[inline]
    pub(crate) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// What was found, whole.
    pub(crate) fn state(&self) -> &Arc<HostState> {
        &self.state
    }

    pub(crate) fn pop_update(&mut self) -> Option<HostUpdate> {
        self.updates.pop_front()
    }

    /// An address whose connections shall end.
    pub(crate) fn pop_departed(&mut self) -> Option<IpAddr> {
        self.departed.pop()
    }

    pub(crate) fn has_departed(&self) -> bool {
        !self.departed.is_empty()
    }

    fn deadline(&self) -> Instant {
        let addresses = self.addresses.iter().map(HostAddress::next_at);
        let prefixes = self.prefixes.iter().map(|prefix| prefix.until);
        let routes = self.routes.iter().map(|route| route.until);
        let others = [
            self.routers.next_at(),
            self.solicitation.next_at(),
            self.dhcp.as_ref().map_or(Instant::FAR_FUTURE, Dhcp::next_at),
        ];
        addresses.chain(prefixes).chain(routes).chain(others).min().unwrap_or(Instant::FAR_FUTURE)
    }
}

impl Egress {
    /// Puts the configured addresses into the table: in use at once, or tentative where they are probed. Then says so.
    pub(crate) fn start_host(&mut self, now: Instant, configured: &[Cidr]) {
        let link = Cidr::new(IpAddr::V6(core::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 64);
        let own = link.and_then(|link| self.host.config.identifiers.address(link, self.mac, 0));
        let own = own.and_then(|address| Cidr::new(IpAddr::V6(address), 64));
        let own = own.filter(|own| !configured.iter().any(|cidr| cidr.address() == own.address()));
        let origins = configured.iter().map(|cidr| (*cidr, AddressOrigin::Static));
        for (cidr, origin) in origins.chain(own.map(|own| (own, AddressOrigin::LinkLocal))) {
            let record = HostAddress::new(cidr, origin, AddressState::Preferred);
            let probed = self.answer_arp && self.host.probes_for(&record) > 0;
            let record = if probed { self.tentative(now, record) } else { record };
            self.host.addresses.push(record);
        }
        self.host_changed(now);
        let tentative = self.host.addresses.iter().any(|own| own.state == AddressState::Tentative);
        if self.host.announce || (tentative && self.host.config.keeps_state) {
            mld::report(self, mld::Record::ChangeToExclude);
        }
        for at in 0..self.host.addresses.len() {
            let used = self.host.addresses.get(at).filter(|own| own.state == AddressState::Preferred);
            if let Some(address) = used.map(HostAddress::address) {
                self.announce_address(address);
            }
        }
        if self.host.addresses.iter().any(|own| own.origin == AddressOrigin::LinkLocal && own.state.is_used()) {
            self.begin_solicitation(now);
        }
    }

    /// Runs what is due.
    pub(crate) fn run_host(&mut self, now: Instant) {
        if now < self.host.next_at {
            return;
        }
        self.age_tables(now);
        self.run_detections(now);
        self.run_dhcp(now);
        if self.host.solicitation.poll(now, &mut self.host.rng) {
            ndp::send_router_solicitation(self);
        }
        if let Some(router) = self.host.routers.poll_probe(now) {
            self.ask_router(now, router);
        }
        self.host.next_at = self.host.deadline();
    }

    /// Lifetimes of what routers advertised.
    fn age_tables(&mut self, now: Instant) {
        if !self.host.config.keeps_state {
            return;
        }
        let host = &mut self.host;
        let before = (host.prefixes.len(), host.routes.len());
        host.prefixes.retain(|prefix| prefix.until > now);
        host.routes.retain(|route| route.until > now);
        let mut changed = host.routers.expire(now) || before != (host.prefixes.len(), host.routes.len());
        let mut at = 0;
        while let Some(record) = self.host.addresses.get_mut(at) {
            // The end of a lease is the DHCP client's to see.
            let aged = if record.origin == AddressOrigin::Dhcp { Some(false) } else { record.age(now) };
            match aged {
                Some(moved) => {
                    changed |= moved;
                    at += 1;
                }
                None => {
                    self.counters.bump(IpCounter::AddressesExpired);
                    self.remove_address(at);
                    changed = true;
                }
            }
        }
        if changed {
            self.host_changed(now);
            self.begin_solicitation(now);
        }
    }

    /// Solicits routers, unless one is known.
    fn begin_solicitation(&mut self, now: Instant) {
        let host = &mut self.host;
        let wanted = host.config.slaac && host.config.keeps_state && self.answer_arp;
        if wanted && !host.routers.any_advertised() {
            host.solicitation.start(now, &mut host.rng);
            host.next_at = host.next_at.min(host.solicitation.next_at());
        }
    }

    /// The link came back: it may be another network (RFC 4861 §6.3.7, RFC 2131 §3.7).
    pub(crate) fn hear_link_up(&mut self, now: Instant) {
        if self.host.config.slaac && self.host.config.keeps_state && self.answer_arp {
            self.host.solicitation.start(now, &mut self.host.rng);
        }
        if let Some(dhcp) = &mut self.host.dhcp {
            dhcp.handle_link_up(now);
        }
        self.host.next_at = self.host.deadline();
    }

    /// Takes an address out; its connections end.
    fn remove_address(&mut self, at: usize) {
        if at < self.host.addresses.len() {
            let record = self.host.addresses.remove(at);
            if record.state.is_used() {
                self.host.departed.push(record.address());
            }
        }
    }

    /// Something in the tables is other than before: makes what packets meet anew, and what others are shown.
    fn host_changed(&mut self, now: Instant) {
        self.index_addresses();
        let routes = self.route_table();
        if !routes.iter().eq(self.routes.iter()) {
            self.routes = routes;
            // RFC 4861 §6.3.5: who used what is gone chooses its next hop anew.
            self.neighbors.void_paths();
        }
        self.host.next_at = self.host.deadline().min(self.host.next_at.max(now));
        self.publish_host();
    }

    fn publish_host(&mut self) {
        let state = HostState {
            generation: self.host.state.generation + 1,
            addresses: self.host.addresses.iter().map(HostAddress::info).collect(),
            routers: self.host.routers.iter().collect(),
            routes: self.routes.iter().collect(),
            dhcp: self.host.dhcp.as_ref().map(Dhcp::info),
            hop_limit: self.hop_limit,
            mtu_v4: self.mtu_v4,
            mtu_v6: self.mtu_v6,
            reachable_time: self.neighbors.times.reachable,
            retrans_timer: self.neighbors.times.retrans,
        };
        self.host.state = Arc::new(state);
    }

    fn index_addresses(&mut self) {
        let used = self.host.addresses.iter().filter(|record| record.state.is_used());
        let used = used.map(|own| Own { cidr: own.cidr, deprecated: own.state == AddressState::Deprecated });
        let tentative = self.host.addresses.iter().filter(|record| record.state == AddressState::Tentative);
        let awaited = tentative.filter_map(|record| match record.address() {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        });
        self.addresses.set(used, awaited);
    }

    /// Prefixes on link, configured and learned routes, and the default routers in use.
    fn route_table(&self) -> Routes {
        let (host, mut routes) = (&self.host, Routes::default());
        for own in &host.addresses {
            let on_link = match own.origin {
                AddressOrigin::Static | AddressOrigin::LinkLocal => true,
                AddressOrigin::Dhcp => own.state.is_used(),
                // RFC 5942 §4: an address says nothing of what is on link.
                AddressOrigin::Slaac => false,
            };
            if on_link {
                routes.add(own.cidr, None);
            }
        }
        host.prefixes.iter().for_each(|prefix| routes.add(prefix.cidr, None));
        host.static_routes.iter().for_each(|route| routes.add(route.dest, Some(route.via)));
        for preference in [RouterPreference::High, RouterPreference::Medium, RouterPreference::Low] {
            let learned = host.routes.iter().filter(|route| route.preference == preference);
            learned.for_each(|route| routes.add(route.dest, Some(route.via)));
        }
        self.add_lease_routes(&mut routes);
        for v4 in [true, false] {
            let any = if v4 { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
            if let (Some(via), Some(dest)) = (host.routers.chosen(v4), Cidr::new(any, 0)) {
                routes.add(dest, Some(via));
            }
        }
        routes
    }

    /// A neighbour did not answer. When it is the router in use, another one takes its place (RFC 4861 §7.3.3).
    pub(crate) fn hear_router_unreachable(&mut self, now: Instant, address: IpAddr) {
        if !self.host.config.keeps_state {
            if self.host.routers_of_keeper.contains(&address) {
                self.push_host_update(HostUpdate::RouterUnreachable(address));
            }
            return;
        }
        if !self.host.routers.contains(address) {
            return;
        }
        if self.host.routers.unreachable(now, address) {
            self.counters.bump(IpCounter::RouterChanges);
        }
        self.host_changed(now);
    }

    /// A neighbour answered. When it is a router that was passed over, it has its place again.
    pub(crate) fn hear_router_reachable(&mut self, now: Instant, address: IpAddr) {
        if self.host.config.keeps_state && self.host.routers.reachable(address) {
            self.counters.bump(IpCounter::RouterChanges);
            self.host_changed(now);
        }
    }

    /// Asks a router that is passed over whether it is back.
    fn ask_router(&mut self, now: Instant, router: IpAddr) {
        match self.neighbors.find(router) {
            // Known again by what it sent: asked at that address.
            Some((at, generation, _)) => _ = self.neighbors.mac_for_send(now, at, generation),
            // A full table only means that it is asked a minute later.
            None if self.neighbors.begin(now, router).is_ok() => self.solicit(router, None),
            None => {}
        }
    }
}
