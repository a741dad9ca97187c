//! One stack: what a worker talks to.
//!
//! Four kinds of methods. In a turn of the run loop they are called in this order:
//!
//! ```text
//!   handle_frame(now, frame) for each received frame      handle_*  something arrived, or time passed
//!   handle_handed_over(now, frame) · handle_neighbor(now, update)
//!       handle_host_update(now, update)                   from other workers
//!   handle_timeout(now)
//!   poll_event() · poll_datagram() until None, with       poll_*    what happened
//!       peek · consume · send · close · udp_send ...      commands  what the application wants
//!   settle(now)
//!   poll_transmit(now, &mut frames, n)                    poll_*    what must go out
//!   poll_foreign() · poll_neighbor() · poll_host_update() until None, and host_state() when it is new, for the others
//!   poll_timeout()                                        poll_*    when to come back at the latest
//! ```
//!
//! Frames handed in are owned by the stack until they are consumed or dropped; frames handed out are the port's.

mod connections;
mod datagrams;
mod foreign;
mod ingress;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use self::foreign::Foreign;
use crate::config::{ConfigError, StackConfig};
use crate::counters::{IpCounter, IpCounters};
use crate::fragments::{Reassembler, TimedOut};
use crate::frame::{Frame, FramePool};
use crate::host::{HostState, HostUpdate};
use crate::icmp;
use crate::icmpv6;
use crate::ip::{Cidr, Egress};
use crate::neighbor::{NeighborInfo, NeighborUpdate};
use crate::rng::Seed;
use crate::routes::RouteInfo;
use crate::tcp::{Ctx, Departure, Tcp};
use crate::time::Instant;
use crate::udp::Udp;

/// A TCP/UDP/IP stack over one queue of one port. See the module's description for the order of calls.
pub struct Stack {
    egress: Egress,
    tcp: Tcp,
    udp: Udp,
    fragments: Reassembler,
    foreign: VecDeque<Foreign>,
    /// Connections of an address that is gone are being ended.
    departure: Option<Departure>,
}

impl Stack {
    /// A stack with its tables laid out. With `config.answer_arp` it probes or announces its addresses; fetch the frames
    /// with [`Stack::poll_transmit`].
    pub fn new(config: StackConfig, pool: FramePool, seed: Seed, now: Instant) -> Result<Stack, ConfigError> {
        config.check(pool.frame_size(), pool.headroom())?;
        let mut egress = Egress::new(&config, pool, &seed, now)?;
        egress.start_host(now, &config.addresses);
        Ok(Stack {
            udp: Udp::new(&config.limits, &seed),
            fragments: Reassembler::new(&config.limits, &seed, now),
            tcp: Tcp::new(config.tcp, config.steering, config.flows, &seed, now),
            foreign: VecDeque::new(),
            egress,
            departure: None,
        })
    }

