//! The wire between two simulated ends, and the ends as ports.

use core::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use netstack::frame::TxChecksum;
use netstack::ip::protocol;
use netstack::rss::{Steering, Transport};
use netstack::{Frame, FramePool, Instant};

use super::config::{EndConfig, SimConfig};
use crate::headers::Headers;
use crate::impair::{Fate, LinkConfig, Pipe, packet_too_big};
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

type Observer = Box<dyn FnMut(&WireEvent<'_>)>;

struct Shared {
    now: Instant,
    up: bool,
    /// `pipes[s]` carries what side `s` sends.
    pipes: [Pipe; 2],
    /// `queues[s]` are the receive queues of side `s`, with what has arrived.
    queues: [Vec<VecDeque<Vec<u8>>>; 2],
    /// How side `s` spreads what it receives; `None` with one queue.
    steering: [Option<Steering>; 2],
    observer: Option<Observer>,
}

/// A wire. Cloning gives another handle to the same wire.
#[derive(Clone)]
pub struct Wire {
    shared: Rc<RefCell<Shared>>,
    ends: Rc<EndConfig>,
}

impl Wire {
    /// A wire that behaves as `config` says, always in the same way for the same `seed`.
    pub fn new(config: SimConfig, seed: u64) -> Wire {
        let queues = || (0..config.ends.queues.max(1)).map(|_| VecDeque::new()).collect();
        let shared = Shared {
            now: Instant::ZERO,
            up: true,
            pipes: [Pipe::new(config.a_to_b, seed), Pipe::new(config.b_to_a, !seed)],
            queues: [queues(), queues()],
            steering: [(); 2].map(|()| steering(&config.ends, &config.ends.rss_key, 0)),
            observer: None,
        };
        Wire { shared: Rc::new(RefCell::new(shared)), ends: Rc::new(config.ends) }
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
            steering: steering(&self.ends, &self.ends.rss_key, queue).filter(|_| self.ends.steering_known),
            counters: PortCounters::default(),
        }
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
        self.shared.borrow_mut().pipes[from.index()].reconfigure(link);
    }

    /// From now on side `to` spreads what arrives with another key: flows change their queues, as when a NIC's table is
    /// rewritten or when Linux at the far end of a veth chooses another transmit queue. Its ports are not told.
    pub fn rehash(&self, to: Side, key: &[u8; 40]) {
        self.shared.borrow_mut().steering[to.index()] = steering(&self.ends, key, 0);
    }

    /// Shows every frame that is sent to `observer`. The observer must not use the wire.
    pub fn observe(&self, observer: impl FnMut(&WireEvent<'_>) + 'static) {
        self.shared.borrow_mut().observer = Some(Box::new(observer));
    }

    /// Frames under way in both directions, those included that arrived and were not received.
    pub fn in_flight(&self) -> usize {
        let shared = self.shared.borrow();
        let arrived: usize = shared.queues.iter().flatten().map(VecDeque::len).sum();
        arrived + shared.pipes.iter().map(Pipe::in_flight).sum::<usize>()
    }

    /// The next arrival at any end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let shared = self.shared.borrow();
        let arrived = shared.queues.iter().flatten().any(|queue| !queue.is_empty()).then_some(shared.now);
        shared.pipes.iter().filter_map(Pipe::next_arrival).chain(arrived).min()
    }

    /// What the direction from `side` did to the frames.
    pub fn link_counters(&self, side: Side) -> PortCounters {
        self.shared.borrow().pipes[side.index()].counters().clone()
    }
}

/// How an end with these queues spreads what it receives with `key`, seen from `queue`. With one queue there is nothing
/// to know.
fn steering(ends: &EndConfig, key: &[u8; 40], queue: u16) -> Option<Steering> {
    let queues = Some(ends.queues).filter(|queues| *queues > 1)?;
    Steering::new(key, (0..128).map(|entry| entry % queues).collect(), queue).ok()
}

/// The queue that `frame` is steered to.
fn queue_of(steering: Option<&Steering>, frame: &[u8]) -> usize {
    let Some(steering) = steering else { return 0 };
    let Some(ip) = Headers::parse(frame).and_then(|headers| headers.ip) else { return 0 };
    let transport = match ip.protocol {
        protocol::TCP => Some(Transport::Tcp),
        protocol::UDP => Some(Transport::Udp),
        _ => None,
    };
    let queue = match (transport, ip.ports) {
        (Some(transport), Some((from, to))) if !ip.fragment => {
            steering.queue(transport, ip.source, ip.destination, from, to)
        }
        _ => steering.queue_of_addresses(ip.source, ip.destination),
    };
    usize::from(queue)
}

impl Shared {
    fn send(&mut self, from: Side, bytes: &[u8]) {
        let fate = if self.up { self.pipes[from.index()].offer(self.now, bytes).fate } else { Fate::LinkDown };
        if let Some(observer) = &mut self.observer {
            observer(&WireEvent { at: self.now, from, fate, bytes });
        }
        if let Fate::TooBig { mtu, signalled: true } = fate {
            self.report_too_big(from, bytes, mtu);
        }
    }

    /// The path's router answers half-way.
    fn report_too_big(&mut self, sender: Side, bytes: &[u8], mtu: u16) {
        let Some(message) = packet_too_big(bytes, mtu) else { return };
        let from = sender.other();
        let back = &mut self.pipes[from.index()];
        let at = self.now + back.impairment().config().delay;
        back.inject(at, &message);
        if let Some(observer) = &mut self.observer {
            observer(&WireEvent { at: self.now, from, fate: Fate::Carried(at), bytes: &message });
        }
    }

    /// Moves what has arrived at `side` by `now` to its queues.
    fn arrive(&mut self, side: Side, now: Instant) {
        let pipe = &mut self.pipes[side.other().index()];
        let queues = &mut self.queues[side.index()];
        while let Some(bytes) = pipe.take_due(now) {
            let queue = queue_of(self.steering[side.index()].as_ref(), &bytes).min(queues.len() - 1);
            queues[queue].push_back(bytes);
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

    /// The port's own events, without what the wire did to the frames it sent.
    pub fn own_counters(&self) -> &PortCounters {
        &self.counters
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
        self.wire.shared.borrow_mut().send(self.side, frame.data());
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
        let wire = self.wire.clone();
        let mut shared = wire.shared.borrow_mut();
        shared.arrive(self.side, now);
        let mut received = 0;
        while received < max {
            let arrived = shared.queues[self.side.index()][usize::from(self.info.queue)].pop_front();
            let Some(bytes) = arrived else { break };
            if let Some(frame) = self.receive(&bytes) {
                out.push(frame);
                received += 1;
            }
            shared.pipes[self.side.other().index()].recycle(bytes);
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
        counters.merge(self.wire.shared.borrow().pipes[self.side.index()].counters());
        counters
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn prepare_sleep(&mut self) -> bool {
        true
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let shared = self.wire.shared.borrow();
        if shared.queues[self.side.index()][usize::from(self.info.queue)].is_empty() {
            // The next one may be another queue's; then the call was early.
            return shared.pipes[self.side.other().index()].next_arrival();
        }
        Some(shared.now)
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
