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

/// Objects by index.
#[derive(Debug, Default)]
pub(crate) struct Pool<T> {
    objects: Vec<T>,
    free: Vec<u32>,
    /// Bytes that free objects keep.
    kept: usize,
    /// Free objects, from the bottom of the list, that keep nothing.
    trimmed: usize,
}

impl<T: Reusable> Pool<T> {
    /// The object of `index`, which is taken first when it is [`NONE`].
    #[inline]
    pub(crate) fn take(&mut self, index: &mut u32) -> &mut T {
        if *index == NONE {
            match self.free.pop() {
                Some(free) => {
                    *index = free;
                    self.kept -= self.objects[free as usize].kept();
                    self.trimmed = self.trimmed.min(self.free.len());
                }
                None => {
                    // Bounded by the number of connections.
                    *index = self.objects.len() as u32;
                    self.objects.push(T::default());
                }
            }
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
            self.kept += object.kept();
            self.free.push(*index);
        }
        *index = NONE;
    }

    /// Gives back what up to `max` free objects keep, those first that were free for longest; how many kept something.
    pub(crate) fn trim(&mut self, max: usize) -> u64 {
        let mut returned = 0;
        for &index in self.free.iter().skip(self.trimmed).take(max) {
            if let Some(object) = self.objects.get_mut(index as usize) {
                returned += u64::from(object.kept() > 0);
                self.kept -= object.kept();
                *object = T::default();
                self.kept += object.kept();
            }
            self.trimmed += 1;
        }
        returned
    }

    /// Bytes that objects take, free ones with what they keep.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        self.objects.len() * size_of::<T>() + self.kept
    }

    /// Objects in use.
    pub(crate) fn in_use(&self) -> usize {
        self.objects.len() - self.free.len()
    }
}