    /// Runs every timer that is due; cheap when none is.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.egress.expire_neighbors(now);
        self.egress.run_host(now);
        self.end_departed(now);
        self.egress.path_mtus.expire(now);
        while let Some(timed_out) = self.fragments.poll_expired(now) {
            self.handle_fragment_timeout(now, timed_out);
        }
        self.tcp.handle_timeout(&mut Ctx { now, egress: &mut self.egress });
    }

    /// Takes over what another worker learned of a neighbour.
    pub fn handle_neighbor(&mut self, now: Instant, update: NeighborUpdate) {
        self.egress.take_update(now, &update);
    }

    /// Takes what another worker tells of the host.
    pub fn handle_host_update(&mut self, now: Instant, update: HostUpdate) {
        self.egress.take_host_update(now, update);
    }

    /// The link came back after it had been down: routers and the DHCP server are asked again.
    pub fn handle_link_up(&mut self, now: Instant) {
        self.egress.hear_link_up(now);
    }

    /// End of a burst, after the application ran: received data that is still held in mostly empty frames is copied
    /// into compact buffers, so that the frames return to the port.
    pub fn settle(&mut self, now: Instant) {
        self.tcp.settle(&mut Ctx { now, egress: &mut self.egress });
    }

    /// Appends up to `max_frames` frames for the port to `out`, ARP, NDP and ICMP first; returns how many.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut VecDeque<Frame>, max_frames: usize) -> usize {
        let control = move_front(&mut self.egress.control, out, max_frames);
        let room = max_frames - control;
        let waiting = self.egress.tx.len();
        if waiting < room {
            self.tcp.poll_transmit(&mut Ctx { now, egress: &mut self.egress }, room - waiting);
        }
        let data = move_front(&mut self.egress.tx, out, room);
        self.egress.counters.add(IpCounter::TxFrames, (control + data) as u64);
        control + data
    }

    /// When [`Stack::handle_timeout`] must be called at the latest; `None` when nothing waits. It may be early.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let host = Some(self.egress.host.next_at()).filter(|at| *at != Instant::FAR_FUTURE);
        let others = [self.egress.neighbors.next_deadline(), self.fragments.next_deadline(), self.tcp.poll_timeout()];
        let departure = self.departure.is_some() || self.egress.host.has_departed();
        // Memory pressure ends connections after the application had its turn (`settle`): that must not be slept over.
        let at_once = departure || self.tcp.has_events();
        others.into_iter().chain([host, at_once.then_some(Instant::ZERO)]).flatten().min()
    }

    /// The next thing learned of a neighbour that the other workers should be told.
    pub fn poll_neighbor(&mut self) -> Option<NeighborUpdate> {
        self.egress.pop_update()
    }

    /// The next thing that the worker which keeps the host's state should be told.
    pub fn poll_host_update(&mut self) -> Option<HostUpdate> {
        self.egress.host.pop_update()
    }

    /// What the host has found out, whole; its generation counts up with every change. From the worker that keeps the
    /// state, the others get it as [`HostUpdate::State`].
    pub fn host_state(&self) -> &Arc<HostState> {
        self.egress.host.state()
    }

    /// True when the host's machines run in this stack ([`HostConfig::keeps_state`](crate::HostConfig)).
    pub fn keeps_host_state(&self) -> bool {
        self.egress.host.config.keeps_state
    }

    /// What the link, network and UDP layers counted.
    pub fn ip_counters(&self) -> &IpCounters {
        &self.egress.counters
    }

    /// The pool that frames to be sent are taken from.
    pub fn pool(&self) -> &FramePool {
        &self.egress.pool
    }

    /// Our addresses in use with their prefixes: the configured ones, the link-local one, those learned.
    pub fn addresses(&self) -> impl Iterator<Item = Cidr> + '_ {
        self.egress.addresses.iter()
    }

    /// The neighbour table.
    pub fn neighbors(&self) -> impl Iterator<Item = NeighborInfo> + '_ {
        self.egress.neighbors.iter()
    }

    /// The route table, IPv4 first, longest prefix first.
    pub fn routes(&self) -> impl Iterator<Item = RouteInfo> + '_ {
        self.egress.routes.iter()
    }

    /// Ends the connections of addresses that are gone, a bounded number in one call.
    fn end_departed(&mut self, now: Instant) {
        if self.departure.is_none() {
            self.departure = self.egress.host.pop_departed().map(Departure::of);
        }
        let Some(departure) = &mut self.departure else { return };
        // It may be ours again meanwhile.
        let over = self.egress.is_local(departure.address());
        if over || self.tcp.end_departed(&mut Ctx { now, egress: &mut self.egress }, departure) {
            self.departure = None;
        }
    }

    fn handle_fragment_timeout(&mut self, now: Instant, timed_out: TimedOut) {
        let TimedOut { meta, first, dropped } = timed_out;
        self.egress.counters.add(IpCounter::DropFragmentTimeout, dropped);
        // RFC 792, RFC 8200 §4.5: told only when the first fragment, which is quoted, had arrived.
        let Some(first) = first else { return };
        if meta.src.is_ipv4() {
            icmp::send_error(&mut self.egress, now, &meta, first.data(), icmp::Report::ReassemblyTimeout);
        } else {
            icmpv6::send_error(&mut self.egress, now, &meta, first.data(), icmpv6::Report::ReassemblyTimeout);
        }
    }
}

/// Moves up to `max` frames from the front of `queue` to the end of `out`; returns how many.
fn move_front(queue: &mut VecDeque<Frame>, out: &mut VecDeque<Frame>, max: usize) -> usize {
    let count = queue.len().min(max);
    if count == queue.len() {
        out.append(queue);
    } else {
        out.extend(queue.drain(..count));
    }
    count
}
