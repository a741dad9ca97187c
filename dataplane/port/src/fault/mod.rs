//! Fault injection on any port: frames are lost, doubled, damaged and held back, by a seed.
//!
//! For a whole network in between, with a bottleneck, see [`crate::sim`]; this wrapper does the same to a real port, or
//! to one side of a simulated one. Held frames are bounded and stay in the pools that they came from.

use core::time::Duration;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use netstack::rng::Rng;
use netstack::{Frame, FramePool, Instant};

use crate::{Capabilities, Port, PortCounter, PortCounters, PortInfo, checksum, copy_frame};

/// What happens to the frames of one direction; chances in millionths.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Chance that a frame is lost.
    pub drop_ppm: u32,
    /// Chance that a frame is doubled.
    pub duplicate_ppm: u32,
    /// Chance that one bit behind the Ethernet header is flipped.
    pub corrupt_ppm: u32,
    /// Chance that a frame is held back while others pass.
    pub reorder_ppm: u32,
    /// How long such a frame is held back.
    pub reorder_delay: Duration,
    /// How long every frame is held back.
    pub delay: Duration,
}

impl Faults {
    fn delays(&self) -> bool {
        self.reorder_ppm > 0 || !self.delay.is_zero()
    }
}

/// Both directions.
#[derive(Clone, Debug)]
pub struct FaultConfig {
    /// What happens to received frames.
    pub rx: Faults,
    /// What happens to frames to be sent.
    pub tx: Faults,
    /// Most frames held back in each direction; more are dropped and counted.
    pub max_held: usize,
}

impl Default for FaultConfig {
    fn default() -> FaultConfig {
        FaultConfig { rx: Faults::default(), tx: Faults::default(), max_held: 256 }
    }
}

/// One direction: faults, their dice, and the frames held back, in order of release.
struct Lane {
    faults: Faults,
    rng: Rng,
    held: VecDeque<(Instant, Frame)>,
    max_held: usize,
    drop_counter: PortCounter,
}

impl Lane {
    fn new(faults: Faults, seed: u64, max_held: usize, drop_counter: PortCounter) -> Lane {
        Lane { faults, rng: Rng::new(seed), held: VecDeque::new(), max_held, drop_counter }
    }

    /// Decides on one frame: passes it (and a double) to `out` or holds it back.
    fn admit(
        &mut self,
        now: Instant,
        mut frame: Frame,
        pool: &FramePool,
        counters: &mut PortCounters,
        out: &mut impl Extend<Frame>,
    ) {
        if self.rng.chance_ppm(self.faults.drop_ppm) {
            return counters.bump(self.drop_counter);
        }
        let double = self.rng.chance_ppm(self.faults.duplicate_ppm).then(|| copy_frame(pool, &frame)).flatten();
        counters.add(PortCounter::FaultDuplicated, u64::from(double.is_some()));
        if self.rng.chance_ppm(self.faults.corrupt_ppm) {
            self.corrupt(&mut frame, counters);
        }
        let mut release = now + self.faults.delay;
        if self.rng.chance_ppm(self.faults.reorder_ppm) {
            release += self.faults.reorder_delay;
        }
        for frame in [Some(frame), double].into_iter().flatten() {
            if release > now {
                self.hold(release, frame, counters);
            } else {
                out.extend([frame]);
            }
        }
    }

    fn corrupt(&mut self, frame: &mut Frame, counters: &mut PortCounters) {
        const ETHERNET: usize = 14;
        // A checksum that is still to be computed would cover the damage, and a verified one would hide it.
        let _ = checksum::complete(frame);
        frame.rx_checksum = Default::default();
        let bits = frame.len().saturating_sub(ETHERNET) * 8;
        let bit = self.rng.below(bits as u32) as usize;
        if let Some(byte) = frame.data_mut().get_mut(ETHERNET + bit / 8) {
            *byte ^= 1 << (bit % 8);
            counters.bump(PortCounter::FaultCorrupted);
        }
    }

