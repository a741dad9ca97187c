//! What the workers of one port tell each other, so that one of them runs the host's machines and all of them have their
//! results.
//!
//! ```text
//!   worker 0  keeps the state: DAD, ACD, SLAAC, DHCP ──▶ HostState, whole, whenever it changes ──▶ workers 1, 2, …
//!   worker n  a frame that concerns these machines came to its queue ──▶ HostUpdate ──▶ worker 0
//! ```
//!
//! A NIC spreads multicasts, broadcasts and ARP over its queues as it likes, so every worker checks what comes to it, and
//! passes on the meaning, within a bound. All of it is idempotent: a message that arrives twice changes nothing.

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use std::sync::Arc;

use super::address::{AddressInfo, HostAddress};
use super::dhcp::DhcpInfo;
use super::routers::RouterInfo;
use crate::counters::IpCounter;
use crate::ip::Egress;
use crate::routes::RouteInfo;
use crate::time::Instant;

/// Everything that the host's machines have found, at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostState {
    /// Counts up with every change.
    pub generation: u64,
    /// Every address, also those that are not (or not yet) in use.
    pub addresses: Vec<AddressInfo>,
    /// The default routers.
    pub routers: Vec<RouterInfo>,
    /// The route table.
    pub routes: Vec<RouteInfo>,
    /// The lease, when there is a DHCP client.
    pub dhcp: Option<DhcpInfo>,
    /// Hop limit of what is sent.
    pub hop_limit: u8,
    /// Largest IPv4 packet in bytes.
    pub mtu_v4: u16,
    /// Largest IPv6 packet in bytes.
    pub mtu_v6: u16,
    /// RFC 4861 §6.3.2: BaseReachableTime.
    pub reachable_time: Duration,
    /// RFC 4861 §6.3.2: RetransTimer.
    pub retrans_timer: Duration,
}

/// A message between the workers of one port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostUpdate {
    /// From who keeps the state to the others.
    State(Arc<HostState>),
    /// Somebody else uses an address of ours.
    Conflict {
        /// The address.
        address: IpAddr,
        /// The nonce of the probe that told (RFC 7527).
        nonce: Option<[u8; 6]>,
    },
    /// A router advertisement, checked.
    Advertisement {
        /// The router.
        src: Ipv6Addr,
        /// Where its frame came from.
        mac: [u8; 6],
        /// The ICMPv6 message.
        message: Box<[u8]>,
    },
    /// A DHCP message for us.
    Dhcp {
        /// The payload of its datagram.
        message: Box<[u8]>,
    },
    /// A default router does not answer another worker.
    RouterUnreachable(IpAddr),
    /// A neighbour is no router any more.
    NoRouter(IpAddr),
}

impl Egress {
    /// Keeps an update for the other workers.
    pub(crate) fn push_host_update(&mut self, update: HostUpdate) {
        if self.host.updates.len() >= self.host.config.limits.updates {
            self.host.updates.pop_front();
            self.counters.bump(IpCounter::DropHostUpdate);
        }
        self.host.updates.push_back(update);
    }

    /// Takes an update of another worker.
    pub(crate) fn take_host_update(&mut self, now: Instant, update: HostUpdate) {
        if let HostUpdate::State(state) = update {
            if !self.host.config.keeps_state {
                self.install(&state);
            }
            return;
        }
        if !self.host.config.keeps_state {
            return;
        }
        let result = match update {
            HostUpdate::State(_) => Ok(()),
            HostUpdate::Conflict { address, nonce } => {
                self.hear_conflict(now, address, nonce);
                Ok(())
            }
            HostUpdate::Advertisement { src, mac, message } => {
                self.handle_router_advertisement(now, src, mac, &message)
            }
            HostUpdate::Dhcp { message } => self.handle_dhcp(now, &message),
            HostUpdate::RouterUnreachable(address) => {
                self.hear_router_unreachable(now, address);
                Ok(())
            }
            HostUpdate::NoRouter(address) => {
                self.hear_no_router(now, address);
                Ok(())
            }
        };
        if let Err(reason) = result {
            self.counters.bump(reason);
        }
    }

    /// Puts the keeper's state in the place of our own. The lifetimes are the keeper's to watch: here they are for show.
    fn install(&mut self, state: &Arc<HostState>) {
        if state.generation <= self.host.state.generation {
            return;
        }
        self.hop_limit = state.hop_limit;
        (self.mtu_v4, self.mtu_v6) = (state.mtu_v4.min(self.mtu), state.mtu_v6.min(self.mtu));
        self.neighbors.times.reachable = state.reachable_time;
        self.neighbors.times.retrans = state.retrans_timer;
        let stays = |address| state.addresses.iter().any(|own| own.state.is_used() && own.cidr.address() == address);
        let used = self.host.addresses.iter().filter(|own| own.state.is_used()).map(HostAddress::address);
        let gone: Vec<IpAddr> = used.filter(|address| !stays(*address)).collect();
        self.host.departed.extend(gone);
        self.host.addresses.clear();
        self.host
            .addresses
            .extend(state.addresses.iter().map(|info| HostAddress::new(info.cidr, info.origin, info.state)));
        self.index_addresses();
        if !self.routes.iter().eq(state.routes.iter().copied()) {
            self.routes.clear();
            state.routes.iter().for_each(|route| self.routes.add(route.dest, route.via));
            self.neighbors.void_paths();
        }
        self.host.routers_of_keeper.clear();
        self.host.routers_of_keeper.extend(state.routers.iter().map(|router| router.address));
        self.host.state = Arc::clone(state);
    }

    /// A datagram of a DHCP server came to the port of clients. `Err` when there is no client, or it was bad.
    pub(crate) fn hear_dhcp(&mut self, now: Instant, message: &[u8]) -> Result<(), IpCounter> {
        if self.host.config.keeps_state {
            return self.handle_dhcp(now, message);
        }
        self.push_host_update(HostUpdate::Dhcp { message: message.into() });
        Ok(())
    }
}
