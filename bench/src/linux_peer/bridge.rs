//! The path between the two ends: a bridge of three interfaces in user space that applies the models of
//! [`port::impair`] in real time.
//!
//! ```text
//!   peer ──▶ a1 ──▶ Pipe ──▶ b1 ──▶ endpoint on kernel sockets       frames to the endpoints' addresses
//!                       └──▶ c1 ──▶ endpoint on our stack
//!   peer ◀── a1 ◀── Pipe ◀── b1, c1                                 frames to the peer's address
//! ```
//!
//! Both endpoints share each direction's pipe, so that their flows meet at one bottleneck. The thread sleeps until a
//! frame arrives or is due; while frames flow it looks once a quantum, which is how exact the path's times are.
//! How late frames left is part of the report: a path that the machine could not keep up with is told apart from one
//! that TCP could not fill.

use crate::error::BenchError;
use crate::host;
use crate::ports::{ClientPort, open_queue};
use anygate::clock::{Clock, unix_nanos};
use hdrhistogram::Histogram;
use netstack::{Frame, Instant};
use port::impair::{Fate, LinkConfig, Pipe};
use port::pcap::{Direction, Writer};
use port::{Port, PortCounter};
use port_afxdp::{AfXdpConfig, LocalAddress};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::Serialize;
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// Frames taken from an interface at once.
const BURST_FRAMES: usize = 64;
/// Longest sleep: how soon an order is seen.
const REST: Duration = Duration::from_millis(5);
/// Shortest sleep when nothing moved: under real-time priority a thread that never sleeps has its core for itself.
const LEAST_REST: Duration = Duration::from_micros(10);
/// Where an Ethernet frame of IPv4 has its destination address.
const DESTINATION: std::ops::Range<usize> = 30..34;

/// One interface of the bridge.
#[derive(Clone, Debug)]
pub struct LegConfig {
    /// Its name in the bridge's namespace.
    pub interface: String,
    /// The addresses behind the other interfaces: frames to them are taken.
    pub carries: Vec<Ipv4Addr>,
    /// The address behind it.
    pub leads_to: Ipv4Addr,
}

/// What the bridge is told.
pub enum Order {
    /// Begin with an empty path that does this: towards the endpoints, and towards the peer.
    Begin {
        /// The two directions.
        links: Box<[LinkConfig; 2]>,
        /// The source of every random decision.
        seed: u64,
        /// Pause between two looks while frames flow.
        quantum: Duration,
        /// Where to write what the ends sent.
        capture: Option<PathBuf>,
        /// Told when it has begun.
        done: Sender<()>,
    },
    /// End: what is under way is lost.
    End(Sender<BridgeReport>),
}

/// What the path did in one run.
#[derive(Clone, Default, Debug, Serialize)]
pub struct BridgeReport {
    /// Frames that were offered, towards the endpoints and towards the peer.
    pub offered: [u64; 2],
    /// Frames that the models lost at random.
    pub lost: [u64; 2],
    /// Frames that did not fit the bottleneck's buffer.
    pub overflowed: [u64; 2],
    /// Frames held back so that others overtook them.
    pub reordered: [u64; 2],
    /// Frames that arrived twice.
    pub duplicated: [u64; 2],
    /// Frames that the bridge or the kernel lost beside the models: a run with any says nothing.
    pub stray_losses: u64,
    /// How late frames left, 99th percentile, microseconds.
    pub late_p99_us: f64,
    /// How late the latest frame left, microseconds.
    pub late_max_us: f64,
    /// Processor time of the bridge's thread over the run's time.
    pub busy: f64,
}

struct Leg {
    open: ClientPort,
    leads_to: [u8; 4],
    outgoing: VecDeque<Frame>,
}

struct Capture {
    writer: Writer<BufWriter<File>>,
}

/// The bridge, on its thread.
pub struct Bridge {
    legs: Vec<Leg>,
    pipes: [Pipe; 2],
    running: bool,
    clock: Clock,
    quantum: Duration,
    received: Vec<Frame>,
    lateness_us: Histogram<u64>,
    offered: [u64; 2],
    stray: u64,
    stray_before: u64,
    began: (Instant, Duration),
    capture: Option<Capture>,
}

