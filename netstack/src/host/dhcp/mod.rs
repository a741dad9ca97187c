//! The DHCP client (RFC 2131) as a machine: messages and time in, messages and verdicts out. It knows no address table,
//! no frame and no ARP; [`host`](super) puts its verdicts into practice.
//!
//! ```text
//!   handle_reply(now, reply) ─┐                        ┌─▶ poll_transmit ─▶ a request to broadcast or to send
//!   handle_timeout(now) ──────┼─▶ state, timers, lease ┤
//!   handle_unique/conflict ───┘                        └─▶ poll_event ────▶ Check(lease) · Bound · Lost
//! ```
//!
//! After each `handle_*`, `poll_event` and `poll_transmit` are called until they are empty. Requests are repeated with
//! RFC 2131 §4.1's back-off and jitter; nothing is repeated for ever but DISCOVER, once in about a minute.

mod lease;
mod message;
mod state;
#[cfg(test)]
mod tests;

use core::net::Ipv4Addr;
use core::time::Duration;

pub use lease::Lease;
pub(crate) use message::Fault;
use message::{Reply, ReplyKind, Request, RequestKind};
pub use state::{DhcpState, DhcpTransition};

use super::solicit::jitter;
use crate::rng::Rng;
use crate::time::Instant;

/// The port of clients.
pub(crate) const CLIENT_PORT: u16 = 68;
/// The port of servers.
pub(crate) const SERVER_PORT: u16 = 67;

/// RFC 2131 §4.4.1: the client waits between one and ten seconds before it begins; a server is up more often than a
/// whole building of desktops, so one at most.
const MAX_BEGIN_DELAY: Duration = Duration::from_secs(1);
/// RFC 2131 §4.1: 4, 8, 16, 32, 64 seconds, each plus or minus one.
const FIRST_INTERVAL: Duration = Duration::from_secs(4);
const LONGEST_INTERVAL: Duration = Duration::from_secs(64);
/// Requests for one offer, or for a remembered address, before the client starts anew (RFC 2131 §3.1 (5): four in 60 s).
const REQUEST_TRIES: u8 = 4;
/// RFC 2131 §4.4.5: the least wait between two renewals.
const LEAST_RENEWAL: Duration = Duration::from_secs(60);
/// RFC 2131 §3.1 (5), and RFC 5227 §2.1.1 after many conflicts.
const CONFLICT_DELAY: Duration = Duration::from_secs(10);
const MANY_CONFLICTS: u8 = 10;
const MANY_CONFLICTS_DELAY: Duration = Duration::from_secs(60);

/// What a client is told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DhcpConfig {
    /// The address of the last lease, to be asked for again (INIT-REBOOT).
    pub previous: Option<Ipv4Addr>,
    /// Told to the server, which may put it into the DNS.
    pub host_name: Option<String>,
}

/// The client, as shown to people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DhcpInfo {
    /// Where it is.
    pub state: DhcpState,
    /// What it was given.
    pub lease: Option<Lease>,
}

/// A request and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outgoing {
    /// `None`: broadcast, from the unspecified address.
    pub to: Option<Ipv4Addr>,
    /// Broadcast or not, it leaves from this address.
    pub from: Ipv4Addr,
    pub message: Vec<u8>,
}

/// A verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DhcpEvent {
    /// The address shall be probed; `handle_unique` or `handle_conflict` follows. An address that is in use needs no
    /// probe.
    Check(Lease),
    /// The lease was prolonged or came with other parameters.
    Renewed(Lease),
    /// The address must not be used any longer.
    Lost(Ipv4Addr),
}

/// Why a reply was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// Of another exchange.
    Stranger,
    /// Nothing is asked in this state, or the lease cannot be used.
    Unusable,
}

/// The client. See the module's description.
pub(crate) struct Dhcp {
    config: DhcpConfig,
    mac: [u8; 6],
    mtu: u16,
    state: DhcpState,
    xid: u32,
    rng: Rng,
    /// When the present exchange began, and when its last request left.
    began_at: Instant,
    sent_at: Instant,
    tries: u8,
    retry_at: Instant,
    conflicts: u8,
    offer: Option<(Ipv4Addr, Ipv4Addr)>,
    lease: Option<Lease>,
    outgoing: Option<Outgoing>,
    event: Option<DhcpEvent>,
}

