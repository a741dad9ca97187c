//! The wire between two simulated ends, and the ends as ports.

use core::cell::RefCell;
use core::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use netstack::frame::TxChecksum;
use netstack::rss::Steering;
use netstack::{Frame, FramePool, Instant};

use super::config::{EndConfig, LinkConfig, SimConfig};
use super::link::{self, Link};
use crate::headers::Headers;
use crate::{Capabilities, Port, PortCounter, PortCounters, PortInfo, checksum};

/// One end of a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The first end.
    A,
    /// The second end.
    B,
}

impl Side {
    /// The far end.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// What became of a frame that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// On its way; arrives then.
    Carried(Instant),
    /// On its way twice; arrives then and then.
    Duplicated(Instant, Instant),
    /// Lost on the way.
    Lost,
    /// Did not fit the bottleneck's buffer.
    BufferFull,
    /// The link was down.
    LinkDown,
}

/// One frame, seen as it left its sender (before corruption and marks).
#[derive(Clone, Copy, Debug)]
pub struct WireEvent<'a> {
    /// When it was sent.
    pub at: Instant,
    /// By whom.
    pub from: Side,
    /// What became of it.
    pub fate: Fate,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Frames under way to one queue, ordered by arrival, then by sending.
#[derive(Default)]
struct Queue {
    frames: BinaryHeap<Reverse<(Instant, u64, Flight)>>,
}

/// The bytes of a frame under way. Never compared: the sequence number before it in the tuple is unique.
struct Flight(Vec<u8>);

impl PartialEq for Flight {
    fn eq(&self, _: &Flight) -> bool {
        true
    }
}
impl Eq for Flight {}
impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Flight) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Flight {
    fn cmp(&self, _: &Flight) -> core::cmp::Ordering {
        core::cmp::Ordering::Equal
    }
}

type Observer = Box<dyn FnMut(&WireEvent<'_>)>;

struct Shared {
    now: Instant,
    up: bool,
    sent: u64,
    /// `links[s]` carries what side `s` sends.
    links: [Link; 2],
    /// `queues[s]` are the receive queues of side `s`.
    queues: [Vec<Queue>; 2],
    spare: Vec<Vec<u8>>,
    observer: Option<Observer>,
}

/// A wire. Cloning gives another handle to the same wire.
#[derive(Clone)]
pub struct Wire {
    shared: Rc<RefCell<Shared>>,
    ends: EndConfig,
}

impl Wire {
    /// A wire that behaves as `config` says, always in the same way for the same `seed`.
    pub fn new(config: SimConfig, seed: u64) -> Wire {
        let queues = || (0..config.ends.queues.max(1)).map(|_| Queue::default()).collect();
        let shared = Shared {
            now: Instant::ZERO,
            up: true,
            sent: 0,
            links: [Link::new(config.a_to_b, seed), Link::new(config.b_to_a, !seed)],
            queues: [queues(), queues()],
            spare: Vec::new(),
            observer: None,
        };
        Wire { shared: Rc::new(RefCell::new(shared)), ends: config.ends }
    }

    /// The port of one queue of one end, with its frames in `pool`. A queue has one port.
    pub fn port(&self, side: Side, queue: u16, pool: FramePool) -> SimPort {
        let last = match side {
            Side::A => 0x0a,
            Side::B => 0x0b,
        };
        let queue = queue.min(self.ends.queues.max(1) - 1);
        let info = PortInfo {
            kind: "sim",
            interface: format!("sim-{side:?}").to_lowercase(),
            queue,
            mode: "virtual-time",
            zero_copy: false,
            mac: [0x02, 0, 0, 0, 0, last],
            mtu: self.ends.mtu,
        };
        SimPort {
            wire: self.clone(),
            side,
            pool,
            info,
            steering: self.steering(queue),
            counters: PortCounters::default(),
        }
    }

    /// How either end spreads what it receives, seen from `queue`. With one queue there is nothing to know.
    fn steering(&self, queue: u16) -> Option<Steering> {
        let queues = Some(self.ends.queues).filter(|queues| *queues > 1)?;
        Steering::new(&self.ends.rss_key, (0..128).map(|entry| entry % queues).collect(), queue).ok()
    }

    /// Sets the wire's time; it never goes back.
    pub fn advance(&self, now: Instant) {
        let mut shared = self.shared.borrow_mut();
        shared.now = shared.now.max(now);
    }

    /// Plugs the cable in or pulls it. What is under way when it is pulled still arrives.
    pub fn set_link(&self, up: bool) {
        self.shared.borrow_mut().up = up;
    }

    /// Changes what one direction does to the frames sent from now on.
    pub fn reconfigure(&self, from: Side, link: LinkConfig) {
        self.shared.borrow_mut().links[from.index()].reconfigure(link);
    }

    /// Shows every frame that is sent to `observer`. The observer must not use the wire.
    pub fn observe(&self, observer: impl FnMut(&WireEvent<'_>) + 'static) {
        self.shared.borrow_mut().observer = Some(Box::new(observer));
    }

    /// Frames under way in both directions.
    pub fn in_flight(&self) -> usize {
        self.shared.borrow().queues.iter().flatten().map(|queue| queue.frames.len()).sum()
    }

    /// The next arrival at any end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.shared.borrow().queues.iter().flatten().filter_map(Queue::next).min()
    }

    /// What the direction from `side` did to the frames.
    pub fn link_counters(&self, side: Side) -> PortCounters {
        self.shared.borrow().links[side.index()].counters.clone()
    }
}

impl Queue {
    fn next(&self) -> Option<Instant> {
        self.frames.peek().map(|Reverse((at, _, _))| *at)
    }

    fn pop_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.next().filter(|at| *at <= now)?;
        self.frames.pop().map(|Reverse((_, _, Flight(bytes)))| bytes)
    }
}

