//! One direction of a wire: decides what happens to a frame and when it arrives. Pure: bytes and times in, bytes and
//! times out.

use core::time::Duration;

use netstack::Instant;
use netstack::rng::Rng;

use super::config::{LinkConfig, Loss};
use crate::headers;
use crate::{PortCounter, PortCounters};

/// What the link decided for one frame: up to two arrivals.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// When the frame arrives; twice when it was duplicated, never when it was lost.
    pub arrivals: [Option<Instant>; 2],
    /// Bit to flip, counted from the first byte of the frame.
    pub flip_bit: Option<usize>,
    /// Mark "congestion experienced".
    pub mark: bool,
    /// Lost because the buffer was full (and not because of [`Loss`]).
    pub buffer_full: bool,
}

pub(super) struct Link {
    config: LinkConfig,
    rng: Rng,
    /// The Gilbert–Elliott chain is in its bad state.
    bad: bool,
    /// The bottleneck is free from here on.
    idle_at: Instant,
    /// The latest arrival of a frame that was not held back; keeps order under jitter.
    last_arrival: Instant,
    pub counters: PortCounters,
}

impl Link {
    pub fn new(config: LinkConfig, seed: u64) -> Link {
        let counters = PortCounters::default();
        Link { config, rng: Rng::new(seed), bad: false, idle_at: Instant::ZERO, last_arrival: Instant::ZERO, counters }
    }

    pub fn reconfigure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// A frame of `length` bytes is sent at `now`.
    pub fn send(&mut self, now: Instant, length: usize) -> Verdict {
        let mut verdict = Verdict::default();
        let Some((departure, waiting_bytes)) = self.pass_bottleneck(now, length) else {
            self.counters.bump(PortCounter::DropWireBufferFull);
            verdict.buffer_full = true;
            return verdict;
        };
        verdict.mark = self.config.ecn_threshold_bytes.is_some_and(|threshold| waiting_bytes > threshold);
        if self.is_lost() {
            self.counters.bump(PortCounter::DropWireLoss);
            return verdict;
        }
        verdict.flip_bit = self.corrupted_bit(length);
        verdict.arrivals[0] = Some(self.arrival(departure));
        if self.rng.chance_ppm(self.config.duplicate_ppm) {
            self.counters.bump(PortCounter::WireDuplicated);
            verdict.arrivals[1] = Some(self.arrival(departure));
        }
        verdict
    }

    /// When the frame has left the bottleneck, and how many bytes waited before it. `None`: it did not fit.
    fn pass_bottleneck(&mut self, now: Instant, length: usize) -> Option<(Instant, usize)> {
        let Some(rate) = self.config.rate_bits_per_second else { return Some((now, 0)) };
        let rate = u128::from(rate.max(1));
        let wait = self.idle_at.saturating_since(now).as_nanos();
        let waiting_bytes = usize::try_from(wait * rate / 8_000_000_000).unwrap_or(usize::MAX);
        if waiting_bytes.saturating_add(length) > self.config.buffer_bytes.max(length) {
            return None;
        }
        let nanos = u64::try_from(length as u128 * 8_000_000_000 / rate).unwrap_or(u64::MAX);
        self.idle_at = self.idle_at.max(now).plus_nanos(nanos);
        Some((self.idle_at, waiting_bytes))
    }

    fn is_lost(&mut self) -> bool {
        let ppm = match self.config.loss {
            Loss::None => return false,
            Loss::Random { ppm } => ppm,
            Loss::Bursty { enter_ppm, leave_ppm, good_ppm, bad_ppm } => {
                if self.rng.chance_ppm(if self.bad { leave_ppm } else { enter_ppm }) {
                    self.bad = !self.bad;
                }
                if self.bad { bad_ppm } else { good_ppm }
            }
        };
        self.rng.chance_ppm(ppm)
    }

    /// One flipped bit is always found by the Internet checksum, so the receiver can be expected to drop the frame.
    fn corrupted_bit(&mut self, length: usize) -> Option<usize> {
        const ETHERNET: usize = 14;
        if length <= ETHERNET || !self.rng.chance_ppm(self.config.corrupt_ppm) {
            return None;
        }
        self.counters.bump(PortCounter::WireCorrupted);
        Some(ETHERNET * 8 + self.rng.below(((length - ETHERNET) * 8) as u32) as usize)
    }

    fn arrival(&mut self, departure: Instant) -> Instant {
        let jitter = self.up_to(self.config.jitter);
        let arrival = (departure + self.config.delay + jitter).max(self.last_arrival);
        if self.rng.chance_ppm(self.config.reorder_ppm) {
            self.counters.bump(PortCounter::WireReordered);
            return arrival + self.up_to(self.config.reorder_delay);
        }
        self.last_arrival = arrival;
        arrival
    }

    fn up_to(&mut self, limit: Duration) -> Duration {
        let span = limit.as_nanos().min(u128::from(u64::MAX)) + 1;
        Duration::from_nanos(((u128::from(self.rng.next_u64()) * span) >> 64) as u64)
    }
}

/// Does to the bytes what the verdict says.
pub(super) fn apply(verdict: &Verdict, bytes: &mut [u8], counters: &mut PortCounters) {
    if verdict.mark && headers::mark_congestion(bytes) {
        counters.bump(PortCounter::WireEcnMarked);
    }
    if let Some(bit) = verdict.flip_bit
        && let Some(byte) = bytes.get_mut(bit / 8)
    {
        *byte ^= 1 << (bit % 8);
    }
}
