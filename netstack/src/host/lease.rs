//! The DHCP client's verdicts put into practice: its requests become datagrams, its lease an address to be probed, and
//! routers, routes and an MTU while it lasts.

use core::net::{IpAddr, Ipv4Addr};

use super::address::{AddressOrigin, AddressState, HostAddress};
use super::dhcp::{CLIENT_PORT, DhcpEvent, Fault, Lease, Outgoing, Refusal, SERVER_PORT};
use super::routers::{RouterOrigin, RouterPreference};
use crate::counters::IpCounter;
use crate::ethernet::BROADCAST;
use crate::ip::egress::IpHeader;
use crate::ip::{Egress, HOP_LIMIT, PathCache, checksum, protocol};
use crate::routes::Routes;
use crate::time::Instant;
use crate::udp;

impl Egress {
    /// True when a datagram to the clients' port may come to `dst` although that is no address of ours.
    pub(crate) fn awaits_dhcp(&self, dst: Ipv4Addr) -> bool {
        let wanted = self.host.config.dhcp.is_some() && self.answer_arp;
        wanted && (dst == Ipv4Addr::BROADCAST || self.host.dhcp.as_ref().is_none_or(|client| client.awaits(dst)))
    }

    /// True when datagrams to the clients' port are ours.
    pub(crate) fn has_dhcp(&self) -> bool {
        self.host.config.dhcp.is_some() && self.answer_arp
    }

    /// A message of a DHCP server.
    pub(crate) fn handle_dhcp(&mut self, now: Instant, message: &[u8]) -> Result<(), IpCounter> {
        let Some(dhcp) = &mut self.host.dhcp else { return Err(IpCounter::DropUdpPortClosed) };
        let outcome = match dhcp.handle_reply(now, message) {
            Ok(Ok(())) => {
                self.counters.bump(IpCounter::RxDhcpReplies);
                Ok(())
            }
            Ok(Err(Refusal::Stranger)) | Err(Fault::Stranger) => Err(IpCounter::DropDhcpStranger),
            Ok(Err(Refusal::Unusable)) => Err(IpCounter::DropDhcpUnusable),
            Err(Fault::Malformed) => Err(IpCounter::DropDhcpMalformed),
        };
        self.drive_dhcp(now);
        outcome
    }

    pub(super) fn run_dhcp(&mut self, now: Instant) {
        let Some(dhcp) = self.host.dhcp.as_mut().filter(|dhcp| dhcp.next_at() <= now) else { return };
        dhcp.handle_timeout(now);
        self.drive_dhcp(now);
    }

    /// Does what the client has decided.
    fn drive_dhcp(&mut self, now: Instant) {
        while let Some(event) = self.host.dhcp.as_mut().and_then(super::dhcp::Dhcp::poll_event) {
            match event {
                DhcpEvent::Check(lease) => self.check_lease(now, &lease),
                DhcpEvent::Renewed(lease) => self.apply_lease(now, &lease),
                DhcpEvent::Lost(address) => self.drop_lease(now, address),
            }
        }
        if let Some(outgoing) = self.host.dhcp.as_mut().and_then(super::dhcp::Dhcp::poll_transmit) {
            self.send_dhcp(now, outgoing);
        }
        self.host_changed(now);
    }

    fn check_lease(&mut self, now: Instant, lease: &Lease) {
        let address = lease.cidr.address();
        if self.host.addresses.iter().any(|own| own.address() == address) {
            // It is configured as well, and was probed as such.
            return self.lease_is_unique(now);
        }
        let mut fresh = HostAddress::new(lease.cidr, AddressOrigin::Dhcp, AddressState::Tentative);
        fresh.valid_until = lease.until;
        self.begin_detection(now, fresh);
    }

    /// Nobody has the leased address: it is in use.
    pub(super) fn lease_is_unique(&mut self, now: Instant) {
        let Some(dhcp) = &mut self.host.dhcp else { return };
        dhcp.handle_unique();
        let Some(lease) = dhcp.info().lease else { return };
        self.apply_lease(now, &lease);
    }

    /// Somebody else has the leased address, which was removed.
    pub(super) fn lease_is_taken(&mut self, now: Instant) {
        if let Some(dhcp) = &mut self.host.dhcp {
            dhcp.handle_conflict(now);
        }
        self.forget_lease();
        self.drive_dhcp(now);
    }

    fn apply_lease(&mut self, now: Instant, lease: &Lease) {
        let address = lease.cidr.address();
        let ours = |own: &&mut HostAddress| own.origin == AddressOrigin::Dhcp && own.address() == address;
        if let Some(own) = self.host.addresses.iter_mut().find(ours) {
            (own.cidr, own.valid_until) = (lease.cidr, lease.until);
        }
        self.mtu_v4 = lease.mtu.map_or(self.mtu, |mtu| mtu.min(self.mtu));
        let routers = &mut self.host.routers;
        let gone = |router: &IpAddr| lease.router.map(IpAddr::V4) != Some(*router);
        routers.forget_leased_if(gone);
        if let Some(router) = lease.router {
            let learned = routers.learn(IpAddr::V4(router), RouterOrigin::Dhcp, RouterPreference::Medium, lease.until);
            if learned.is_err() {
                self.counters.bump(IpCounter::DropHostTable);
            }
        }
        self.host_changed(now);
    }

    /// The lease is over: the address goes, and its connections with it.
    fn drop_lease(&mut self, now: Instant, address: Ipv4Addr) {
        self.counters.bump(IpCounter::LeasesLost);
        let address = IpAddr::V4(address);
        let ours = |own: &HostAddress| own.origin == AddressOrigin::Dhcp && own.address() == address;
        if let Some(at) = self.host.addresses.iter().position(ours) {
            self.remove_address(at);
        }
        self.forget_lease();
        self.host_changed(now);
    }

    fn forget_lease(&mut self) {
        self.host.routers.forget_leased_if(|_| true);
        self.mtu_v4 = self.mtu;
    }

    /// The routes of the lease in use (RFC 3442).
    pub(super) fn add_lease_routes(&self, routes: &mut Routes) {
        let Some(lease) = self.host.dhcp.as_ref().and_then(|dhcp| dhcp.lease_in_use()) else { return };
        for &(dest, via) in &lease.routes {
            routes.add(dest, via.map(IpAddr::V4));
        }
    }

    fn send_dhcp(&mut self, now: Instant, outgoing: Outgoing) {
        let Outgoing { to, from, message } = outgoing;
        let dst = to.unwrap_or(Ipv4Addr::BROADCAST);
        let (src, dst) = (IpAddr::V4(from), IpAddr::V4(dst));
        let Some(mut frame) = self.alloc_counted() else { return };
        let Some(out) = frame.extend(udp::HEADER_LEN + message.len()) else { return };
        udp::write_header(out, (CLIENT_PORT, SERVER_PORT));
        if let Some(body) = out.get_mut(udp::HEADER_LEN..) {
            body.copy_from_slice(&message);
        }
        checksum::fill_transport(src, dst, protocol::UDP, out, udp::CHECKSUM_AT, false);
        let header = IpHeader { src, dst, protocol: protocol::UDP, ecn: 0, hop_limit: HOP_LIMIT };
        let sent = match to {
            Some(_) => self.send_control(now, &mut PathCache::default(), &header, frame),
            None => self.send_to_mac(BROADCAST, &header, frame),
        };
        if sent.is_ok() {
            self.counters.bump(IpCounter::TxDhcpRequests);
        }
    }
}
