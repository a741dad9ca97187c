//! The way out: transport packet in, Ethernet frame queued for the port.
//!
//! ```text
//!   send(path, src, dst, frame) ─▶ path known? ──yes──▶ IP header ─▶ Ethernet header ─▶ queue ─▶ Stack::poll_transmit
//!                                      │no
//!                                      ▼
//!                       route ─▶ neighbour table ─▶ resolved: remember in the path
//!                                                └▶ not yet: the finished frame waits there (bounded), and we ask
//! ```
//!
//! Two queues: ARP, NDP and ICMP leave before everything else. Whatever cannot be sent is counted and dropped here; the
//! caller is told with an [`EgressError`] and must not count it again.

use core::net::IpAddr;
use std::collections::VecDeque;

use super::addresses::Addresses;
pub use super::error::EgressError;
use super::path::{PathCache, PathKind};
use super::path_mtu::PathMtus;
use super::token_bucket::TokenBucket;
use super::{HOP_LIMIT, ipv4, ipv6};
use crate::config::{ConfigError, StackConfig};
use crate::counters::{IpCounter, IpCounters};
use crate::ethernet::{self, EthernetTemplate, ethertype};
use crate::frame::{Frame, FramePool, TxChecksum};
use crate::host::Host;
use crate::neighbor::{self, NeighborTable, NeighborUpdate};
use crate::rng::Seed;
use crate::routes::Routes;
use crate::time::Instant;

/// Headroom of every frame that [`Egress::alloc`] gives, in bytes: Ethernet with a tag (18), IPv6 (40), TCP (60) fit.
pub const MIN_HEADROOM: usize = 128;

/// The most that the IP layer puts in front of a transport packet: Ethernet with a tag, IPv6.
pub(crate) const MAX_IP_HEADERS: usize = 18 + ipv6::HEADER_LEN;

/// Which queue a packet waits in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Queue {
    Control,
    Data,
}

/// The variable fields of an IP header to be written.
#[derive(Clone, Copy)]
pub(crate) struct IpHeader {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub protocol: u8,
    pub ecn: u8,
    pub hop_limit: u8,
}

enum Hop {
    Mac([u8; 6]),
    Wait(u32),
}

/// Everything that a packet needs to leave: addresses, routes, neighbours, queues, frames.
pub struct Egress {
    pub(crate) counters: IpCounters,
    pub(crate) addresses: Addresses,
    pub(crate) routes: Routes,
    pub(crate) neighbors: NeighborTable,
    pub(crate) host: Host,
    pub(crate) path_mtus: PathMtus,
    pub(crate) pool: FramePool,
    pub(crate) mac: [u8; 6],
    /// Of the interface. IPv4 and IPv6 packets may have to be smaller, by a lease or a router's word.
    pub(crate) mtu: u16,
    pub(crate) mtu_v4: u16,
    pub(crate) mtu_v6: u16,
    pub(crate) hop_limit: u8,
    pub(crate) vlan: Option<u16>,
    pub(crate) answer_arp: bool,
    pub(crate) answer_echo: bool,
    pub(crate) control: VecDeque<Frame>,
    pub(crate) tx: VecDeque<Frame>,
    pub(crate) icmp_errors: TokenBucket,
    pub(crate) echo_replies: TokenBucket,
    updates: VecDeque<NeighborUpdate>,
    template: EthernetTemplate,
    checksum_offload: bool,
    max_control: usize,
    max_tx: usize,
    max_updates: usize,
}

