//! What moves the neighbour table: messages heard, updates of other workers, timers; and the questions we ask.

use core::net::IpAddr;

use super::PathCache;
use super::egress::Egress;
use super::path::PathKind;
use crate::counters::IpCounter;
use crate::neighbor::{Expired, NeighborEvent, NeighborState, NeighborUpdate};
use crate::time::Instant;
use crate::{arp, ndp};

/// How a neighbour made itself known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tidings {
    /// It asked for an address of ours (ARP request, neighbour solicitation).
    AskedUs,
    /// It answered a question (ARP reply to us, solicited advertisement).
    Answer { overrides: bool },
    /// It announced itself (gratuitous ARP, unsolicited advertisement).
    Announcement { overrides: bool },
}

impl Egress {
    /// A neighbour's link address was heard. Strangers are only taken in when they asked for us; false when the
    /// tidings concerned nobody we know.
    pub(crate) fn hear_neighbor(&mut self, now: Instant, address: IpAddr, mac: [u8; 6], tidings: Tidings) -> bool {
        let confirmed = matches!(tidings, Tidings::Answer { .. });
        let Some((at, _, state)) = self.neighbors.find(address) else {
            return self.hear_stranger(address, mac, tidings);
        };
        if state == NeighborState::Permanent {
            return true;
        }
        let differs = state == NeighborState::Incomplete || self.neighbors.differs(at, mac);
        let event = match tidings {
            Tidings::AskedUs => NeighborEvent::Heard { differs },
            Tidings::Answer { overrides } => NeighborEvent::Answered { differs, overrides },
            Tidings::Announcement { overrides } => NeighborEvent::Announced { differs, overrides },
        };
        let taken = self.neighbors.apply(now, at, event, mac);
        if taken {
            self.counters.bump(IpCounter::NeighborsLearned);
            self.flush_pending(at, mac);
        }
        if confirmed {
            self.hear_router_reachable(now, address);
        }
        if taken || confirmed {
            self.push_update(NeighborUpdate { address, mac, confirmed, known: true });
        }
        true
    }

    fn hear_stranger(&mut self, address: IpAddr, mac: [u8; 6], tidings: Tidings) -> bool {
        match tidings {
            // RFC 4861 §7.2.3: who asks for us will be answered, so its address is kept, as STALE.
            Tidings::AskedUs => {
                if self.neighbors.insert_stale(address, mac).is_ok() {
                    self.counters.bump(IpCounter::NeighborsLearned);
                    self.push_update(NeighborUpdate { address, mac, confirmed: false, known: true });
                }
                true
            }
            // Another worker may have asked: the answer came to this one's queue.
            Tidings::Answer { .. } => {
                self.push_update(NeighborUpdate { address, mac, confirmed: true, known: false });
                false
            }
            // RFC 4861 §7.2.5: an advertisement of somebody unknown creates no entry.
            Tidings::Announcement { .. } => false,
        }
    }

    /// Takes over what another worker learned.
    pub(crate) fn take_update(&mut self, now: Instant, update: &NeighborUpdate) {
        let NeighborUpdate { address, mac, confirmed, known } = *update;
        if self.addresses.is_local(address) || mac[0] & 1 != 0 {
            return;
        }
        self.counters.bump(IpCounter::NeighborUpdates);
        if confirmed {
            self.hear_router_reachable(now, address);
        }
        if !self.answer_arp {
            // A full table only means that this one is learned from its own traffic.
            let _ = self.neighbors.set_permanent(address, mac);
            return;
        }
        match self.neighbors.find(address) {
            Some((_, _, NeighborState::Permanent)) => {}
            Some((at, _, state)) => {
                let differs = state == NeighborState::Incomplete || self.neighbors.differs(at, mac);
                let event = if confirmed {
                    NeighborEvent::Answered { differs, overrides: true }
                } else {
                    NeighborEvent::Announced { differs, overrides: true }
                };
                if self.neighbors.apply(now, at, event, mac) {
                    self.flush_pending(at, mac);
                }
            }
            None if known => {
                // A full table only means that this worker asks for itself when it needs to.
                let _ = self.neighbors.insert_stale(address, mac);
            }
            None => {}
        }
    }

    /// With the kernel owning ARP: remembers the next hop towards `remote` by the MAC address its packet came from.
    pub(crate) fn learn_from_ingress(&mut self, remote: IpAddr, mac: [u8; 6]) {
        let Some(next_hop) = self.routes.next_hop(remote) else { return };
        if let Some((at, _, _)) = self.neighbors.find(next_hop)
            && !self.neighbors.differs(at, mac)
        {
            return;
        }
        if self.neighbors.set_permanent(next_hop, mac) == Ok(true) {
            self.counters.bump(IpCounter::NeighborsLearned);
            self.push_update(NeighborUpdate { address: next_hop, mac, confirmed: true, known: true });
        }
    }

    /// Asks for a neighbour: by broadcast or to its solicited-node group, or at the MAC address to be confirmed.
    pub(crate) fn solicit(&mut self, address: IpAddr, at: Option<[u8; 6]>) {
        match address {
            IpAddr::V4(v4) => arp::send_request(self, v4, at),
            IpAddr::V6(v6) => ndp::send_solicitation(self, v6, at),
        }
    }

    /// True when the progress of a connection is worth telling: a neighbour in use waits to be confirmed.
    #[inline]
    pub(crate) fn awaits_confirmation(&self) -> bool {
        self.neighbors.awaiting() != 0
    }

    /// RFC 4861 §7.3.1: a connection made progress, so what it sends arrives. A neighbour that was used lately, and would
    /// be probed, need not be. While none waits for that, connections do not call: at most once in a ReachableTime.
    #[cold]
    pub(crate) fn confirm(&mut self, now: Instant, path: &PathCache) {
        if path.kind == PathKind::Neighbor && self.neighbors.confirm(now, path.index, path.generation) {
            self.counters.bump(IpCounter::NeighborsConfirmed);
        }
    }

    /// Runs the neighbours' timers.
    pub(crate) fn expire_neighbors(&mut self, now: Instant) {
        while let Some(expired) = self.neighbors.poll_expired(now) {
            match expired {
                Expired::Solicit(address, mac) => self.solicit(address, mac),
                Expired::Unreachable(address, dropped) => {
                    self.counters.add(IpCounter::DropNeighborUnreachable, dropped as u64);
                    self.hear_router_unreachable(now, address);
                }
            }
        }
    }
}