impl Dhcp {
    /// A client that begins within a second.
    pub(crate) fn new(config: DhcpConfig, mac: [u8; 6], mtu: u16, seed: u64, now: Instant) -> Dhcp {
        let state = if config.previous.is_some() { DhcpState::InitReboot } else { DhcpState::Init };
        let mut rng = Rng::new(seed);
        let retry_at = now + jitter(&mut rng, MAX_BEGIN_DELAY);
        Dhcp {
            config,
            mac,
            mtu,
            state,
            xid: 0,
            rng,
            began_at: now,
            sent_at: now,
            tries: 0,
            retry_at,
            conflicts: 0,
            offer: None,
            lease: None,
            outgoing: None,
            event: None,
        }
    }

    pub(crate) fn info(&self) -> DhcpInfo {
        DhcpInfo { state: self.state, lease: self.lease.clone() }
    }

    /// The lease, once its address was found to be free.
    pub(crate) fn lease_in_use(&self) -> Option<&Lease> {
        self.lease.as_ref().filter(|_| self.state != DhcpState::Checking)
    }

    /// True for an address that a server may send to although it is not in use yet (RFC 2131 §4.1: some ignore the
    /// broadcast bit).
    pub(crate) fn awaits(&self, address: Ipv4Addr) -> bool {
        self.offer.is_some_and(|(offered, _)| offered == address)
            || (self.state == DhcpState::Selecting && !address.is_unspecified())
            || (self.state == DhcpState::Rebooting && self.remembered() == Some(address))
    }