impl Egress {
    /// Builds the tables that `config` describes. `config` was checked except for what the tables check themselves.
    pub(crate) fn new(config: &StackConfig, pool: FramePool, seed: &Seed, now: Instant) -> Result<Egress, ConfigError> {
        let addresses = Addresses::new(&config.addresses, config.mac)?;
        let routes = build_routes(config, &addresses)?;
        let host = Host::new(config, seed, now);
        let limits = &config.limits;
        let table = neighbor::Limits {
            entries: limits.neighbors,
            incomplete: limits.neighbors_incomplete,
            pending: limits.neighbor_pending,
        };
        let mut neighbors = NeighborTable::new(table, seed, now);
        for &(address, mac) in &config.static_neighbors {
            let possible = mac[0] & 1 == 0 && routes.on_link(address) && !addresses.is_local(address);
            if !possible || neighbors.set_permanent(address, mac).is_err() {
                return Err(ConfigError::Neighbor(address));
            }
        }
        Ok(Egress {
            counters: IpCounters::default(),
            addresses,
            routes,
            neighbors,
            host,
            path_mtus: PathMtus::new(limits.path_mtus, seed),
            pool,
            mac: config.mac,
            mtu: config.mtu,
            mtu_v4: config.mtu,
            mtu_v6: config.mtu,
            hop_limit: HOP_LIMIT,
            vlan: config.vlan,
            answer_arp: config.answer_arp,
            answer_echo: config.answer_echo,
            control: VecDeque::with_capacity(limits.tx_control_frames),
            tx: VecDeque::with_capacity(limits.tx_frames),
            icmp_errors: TokenBucket::new(limits.icmp_errors_per_second, limits.icmp_errors_burst),
            echo_replies: TokenBucket::new(limits.echo_replies_per_second, limits.echo_replies_burst),
            updates: VecDeque::new(),
            template: EthernetTemplate::new(config.mac, config.vlan),
            checksum_offload: config.tx_checksum_offload,
            max_control: limits.tx_control_frames,
            max_tx: limits.tx_frames,
            max_updates: limits.neighbor_updates,
        })
    }

    /// A frame to fill with a transport packet: no data, at least [`MIN_HEADROOM`] bytes of headroom.
    #[inline]
    pub fn alloc(&self) -> Option<Frame> {
        self.pool.alloc()
    }

    /// The address that a packet to `remote` leaves from.
    pub fn select_source(&self, remote: IpAddr) -> Option<IpAddr> {
        self.addresses.select_source(remote)
    }

