//! Packet tracing on any port: one fixed-size record a packet, through a lock-free ring to another thread.
//!
//! Lighter than a capture (no copy of the packet, no filter): for looking at when what went by. Works as
//! [`crate::capture`] does: switched by a handle that all workers share, never blocks, and counts what is lost.

use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use netstack::{Frame, FramePool, Instant};

use crate::headers::Headers;
use crate::pcap::Direction;
use crate::{Capabilities, Port, PortCounter, PortCounters, PortInfo};

/// One packet that went by. Fixed size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceRecord {
    /// When, since the worker's epoch.
    pub at: Instant,
    /// Which way.
    pub direction: Direction,
    /// Queue of the port.
    pub queue: u16,
    /// Length in bytes.
    pub length: u16,
    /// EtherType behind VLAN tags.
    pub ethertype: u16,
    /// IP protocol; 0 when it is not IP.
    pub protocol: u8,
    /// Flag byte of TCP; 0 when it is not TCP.
    pub tcp_flags: u8,
    /// Ports of TCP and UDP, source first; 0 when there are none.
    pub ports: (u16, u16),
    /// Addresses, source first; absent when it is not IP.
    pub addresses: Option<(IpAddr, IpAddr)>,
}

impl TraceRecord {
    fn new(at: Instant, direction: Direction, queue: u16, frame: &[u8]) -> TraceRecord {
        let headers = Headers::parse(frame);
        let ip = headers.and_then(|headers| headers.ip);
        TraceRecord {
            at,
            direction,
            queue,
            length: u16::try_from(frame.len()).unwrap_or(u16::MAX),
            ethertype: headers.map_or(0, |headers| headers.ethertype),
            protocol: ip.map_or(0, |ip| ip.protocol),
            tcp_flags: ip.map_or(0, |ip| ip.tcp_flags),
            ports: ip.and_then(|ip| ip.ports).unwrap_or_default(),
            addresses: ip.map(|ip| (ip.source, ip.destination)),
        }
    }
}

impl fmt::Display for TraceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.direction {
            Direction::Inbound => '<',
            Direction::Outbound => '>',
        };
        write!(f, "{:?} q{} {arrow} ", self.at, self.queue)?;
        match self.addresses {
            Some((from, to)) => {
                write!(f, "{from}:{} -> {to}:{} protocol {} ", self.ports.0, self.ports.1, self.protocol)?;
            }
            None => write!(f, "ethertype {:#06x} ", self.ethertype)?,
        }
        write!(f, "{} bytes, flags {:#04x}", self.length, self.tcp_flags)
    }
}

struct Shared {
    on: AtomicBool,
    records: ArrayQueue<TraceRecord>,
    lost: AtomicU64,
}

/// Switches tracing on and off, and reads the records. Clones are handles to the same ring.
#[derive(Clone)]
pub struct TraceControl(Arc<Shared>);

impl TraceControl {
    /// A ring for `records` records (at least one), switched off.
    pub fn new(records: usize) -> TraceControl {
        let records = ArrayQueue::new(records.max(1));
        TraceControl(Arc::new(Shared { on: AtomicBool::new(false), records, lost: AtomicU64::new(0) }))
    }

    /// Switches tracing on or off.
    pub fn set(&self, on: bool) {
        self.0.on.store(on, Ordering::Relaxed);
    }

    /// The oldest record that was not taken.
    pub fn next(&self) -> Option<TraceRecord> {
        self.0.records.pop()
    }

    /// Records lost because nobody took them in time.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

/// A port whose packets can be traced.
pub struct Trace<P> {
    inner: P,
    control: TraceControl,
    /// Records of the burst that is being sent, until it is known how many of it were taken.
    staged: Vec<TraceRecord>,
    counters: PortCounters,
}

impl<P: Port> Trace<P> {
    /// Wraps `inner`; tracing is switched by `control`.
    pub fn new(inner: P, control: &TraceControl) -> Trace<P> {
        Trace { inner, control: control.clone(), staged: Vec::new(), counters: PortCounters::default() }
    }

    /// The port inside.
    pub fn inner(&mut self) -> &mut P {
        &mut self.inner
    }

    fn is_on(&self) -> bool {
        self.control.0.on.load(Ordering::Relaxed)
    }

    fn emit(&mut self, record: TraceRecord) {
        if self.control.0.records.push(record).is_err() {
            self.control.0.lost.fetch_add(1, Ordering::Relaxed);
            self.counters.bump(PortCounter::TraceLost);
        }
    }
}

impl<P: Port> Port for Trace<P> {
    fn info(&self) -> &PortInfo {
        self.inner.info()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn pool(&self) -> &FramePool {
        self.inner.pool()
    }

    fn rx_burst(&mut self, now: Instant, out: &mut Vec<Frame>, max: usize) -> usize {
        let before = out.len();
        let received = self.inner.rx_burst(now, out, max);
        if self.is_on() {
            let queue = self.inner.info().queue;
            for frame in out.iter().skip(before) {
                self.emit(TraceRecord::new(now, Direction::Inbound, queue, frame.data()));
            }
        }
        received
    }

    fn tx_burst(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        if !self.is_on() {
            return self.inner.tx_burst(now, frames);
        }
        let queue = self.inner.info().queue;
        let mut staged = core::mem::take(&mut self.staged);
        staged.extend(frames.iter().map(|frame| TraceRecord::new(now, Direction::Outbound, queue, frame.data())));
        let taken = self.inner.tx_burst(now, frames);
        for record in staged.drain(..).take(taken) {
            self.emit(record);
        }
        self.staged = staged;
        taken
    }

    fn counters(&self) -> PortCounters {
        let mut counters = self.inner.counters();
        counters.merge(&self.counters);
        counters
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.wait_fd()
    }

    fn prepare_sleep(&mut self) -> bool {
        self.inner.prepare_sleep()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    fn link_up(&mut self) -> bool {
        self.inner.link_up()
    }
}

#[cfg(test)]
mod tests;
