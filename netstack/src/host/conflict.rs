//! Whether an address is ours alone: duplicate address detection for IPv6 (RFC 4862 §5.4, with the nonce of RFC 7527) and
//! address conflict detection for IPv4 (RFC 5227).
//!
//! ```text
//!   IPv6   random delay ─▶ solicit · RetransTimer (once or more) ─▶ in use, announced
//!   IPv4   random delay ─▶ probe · 1–2 s · probe · 1–2 s · probe · 2 s ─▶ in use, announced twice
//! ```
//!
//! A tentative address is not in the index of addresses: packets to it are dropped, nothing leaves from it, and it is not
//! answered for. When somebody else has it, it is disabled; an opaque identifier gets other tries (RFC 7217 §6), a lease
//! is declined.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use super::address::{AddressEvent, AddressOrigin, AddressState, HostAddress};
use super::identifier::Identifiers;
use super::solicit::jitter;
use super::update::HostUpdate;
use crate::counters::IpCounter;
use crate::ip::{Cidr, Egress};
use crate::time::Instant;
use crate::{arp, mld, ndp};

/// RFC 4861 §10: MAX_RTR_SOLICITATION_DELAY, as RFC 4862 §5.4.2 uses it.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// RFC 5227 §1.1.
const PROBE_WAIT: Duration = Duration::from_secs(1);
pub(super) const PROBE_NUM: u8 = 3;
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_SPREAD: Duration = Duration::from_secs(1);
const ANNOUNCE_WAIT: Duration = Duration::from_secs(2);
const ANNOUNCE_NUM: u8 = 2;
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// RFC 7217 §7: IDGEN_RETRIES and IDGEN_DELAY.
const IDGEN_RETRIES: u8 = 3;
const IDGEN_DELAY: Duration = Duration::from_secs(1);

impl Egress {
    /// Adds an address and begins to find out whether anybody has it; or takes it at once, where nothing is detected.
    pub(crate) fn begin_detection(&mut self, now: Instant, mut fresh: HostAddress) {
        let (v4, probes) = (fresh.address().is_ipv4(), self.host.probes_for(&fresh));
        if !self.answer_arp || probes == 0 {
            fresh.state = AddressState::Preferred;
            fresh.due = Instant::FAR_FUTURE;
            let address = fresh.address();
            self.host.addresses.push(fresh);
            self.host_changed(now);
            self.announce_address(address);
            return;
        }
        let fresh = self.tentative(now, fresh);
        self.host.addresses.push(fresh);
        self.host_changed(now);
        if !v4 {
            // RFC 4862 §5.4.2: its solicited-node group is joined before the first probe.
            mld::report(self, mld::Record::ChangeToExclude);
        }
    }

    /// The address before its first probe. Workers that follow another one wait for its verdict.
    pub(super) fn tentative(&mut self, now: Instant, mut fresh: HostAddress) -> HostAddress {
        fresh.state = AddressState::Tentative;
        fresh.sent = 0;
        if !self.host.config.keeps_state {
            return fresh;
        }
        let longest = if fresh.address().is_ipv4() { PROBE_WAIT } else { MAX_DELAY };
        fresh.due = now + jitter(&mut self.host.rng, longest);
        if fresh.dad_counter > 0 {
            fresh.due += IDGEN_DELAY;
        }
        let nonce = self.host.rng.next_u64().to_le_bytes();
        fresh.nonce.copy_from_slice(&nonce[..6]);
        fresh
    }

    /// Takes the steps of detections and announcements that are due.
    pub(crate) fn run_detections(&mut self, now: Instant) {
        for at in 0..self.host.addresses.len() {
            let Some(record) = self.host.addresses.get(at).filter(|record| record.due <= now) else { continue };
            match (record.state, record.address()) {
                (AddressState::Tentative, _) if record.sent >= self.host.probes_for(record) => self.assign(now, at),
                (AddressState::Tentative, address) => {
                    let nonce = record.nonce;
                    self.probe(address, nonce);
                    self.schedule_after_probe(now, at);
                }
                (_, IpAddr::V4(v4)) if record.sent < ANNOUNCE_NUM => {
                    arp::announce(self, v4);
                    self.schedule(at, now + ANNOUNCE_INTERVAL);
                }
                _ => {
                    if let Some(record) = self.host.addresses.get_mut(at) {
                        record.due = Instant::FAR_FUTURE;
                    }
                }
            }
        }
    }

    fn probe(&mut self, address: IpAddr, nonce: [u8; 6]) {
        match address {
            IpAddr::V4(v4) => arp::probe(self, v4),
            IpAddr::V6(v6) => ndp::probe(self, v6, nonce),
        }
    }

    fn schedule_after_probe(&mut self, now: Instant, at: usize) {
        let Some(record) = self.host.addresses.get(at) else { return };
        let last = record.sent + 1 >= self.host.probes_for(record);
        let wait = match record.address() {
            IpAddr::V6(_) => self.neighbors.times.retrans,
            IpAddr::V4(_) if last => ANNOUNCE_WAIT,
            IpAddr::V4(_) => PROBE_MIN + jitter(&mut self.host.rng, PROBE_SPREAD),
        };
        self.schedule(at, now + wait);
    }

