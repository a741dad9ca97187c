//! Ring arithmetic, free of memory and of the kernel: free-running 32-bit positions, power-of-two sizes.
//!
//! Each side keeps its own position and a cached copy of the other side's; the other side's is loaded from shared
//! memory only when the cached copy does not suffice.

/// The producer's view of a ring.
#[derive(Clone, Debug)]
pub struct Producing {
    next: u32,
    consumed: u32,
    size: u32,
}

impl Producing {
    /// An empty ring of `size` entries (a power of two), both positions at `start`.
    pub fn new(size: u32, start: u32) -> Producing {
        debug_assert!(size.is_power_of_two());
        Producing { next: start, consumed: start, size }
    }

    /// Free entries, at most `want`; `load` reads the consumer's position when the cached one says fewer.
    #[inline]
    pub fn room(&mut self, want: u32, load: impl FnOnce() -> u32) -> u32 {
        if self.cached_room() < want {
            self.consumed = load();
        }
        self.cached_room().min(want)
    }

    /// The slot to write next. The caller knows from [`Producing::room`] that it is free.
    #[inline]
    pub fn push(&mut self) -> usize {
        debug_assert!(self.cached_room() > 0);
        let slot = self.next & (self.size - 1);
        self.next = self.next.wrapping_add(1);
        slot as usize
    }

    /// The position to publish.
    #[inline]
    pub fn position(&self) -> u32 {
        self.next
    }

    #[inline]
    fn cached_room(&self) -> u32 {
        // A consumer that claims to be ahead of us (a broken peer) leaves no room instead of too much.
        self.size.saturating_sub(self.next.wrapping_sub(self.consumed))
    }
}

/// The consumer's view of a ring.
#[derive(Clone, Debug)]
pub struct Consuming {
    next: u32,
    produced: u32,
    size: u32,
}

impl Consuming {
    /// An empty ring of `size` entries (a power of two), both positions at `start`.
    pub fn new(size: u32, start: u32) -> Consuming {
        debug_assert!(size.is_power_of_two());
        Consuming { next: start, produced: start, size }
    }

    /// Entries to read, at most `want`; `load` reads the producer's position when the cached one says fewer.
    #[inline]
    pub fn available(&mut self, want: u32, load: impl FnOnce() -> u32) -> u32 {
        if self.cached_available() < want {
            self.produced = load();
        }
        self.cached_available().min(want)
    }

    /// The slot to read next. The caller knows from [`Consuming::available`] that it is filled.
    #[inline]
    pub fn take(&mut self) -> usize {
        debug_assert!(self.cached_available() > 0);
        let slot = self.next & (self.size - 1);
        self.next = self.next.wrapping_add(1);
        slot as usize
    }

    /// The position to publish.
    #[inline]
    pub fn position(&self) -> u32 {
        self.next
    }

    #[inline]
    fn cached_available(&self) -> u32 {
        // More than a ring full of entries cannot be: a broken peer's position is cut to the ring.
        self.produced.wrapping_sub(self.next).min(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_ring_is_empty_and_has_room_for_its_size() {
        let mut producing = Producing::new(8, 0);
        assert_eq!(producing.room(100, || 0), 8);
        let mut consuming = Consuming::new(8, 0);
        assert_eq!(consuming.available(100, || 0), 0);
    }

    #[test]
    fn the_other_side_is_asked_only_when_the_cache_does_not_suffice() {
        let mut producing = Producing::new(8, 0);
        assert_eq!(producing.room(4, || unreachable!("8 are free")), 4);
        for slot in 0..8 {
            assert_eq!(producing.push(), slot);
        }
        assert_eq!(producing.room(1, || 3), 1);
        assert_eq!(producing.room(3, || unreachable!("3 are known free")), 3);
        assert_eq!(producing.push(), 0, "slots wrap at the size");
    }

    #[test]
    fn positions_wrap_at_32_bits() {
        let start = u32::MAX - 2;
        let (mut producing, mut consuming) = (Producing::new(4, start), Consuming::new(4, start));
        let mut expected = Vec::new();
        for _ in 0..5 {
            let consumed = consuming.position();
            while producing.room(1, || consumed) == 1 {
                expected.push(producing.push());
            }
            let produced = producing.position();
            while consuming.available(1, || produced) == 1 {
                assert_eq!(consuming.take(), expected.remove(0));
            }
        }
        assert_eq!(producing.position(), start.wrapping_add(20));
        assert_eq!(consuming.position(), producing.position());
    }

    #[test]
    fn a_broken_peer_cannot_make_us_overrun() {
        let mut consuming = Consuming::new(4, 10);
        assert_eq!(consuming.available(u32::MAX, || 9_000), 4);
        let mut producing = Producing::new(4, 10);
        assert_eq!(producing.room(4, || 10), 4);
        producing.push();
        let mut producing = Producing { consumed: 9_000, ..producing };
        assert_eq!(producing.room(4, || 9_000), 0);
    }
}