impl Bridge {
    /// Opens the interfaces, the peer's first, in the namespace of the calling thread; each has a pool of so many frames.
    pub fn open(legs: &[LegConfig], frames: u32, clock: Clock) -> Result<Bridge, BenchError> {
        let legs = legs.iter().map(|leg| {
            let open = open_queue(AfXdpConfig {
                queues: Some(1),
                addresses: leg.carries.iter().map(|&to| LocalAddress::exclusive(IpAddr::V4(to))).collect(),
                frames,
                ring_entries: 4096,
                ..AfXdpConfig::new(&leg.interface)
            })?;
            Ok(Leg { open, leads_to: leg.leads_to.octets(), outgoing: VecDeque::with_capacity(1024) })
        });
        Ok(Bridge {
            legs: legs.collect::<Result<_, BenchError>>()?,
            pipes: [0, 1].map(|_| Pipe::new(LinkConfig::default(), 0)),
            running: false,
            clock,
            quantum: Duration::ZERO,
            received: Vec::with_capacity(BURST_FRAMES),
            lateness_us: Histogram::new(3).map_err(|e| BenchError::new(e.to_string()))?,
            offered: [0; 2],
            stray: 0,
            stray_before: 0,
            began: (Instant::ZERO, Duration::ZERO),
            capture: None,
        })
    }

