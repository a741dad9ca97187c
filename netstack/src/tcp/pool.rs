//! Pooled objects: taken when a connection has data, given back when it has none, their memory kept.

use std::collections::VecDeque;

use super::control_block::NONE;

/// What can be emptied and used again.
pub(crate) trait Reusable: Default {
    /// Drops the content, keeps (a bounded amount of) memory.
    fn reset(&mut self);

    /// Bytes of memory kept beside the object itself.
    #[inline]
    fn kept(&self) -> usize {
        0
    }
}

/// Empties a queue and gives its memory back beyond `keep` elements. Cheap when there is little in it, as there is
/// each time that a request was answered.
#[inline]
pub(crate) fn empty<T>(queue: &mut VecDeque<T>, keep: usize) {
    while queue.pop_back().is_some() {}
    if queue.capacity() > keep {
        queue.shrink_to(keep);
    }
}

/// Notes that the object keeps `kept` bytes.
#[inline]
fn note(noted: &mut [usize], sum: &mut usize, index: u32, kept: usize) {
    if let Some(noted) = noted.get_mut(index as usize).filter(|noted| **noted != kept) {
        *sum = *sum - *noted + kept;
        *noted = kept;
    }
}

/// Objects by index.
#[derive(Debug, Default)]
pub(crate) struct Pool<T> {
    objects: Vec<T>,
    free: Vec<u32>,
    /// Bytes that each object kept when it was last free, and all of them together.
    noted: Vec<usize>,
    kept: usize,
    /// How far up the list of free objects they were trimmed.
    trimmed: usize,
}

impl<T: Reusable> Pool<T> {
    /// The object of `index`, which is taken first when it is [`NONE`].
    #[inline]
    pub(crate) fn take(&mut self, index: &mut u32) -> &mut T {
        if *index == NONE {
            *index = self.free.pop().unwrap_or_else(|| {
                self.objects.push(T::default());
                self.noted.push(0);
                // Bounded by the number of connections.
                (self.objects.len() - 1) as u32
            });
        }
        &mut self.objects[*index as usize]
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.objects.get(index as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.objects.get_mut(index as usize)
    }

    /// Gives the object back; the index becomes [`NONE`].
    #[inline]
    pub(crate) fn give_back(&mut self, index: &mut u32) {
        if let Some(object) = self.objects.get_mut(*index as usize) {
            object.reset();
            let kept = object.kept();
            note(&mut self.noted, &mut self.kept, *index, kept);
            self.free.push(*index);
        }
        *index = NONE;
    }

    /// Gives back what up to `max` free objects keep, those first that were free for longest; how many kept something.
    pub(crate) fn trim(&mut self, max: usize) -> u64 {
        let mut returned = 0;
        // What was free all the time was trimmed before; what was used since lies above, or is trimmed a second time.
        let from = if self.trimmed < self.free.len() { self.trimmed } else { 0 };
        for &index in self.free.iter().skip(from).take(max) {
            if let Some(object) = self.objects.get_mut(index as usize).filter(|object| object.kept() > 0) {
                *object = T::default();
                note(&mut self.noted, &mut self.kept, index, 0);
                returned += 1;
            }
        }
        self.trimmed = (from + max).min(self.free.len());
        returned
    }

    /// Bytes that objects take, with what they keep.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        self.objects.len() * size_of::<T>() + self.kept
    }

    /// Objects in use.
    pub(crate) fn in_use(&self) -> usize {
        self.objects.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Buffer(Vec<u8>);

    impl Reusable for Buffer {
        fn reset(&mut self) {
            self.0.clear();
        }
        fn kept(&self) -> usize {
            self.0.capacity()
        }
    }

    #[test]
    fn what_free_objects_keep_is_counted_and_given_back() {
        let mut pool = Pool::<Buffer>::default();
        let mut indices = [NONE; 10];
        indices.iter_mut().for_each(|index| pool.take(index).0 = Vec::with_capacity(100));
        let bare = 10 * size_of::<Buffer>();
        assert_eq!((pool.in_use(), pool.memory()), (10, bare));
        indices.iter_mut().for_each(|index| pool.give_back(index));
        assert_eq!((pool.in_use(), pool.memory()), (0, bare + 1000));
        assert_eq!((pool.trim(4), pool.memory()), (4, bare + 600));
        // Used again, and free again.
        pool.take(&mut indices[0]).0 = Vec::with_capacity(50);
        pool.give_back(&mut indices[0]);
        assert_eq!(pool.memory(), bare + 550);
        assert_eq!((pool.trim(100), pool.memory()), (6, bare));
        assert_eq!(pool.trim(100), 0);
    }
}
