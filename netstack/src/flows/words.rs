//! The directory's memory: buckets of four entries, each bucket one atomic word.
//!
//! ```text
//!   hash ─▶ bucket  | tag·owner | tag·owner | tag·owner | tag·owner |     four entries of 16 bits in an AtomicU64
//!                     zero: free            owner: as many bits as the workers need, the tag has the rest
//! ```
//!
//! Everything about a flow is decided by one compare-and-swap of its only bucket, so the operations on a bucket have one
//! order that all workers agree on (the modification order of the word), and in it:
//!
//! - *At most one owner a tag.* A claim adds an entry to a word in which no other worker's entry has that tag, or fails.
//! - *Claims count.* One worker may have several flows of one tag; each claim adds an entry and each release removes one,
//!   so a tag stays the worker's until its last flow is gone.
//!
//! No other memory is published through a word, so no ordering is needed beyond the word's own; releases and claims are
//! `AcqRel` all the same, so that what a worker did before it gave a flow up happened before the next owner's claim.
//! A claim or release that loses its exchange tries again, which means that another worker's succeeded meanwhile:
//! lock-free, and no worker waits for one that was preempted.
//!
//! With as many flows as the directory was made for, a bucket has one entry on average, and one flow in 270 finds its
//! bucket full; with half as many it is one in 6,000, with a tenth one in ten million. It is then not remembered, which
//! the caller counts. (Its release may remove the entry of a flow with the same tag, which is then not remembered
//! either; the two together are one in millions.)

use core::fmt;

use super::Claim;
use super::atomic::{AtomicU64, Ordering};

/// Bits of an entry.
const ENTRY_BITS: u32 = 16;
/// Entries of a bucket.
const ENTRIES: u32 = u64::BITS / ENTRY_BITS;
const ENTRY_MASK: u64 = (1 << ENTRY_BITS) - 1;
/// The tag keeps this many bits at least, so there are 4,096 workers at most.
const MIN_TAG_BITS: u32 = 4;

/// The buckets.
pub(crate) struct Words {
    buckets: Box<[AtomicU64]>,
    owner_bits: u32,
}

impl Words {
    /// Room for `flows` flows of `workers` workers.
    pub(crate) fn new(workers: u16, flows: usize) -> Words {
        let owner_bits = (u32::from(workers.max(1)) - 1).checked_ilog2().map_or(0, |bit| bit + 1);
        let buckets = flows.clamp(16, 1 << 30).next_power_of_two();
        Words {
            buckets: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            owner_bits: owner_bits.min(ENTRY_BITS - MIN_TAG_BITS),
        }
    }

    /// Makes the flow `owner`'s, unless another worker has its tag.
    pub(crate) fn claim(&self, hash: u64, owner: u16) -> Claim {
        let (bucket, entry) = (self.bucket(hash), self.entry(hash, owner));
        let mut word = bucket.load(Ordering::Relaxed);
        loop {
            if let Some(other) = self.owner_in(word, hash).filter(|&other| other != owner) {
                return Claim::Foreign(other);
            }
            let Some(shift) = shifts().find(|&shift| word >> shift & ENTRY_MASK == 0) else { return Claim::Full };
            let claimed = word | entry << shift;
            match bucket.compare_exchange_weak(word, claimed, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Claim::Made,
                Err(now) => word = now,
            }
        }
    }

    /// Removes one entry of the flow, if `owner` has one.
    pub(crate) fn release(&self, hash: u64, owner: u16) {
        let (bucket, entry) = (self.bucket(hash), self.entry(hash, owner));
        let mut word = bucket.load(Ordering::Relaxed);
        while let Some(shift) = shifts().find(|&shift| word >> shift & ENTRY_MASK == entry) {
            let released = word & !(ENTRY_MASK << shift);
            match bucket.compare_exchange_weak(word, released, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// Who has the flow's tag.
    pub(crate) fn owner(&self, hash: u64) -> Option<u16> {
        self.owner_in(self.bucket(hash).load(Ordering::Acquire), hash)
    }

    /// Entries, counted one by one.
    pub(crate) fn len(&self) -> usize {
        let entries = |word: u64| shifts().filter(|shift| word >> shift & ENTRY_MASK != 0).count();
        self.buckets.iter().map(|bucket| entries(bucket.load(Ordering::Relaxed))).sum()
    }

    fn owner_in(&self, word: u64, hash: u64) -> Option<u16> {
        let tag = self.entry(hash, 0) >> self.owner_bits;
        let entry = shifts().map(|shift| word >> shift & ENTRY_MASK).find(|entry| entry >> self.owner_bits == tag)?;
        Some((entry & ((1 << self.owner_bits) - 1)) as u16)
    }

    /// The low bits of the hash choose the bucket.
    fn bucket(&self, hash: u64) -> &AtomicU64 {
        // The length is a power of two, so the index is in bounds.
        &self.buckets[hash as usize & (self.buckets.len() - 1)]
    }

    /// The high bits make the tag, which is never zero.
    fn entry(&self, hash: u64, owner: u16) -> u64 {
        let tag = (hash >> (u64::BITS - ENTRY_BITS + self.owner_bits)).max(1);
        tag << self.owner_bits | u64::from(owner) & ((1 << self.owner_bits) - 1)
    }
}

fn shifts() -> impl Iterator<Item = u32> {
    (0..ENTRIES).map(|entry| entry * ENTRY_BITS)
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} buckets, {} bits of owner", self.buckets.len(), self.owner_bits)
    }
}
