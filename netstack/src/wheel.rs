//! A hierarchical timer wheel: one timer a key, O(1) to set, move and cancel, whatever their number.
//!
//! ```text
//!   level 0   64 slots of 1 tick            a timer lies at the level of the highest digit (base 64) in which
//!   level 1   64 slots of 64 ticks          its tick differs from the current one, so everything at a level
//!   …                                       is due before everything at the levels above
//!   level 5   64 slots of 64⁵ ticks
//! ```
//!
//! Timers never fire early and at most one tick late (plus the time until the next poll). Keys are dense indices, as
//! a slab gives them: the wheel keeps its links in an array indexed by key and allocates only when that array grows.

use core::time::Duration;

use crate::slab::ChunkVec;
use crate::time::Instant;

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 6;
const NIL: u32 = u32::MAX;
/// A node that is in no slot.
const UNSET: u16 = u16::MAX;
/// Timers further away are looked at again after this many ticks (about two years of milliseconds).
const HORIZON: u64 = 1 << (BITS * LEVELS as u32);

#[derive(Clone, Copy, Debug)]
struct Node {
    tick: u64,
    next: u32,
    prev: u32,
    slot: u16,
}

/// The wheel. See the module's documentation.
#[derive(Debug)]
pub struct TimerWheel {
    start: Instant,
    tick_nanos: u64,
    /// Every tick before this one was handled.
    current: u64,
    occupied: [u64; LEVELS],
    heads: [[u32; SLOTS]; LEVELS],
    nodes: ChunkVec<Node>,
    len: usize,
    /// Nothing is due before; recomputed when a poll comes to it.
    quiet_until: Instant,
}

impl TimerWheel {
    /// An empty wheel that begins at `now` and counts in `tick`s (at least one nanosecond).
    pub fn new(now: Instant, tick: Duration) -> TimerWheel {
        TimerWheel {
            start: now,
            tick_nanos: u64::try_from(tick.as_nanos()).unwrap_or(u64::MAX).max(1),
            current: 0,
            occupied: [0; LEVELS],
            heads: [[NIL; SLOTS]; LEVELS],
            nodes: ChunkVec::default(),
            len: 0,
            quiet_until: Instant::FAR_FUTURE,
        }
    }

    /// Timers set.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when no timer is set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets the timer of `key` to fire at `at`, moving it when it is set already.
    pub fn schedule(&mut self, key: u32, at: Instant) {
        while self.nodes.len() <= key as usize {
            self.nodes.push(Node { tick: 0, next: NIL, prev: NIL, slot: UNSET });
        }
        self.cancel(key);
        let nanos = at.saturating_since(self.start).as_nanos() as u64;
        let tick = nanos.div_ceil(self.tick_nanos).max(self.current);
        self.link(key, tick);
        self.len += 1;
    }

    /// Forgets the timer of `key`, if there is one.
    pub fn cancel(&mut self, key: u32) {
        if self.nodes.get(key).is_some_and(|node| node.slot != UNSET) {
            self.unlink(key);
            self.len -= 1;
        }
    }

    /// True when a timer of `key` is set.
    pub fn is_set(&self, key: u32) -> bool {
        self.nodes.get(key).is_some_and(|node| node.slot != UNSET)
    }

    /// The next key whose time has come, which is then no longer set; `None` when nothing (more) is due at `now`.
    #[inline]
    pub fn poll_expired(&mut self, now: Instant) -> Option<u32> {
        if now < self.quiet_until {
            return None;
        }
        self.advance(now.saturating_since(self.start).as_nanos() as u64 / self.tick_nanos)
    }

    /// No later than the moment of the earliest timer (it may be early; then polling finds nothing and the next
    /// answer is later).
    pub fn next_deadline(&self) -> Option<Instant> {
        let tick = self.next_slot()?.2;
        Some(self.moment(tick.max(self.current)))
    }

    /// When `tick` begins.
    fn moment(&self, tick: u64) -> Instant {
        self.start.plus_nanos(tick.saturating_mul(self.tick_nanos))
    }

    /// Handles slots up to tick `target`, returning at the first timer due.
    #[cold]
    fn advance(&mut self, target: u64) -> Option<u32> {
        while let Some((level, slot, tick)) = self.next_slot() {
            if tick > target {
                self.current = self.current.max(target);
                self.quiet_until = self.moment(tick);
                return None;
            }
            self.current = self.current.max(tick);
            let mut key = self.heads[level][slot];
            if level == 0 {
                self.unlink(key);
                self.len -= 1;
                return Some(key);
            }
            // The slot has begun: its timers move to lower levels, all of them before anything below is looked at.
            while let Some(&Node { tick: due, next, .. }) = self.nodes.get(key) {
                self.unlink(key);
                self.link(key, due);
                key = next;
            }
        }
        self.current = self.current.max(target);
        self.quiet_until = Instant::FAR_FUTURE;
        None
    }

