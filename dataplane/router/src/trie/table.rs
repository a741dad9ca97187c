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

/// One entry, half a cache line. A free slot has no `owner`.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// A text of up to 16 bytes, packed; of a longer one, where it begins in the texts.
    words: (u64, u64),
    len: u32,
    hash: u32,
    owner: u32,
    value: u32,
}

const FREE: u32 = u32::MAX;
const FREE_SLOT: Slot = Slot { words: (0, 0), len: 0, hash: 0, owner: FREE, value: 0 };
/// The longest text that a slot itself holds.
const PACKED_BYTES: usize = 16;

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    seed: u64,
    mask: usize,
    slots: Box<[Slot]>,
    /// Texts that are too long for their slots.
    texts: Box<[u8]>,
}

impl Table {
    /// A table of the entries, whose (owner, text) pairs differ. An owner is less than `u32::MAX`.
    pub(crate) fn build(entries: &[(u32, &[u8], u32)]) -> Table {
        let long = entries.iter().filter(|(_, text, _)| text.len() > PACKED_BYTES);
        let mut table =
            Table { texts: long.flat_map(|(_, text, _)| text.iter().copied()).collect(), ..Table::default() };
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

    /// Places all entries; returns the longest walk that finds one.
    fn fill(&mut self, entries: &[(u32, &[u8], u32)], seed: u64, capacity: usize) -> usize {
        self.seed = seed;
        self.slots = vec![FREE_SLOT; capacity].into_boxed_slice();
        let (mut start, mut most) = (0, 0);
        for &(owner, text, value) in entries {
            let key = Key::of(seed, owner, text);
            let words = if text.len() > PACKED_BYTES { (start, 0) } else { key.words };
            let mut index = key.hash as usize & self.mask;
            let mut probes = 1;
            while self.slots.get(index).is_some_and(|slot| slot.owner != FREE) {
                index = (index + 1) & self.mask;
                probes += 1;
            }
            if let Some(slot) = self.slots.get_mut(index) {
                *slot = Slot { words, len: text.len() as u32, hash: key.hash, owner, value };
            }
            if text.len() > PACKED_BYTES {
                start += text.len() as u64;
            }
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
        let key = Key::of(self.seed, owner, text);
        let mut index = key.hash as usize & self.mask;
        // At least half of the slots are free, so the walk ends.
        loop {
            let slot = self.slots.get(index)?;
            if slot.owner == FREE {
                return None;
            }
            if slot.hash == key.hash
                && slot.owner == owner
                && slot.len as usize == text.len()
                && self.is_text(slot, &key, text)
            {
                return Some(slot.value);
            }
            index = (index + 1) & self.mask;
        }
    }

    /// Whether the text of a slot, which has the same length, is this one.
    #[inline]
    fn is_text(&self, slot: &Slot, key: &Key, text: &[u8]) -> bool {
        if text.len() <= PACKED_BYTES {
            return slot.words == key.words;
        }
        let start = slot.words.0 as usize;
        self.texts.get(start..start + text.len()) == Some(text)
    }
}

/// A text as it is looked up.
struct Key {
    /// Of a text of up to 16 bytes: all of it, in a form that is unique among texts of its length.
    words: (u64, u64),
    hash: u32,
}

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd6e8_feb8_6659_fd93;

impl Key {
    #[inline]
    fn of(seed: u64, owner: u32, text: &[u8]) -> Key {
        let words = pack(text);
        let mut state = seed.wrapping_add(K0) ^ u64::from(owner) << 32 ^ text.len() as u64;
        if text.len() > PACKED_BYTES {
            let (body, _) = text.as_chunks::<8>();
            state = body.iter().fold(state, |state, word| fold(state ^ u64::from_le_bytes(*word), K0));
        }
        let state = fold(state ^ words.0, K1 ^ words.1);
        let state = fold(state, K0);
        Key { words, hash: (state ^ state >> 32) as u32 }
    }
}

/// The first and the last bytes of a text; they overlap in texts of fewer than 16 bytes.
#[inline]
fn pack(text: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
    } else {
        let byte = |at: usize| u64::from(text.get(at).copied().unwrap_or(0));
        (byte(0) | byte(1) << 8 | byte(2) << 16, 0)
    }
}

/// Multiplies to 128 bits and folds the halves, as wyhash does.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_was_put_in_and_nothing_else(
            entries in proptest::collection::hash_map((0u32..4, "[ab/]{0,20}"), any::<u32>(), 0..200),
            others in proptest::collection::vec((0u32..5, "[ab/]{0,20}"), 0..50),
        ) {
            let list: Vec<(u32, &[u8], u32)> = entries.iter().map(|((owner, text), value)| (*owner, text.as_bytes(), *value)).collect();
            let table = Table::build(&list);
            let entries: &HashMap<(u32, String), u32> = &entries;
            for (owner, text) in entries.keys().chain(&others) {
                prop_assert_eq!(table.find(*owner, text.as_bytes()), entries.get(&(*owner, text.clone())).copied());
            }
        }
    }

    #[test]
    fn texts_of_one_length_are_told_apart() {
        let texts: Vec<String> = (0..=24)
            .flat_map(|length| {
                (0..length).map(move |at| (0..length).map(|n| if n == at { 'b' } else { 'a' }).collect())
            })
            .collect();
        let list: Vec<(u32, &[u8], u32)> =
            texts.iter().zip(0..).map(|(text, value)| (0, text.as_bytes(), value)).collect();
        let table = Table::build(&list);
        for (text, value) in texts.iter().zip(0..) {
            assert_eq!(table.find(0, text.as_bytes()), Some(value), "{text}");
            assert_eq!(table.find(0, text.replace('b', "a").as_bytes()), None);
        }
    }
}
