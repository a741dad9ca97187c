//! Pooled objects: taken when a connection has data, given back when it has none, their memory kept.

use std::collections::VecDeque;

use super::control_block::NONE;

/// What can be emptied and used again.
pub(crate) trait Reusable: Default {
    /// Drops the content, keeps (a bounded amount of) memory.
    fn reset(&mut self);
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
}

impl<T: Reusable> Pool<T> {
    /// The object of `index`, which is taken first when it is [`NONE`].
    #[inline]
    pub(crate) fn take(&mut self, index: &mut u32) -> &mut T {
        if *index == NONE {
            *index = self.free.pop().unwrap_or_else(|| {
                self.objects.push(T::default());
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
            self.free.push(*index);
        }
        *index = NONE;
    }

    /// Objects in use.
    pub(crate) fn in_use(&self) -> usize {
        self.objects.len() - self.free.len()
    }
}
