//! The capturing port.

use core::sync::atomic::Ordering;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use netstack::{Frame, FramePool, Instant};

use super::control::{CaptureControl, CaptureRecord, Session};
use crate::pcap::Direction;
use crate::{Capabilities, Port, PortCounter, PortCounters, PortInfo};

/// A port whose packets can be captured.
pub struct Capture<P> {
    inner: P,
    control: CaptureControl,
    number: u32,
    /// The generation of the control that `session` belongs to.
    generation: u32,
    session: Option<Arc<Session>>,
    /// Copies of a burst's packets, with their positions in it, until it is known which were carried.
    staged: Vec<(usize, CaptureRecord)>,
    counters: PortCounters,
}

impl<P: Port> Capture<P> {
    /// Wraps `inner`; captures are switched by `control`.
    pub fn new(inner: P, control: &CaptureControl) -> Capture<P> {
        let info = inner.info();
        let number = control.register(format!("{}:{}", info.interface, info.queue));
        Capture {
            inner,
            control: control.clone(),
            number,
            generation: 0,
            session: None,
            staged: Vec::new(),
            counters: PortCounters::default(),
        }
    }

    /// The port inside.
    pub fn inner(&mut self) -> &mut P {
        &mut self.inner
    }

    /// True when there is a capture to feed. One relaxed load when nothing changed.
    #[inline]
    fn is_on(&mut self) -> bool {
        let generation = self.control.shared.generation.load(Ordering::Relaxed);
        if generation != self.generation {
            self.follow(generation);
        }
        self.session.is_some()
    }

    #[cold]
    fn follow(&mut self, generation: u32) {
        // Whoever holds the lock is just switching: look again at the next burst rather than wait.
        if let Ok(session) = self.control.shared.session.try_lock() {
            self.session = session.clone();
            self.generation = generation;
        }
    }
}

impl Session {
    /// Copies one packet; `None` when it is lost for want of an empty record.
    fn copy(&self, now: Instant, direction: Direction, port: u32, packet: &[u8]) -> Option<CaptureRecord> {
        let Some(mut record) = self.empty.pop() else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        record.unix_nanos = self.config.epoch_unix_nanos.saturating_add(now.as_nanos());
        record.direction = direction;
        record.port = port;
        record.original_len = packet.len() as u32;
        record.bytes.clear();
        record.bytes.extend_from_slice(&packet[..packet.len().min(self.config.snaplen)]);
        Some(record)
    }

    /// Copies the matching packets of a burst to `staged`, each with its position in the burst.
    fn stage<'a>(
        &self,
        stamp: (Instant, Direction, u32),
        frames: impl Iterator<Item = &'a Frame>,
        staged: &mut Vec<(usize, CaptureRecord)>,
        counters: &mut PortCounters,
    ) {
        let (now, direction, port) = stamp;
        for (position, frame) in frames.enumerate().filter(|(_, frame)| self.config.filter.matches(frame.data())) {
            match self.copy(now, direction, port, frame.data()) {
                Some(record) => staged.push((position, record)),
                None => counters.bump(PortCounter::CaptureLost),
            }
        }
    }

    /// Passes on what was staged of the first `carried` packets; the others were not carried.
    fn commit(&self, carried: usize, staged: &mut Vec<(usize, CaptureRecord)>, counters: &mut PortCounters) {
        for (position, record) in staged.drain(..) {
            // Both queues have room for every record there is.
            if position < carried {
                counters.bump(PortCounter::Captured);
                let _ = self.full.push(record);
            } else {
                let _ = self.empty.push(record);
            }
        }
    }
}

impl<P: Port> Port for Capture<P> {
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
        if self.is_on()
            && let (Some(session), Some(frames)) = (&self.session, out.get(before..))
        {
            let stamp = (now, Direction::Inbound, self.number);
            session.stage(stamp, frames.iter(), &mut self.staged, &mut self.counters);
            session.commit(frames.len(), &mut self.staged, &mut self.counters);
        }
        received
    }

    /// The port may leave frames with the caller, and those that it takes can no longer be read: so all are copied
    /// before, and only what was taken is kept.
    fn tx_burst(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        if !self.is_on() {
            return self.inner.tx_burst(now, frames);
        }
        if let Some(session) = &self.session {
            let stamp = (now, Direction::Outbound, self.number);
            session.stage(stamp, frames.iter(), &mut self.staged, &mut self.counters);
        }
        let taken = self.inner.tx_burst(now, frames);
        if let Some(session) = &self.session {
            session.commit(taken, &mut self.staged, &mut self.counters);
        }
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