    /// True for our own unicast addresses.
    #[inline]
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.addresses.is_local(address)
    }

    /// The largest IP packet, in bytes, that may go to `remote` as far as is known.
    pub fn ip_mtu(&self, now: Instant, remote: IpAddr) -> u16 {
        let link = self.link_mtu(remote.is_ipv4());
        self.path_mtus.find(now, remote).map_or(link, |mtu| mtu.min(link))
    }

    /// The largest packet of a family, in bytes, that the link carries.
    #[inline]
    pub(crate) fn link_mtu(&self, v4: bool) -> u16 {
        if v4 { self.mtu_v4 } else { self.mtu_v6 }
    }

    /// A packet-too-big message about `remote` was found genuine by the transport: remembers the MTU for later
    /// connections. Values below the protocol's minimum (68 for IPv4, RFC 791; 1280 for IPv6, RFC 8201 §4) are raised.
    pub fn note_path_mtu(&mut self, now: Instant, remote: IpAddr, mtu: u16) {
        let mtu = mtu.max(if remote.is_ipv4() { 68 } else { 1280 });
        if mtu < self.link_mtu(remote.is_ipv4()) && self.path_mtus.lower(now, remote, mtu) {
            self.counters.bump(IpCounter::PathMtuLowered);
        }
    }

    /// True when the port computes TCP and UDP checksums.
    #[inline]
    pub fn tcp_checksum_offload(&self) -> bool {
        self.checksum_offload
    }

    /// Frames waiting for the port.
    #[inline]
    pub fn queued(&self) -> usize {
        self.control.len() + self.tx.len()
    }

    /// Sends a transport packet. `frame` holds exactly that packet, its checksum done or marked
    /// [`TxChecksum::Offload`] relative to the packet's first byte. Headers are put in front, and the frame is queued, or
    /// waits (bounded) until the neighbour is resolved. `path` remembers the way for the next time.
    #[allow(clippy::too_many_arguments, reason = "the fields of an IP header; a struct would only rename them")]
    pub fn send(
        &mut self,
        now: Instant,
        path: &mut PathCache,
        src: IpAddr,
        dst: IpAddr,
        protocol: u8,
        ecn: u8,
        frame: Frame,
    ) -> Result<(), EgressError> {
        let header = IpHeader { src, dst, protocol, ecn, hop_limit: self.hop_limit };
        self.send_inlined(now, path, &header, frame, Queue::Data)
    }

    /// As [`Egress::send`], before data and with any hop limit.
    pub(crate) fn send_control(
        &mut self,
        now: Instant,
        path: &mut PathCache,
        header: &IpHeader,
        frame: Frame,
    ) -> Result<(), EgressError> {
        self.send_inlined(now, path, header, frame, Queue::Control)
    }

    /// One copy for each queue, so that the header's fields stay in registers.
    #[inline(always)]
    fn send_inlined(
        &mut self,
        now: Instant,
        path: &mut PathCache,
        header: &IpHeader,
        mut frame: Frame,
        queue: Queue,
    ) -> Result<(), EgressError> {
        let hop = match path.kind {
            PathKind::Ingress => Hop::Mac(path.mac),
            PathKind::Neighbor => match self.neighbors.mac_for_send(now, path.index, path.generation) {
                Some(mac) => Hop::Mac(mac),
                None => self.resolve(now, path, header.dst)?,
            },
            PathKind::Unresolved | PathKind::IngressFresh => self.resolve(now, path, header.dst)?,
        };
        let kind = self.push_ip(header, &mut frame)?;
        match hop {
            Hop::Mac(mac) => {
                self.push_ethernet(&mut frame, mac, kind)?;
                self.enqueue(frame, queue)
            }
            Hop::Wait(entry) => {
                self.push_ethernet(&mut frame, [0; 6], kind)?;
                if self.neighbors.park(entry, frame).is_some() {
                    self.counters.bump(IpCounter::DropNeighborPending);
                }
                Ok(())
            }
        }
    }

    /// Puts an IP packet that goes to a fixed MAC address (NDP to a group, say) on the control queue.
    pub(crate) fn send_to_mac(&mut self, mac: [u8; 6], header: &IpHeader, mut frame: Frame) -> Result<(), EgressError> {
        let kind = self.push_ip(header, &mut frame)?;
        self.send_link(mac, kind, frame)
    }

    /// Puts a link-layer payload (ARP) on the control queue.
    pub(crate) fn send_link(&mut self, mac: [u8; 6], kind: u16, mut frame: Frame) -> Result<(), EgressError> {
        self.push_ethernet(&mut frame, mac, kind)?;
        self.enqueue(frame, Queue::Control)
    }

    /// A frame from the pool, or the counted reason why there is none.
    pub(crate) fn alloc_counted(&mut self) -> Option<Frame> {
        let frame = self.pool.alloc();
        if frame.is_none() {
            self.counters.bump(IpCounter::DropNoFrame);
        }
        frame
    }

    #[inline(always)]
    fn push_ip(&mut self, header: &IpHeader, frame: &mut Frame) -> Result<u16, EgressError> {
        let len = frame.len();
        let (pushed, kind, header_len) = match (header.src, header.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) if len + ipv4::HEADER_LEN <= usize::from(self.mtu_v4) => {
                (ipv4::push_header(frame, src, dst, header), ethertype::IPV4, ipv4::HEADER_LEN)
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) if len + ipv6::HEADER_LEN <= usize::from(self.mtu_v6) => {
                (ipv6::push_header(frame, src, dst, header), ethertype::IPV6, ipv6::HEADER_LEN)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                return self.refuse(EgressError::NoRoute, IpCounter::DropNoRoute);
            }
            _ => return self.refuse(EgressError::TooBig, IpCounter::DropTxTooBig),
        };
        if !pushed {
            return self.refuse(EgressError::Headroom, IpCounter::DropTxHeadroom);
        }
        shift_offload(frame, header_len);
        Ok(kind)
    }

    #[inline]
    fn push_ethernet(&mut self, frame: &mut Frame, mac: [u8; 6], kind: u16) -> Result<(), EgressError> {
        let len = self.template.header_len();
        match frame.push_front(len) {
            Some(out) => self.template.write(out, mac, kind),
            None => return self.refuse(EgressError::Headroom, IpCounter::DropTxHeadroom),
        }
        shift_offload(frame, len);
        Ok(())
    }

    #[inline]
    fn enqueue(&mut self, frame: Frame, queue: Queue) -> Result<(), EgressError> {
        match queue {
            Queue::Data if self.tx.len() < self.max_tx => self.tx.push_back(frame),
            Queue::Control if self.control.len() < self.max_control => self.control.push_back(frame),
            Queue::Data => return self.refuse(EgressError::QueueFull, IpCounter::DropTxQueueFull),
            Queue::Control => return self.refuse(EgressError::QueueFull, IpCounter::DropTxControlFull),
        }
        Ok(())
    }

    #[cold]
    fn refuse<T>(&mut self, error: EgressError, counter: IpCounter) -> Result<T, EgressError> {
        self.counters.bump(counter);
        Err(error)
    }

    /// Finds the next hop and remembers it in `path`.
    #[cold]
    fn resolve(&mut self, now: Instant, path: &mut PathCache, dst: IpAddr) -> Result<Hop, EgressError> {
        if !self.answer_arp && path.kind != PathKind::Unresolved && path.kind != PathKind::Neighbor {
            // The kernel owns ARP: answer where the packet came from, and remember who lives there.
            self.learn_from_ingress(dst, path.mac);
            path.kind = PathKind::Ingress;
            return Ok(Hop::Mac(path.mac));
        }
        let next_hop = match self.routes.next_hop(dst) {
            Some(next_hop) if !self.addresses.is_local(dst) => next_hop,
            _ => return self.refuse(EgressError::NoRoute, IpCounter::DropNoRoute),
        };
        if let Some((at, generation, _)) = self.neighbors.find(next_hop) {
            return Ok(match self.neighbors.mac_for_send(now, at, generation) {
                Some(mac) => {
                    *path = PathCache::neighbor(at, generation);
                    Hop::Mac(mac)
                }
                None if path.kind == PathKind::IngressFresh => Hop::Mac(path.mac),
                None => Hop::Wait(at),
            });
        }
        self.ask(now, path, next_hop)
    }

    /// The neighbour is unknown: begins to ask for it. A path that knows where its packet came from need not wait.
    fn ask(&mut self, now: Instant, path: &PathCache, next_hop: IpAddr) -> Result<Hop, EgressError> {
        if !self.answer_arp {
            return self.refuse(EgressError::NoNeighbor, IpCounter::DropNoNeighbor);
        }
        let begun = self.neighbors.begin(now, next_hop);
        if begun.is_ok() {
            self.solicit(next_hop, None);
        }
        match begun {
            _ if path.kind == PathKind::IngressFresh => Ok(Hop::Mac(path.mac)),
            Ok(at) => Ok(Hop::Wait(at)),
            Err(neighbor::TableFull) => self.refuse(EgressError::NoNeighbor, IpCounter::DropNeighborTable),
        }
    }

    pub(crate) fn push_update(&mut self, update: NeighborUpdate) {
        if self.max_updates == 0 {
            return;
        }
        if self.updates.len() >= self.max_updates {
            self.updates.pop_front();
            self.counters.bump(IpCounter::DropNeighborUpdate);
        }
        self.updates.push_back(update);
    }

    pub(crate) fn pop_update(&mut self) -> Option<NeighborUpdate> {
        self.updates.pop_front()
    }

    /// Sends every packet that waited for the entry `at`, whose MAC address is known now.
    pub(crate) fn flush_pending(&mut self, at: u32, mac: [u8; 6]) {
        while let Some(mut frame) = self.neighbors.unpark(at) {
            ethernet::set_destination(frame.data_mut(), mac);
            // A full queue counts the loss itself.
            let _ = self.enqueue(frame, Queue::Data);
        }
    }
}

/// The checksum's start moves with every header put in front.
#[inline]
fn shift_offload(frame: &mut Frame, by: usize) {
    if let TxChecksum::Offload { start, .. } = &mut frame.tx_checksum {
        *start += by as u16;
    }
}

fn build_routes(config: &StackConfig, addresses: &Addresses) -> Result<Routes, ConfigError> {
    let mut routes = Routes::default();
    for cidr in addresses.iter() {
        routes.add(cidr, None);
    }
    for route in &config.routes {
        let reachable = routes.on_link(route.via) && !addresses.is_local(route.via);
        if !reachable || route.dest.address().is_ipv4() != route.via.is_ipv4() {
            return Err(ConfigError::Gateway(*route));
        }
    }
    for route in &config.routes {
        routes.add(route.dest, Some(route.via));
    }
    Ok(routes)
}
