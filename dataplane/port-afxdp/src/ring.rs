//! The four rings that an AF_XDP socket shares with the kernel.
//!
//! ```text
//!   fill        we produce     free frames           ─▶ kernel
//!   receive     we consume     filled frames         ◀─ kernel
//!   transmit    we produce     frames to be sent     ─▶ kernel
//!   completion  we consume     frames that were sent ◀─ kernel
//! ```
//!
//! A producer writes entries and then publishes its position with a release store; a consumer loads that position
//! with an acquire load before it reads the entries. One thread owns our side of all four.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use std::io;
use std::os::fd::BorrowedFd;

use crate::index::{Consuming, Producing};
use crate::sys::Mapping;

/// The shared words and entries of one ring.
struct Shared<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    entries: NonNull<T>,
    _mapping: Mapping,
}

impl<T: Copy> Shared<T> {
    fn map(fd: BorrowedFd<'_>, page: libc::off_t, at: &libc::xdp_ring_offset, size: u32) -> io::Result<Shared<T>> {
        let len = at.desc as usize + size as usize * size_of::<T>();
        let mapping = Mapping::shared(fd, len, page)?;
        let inside = |offset: u64, bytes: usize, align: usize| {
            (offset as usize).checked_add(bytes).is_some_and(|end| end <= len)
                && (offset as usize).is_multiple_of(align)
        };
        let words = [at.producer, at.consumer, at.flags];
        if !words.iter().all(|&offset| inside(offset, 4, 4)) || !inside(at.desc, 0, align_of::<T>()) {
            return Err(io::Error::other("the kernel states ring offsets outside of the mapping"));
        }
        // SAFETY: each offset was checked to lie in the mapping, aligned; the mapping lives as long as the value.
        let word = |offset: u64| unsafe { mapping.base().add(offset as usize).cast::<AtomicU32>() };
        Ok(Shared {
            producer: word(at.producer),
            consumer: word(at.consumer),
            flags: word(at.flags),
            // SAFETY: as above; `size` entries fit because `len` was computed from them.
            entries: unsafe { mapping.base().add(at.desc as usize).cast() },
            _mapping: mapping,
        })
    }

    #[inline]
    fn producer(&self) -> &AtomicU32 {
        // SAFETY: a word of the live mapping, only ever accessed atomically.
        unsafe { self.producer.as_ref() }
    }

    #[inline]
    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as `producer`.
        unsafe { self.consumer.as_ref() }
    }

    #[inline]
    fn needs_wakeup(&self) -> bool {
        // SAFETY: as `producer`.
        unsafe { self.flags.as_ref() }.load(Ordering::Relaxed) & libc::XDP_RING_NEED_WAKEUP != 0
    }
}

/// A ring that we produce into: fill or transmit.
pub struct ProducerRing<T> {
    shared: Shared<T>,
    index: Producing,
}

impl<T: Copy> ProducerRing<T> {
    /// Maps the ring at `page` of the socket; `size` entries.
    pub fn map(fd: BorrowedFd<'_>, page: libc::off_t, at: &libc::xdp_ring_offset, size: u32) -> io::Result<Self> {
        let shared = Shared::map(fd, page, at, size)?;
        let start = shared.producer().load(Ordering::Relaxed);
        Ok(ProducerRing { shared, index: Producing::new(size, start) })
    }

    /// Free entries, at most `want`.
    #[inline]
    pub fn room(&mut self, want: u32) -> u32 {
        self.index.room(want, || self.shared.consumer().load(Ordering::Acquire))
    }

    /// Writes an entry into a slot that [`ProducerRing::room`] said is free; the kernel does not see it before
    /// [`ProducerRing::publish`].
    #[inline]
    pub fn push(&mut self, entry: T) {
        let slot = self.index.push();
        // SAFETY: `slot` is below the ring's size, and the kernel does not touch a slot that is free.
        unsafe { self.shared.entries.add(slot).write(entry) };
    }

    /// Shows the kernel what was pushed.
    #[inline]
    pub fn publish(&mut self) {
        self.shared.producer().store(self.index.position(), Ordering::Release);
    }

    /// True when the kernel sleeps and has to be kicked to look at this ring.
    #[inline]
    pub fn needs_wakeup(&self) -> bool {
        self.shared.needs_wakeup()
    }

    /// Published entries that the kernel has not taken yet.
    #[inline]
    pub fn pending(&self) -> u32 {
        self.index.position().wrapping_sub(self.shared.consumer().load(Ordering::Acquire))
    }
}

/// A ring that we consume from: receive or completion.
pub struct ConsumerRing<T> {
    shared: Shared<T>,
    index: Consuming,
}

impl<T: Copy> ConsumerRing<T> {
    /// Maps the ring at `page` of the socket; `size` entries.
    pub fn map(fd: BorrowedFd<'_>, page: libc::off_t, at: &libc::xdp_ring_offset, size: u32) -> io::Result<Self> {
        let shared = Shared::map(fd, page, at, size)?;
        let start = shared.consumer().load(Ordering::Relaxed);
        Ok(ConsumerRing { shared, index: Consuming::new(size, start) })
    }

    /// Entries to read, at most `want`.
    #[inline]
    pub fn available(&mut self, want: u32) -> u32 {
        self.index.available(want, || self.shared.producer().load(Ordering::Acquire))
    }

    /// Reads the next entry, which [`ConsumerRing::available`] said is there.
    #[inline]
    pub fn take(&mut self) -> T {
        let slot = self.index.take();
        // SAFETY: `slot` is below the ring's size and was published by the kernel, which leaves it alone until
        // `release`.
        unsafe { self.shared.entries.add(slot).read() }
    }

    /// Gives the slots of what was taken back to the kernel.
    #[inline]
    pub fn release(&mut self) {
        self.shared.consumer().store(self.index.position(), Ordering::Release);
    }
}