    fn schedule(&mut self, at: usize, due: Instant) {
        if let Some(record) = self.host.addresses.get_mut(at) {
            record.sent = record.sent.saturating_add(1);
            record.due = due;
        }
    }

    /// Nobody answered: the address is ours.
    fn assign(&mut self, now: Instant, at: usize) {
        let Some(record) = self.host.addresses.get_mut(at) else { return };
        record.move_by(AddressEvent::Unique);
        let (address, origin) = (record.address(), record.origin);
        record.sent = 1;
        record.due = if address.is_ipv4() { now + ANNOUNCE_INTERVAL } else { Instant::FAR_FUTURE };
        self.counters.bump(IpCounter::AddressesAssigned);
        self.host_changed(now);
        self.announce_address(address);
        match origin {
            AddressOrigin::LinkLocal => self.begin_solicitation(now),
            AddressOrigin::Dhcp => self.lease_is_unique(now),
            AddressOrigin::Static | AddressOrigin::Slaac => {}
        }
    }

    /// Tells the link whose the address is now.
    pub(crate) fn announce_address(&mut self, address: IpAddr) {
        if !self.host.announce {
            return;
        }
        match address {
            IpAddr::V4(v4) => arp::announce(self, v4),
            IpAddr::V6(v6) => ndp::announce(self, v6),
        }
    }

    /// Somebody else uses `address`, or probes for it too. `nonce` is that of the probe, if it had one.
    pub(crate) fn hear_conflict(&mut self, now: Instant, address: IpAddr, nonce: Option<[u8; 6]>) {
        if !self.host.config.keeps_state {
            return self.push_host_update(HostUpdate::Conflict { address, nonce });
        }
        let Some(at) = self.host.addresses.iter().position(|record| record.address() == address) else { return };
        let Some(record) = self.host.addresses.get(at) else { return };
        match record.state {
            // RFC 7527 §4.2: our own probe came back.
            AddressState::Tentative if nonce == Some(record.nonce) => {
                self.counters.bump(IpCounter::ProbesLoopedBack);
            }
            AddressState::Tentative => self.give_up(now, at),
            AddressState::Preferred | AddressState::Deprecated => {
                if let IpAddr::V4(v4) = address {
                    self.defend(now, at, v4);
                }
            }
            AddressState::Duplicate => {}
        }
    }

    /// RFC 5227 §2.4: a configured address is kept, and announced once an interval (case c); a leased one is announced
    /// once, and given up when that did not help (case b).
    fn defend(&mut self, now: Instant, at: usize, address: Ipv4Addr) {
        let Some(record) = self.host.addresses.get_mut(at) else { return };
        let lately = record.defended_at.is_some_and(|last| now.saturating_since(last) < DEFEND_INTERVAL);
        if lately && record.origin == AddressOrigin::Dhcp {
            return self.give_up(now, at);
        }
        if !lately {
            record.defended_at = Some(now);
            arp::announce(self, address);
        }
    }

    /// The address is somebody else's.
    fn give_up(&mut self, now: Instant, at: usize) {
        self.counters.bump(IpCounter::AddressDuplicates);
        let Some(record) = self.host.addresses.get(at) else { return };
        match record.origin {
            AddressOrigin::Static => self.disable(at),
            AddressOrigin::Dhcp => {
                self.remove_address(at);
                self.lease_is_taken(now);
            }
            AddressOrigin::LinkLocal | AddressOrigin::Slaac => self.try_another(now, at),
        }
        self.host_changed(now);
    }

    fn disable(&mut self, at: usize) {
        if let Some(record) = self.host.addresses.get_mut(at) {
            record.move_by(AddressEvent::Conflict);
            record.due = Instant::FAR_FUTURE;
        }
    }

    /// RFC 7217 §6: another identifier for the same prefix, three times. RFC 4862 §5.4.5: an identifier made of the MAC
    /// address has no other; without a link-local address, nothing is formed on this link.
    fn try_another(&mut self, now: Instant, at: usize) {
        let Some(record) = self.host.addresses.get(at) else { return };
        let tries = record.dad_counter + 1;
        let stable = matches!(self.host.config.identifiers, Identifiers::Stable { .. });
        let prefix = record.cidr.network();
        let address = self.host.config.identifiers.address(prefix, self.mac, tries);
        let next = address.and_then(|address| Cidr::new(IpAddr::V6(address), prefix.prefix_len()));
        let Some(cidr) = next.filter(|_| stable && tries <= IDGEN_RETRIES) else { return self.disable(at) };
        let fresh = HostAddress { cidr, dad_counter: tries, due: now, ..record.clone() };
        self.host.addresses.remove(at);
        self.begin_detection(now, fresh);
    }
}
