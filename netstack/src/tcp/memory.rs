//! The memory of a worker: one account of what its connections hold, and what may still be taken.
//!
//! ```text
//!   0 ──────────────── low ───────────── pressure ────────── high ─ budget
//!   nothing happens     │ pressure goes     │ pressure comes   │ nothing new but what moves a stream on
//!                       │ when below        │ when above       │ (`is_full`), up to the budget and never beyond
//! ```
//!
//! Counted is what things cost, not what they carry: a frame with one byte costs the whole frame, a compact buffer what was
//! allocated for it, each piece of a queue its place in it. What is queued for sending is held by reference and counted by
//! length, shared or not: the account is the same whoever else holds the bytes. Control blocks, half-open connections,
//! those in TIME-WAIT and pooled objects count with their tables.
//!
//! This module only counts and answers; what is done about it is pressure.rs. Operators read docs/TCP_MEMORY.md.

use std::collections::VecDeque;

use super::event::ConnId;
use super::pressure::Suspects;

/// Bytes of memory at which a worker's TCP changes what it does. As Linux's `tcp_mem`, but in bytes and for one worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryLimits {
    /// Pressure is over when less is held, in bytes.
    pub low: usize,
    /// Pressure begins when more is held, in bytes: buffers stop to grow, windows are clamped.
    pub pressure: usize,
    /// From here on only what moves a stream on is taken, in bytes.
    pub high: usize,
    /// Never more than this is held, in bytes.
    pub budget: usize,
}

/// What a frame with received data costs at most, in bytes: a page.
const FRAME: usize = 4096;

impl MemoryLimits {
    /// The levels of a budget in bytes: a half, three quarters, fifteen sixteenths.
    pub const fn of(budget: usize) -> MemoryLimits {
        MemoryLimits { low: budget / 2, pressure: budget / 4 * 3, high: budget - budget / 16, budget }
    }
}

/// What is done when memory is full and a connection cannot go on for want of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum OnMemoryExhausted {
    /// The connections that hold most are reset, those first that the application has closed, or that stand still.
    #[default]
    ResetLargest,
    /// The connections that have made no progress for longest are reset, those first that the application has closed.
    ResetOldest,
    /// None is reset: what is new is refused until others let go.
    Refuse,
}

/// What a worker's connections hold, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryUsage {
    /// Received data, in order or not: frames and buffers with all that they occupy.
    pub received: usize,
    /// Data queued for sending, by length.
    pub queued: usize,
    /// Control blocks and pooled objects.
    pub control: usize,
    /// Frames that hold received data.
    pub frames: usize,
    /// Memory is short: buffers do not grow.
    pub pressure: bool,
}

impl MemoryUsage {
    /// All of it, in bytes.
    pub fn total(&self) -> usize {
        self.received + self.queued + self.control
    }
}

/// The account.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) limits: MemoryLimits,
    /// What received data costs.
    pub(crate) received: usize,
    /// Frames that hold received data, and how many may.
    pub(crate) frames: usize,
    pub(crate) max_frames: usize,
    /// What is queued for sending.
    pub(crate) queued: usize,
    /// Control blocks and pooled objects, as of the last turn.
    pub(crate) control: usize,
    /// Segments that were copied out of their frames, until they are counted.
    pub(crate) compacted: u64,
    /// Above `pressure`, and not below `low` since.
    pub(crate) under_pressure: bool,
    /// Bytes that a stream wanted in vain since the last turn, the most of them; zero when none stood still.
    pub(crate) wanted: usize,
    /// Connections that were refused to send, with what they wanted, until there is memory for it.
    pub(crate) waiting: VecDeque<(ConnId, usize)>,
    pub(crate) suspects: Suspects,
}

impl Memory {
    pub(crate) fn new(limits: MemoryLimits, max_frames: usize) -> Memory {
        Memory {
            limits,
            received: 0,
            frames: 0,
            max_frames,
            queued: 0,
            control: 0,
            compacted: 0,
            under_pressure: false,
            wanted: 0,
            waiting: VecDeque::new(),
            suspects: Suspects::default(),
        }
    }

    /// Bytes held in all.
    #[inline]
    pub(crate) fn total(&self) -> usize {
        self.received + self.queued + self.control
    }

    /// Nothing more is taken but what moves a stream on: not even a frame is left below `high`.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.total() + FRAME > self.limits.high
    }

    /// A stream stands still for want of `bytes`.
    pub(crate) fn want(&mut self, bytes: usize) {
        self.wanted = self.wanted.max(bytes);
    }

    /// `bytes` more are still within the budget: for what moves a stream on.
    #[inline]
    pub(crate) fn has_reserve(&self, bytes: usize) -> bool {
        self.total() + bytes <= self.limits.budget
    }

    /// `bytes` more leave the reserve untouched.
    #[inline]
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.total() + bytes <= self.limits.high
    }

    /// Looks at the level anew; true when pressure begins.
    #[inline]
    pub(crate) fn update(&mut self) -> bool {
        let total = self.total();
        if self.under_pressure {
            self.under_pressure = total >= self.limits.low;
            return false;
        }
        self.under_pressure = total > self.limits.pressure;
        self.under_pressure
    }

    pub(crate) fn usage(&self) -> MemoryUsage {
        MemoryUsage {
            received: self.received,
            queued: self.queued,
            control: self.control,
            frames: self.frames,
            pressure: self.under_pressure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_comes_above_its_level_and_goes_below_the_low_one() {
        let mut memory = Memory::new(MemoryLimits::of(160_000), 10);
        assert_eq!(memory.limits, MemoryLimits { low: 80_000, pressure: 120_000, high: 150_000, budget: 160_000 });
        memory.queued = 120_000;
        assert!(!memory.update() && !memory.under_pressure);
        memory.control = 1;
        assert!(memory.update() && memory.under_pressure);
        memory.queued = 79_999;
        assert!(!memory.update() && memory.under_pressure, "80,000 is not below 80,000");
        memory.control = 0;
        assert!(!memory.update() && !memory.under_pressure);
        memory.received = 70_001 - FRAME;
        assert!(!memory.is_full());
        memory.received += 1;
        assert!(memory.is_full() && memory.has_room(FRAME - 1) && !memory.has_room(FRAME));
        assert!(memory.has_reserve(FRAME + 9_999) && !memory.has_reserve(FRAME + 10_000));
    }
}
