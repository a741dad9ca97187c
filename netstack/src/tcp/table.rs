//! From the 4-tuple to what lives under it: a connection, a half-open one, or one in TIME-WAIT.
//!
//! ```text
//!   SipHash-1-3(tuple) ─▶ slots [ hash · entry | hash · entry | … ]   open addressing, 8 bytes a slot, linear probing
//!                                          └─▶ slab of that kind       so a hit costs one line here and the block itself
//! ```
//!
//! The hash is keyed with a secret of the worker, so nobody can aim at one chain. Growth keeps both tables for a while
//! and moves a few slots with each insertion: no packet ever waits for a million entries to be moved.

use super::siphash::SipKey;
use super::tuple::Tuple;
use crate::rng::Seed;

/// What an entry points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// Index in the slab of connections.
    Connection(u32),
    /// Index in the slab of half-open passive connections.
    HalfOpen(u32),
    /// Index in the slab of connections in TIME-WAIT.
    TimeWait(u32),
}

const INDEX_BITS: u32 = 30;
const EMPTY: u32 = u32::MAX;
/// A slot of the old table whose entry moved or was removed.
const MOVED: u32 = u32::MAX - 1;
/// Slots of the old table that one insertion moves.
const MOVES: usize = 16;

impl Entry {
    fn pack(self) -> u32 {
        match self {
            Entry::Connection(index) => index,
            Entry::HalfOpen(index) => 1 << INDEX_BITS | index,
            Entry::TimeWait(index) => 2 << INDEX_BITS | index,
        }
    }

    #[inline]
    fn unpack(packed: u32) -> Entry {
        let index = packed & ((1 << INDEX_BITS) - 1);
        match packed >> INDEX_BITS {
            0 => Entry::Connection(index),
            1 => Entry::HalfOpen(index),
            _ => Entry::TimeWait(index),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    entry: u32,
}

const FREE: Slot = Slot { hash: 0, entry: EMPTY };

/// The table. Hashes are computed by the caller, once for each segment.
pub(crate) struct Table {
    key: SipKey,
    slots: Vec<Slot>,
    len: usize,
    /// The table before the last growth, until everything has moved.
    old: Vec<Slot>,
    old_left: usize,
    old_next: usize,
}

impl Table {
    pub(crate) fn new(seed: &Seed, reserve: usize) -> Table {
        let (k0, k1) = seed.keys(u64::from_le_bytes(*b"tcp-tabl"));
        let slots = (reserve.max(64) * 3 / 2).next_power_of_two();
        Table { key: SipKey::new(k0, k1), slots: vec![FREE; slots], len: 0, old: Vec::new(), old_left: 0, old_next: 0 }
    }

    #[inline]
    pub(crate) fn hash(&self, tuple: &Tuple) -> u32 {
        tuple.hash(&self.key) as u32
    }

    /// Entries.
    pub(crate) fn len(&self) -> usize {
        self.len + self.old_left
    }

    /// The entry with this hash of which `is_it` is true.
    #[inline]
    pub(crate) fn find(&self, hash: u32, mut is_it: impl FnMut(Entry) -> bool) -> Option<Entry> {
        if let Some(at) = probe(&self.slots, hash, &mut is_it) {
            return Some(Entry::unpack(self.slots[at].entry));
        }
        if self.old_left == 0 {
            return None;
        }
        let at = probe(&self.old, hash, &mut is_it)?;
        Some(Entry::unpack(self.old[at].entry))
    }

    /// Adds an entry; the caller knows that its tuple is not there.
    pub(crate) fn insert(&mut self, hash: u32, entry: Entry) {
        if (self.len + self.old_left + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.migrate(MOVES);
        place(&mut self.slots, Slot { hash, entry: entry.pack() });
        self.len += 1;
    }

    /// Removes `entry`, which was added with `hash`.
    pub(crate) fn remove(&mut self, hash: u32, entry: Entry) {
        let mut is_it = |other| other == entry;
        if let Some(at) = probe(&self.slots, hash, &mut is_it) {
            close_gap(&mut self.slots, at);
            self.len -= 1;
        } else if let Some(at) = probe(&self.old, hash, &mut is_it) {
            self.old[at].entry = MOVED;
            self.old_left -= 1;
        }
    }

    /// Replaces `entry` by `new` under the same tuple.
    pub(crate) fn replace(&mut self, hash: u32, entry: Entry, new: Entry) {
        let mut is_it = |other| other == entry;
        if let Some(at) = probe(&self.slots, hash, &mut is_it) {
            self.slots[at].entry = new.pack();
        } else if let Some(at) = probe(&self.old, hash, &mut is_it) {
            self.old[at].entry = new.pack();
        }
    }

    fn grow(&mut self) {
        // Growth at three quarters full doubles the table, and sixteen slots move for each insertion: the old table
        // is long empty when the next growth comes, so this finishes nothing in practice.
        self.migrate(usize::MAX);
        let doubled = self.slots.len() * 2;
        self.old = core::mem::replace(&mut self.slots, vec![FREE; doubled]);
        self.old_left = self.len;
        self.len = 0;
        self.old_next = 0;
    }

    fn migrate(&mut self, slots: usize) {
        if self.old_left > 0 {
            let end = self.old_next.saturating_add(slots).min(self.old.len());
            for slot in &mut self.old[self.old_next..end] {
                if slot.entry < MOVED {
                    place(&mut self.slots, *slot);
                    slot.entry = MOVED;
                    self.len += 1;
                    self.old_left -= 1;
                }
            }
            self.old_next = end;
        }
        if self.old_left == 0 && !self.old.is_empty() {
            self.old = Vec::new();
        }
    }
}

#[inline]
fn probe(slots: &[Slot], hash: u32, is_it: &mut impl FnMut(Entry) -> bool) -> Option<usize> {
    let mask = slots.len().checked_sub(1)?;
    let mut at = hash as usize & mask;
    loop {
        let slot = slots[at & mask];
        if slot.entry == EMPTY {
            return None;
        }
        if slot.hash == hash && slot.entry != MOVED && is_it(Entry::unpack(slot.entry)) {
            return Some(at);
        }
        at = (at + 1) & mask;
    }
}

fn place(slots: &mut [Slot], slot: Slot) {
    let mask = slots.len() - 1;
    let mut at = slot.hash as usize & mask;
    while slots[at].entry != EMPTY {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

/// Removes slot `at`, moving up those behind it that would no longer be found (Knuth, volume 3, §6.4, algorithm R).
fn close_gap(slots: &mut [Slot], at: usize) {
    let mask = slots.len() - 1;
    let mut gap = at;
    let mut next = (at + 1) & mask;
    while slots[next].entry != EMPTY {
        let home = slots[next].hash as usize & mask;
        // It may move when its home does not lie after the gap.
        if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(gap) & mask) {
            slots[gap] = slots[next];
            gap = next;
        }
        next = (next + 1) & mask;
    }
    slots[gap] = FREE;
}

#[cfg(test)]
#[path = "tests/table.rs"]
mod tests;
