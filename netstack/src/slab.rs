//! A generational slab over chunks: dense indices, stable places, growth without copying.
//!
//! ```text
//!   chunk 0 [ 1024 slots ]  chunk 1 [ 1024 slots ]  …      index = chunk · 1024 + slot
//! ```
//!
//! Growing adds a chunk and moves nothing, so that a table of a million connections never stalls its worker to be
//! copied. A [`Key`] names an index and its generation: the key of a removed value finds nothing, also when the slot
//! is used again.

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// A vector that grows by chunks and never moves its elements.
#[derive(Debug)]
pub struct ChunkVec<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for ChunkVec<T> {
    fn default() -> Self {
        ChunkVec { chunks: Vec::new(), len: 0 }
    }
}

impl<T> ChunkVec<T> {
    /// An empty vector with room for `capacity` elements.
    pub fn with_capacity(capacity: usize) -> ChunkVec<T> {
        let mut chunks = Vec::with_capacity(capacity.div_ceil(CHUNK));
        chunks.extend((0..capacity.div_ceil(CHUNK)).map(|_| Vec::with_capacity(CHUNK)));
        ChunkVec { chunks, len: 0 }
    }

    /// Elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without an element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at `index`.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.chunks.get((index >> CHUNK_BITS) as usize)?.get(index as usize & (CHUNK - 1))
    }

    /// The element at `index`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.chunks.get_mut((index >> CHUNK_BITS) as usize)?.get_mut(index as usize & (CHUNK - 1))
    }

    /// Adds an element at the end.
    pub fn push(&mut self, value: T) {
        let chunk = self.len >> CHUNK_BITS;
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[chunk].push(value);
        self.len += 1;
    }

    /// The elements in order of index.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

/// Names a value of a [`Slab`] for as long as it stays there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// The slot.
    pub index: u32,
    /// Distinguishes the values that lived in one slot.
    pub generation: u32,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    next_free: u32,
    value: Option<T>,
}

const END: u32 = u32::MAX;

/// Values under dense indices with generations.
#[derive(Debug)]
pub struct Slab<T> {
    slots: ChunkVec<Slot<T>>,
    free: u32,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab::with_capacity(0)
    }
}

impl<T> Slab<T> {
    /// An empty slab with room for `capacity` values.
    pub fn with_capacity(capacity: usize) -> Slab<T> {
        Slab { slots: ChunkVec::with_capacity(capacity), free: END, len: 0 }
    }

    /// Values.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without a value.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots that were ever used; every index is below it.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Adds a value in the slot that was freed last, or in a new one.
    pub fn insert(&mut self, value: T) -> Key {
        self.len += 1;
        let index = self.free;
        if let Some(slot) = self.slots.get_mut(index) {
            self.free = slot.next_free;
            slot.value = Some(value);
            return Key { index, generation: slot.generation };
        }
        // The limits above the slab keep it far below 2³² slots.
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: 0, next_free: END, value: Some(value) });
        Key { index, generation: 0 }
    }

    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key.index).filter(|slot| slot.generation == key.generation)?.value.as_ref()
    }

    /// The value of `key`, to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key.index).filter(|slot| slot.generation == key.generation)?.value.as_mut()
    }

    /// The value that lives at `index` now.
    #[inline]
    pub fn at(&self, index: u32) -> Option<&T> {
        self.slots.get(index)?.value.as_ref()
    }

    /// The value that lives at `index` now, to be changed.
    #[inline]
    pub fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index)?.value.as_mut()
    }

    /// The key of what lives at `index` now.
    #[inline]
    pub fn key_at(&self, index: u32) -> Option<Key> {
        let slot = self.slots.get(index)?;
        slot.value.is_some().then_some(Key { index, generation: slot.generation })
    }

    /// Takes the value of `key` out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let free = self.free;
        let slot = self.slots.get_mut(key.index).filter(|slot| slot.generation == key.generation)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = free;
        self.free = key.index;
        self.len -= 1;
        Some(value)
    }

    /// Values with their keys, from slot `from` on, in order of index.
    pub fn iter_from(&self, from: usize) -> impl Iterator<Item = (Key, &T)> {
        (from..self.slots.len()).filter_map(|index| {
            let key = self.key_at(index as u32)?;
            Some((key, self.get(key)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_key_finds_nothing_even_when_the_slot_is_used_again() {
        let mut slab = Slab::default();
        let a = slab.insert("a");
        assert_eq!(slab.remove(a), Some("a"));
        let b = slab.insert("b");
        assert_eq!(b.index, a.index);
        assert_eq!((slab.get(a), slab.get(b)), (None, Some(&"b")));
        assert_eq!(slab.remove(a), None);
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn it_grows_over_chunks_and_iterates_in_order() {
        let mut slab = Slab::with_capacity(10);
        let keys: Vec<Key> = (0..3000u32).map(|n| slab.insert(n)).collect();
        for key in keys.iter().step_by(2) {
            slab.remove(*key);
        }
        let left: Vec<u32> = slab.iter_from(2000).map(|(_, &n)| n).collect();
        assert_eq!(left, (2000..3000).filter(|n| n % 2 == 1).collect::<Vec<_>>());
        assert_eq!((slab.len(), slab.slots()), (1500, 3000));
        slab.insert(7);
        assert_eq!(slab.slots(), 3000);
    }

    #[test]
    fn an_index_out_of_range_finds_nothing() {
        let mut slab: Slab<u8> = Slab::default();
        assert!(slab.at(u32::MAX).is_none() && slab.at_mut(5000).is_none() && slab.key_at(0).is_none());
    }
}
