//! The capturing port.

use core::sync::atomic::Ordering;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use netstack::{Frame, FramePool, Instant};

use super::control::{CaptureControl, Session};
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
    /// Copies one packet; false when it is lost for want of an empty record.
    fn keep(&self, now: Instant, direction: Direction, port: u32, packet: &[u8]) -> bool {
        let Some(mut record) = self.empty.pop() else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        record.unix_nanos = self.config.epoch_unix_nanos.saturating_add(now.as_nanos());
        record.direction = direction;
        record.port = port;
        record.original_len = packet.len() as u32;
        record.bytes.clear();
        record.bytes.extend_from_slice(&packet[..packet.len().min(self.config.snaplen)]);
        // There is room for every record there is.
        let _ = self.full.push(record);
        true
    }

    fn keep_all<'a>(
        &self,
        now: Instant,
        direction: Direction,
        port: u32,
        frames: impl Iterator<Item = &'a Frame>,
        counters: &mut PortCounters,
    ) {
        for frame in frames.filter(|frame| self.config.filter.matches(frame.data())) {
            let kept = self.keep(now, direction, port, frame.data());
            counters.bump(if kept { PortCounter::Captured } else { PortCounter::CaptureLost });
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
            session.keep_all(now, Direction::Inbound, self.number, frames.iter(), &mut self.counters);
        }
        received
    }

    /// Frames are captured before the port takes them; one that has to wait is captured when it is offered again, too,
    /// unless it stays at the front of a full ring: only as many as were taken are kept.
    fn tx_burst(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        if !self.is_on() {
            return self.inner.tx_burst(now, frames);
        }
        // One by one, because a frame that was taken can no longer be read and one that was not must not be kept.
        let (mut taken, mut single) = (0, VecDeque::with_capacity(0));
        core::mem::swap(&mut single, frames);
        let _ = &mut single;
        core::mem::swap(&mut single, frames);
        taken += self.inner.tx_burst(now, frames);
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
