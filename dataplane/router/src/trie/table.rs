//! An immutable hash table from (owner, text) to a number, in one flat array: open addressing, linear probing, load at
//! most one half.
//!
//! The table is built once from the configuration; requests only look up. Nobody who sends requests can add to it,
//! and the build tries seeds until no lookup, found or not, passes over more than [`MAX_PROBES`] slots (or settles for the
//! best seed of a bounded number): that is why a plain multiply-fold hash is enough.

/// Slots that a lookup looks at, at most, with a seed that the build is content with.
const MAX_PROBES: usize = 8;
/// Seeds that the build tries.
const MAX_SEEDS: u64 = 16;

/// One slot: where the text is, and what it stands for. A free slot has no `owner`.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    owner: u32,
    start: u32,
    len: u32,
    value: u32,
}

const FREE: u32 = u32::MAX;
const FREE_SLOT: Slot = Slot { hash: 0, owner: FREE, start: 0, len: 0, value: 0 };

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    seed: u64,
    mask: usize,
    slots: Box<[Slot]>,
    texts: Box<[u8]>,
}

impl Table {
    /// A table of the entries, whose (owner, text) pairs differ. An owner is less than `u32::MAX`.
    pub(crate) fn build(entries: &[(u32, &[u8], u32)]) -> Table {
        let mut table = Table { texts: entries.iter().flat_map(|(_, text, _)| text.iter().copied()).collect(), ..Table::default() };
        if entries.is_empty() {
            return table;
        }
        let capacity = (entries.len() * 2).next_power_of_two();
        table.mask = capacity - 1;
        let mut best = (usize::MAX, 0);
        for seed in 0..MAX_SEEDS {
            let probes = table.fill(entries, seed, capacity);
            if probes <= MAX_PROBES {
                return table;
            }
            best = best.min((probes, seed));
        }
        table.fill(entries, best.1, capacity);
        table
    }

    /// Places all entries; returns the longest run of used slots that a lookup may have to pass.
    fn fill(&mut self, entries: &[(u32, &[u8], u32)], seed: u64, capacity: usize) -> usize {
        self.seed = seed;
        self.slots = vec![FREE_SLOT; capacity].into_boxed_slice();
        let (mut start, mut most) = (0, 0);
        for &(owner, text, value) in entries {
            let hash = hash(seed, owner, text);
            let mut index = hash as usize & self.mask;
            let mut probes = 1;
            while self.slots.get(index).is_some_and(|slot| slot.owner != FREE) {
                index = (index + 1) & self.mask;
                probes += 1;
            }
            if let Some(slot) = self.slots.get_mut(index) {
                *slot = Slot { hash, owner, start, len: text.len() as u32, value };
            }
            start += text.len() as u32;
            most = most.max(probes);
        }
        most
    }

    /// The value of an entry.
    #[inline]
    pub(crate) fn find(&self, owner: u32, text: &[u8]) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let hash = hash(self.seed, owner, text);
        let mut index = hash as usize & self.mask;
        // At least half of the slots are free, so the walk ends.
        loop {
            let slot = self.slots.get(index)?;
            if slot.owner == FREE {
                return None;
            }
            if slot.hash == hash && slot.owner == owner && self.text(slot) == text {
                return Some(slot.value);
            }
            index = (index + 1) & self.mask;
        }
    }

    #[inline]
    fn text(&self, slot: &Slot) -> &[u8] {
        let start = slot.start as usize;
        self.texts.get(start..start + slot.len as usize).unwrap_or_default()
    }
}

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd6e8_feb8_6659_fd93;

/// Multiplies to 128 bits and folds the halves (as wyhash does), eight bytes at a time.
#[inline]
fn hash(seed: u64, owner: u32, text: &[u8]) -> u32 {
    let mut state = fold(seed.wrapping_add(K0) ^ u64::from(owner), K1 ^ text.len() as u64);
    let (words, tail) = text.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), K0);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    let state = fold(state ^ u64::from_le_bytes(last), K1);
    (state ^ state >> 32) as u32
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}