    fn hold(&mut self, release: Instant, frame: Frame, counters: &mut PortCounters) {
        if self.held.len() >= self.max_held {
            return counters.bump(PortCounter::DropFaultHeld);
        }
        counters.bump(PortCounter::FaultDelayed);
        let place = self.held.partition_point(|(at, _)| *at <= release);
        self.held.insert(place, (release, frame));
    }

    fn due(&mut self, now: Instant) -> Option<Frame> {
        self.held.front().filter(|(at, _)| *at <= now)?;
        self.held.pop_front().map(|(_, frame)| frame)
    }

    fn next(&self) -> Option<Instant> {
        self.held.front().map(|(at, _)| *at)
    }
}

/// A port with faults.
pub struct Fault<P> {
    inner: P,
    rx: Lane,
    tx: Lane,
    received: Vec<Frame>,
    /// Frames past the faults that the port has not taken yet.
    ready: VecDeque<Frame>,
    counters: PortCounters,
}

impl<P: Port> Fault<P> {
    /// Wraps `inner`; the same `seed` gives the same faults for the same frames.
    pub fn new(inner: P, config: FaultConfig, seed: u64) -> Fault<P> {
        Fault {
            inner,
            rx: Lane::new(config.rx, seed, config.max_held, PortCounter::DropFaultRx),
            tx: Lane::new(config.tx, !seed, config.max_held, PortCounter::DropFaultTx),
            received: Vec::new(),
            ready: VecDeque::new(),
            counters: PortCounters::default(),
        }
    }

    /// The port inside.
    pub fn inner(&mut self) -> &mut P {
        &mut self.inner
    }

    /// Sends what is past the faults, held frames that are due included.
    fn flush(&mut self, now: Instant) {
        while let Some(frame) = self.tx.due(now) {
            self.ready.push_back(frame);
        }
        if !self.ready.is_empty() {
            self.inner.tx_burst(now, &mut self.ready);
        }
    }
}

impl<P: Port> Port for Fault<P> {
    fn info(&self) -> &PortInfo {
        self.inner.info()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn pool(&self) -> &FramePool {
        self.inner.pool()
    }

    /// May append more than `max` frames when some are doubled.
    fn rx_burst(&mut self, now: Instant, out: &mut Vec<Frame>, max: usize) -> usize {
        self.flush(now);
        let before = out.len();
        while out.len() - before < max {
            let Some(frame) = self.rx.due(now) else { break };
            out.push(frame);
        }
        let room = max - (out.len() - before);
        self.inner.rx_burst(now, &mut self.received, room);
        for frame in self.received.drain(..) {
            self.rx.admit(now, frame, self.inner.pool(), &mut self.counters, out);
        }
        out.len() - before
    }

    /// Takes frames as long as the port does: a full port below leaves them with the caller.
    fn tx_burst(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        self.flush(now);
        let before = frames.len();
        while self.ready.is_empty()
            && let Some(frame) = frames.pop_front()
        {
            self.tx.admit(now, frame, self.inner.pool(), &mut self.counters, &mut self.ready);
            self.flush(now);
        }
        before - frames.len()
    }

    fn counters(&self) -> PortCounters {
        let mut counters = self.inner.counters();
        counters.merge(&self.counters);
        counters
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        // Held frames are released by polling: no descriptor would tell of them.
        if self.rx.faults.delays() || self.tx.faults.delays() { None } else { self.inner.wait_fd() }
    }

    fn prepare_sleep(&mut self) -> bool {
        self.rx.held.is_empty() && self.tx.held.is_empty() && self.ready.is_empty() && self.inner.prepare_sleep()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.rx.next(), self.tx.next(), self.inner.poll_timeout()].into_iter().flatten().min()
    }

    fn link_up(&mut self) -> bool {
        self.inner.link_up()
    }
}

#[cfg(test)]
mod tests;