impl Shared {
    fn send(&mut self, from: Side, bytes: &[u8], to_queue: usize) {
        let fate = if self.up { self.carry(from, bytes, to_queue) } else { Fate::LinkDown };
        if let Some(observer) = &mut self.observer {
            observer(&WireEvent { at: self.now, from, fate, bytes });
        }
    }

    fn carry(&mut self, from: Side, bytes: &[u8], to_queue: usize) -> Fate {
        let link = &mut self.links[from.index()];
        let verdict = link.send(self.now, bytes.len());
        let Some(queue) = self.queues[from.other().index()].get_mut(to_queue) else { return Fate::Lost };
        for at in verdict.arrivals.into_iter().flatten() {
            let mut copy = self.spare.pop().unwrap_or_default();
            copy.clear();
            copy.extend_from_slice(bytes);
            link::apply(&verdict, &mut copy, &mut link.counters);
            queue.frames.push(Reverse((at, self.sent, Flight(copy))));
            self.sent += 1;
        }
        match verdict.arrivals {
            [Some(first), Some(second)] => Fate::Duplicated(first, second),
            [Some(at), None] => Fate::Carried(at),
            _ if verdict.buffer_full => Fate::BufferFull,
            _ => Fate::Lost,
        }
    }
}

/// One queue of one end of a [`Wire`].
pub struct SimPort {
    wire: Wire,
    side: Side,
    pool: FramePool,
    info: PortInfo,
    steering: Option<Steering>,
    counters: PortCounters,
}

impl SimPort {
    /// The wire that this port hangs on.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Which end of the wire this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The far queue that `frame` is steered to.
    fn far_queue(&self, frame: &[u8]) -> usize {
        let Some(steering) = &self.steering else { return 0 };
        let Some(ip) = Headers::parse(frame).and_then(|headers| headers.ip) else { return 0 };
        let Some((from, to)) = ip.ports else { return 0 };
        usize::from(steering.queue(ip.source, ip.destination, from, to))
    }

    fn receive(&mut self, bytes: &[u8]) -> Option<Frame> {
        let Some(mut frame) = self.pool.alloc() else {
            self.counters.bump(PortCounter::DropRxNoFrame);
            return None;
        };
        let Some(room) = frame.extend(bytes.len()) else {
            self.counters.bump(PortCounter::DropRxOversize);
            return None;
        };
        room.copy_from_slice(bytes);
        self.counters.bump(PortCounter::RxFrames);
        self.counters.add(PortCounter::RxBytes, bytes.len() as u64);
        Some(frame)
    }

    fn transmit(&mut self, mut frame: Frame) {
        const ETHERNET_AND_VLAN: usize = 18;
        if frame.len() > usize::from(self.info.mtu) + ETHERNET_AND_VLAN {
            return self.counters.bump(PortCounter::DropTxOversize);
        }
        if frame.tx_checksum != TxChecksum::Complete {
            if !checksum::complete(&mut frame) {
                return self.counters.bump(PortCounter::DropTxInvalidChecksum);
            }
            self.counters.bump(PortCounter::TxChecksumOffloaded);
        }
        if !self.wire.shared.borrow().up {
            self.counters.bump(PortCounter::DropTxLinkDown);
        }
        self.counters.bump(PortCounter::TxFrames);
        self.counters.add(PortCounter::TxBytes, frame.len() as u64);
        let queue = self.far_queue(frame.data());
        self.wire.shared.borrow_mut().send(self.side, frame.data(), queue);
    }
}

impl Port for SimPort {
    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            tx_checksum: self.wire.ends.tx_checksum,
            steering: self.steering.clone(),
            ..Capabilities::default()
        }
    }

    fn pool(&self) -> &FramePool {
        &self.pool
    }

    fn rx_burst(&mut self, now: Instant, out: &mut Vec<Frame>, max: usize) -> usize {
        self.wire.advance(now);
        let (side, queue) = (self.side.index(), usize::from(self.info.queue));
        let mut received = 0;
        while received < max {
            let due = self.wire.shared.borrow_mut().queues[side][queue].pop_due(now);
            let Some(bytes) = due else { break };
            if let Some(frame) = self.receive(&bytes) {
                out.push(frame);
                received += 1;
            }
            self.wire.shared.borrow_mut().spare.push(bytes);
        }
        received
    }

    fn tx_burst(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        self.wire.advance(now);
        let sent = frames.len();
        for frame in frames.drain(..) {
            self.transmit(frame);
        }
        sent
    }

    /// The port's own events, and what the wire did to the frames it sent.
    fn counters(&self) -> PortCounters {
        let mut counters = self.counters.clone();
        counters.merge(&self.wire.shared.borrow().links[self.side.index()].counters);
        counters
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn prepare_sleep(&mut self) -> bool {
        true
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wire.shared.borrow().queues[self.side.index()][usize::from(self.info.queue)].next()
    }

    fn link_up(&mut self) -> bool {
        self.wire.shared.borrow().up
    }
}

/// A wire with one queue at each end: the port of side A and the port of side B, each with a pool of its own.
pub fn pair(config: SimConfig, seed: u64) -> (SimPort, SimPort) {
    let frames = config.ends.pool_frames;
    let wire = Wire::new(config, seed);
    let port = |side| wire.port(side, 0, FramePool::heap(frames));
    (port(Side::A), port(Side::B))
}