    pub(crate) fn next_at(&self) -> Instant {
        let lease = self.lease.as_ref();
        let at = |of: fn(&Lease) -> Instant| lease.map_or(Instant::FAR_FUTURE, of);
        let end = at(|lease| lease.until);
        match self.state {
            DhcpState::Checking => end,
            DhcpState::Bound => at(|lease| lease.renew_at).min(at(|lease| lease.rebind_at)).min(end),
            DhcpState::Renewing => self.retry_at.min(at(|lease| lease.rebind_at)).min(end),
            _ => self.retry_at.min(end),
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Outgoing> {
        self.outgoing.take()
    }

    pub(crate) fn poll_event(&mut self) -> Option<DhcpEvent> {
        self.event.take()
    }

    /// A well-formed reply to our MAC address.
    pub(crate) fn handle_reply(&mut self, now: Instant, message: &[u8]) -> Result<Result<(), Refusal>, Fault> {
        let reply = Reply::parse(message, self.mac)?;
        Ok(self.take_reply(now, &reply))
    }

    fn take_reply(&mut self, now: Instant, reply: &Reply) -> Result<(), Refusal> {
        if reply.xid != self.xid {
            return Err(Refusal::Stranger);
        }
        let asking = matches!(
            self.state,
            DhcpState::Requesting | DhcpState::Rebooting | DhcpState::Renewing | DhcpState::Rebinding
        );
        match (reply.kind, self.state) {
            (ReplyKind::Offer, DhcpState::Selecting) => self.take_offer(now, reply),
            (ReplyKind::Ack, _) if asking => self.take_ack(now, reply),
            (ReplyKind::Nak, _) if asking && self.is_from_our_server(reply) => {
                self.config.previous = None;
                let delay = jitter(&mut self.rng, MAX_BEGIN_DELAY);
                self.start_anew(now, DhcpTransition::Nak, delay);
                Ok(())
            }
            _ => Err(Refusal::Unusable),
        }
    }

    /// RFC 2131 §4.4.1: any offer that can be used; the first, as most clients do.
    fn take_offer(&mut self, now: Instant, reply: &Reply) -> Result<(), Refusal> {
        let lease = Lease::read(reply, now).ok_or(Refusal::Unusable)?;
        self.offer = Some((lease.address(), lease.server));
        self.move_by(DhcpTransition::Offer);
        self.tries = 0;
        self.request(now);
        Ok(())
    }

    fn is_from_our_server(&self, reply: &Reply) -> bool {
        match self.state {
            // Any server may answer what was broadcast to all.
            DhcpState::Rebooting | DhcpState::Rebinding => reply.server.is_some(),
            DhcpState::Renewing => reply.server == self.lease.as_ref().map(|lease| lease.server),
            _ => reply.server == self.offer.map(|(_, server)| server),
        }
    }

    fn take_ack(&mut self, now: Instant, reply: &Reply) -> Result<(), Refusal> {
        let lease = Lease::read(reply, self.sent_at).ok_or(Refusal::Unusable)?;
        let asked_for = self.offer.map(|(address, _)| address).or_else(|| self.remembered());
        if !self.is_from_our_server(reply) || asked_for != Some(lease.address()) || lease.until <= now {
            return Err(Refusal::Unusable);
        }
        let in_use = self.lease.is_some();
        self.move_by(DhcpTransition::Ack);
        self.lease = Some(lease.clone());
        self.offer = None;
        self.retry_at = Instant::FAR_FUTURE;
        if in_use {
            self.move_by(DhcpTransition::Unique);
            self.event = Some(DhcpEvent::Renewed(lease));
        } else {
            self.event = Some(DhcpEvent::Check(lease));
        }
        Ok(())
    }

    fn remembered(&self) -> Option<Ipv4Addr> {
        self.lease.as_ref().map(Lease::address).or(self.config.previous)
    }

    /// Nobody on the link has the address that was to be checked.
    pub(crate) fn handle_unique(&mut self) {
        if self.move_by(DhcpTransition::Unique) {
            self.conflicts = 0;
            self.config.previous = self.lease.as_ref().map(Lease::address);
        }
    }

    /// Somebody on the link has the address: the server is told, and the client starts anew after a while.
    pub(crate) fn handle_conflict(&mut self, now: Instant) {
        if self.state.after(DhcpTransition::Conflict).is_none() {
            return;
        }
        let Some(lease) = self.lease.clone() else { return };
        self.conflicts = self.conflicts.saturating_add(1);
        let delay = if self.conflicts >= MANY_CONFLICTS { MANY_CONFLICTS_DELAY } else { CONFLICT_DELAY };
        self.config.previous = None;
        self.start_anew(now, DhcpTransition::Conflict, delay);
        // The caller knows that the address is gone: it said so.
        self.event = None;
        let request = Request {
            kind: RequestKind::Decline,
            xid: self.xid,
            elapsed: Duration::ZERO,
            mac: self.mac,
            client_address: Ipv4Addr::UNSPECIFIED,
            requested: Some(lease.address()),
            server: Some(lease.server),
            host_name: None,
            mtu: self.mtu,
        };
        self.outgoing = Some(Outgoing { to: None, from: Ipv4Addr::UNSPECIFIED, message: request.encode() });
    }

    /// The link came back: the address is used on, and asked about (RFC 2131 §3.7).
    pub(crate) fn handle_link_up(&mut self, now: Instant) {
        if self.move_by(DhcpTransition::LinkUp) {
            self.retry_at = now + jitter(&mut self.rng, MAX_BEGIN_DELAY);
        } else if matches!(self.state, DhcpState::Init | DhcpState::Selecting | DhcpState::InitReboot) {
            self.retry_at = now;
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(lease) = &self.lease {
            let (renew_at, rebind_at, until) = (lease.renew_at, lease.rebind_at, lease.until);
            if until <= now {
                return self.start_anew(now, DhcpTransition::Expired, Duration::ZERO);
            }
            if rebind_at <= now && self.move_by(DhcpTransition::RebindingDue) {
                return self.begin_exchange(now);
            }
            if renew_at <= now && self.move_by(DhcpTransition::RenewalDue) {
                return self.begin_exchange(now);
            }
        }
        if now < self.retry_at {
            return;
        }
        match self.state {
            DhcpState::Init | DhcpState::InitReboot => {
                self.move_by(DhcpTransition::Begin);
                self.begin_exchange(now);
            }
            DhcpState::Requesting | DhcpState::Rebooting if self.tries >= REQUEST_TRIES => self.no_answer(now),
            DhcpState::Checking | DhcpState::Bound => self.retry_at = Instant::FAR_FUTURE,
            _ => self.request(now),
        }
    }

    fn no_answer(&mut self, now: Instant) {
        // RFC 2131 §3.2 (4): without an answer the address may be used until the end of its lease.
        if self.lease.is_some() && self.move_by(DhcpTransition::LeaseStillGood) {
            self.retry_at = Instant::FAR_FUTURE;
        } else {
            self.config.previous = None;
            let delay = jitter(&mut self.rng, MAX_BEGIN_DELAY);
            self.start_anew(now, DhcpTransition::NoAnswer, delay);
        }
    }

    fn begin_exchange(&mut self, now: Instant) {
        self.xid = self.rng.next_u64() as u32;
        self.began_at = now;
        self.tries = 0;
        self.request(now);
    }

    /// Sends what the state asks for, and sets the time of the next try.
    fn request(&mut self, now: Instant) {
        let ours = self.lease.as_ref().map(|lease| (lease.address(), lease.server));
        let none = Ipv4Addr::UNSPECIFIED;
        let offered = self.offer;
        // RFC 2131 §4.3.2, table 4: what is filled in where.
        let (kind, client_address, requested, server, to) = match self.state {
            DhcpState::Selecting => (RequestKind::Discover, none, self.config.previous, None, None),
            DhcpState::Requesting => {
                (RequestKind::Request, none, offered.map(|offer| offer.0), offered.map(|offer| offer.1), None)
            }
            DhcpState::Rebooting => (RequestKind::Request, none, self.remembered(), None, None),
            DhcpState::Renewing => {
                (RequestKind::Request, ours.map_or(none, |ours| ours.0), None, None, ours.map(|ours| ours.1))
            }
            DhcpState::Rebinding => (RequestKind::Request, ours.map_or(none, |ours| ours.0), None, None, None),
            _ => return,
        };
        let request = Request {
            kind,
            xid: self.xid,
            elapsed: now.saturating_since(self.began_at),
            mac: self.mac,
            client_address,
            requested,
            server,
            host_name: self.config.host_name.as_deref(),
            mtu: self.mtu,
        };
        self.outgoing = Some(Outgoing { to, from: client_address, message: request.encode() });
        self.sent_at = now;
        self.tries = self.tries.saturating_add(1);
        self.retry_at = now + self.interval(now);
    }

    fn interval(&mut self, now: Instant) -> Duration {
        let end = match (&self.state, &self.lease) {
            (DhcpState::Renewing, Some(lease)) => Some(lease.rebind_at),
            (DhcpState::Rebinding, Some(lease)) => Some(lease.until),
            _ => None,
        };
        if let Some(end) = end {
            // RFC 2131 §4.4.5: half of what is left, at least a minute.
            return (end.saturating_since(now) / 2).max(LEAST_RENEWAL);
        }
        let doublings = u32::from(self.tries.saturating_sub(1)).min(4);
        let base = (FIRST_INTERVAL * (1 << doublings)).min(LONGEST_INTERVAL);
        let second = Duration::from_secs(1);
        base - second + jitter(&mut self.rng, second * 2)
    }

    /// Forgets what was granted, and begins again after `delay`.
    fn start_anew(&mut self, now: Instant, why: DhcpTransition, delay: Duration) {
        if !self.move_by(why) {
            return;
        }
        self.offer = None;
        self.outgoing = None;
        if let Some(lease) = self.lease.take() {
            self.event = Some(DhcpEvent::Lost(lease.address()));
        }
        self.retry_at = now + delay;
    }

    fn move_by(&mut self, transition: DhcpTransition) -> bool {
        match self.state.after(transition) {
            Some(next) => {
                self.state = next;
                true
            }
            None => false,
        }
    }
}
