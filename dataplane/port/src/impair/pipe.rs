//! An impairment with the frames under way.
//!
//! ```text
//!   offer ─▶ Impairment ─▶ flights, by arrival ──────────────▶ take_due
//!                 └──────▶ held, until overtaken ─▶ flights ──┘
//! ```

use core::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use netstack::Instant;

use super::config::LinkConfig;
use super::impairment::{Fate, Impairment, Verdict};
use crate::{PortCounter, PortCounters};

/// Buffers that are kept for later frames at most.
const SPARE: usize = 4096;
/// Frames that wait to be overtaken at once at most; one more is carried in order.
const HELD: usize = 64;

/// A frame under way. Ordered by arrival, then by the order in which it was put there.
#[derive(Debug)]
struct Flight {
    at: Instant,
    order: u64,
    bytes: Vec<u8>,
}

impl PartialEq for Flight {
    fn eq(&self, other: &Flight) -> bool {
        self.order == other.order
    }
}
impl Eq for Flight {}
impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Flight) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Flight {
    fn cmp(&self, other: &Flight) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A frame that waits to be overtaken.
#[derive(Debug)]
struct Held {
    frames_left: u8,
    latest: Instant,
    bytes: Vec<u8>,
}

/// One direction of a path with its frames. See the module's description.
#[derive(Debug)]
pub struct Pipe {
    impairment: Impairment,
    flights: BinaryHeap<Reverse<Flight>>,
    held: Vec<Held>,
    spare: Vec<Vec<u8>>,
    order: u64,
}

impl Pipe {
    /// An empty pipe that does what `config` says, always in the same way for the same `seed`.
    pub fn new(config: LinkConfig, seed: u64) -> Pipe {
        Pipe {
            impairment: Impairment::new(config, seed),
            flights: BinaryHeap::new(),
            held: Vec::new(),
            spare: Vec::new(),
            order: 0,
        }
    }

    /// Begins anew, empty and with other models, on the memory that it has.
    pub fn reset(&mut self, config: LinkConfig, seed: u64) {
        self.impairment = Impairment::new(config, seed);
        let flights = self.flights.drain().map(|Reverse(flight)| flight.bytes);
        self.spare.extend(flights.chain(self.held.drain(..).map(|held| held.bytes)));
        self.spare.truncate(SPARE);
        self.order = 0;
    }

    /// The models.
    pub fn impairment(&self) -> &Impairment {
        &self.impairment
    }

    /// Changes what happens to the frames offered from now on.
    pub fn reconfigure(&mut self, config: LinkConfig) {
        self.impairment.reconfigure(config);
    }

    /// What was done to the frames.
    pub fn counters(&self) -> &PortCounters {
        self.impairment.counters()
    }

    /// An Ethernet frame is sent at `now`, which never goes back. What became of it is returned.
    pub fn offer(&mut self, now: Instant, bytes: &[u8]) -> Verdict {
        let verdict = self.impairment.offer(now, bytes);
        match verdict.fate {
            Fate::Carried(at) => self.fly(at, bytes, &verdict),
            Fate::Duplicated(first, second) => {
                self.fly(first, bytes, &verdict);
                self.fly(second, bytes, &verdict);
            }
            Fate::Displaced(frames_left, latest) => self.hold(frames_left, latest, bytes, &verdict),
            _ => {}
        }
        verdict
    }

    /// A frame arrives at `at`, past all models: what a router on the path sends by itself.
    pub fn inject(&mut self, at: Instant, bytes: &[u8]) {
        let copy = self.copy(bytes);
        self.push(at, copy);
        self.impairment.count(PortCounter::WireInjected);
    }

    /// When the next frame arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        let flight = self.flights.peek().map(|Reverse(flight)| flight.at);
        self.held.iter().map(|held| held.latest).chain(flight).min()
    }

    /// The next frame that has arrived by `now`. Give its buffer back with [`Pipe::recycle`].
    pub fn take_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        if !self.held.is_empty() {
            self.release(|held| held.latest <= now, None);
        }
        self.flights.peek().filter(|Reverse(flight)| flight.at <= now)?;
        self.flights.pop().map(|Reverse(flight)| flight.bytes)
    }

    /// Takes a buffer back for later frames.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE {
            self.spare.push(buffer);
        }
    }

    /// Frames under way.
    pub fn in_flight(&self) -> usize {
        self.flights.len() + self.held.len()
    }

    fn fly(&mut self, at: Instant, bytes: &[u8], verdict: &Verdict) {
        let mut copy = self.copy(bytes);
        self.impairment.apply(verdict, &mut copy);
        self.push(at, copy);
        if !self.held.is_empty() {
            self.held.iter_mut().for_each(|held| held.frames_left = held.frames_left.saturating_sub(1));
            self.release(|held| held.frames_left == 0, Some(at));
        }
    }

    fn hold(&mut self, frames_left: u8, latest: Instant, bytes: &[u8], verdict: &Verdict) {
        if self.held.len() >= HELD {
            return self.fly(latest, bytes, verdict);
        }
        let mut copy = self.copy(bytes);
        self.impairment.apply(verdict, &mut copy);
        self.held.push(Held { frames_left, latest, bytes: copy });
    }

    /// Lets held frames go, right behind the frame that arrives at `at`, or at their latest.
    fn release(&mut self, due: impl Fn(&Held) -> bool, at: Option<Instant>) {
        while let Some(position) = self.held.iter().position(&due) {
            let held = self.held.remove(position);
            self.push(at.map_or(held.latest, |at| at.min(held.latest)), held.bytes);
        }
    }

    fn push(&mut self, at: Instant, bytes: Vec<u8>) {
        self.flights.push(Reverse(Flight { at, order: self.order, bytes }));
        self.order += 1;
    }

    fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        copy
    }
}