    /// The earliest slot with a timer: level, slot, and the tick at which the slot begins.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|&bits| bits != 0)?;
        let shift = BITS * level as u32;
        let here = (self.current >> shift) as usize % SLOTS;
        // By the choice of level, slots before the current one of a level are empty, but for the top one, which wraps.
        let ahead = self.occupied[level].rotate_right(here as u32).trailing_zeros() as usize;
        let slot = (here + ahead) % SLOTS;
        let begin = ((self.current >> shift) + ahead as u64) << shift;
        Some((level, slot, begin))
    }

    fn link(&mut self, key: u32, tick: u64) {
        let distance_digits = (self.current ^ tick) | 1;
        let level = ((63 - distance_digits.leading_zeros()) / BITS) as usize;
        let (level, place) = if level < LEVELS {
            (level, tick)
        } else {
            // In the wheel's next round: in its own top slot when that comes before the current one again, else (beyond
            // the horizon) in the top slot that comes last, to be placed again from there.
            (LEVELS - 1, tick.min(self.current + HORIZON - (1 << (BITS * (LEVELS as u32 - 1)))))
        };
        let slot = (place >> (BITS * level as u32)) as usize % SLOTS;
        let head = self.heads[level][slot];
        if let Some(node) = self.nodes.get_mut(head) {
            node.prev = key;
        }
        if let Some(node) = self.nodes.get_mut(key) {
            *node = Node { tick, next: head, prev: NIL, slot: (level * SLOTS + slot) as u16 };
        }
        self.heads[level][slot] = key;
        self.occupied[level] |= 1 << slot;
        let begin = place >> (BITS * level as u32) << (BITS * level as u32);
        self.quiet_until = self.quiet_until.min(self.moment(begin));
    }

    fn unlink(&mut self, key: u32) {
        let Some(node) = self.nodes.get_mut(key) else { return };
        let Node { next, prev, slot, .. } = *node;
        node.slot = UNSET;
        let (level, slot) = (slot as usize / SLOTS, slot as usize % SLOTS);
        if let Some(after) = self.nodes.get_mut(next) {
            after.prev = prev;
        }
        if let Some(before) = self.nodes.get_mut(prev) {
            before.next = next;
        } else {
            self.heads[level][slot] = next;
            if next == NIL {
                self.occupied[level] &= !(1 << slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn drain(wheel: &mut TimerWheel, now: u64) -> Vec<u32> {
        let mut keys: Vec<u32> = core::iter::from_fn(|| wheel.poll_expired(Instant::from_millis(now))).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn timers_fire_at_their_tick_and_not_before() {
        let mut wheel = TimerWheel::new(Instant::ZERO, Duration::from_millis(1));
        wheel.schedule(3, Instant::from_millis(10));
        wheel.schedule(4, Instant::from_micros(10_001));
        wheel.schedule(5, Instant::from_millis(100_000));
        assert_eq!(wheel.next_deadline(), Some(Instant::from_millis(10)));
        assert!(drain(&mut wheel, 9).is_empty());
        assert_eq!(drain(&mut wheel, 10), [3]);
        assert_eq!(drain(&mut wheel, 11), [4]);
        assert!(wheel.next_deadline().unwrap() <= Instant::from_millis(100_000));
        assert!(drain(&mut wheel, 99_999).is_empty());
        assert_eq!(drain(&mut wheel, 100_000), [5]);
        assert!(wheel.is_empty() && wheel.next_deadline().is_none());
    }

    #[test]
    fn a_timer_moves_and_is_cancelled() {
        let mut wheel = TimerWheel::new(Instant::from_millis(5), Duration::from_millis(1));
        wheel.schedule(0, Instant::from_millis(50));
        wheel.schedule(0, Instant::from_millis(20));
        assert_eq!(drain(&mut wheel, 30), [0]);
        wheel.schedule(0, Instant::from_millis(1));
        assert_eq!(drain(&mut wheel, 31), [0], "a moment in the past is due at once");
        wheel.schedule(0, Instant::from_millis(40));
        wheel.cancel(0);
        wheel.cancel(99);
        assert!(drain(&mut wheel, 1000).is_empty() && !wheel.is_set(0));
    }

    #[test]
    fn a_moment_beyond_the_horizon_waits() {
        let mut wheel = TimerWheel::new(Instant::ZERO, Duration::from_nanos(1));
        wheel.schedule(1, Instant::FAR_FUTURE);
        wheel.schedule(2, Instant::from_nanos(HORIZON * 3));
        let mut fired = Vec::new();
        let mut now = Instant::ZERO;
        for _ in 0..1000 {
            now = now.plus_nanos(HORIZON / 100);
            fired.extend(core::iter::from_fn(|| wheel.poll_expired(now)).map(|key| (key, now)));
        }
        assert_eq!(fired.len(), 1);
        assert!(fired[0].0 == 2 && fired[0].1 >= Instant::from_nanos(HORIZON * 3));
    }

    #[test]
    fn it_agrees_with_a_sorted_list() {
        for seed in 0..40 {
            let mut rng = Rng::new(seed);
            let mut wheel = TimerWheel::new(Instant::ZERO, Duration::from_millis(1));
            let mut model = std::collections::BTreeMap::new();
            let mut now = 0u64;
            for _ in 0..2000 {
                let key = rng.below(200);
                match rng.below(4) {
                    0 | 1 => {
                        let spread = 1 << rng.below(24);
                        let at = now + u64::from(rng.below(spread));
                        wheel.schedule(key, Instant::from_millis(at));
                        model.insert(key, at);
                    }
                    2 => {
                        wheel.cancel(key);
                        model.remove(&key);
                    }
                    _ => {
                        let spread = 1 << rng.below(18);
                        now += u64::from(rng.below(spread));
                        let due: Vec<u32> = model.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
                        model.retain(|_, at| *at > now);
                        assert_eq!(drain(&mut wheel, now), due, "seed {seed}");
                        let earliest = model.values().min().copied();
                        assert_eq!(wheel.next_deadline().is_some(), earliest.is_some());
                        if let (Some(hint), Some(earliest)) = (wheel.next_deadline(), earliest) {
                            assert!(hint <= Instant::from_millis(earliest), "seed {seed}");
                        }
                        assert_eq!(wheel.len(), model.len());
                    }
                }
            }
        }
    }
}