    /// Carries frames until `orders` is closed.
    pub fn run(mut self, orders: &Receiver<Order>) {
        loop {
            loop {
                match orders.try_recv() {
                    Ok(order) => self.obey(order),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
                }
            }
            if self.turn() {
                host::nap(self.quantum);
            } else {
                self.rest();
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Begin { links, seed, quantum, capture, done } => {
                let [forth, back] = *links;
                // What an earlier run left in the rings is not of this one.
                self.running = false;
                while self.turn() {}
                self.pipes[0].reset(forth, seed);
                self.pipes[1].reset(back, !seed);
                self.lateness_us.reset();
                (self.offered, self.stray) = ([0; 2], 0);
                self.stray_before = self.port_losses();
                self.began = (self.clock.now(), thread_time());
                self.quantum = quantum;
                self.capture = capture.and_then(|path| Capture::create(&path).ok());
                self.running = true;
                let _ = done.send(());
            }
            Order::End(reply) => {
                self.running = false;
                if let Some(mut capture) = self.capture.take() {
                    let _ = capture.writer.flush();
                }
                let _ = reply.send(self.report());
                self.pipes.iter_mut().for_each(|pipe| pipe.reset(LinkConfig::default(), 0));
            }
        }
    }

    /// One look at everything. True when a frame moved.
    fn turn(&mut self) -> bool {
        let mut moved = false;
        for leg in 0..self.legs.len() {
            moved |= self.take_from(leg);
        }
        let now = self.clock.now();
        for direction in 0..self.pipes.len() {
            moved |= self.give_due(direction, now);
        }
        for leg in &mut self.legs {
            leg.open.port.tx_burst(now, &mut leg.outgoing);
        }
        moved
    }

    /// Offers what came in from a leg to the pipe that leads away from it.
    fn take_from(&mut self, leg: usize) -> bool {
        let direction = usize::from(leg > 0);
        let mut any = false;
        loop {
            let now = self.clock.now();
            let taken = self.legs[leg].open.port.rx_burst(now, &mut self.received, BURST_FRAMES);
            any |= taken > 0;
            for frame in self.received.drain(..).filter(|_| self.running) {
                let verdict = self.pipes[direction].offer(now, frame.data());
                self.offered[direction] += 1;
                if let Some(capture) = &mut self.capture {
                    capture.note(leg, frame.data(), verdict.fate);
                }
            }
            if taken < BURST_FRAMES {
                return any;
            }
        }
    }

    /// Sends what has arrived at the end of a pipe.
    fn give_due(&mut self, direction: usize, now: Instant) -> bool {
        let mut any = false;
        while let Some(due) = self.pipes[direction].next_arrival() {
            let Some(bytes) = self.pipes[direction].take_due(now) else { break };
            any = true;
            let late = now.saturating_since(due).as_micros();
            self.lateness_us.saturating_record(u64::try_from(late).unwrap_or(u64::MAX));
            let to = bytes.get(DESTINATION);
            let leg = self.legs.iter_mut().find(|leg| Some(&leg.leads_to[..]) == to);
            let copied = leg.and_then(|leg| {
                let mut frame = leg.open.port.pool().alloc()?;
                frame.extend(bytes.len())?.copy_from_slice(&bytes);
                leg.outgoing.push_back(frame);
                Some(())
            });
            self.stray += u64::from(copied.is_none());
            self.pipes[direction].recycle(bytes);
        }
        any
    }

    /// Sleeps until a frame comes or is due.
    fn rest(&mut self) {
        let now = self.clock.now();
        let due = self.pipes.iter().filter_map(Pipe::next_arrival).min();
        let until_due = due.map_or(REST, |due| due.saturating_since(now).min(REST));
        if until_due.is_zero() || !self.legs.iter_mut().all(|leg| leg.open.port.prepare_sleep()) {
            return host::nap(LEAST_REST);
        }
        let descriptors = self.legs.iter().filter_map(|leg| leg.open.port.wait_fd());
        let mut polled: Vec<PollFd<'_>> = descriptors.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let patience = Timespec { tv_sec: 0, tv_nsec: until_due.subsec_nanos().into() };
        // Interrupted or not, the next turn looks.
        let _ = poll(&mut polled, Some(&patience));
    }

    /// Frames that the ports lost since they were opened.
    fn port_losses(&self) -> u64 {
        self.legs.iter().map(|leg| leg.open.port.counters().dropped()).sum()
    }

    fn report(&self) -> BridgeReport {
        let counted = |which| [0, 1].map(|direction| self.pipes[direction].counters().get(which));
        let elapsed = self.clock.now().saturating_since(self.began.0);
        let busy = thread_time().saturating_sub(self.began.1);
        BridgeReport {
            offered: self.offered,
            lost: counted(PortCounter::DropWireLoss),
            overflowed: counted(PortCounter::DropWireBufferFull),
            reordered: counted(PortCounter::WireReordered),
            duplicated: counted(PortCounter::WireDuplicated),
            stray_losses: self.stray + self.port_losses().saturating_sub(self.stray_before),
            late_p99_us: self.lateness_us.value_at_quantile(0.99) as f64,
            late_max_us: self.lateness_us.max() as f64,
            busy: busy.as_secs_f64() / elapsed.as_secs_f64().max(1e-9),
        }
    }
}

impl Capture {
    fn create(path: &PathBuf) -> std::io::Result<Capture> {
        let mut writer = Writer::new(BufWriter::new(File::create(path)?), "anygate-bench linux-peer")?;
        for name in ["from peer", "from linux endpoint", "from anygate endpoint"] {
            writer.add_interface(name, SNAP_BYTES)?;
        }
        Ok(Capture { writer })
    }

    /// Writes a frame's headers as its sender sent it, with its fate as a comment.
    fn note(&mut self, leg: usize, frame: &[u8], fate: Fate) {
        let kept = &frame[..frame.len().min(SNAP_BYTES as usize)];
        let comment = match fate {
            Fate::Carried(_) => "",
            Fate::Lost => "lost",
            Fate::BufferFull => "buffer full",
            Fate::Duplicated(..) => "duplicated",
            _ => "held back",
        };
        let (at, length) = (unix_nanos(), frame.len() as u32);
        // A capture that cannot be written ends early; the run goes on.
        let _ = self.writer.packet_with_comment(leg as u32, at, Some(Direction::Inbound), length, kept, comment);
    }
}

/// Bytes of each frame in a capture: all headers.
const SNAP_BYTES: u32 = 128;

/// Processor time that the calling thread has used.
pub fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
