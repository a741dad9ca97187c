//! Frames and their pool: owned handles to fixed-size packet buffers.
//!
//! ```text
//!   FramePool ──alloc()──▶ Frame ──drop──▶ FramePool          a frame always returns to the pool it came from
//!                            │
//!                            ├─into_raw()─▶ RawFrame ─▶ NIC ring (the kernel or the NIC owns the bytes now)
//!                            ▲                              │
//!                            └──────── FramePool::claim() ◀─┘
//!
//!   one buffer:  | headroom ....... | data (start .. start+len) | tailroom .... |   `frame_size` bytes
//! ```
//!
//! One pool per worker, on one thread: handles are neither `Send` nor `Sync`, so taking and returning a frame costs
//! no atomic instruction. The memory behind a pool is a [`Region`]: the heap here, UMEM or hugepages in a port.
//!
//! This is the only module of the crate that holds `unsafe`.

#![allow(unsafe_code)]

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::rc::Rc;

/// Memory that frames live in.
///
/// # Safety
///
/// `base()` must stay valid for reads and writes of `len()` bytes, at the same address, until the region is
/// dropped, and nothing but the pool (and a NIC or kernel that was given a [`RawFrame`] of it) may touch the bytes.
pub unsafe trait Region {
    /// Address of the first byte.
    fn base(&self) -> NonNull<u8>;
    /// Size in bytes.
    fn len(&self) -> usize;
    /// True for a region of no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A region on the heap, page aligned and zeroed.
pub struct HeapRegion {
    base: NonNull<u8>,
    layout: Layout,
}

impl HeapRegion {
    /// Allocates `bytes` bytes (at least one).
    ///
    /// # Panics
    ///
    /// When `bytes` exceeds `isize::MAX`; aborts when the allocator has no memory.
    pub fn new(bytes: usize) -> HeapRegion {
        let layout = Layout::from_size_align(bytes.max(1), 4096).expect("a region fits the address space");
        // SAFETY: the layout has a size of at least one byte.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        HeapRegion { base, layout }
    }
}

impl Drop for HeapRegion {
    fn drop(&mut self) {
        // SAFETY: `base` came from `alloc_zeroed` with this layout and is freed once.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

// SAFETY: the allocation is owned by the value, does not move, and is valid for `len` bytes until drop.
unsafe impl Region for HeapRegion {
    fn base(&self) -> NonNull<u8> {
        self.base
    }
    fn len(&self) -> usize {
        self.layout.size()
    }
}

/// What is known about the checksums of a received frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RxChecksum {
    /// Nobody checked: the stack does.
    #[default]
    Unknown,
    /// The NIC checked the transport checksum and it was right.
    Verified,
    /// The frame comes over a virtual link whose sender may leave the transport checksum *partial* (only the
    /// pseudo-header's sum, as `CHECKSUM_PARTIAL` of Linux): the stack accepts both a full and a partial one.
    MaybePartial,
}

/// What the port still has to do to the checksums of a frame to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TxChecksum {
    /// Complete as it stands.
    #[default]
    Complete,
    /// The port sums from `start` (bytes from the first byte of the frame) to the end and stores the result at
    /// `start + offset`; the field holds the pseudo-header's sum now.
    Offload {
        /// First byte covered, counted from the frame's first byte.
        start: u16,
        /// Position of the checksum field, counted from `start`.
        offset: u16,
    },
}

struct Shared {
    region: Box<dyn Region>,
    base: NonNull<u8>,
    frame_size: u32,
    headroom: u32,
    frames: u32,
    free: UnsafeCell<Vec<u32>>,
    low_water: Cell<u32>,
}

impl Shared {
    /// The first byte of frame `index`, which the caller knows to be below `frames`.
    #[inline]
    fn buffer(&self, index: u32) -> NonNull<u8> {
        debug_assert!(index < self.frames);
        // SAFETY: `frames * frame_size` bytes fit the region, so the frame begins inside of it.
        unsafe { self.base.add(index as usize * self.frame_size as usize) }
    }

    #[inline]
    fn give_back(&self, index: u32) {
        // SAFETY: the pool is used by one thread (`Rc`), and no reference into `free` outlives a method of it.
        let free = unsafe { &mut *self.free.get() };
        debug_assert!(free.len() < self.frames as usize);
        free.push(index);
    }
}

/// A pool of equally sized frames over one [`Region`]. Cloning gives another handle to the same pool.
#[derive(Clone)]
pub struct FramePool(Rc<Shared>);

/// A frame that somebody outside the pool's bookkeeping owns: a NIC ring or the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawFrame {
    /// Which frame of the pool.
    pub index: u32,
    /// First byte of data, counted from the frame's first byte.
    pub start: u32,
    /// Bytes of data.
    pub len: u32,
}

impl FramePool {
    /// Divides `region` into frames of `frame_size` bytes; `headroom` bytes stay free before the data of a fresh
    /// frame, for the headers that are pushed in front of a payload.
    ///
    /// # Panics
    ///
    /// When `frame_size` is zero or over 65,536, or `headroom` does not leave a byte of data: mistakes of the caller.
    pub fn new(region: Box<dyn Region>, frame_size: usize, headroom: usize) -> FramePool {
        assert!(frame_size > 0 && frame_size <= 65_536 && headroom < frame_size);
        let frames = u32::try_from(region.len() / frame_size).unwrap_or(u32::MAX);
        // Frame 0 comes out first: the list is a stack, so recently used (cached) frames are reused first.
        let free = (0..frames).rev().collect();
        FramePool(Rc::new(Shared {
            base: region.base(),
            region,
            frame_size: frame_size as u32,
            headroom: headroom as u32,
            frames,
            free: UnsafeCell::new(free),
            low_water: Cell::new(frames),
        }))
    }

    /// A pool of `frames` frames on the heap: 2,048 bytes each, 128 of them headroom.
    pub fn heap(frames: usize) -> FramePool {
        FramePool::new(Box::new(HeapRegion::new(frames * 2048)), 2048, 128)
    }

    /// Takes a frame: no data, full headroom. `None` when the pool is empty.
    #[inline]
    pub fn alloc(&self) -> Option<Frame> {
        // SAFETY: as in `give_back`.
        let free = unsafe { &mut *self.0.free.get() };
        let index = free.pop()?;
        let left = free.len() as u32;
        if left < self.0.low_water.get() {
            self.0.low_water.set(left);
        }
        Some(Frame {
            pool: self.0.clone(),
            buffer: self.0.buffer(index),
            index,
            start: self.0.headroom,
            len: 0,
            rx_checksum: RxChecksum::Unknown,
            tx_checksum: TxChecksum::Complete,
        })
    }

    /// Takes back a frame that was given away with [`Frame::into_raw`], with the bounds that its owner states.
    /// `None` when the bounds do not lie in one frame of this pool (a hostile or broken descriptor).
    ///
    /// # Safety
    ///
    /// Frame `raw.index` must have been given away by `into_raw` of this pool's frame and not been claimed since,
    /// and its interim owner must not touch it any more.
    #[inline]
    pub unsafe fn claim(&self, raw: RawFrame) -> Option<Frame> {
        let end = raw.start.checked_add(raw.len)?;
        if raw.index >= self.0.frames || end > self.0.frame_size {
            return None;
        }
        Some(Frame {
            pool: self.0.clone(),
            buffer: self.0.buffer(raw.index),
            index: raw.index,
            start: raw.start,
            len: raw.len,
            rx_checksum: RxChecksum::Unknown,
            tx_checksum: TxChecksum::Complete,
        })
    }

    /// Puts a frame that was given away straight back on the free list (a transmit completion).
    ///
    /// # Safety
    ///
    /// As for [`FramePool::claim`].
    #[inline]
    pub unsafe fn reclaim(&self, index: u32) {
        if index < self.0.frames {
            self.0.give_back(index);
        }
    }

    /// Frames free to be taken now.
    #[inline]
    pub fn available(&self) -> usize {
        // SAFETY: as in `give_back`; a shared borrow that ends here.
        unsafe { (&*self.0.free.get()).len() }
    }

    /// The fewest frames that were ever free.
    pub fn low_water(&self) -> usize {
        self.0.low_water.get() as usize
    }

    /// Frames of the pool, free or not.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.0.frames as usize
    }

    /// Bytes of one frame, headroom included.
    #[inline]
    pub fn frame_size(&self) -> usize {
        self.0.frame_size as usize
    }

    /// Bytes before the data of a fresh frame.
    #[inline]
    pub fn headroom(&self) -> usize {
        self.0.headroom as usize
    }

    /// Address of the region's first byte, for registering it with the kernel or a NIC.
    pub fn region_base(&self) -> NonNull<u8> {
        self.0.base
    }

    /// Bytes of the region.
    pub fn region_len(&self) -> usize {
        self.0.region.len()
    }

    /// True when `frame` belongs to this pool.
    #[inline]
    pub fn owns(&self, frame: &Frame) -> bool {
        Rc::ptr_eq(&self.0, &frame.pool)
    }
}

impl fmt::Debug for FramePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FramePool({} of {} free)", self.available(), self.capacity())
    }
}

/// An owned packet buffer. Dropping it returns it to its pool.
pub struct Frame {
    pool: Rc<Shared>,
    /// The first byte of the frame's `frame_size` bytes.
    buffer: NonNull<u8>,
    index: u32,
    start: u32,
    len: u32,
    /// What is known of the checksums of a received frame.
    pub rx_checksum: RxChecksum,
    /// What the port has to do for a frame to be sent.
    pub tx_checksum: TxChecksum,
}

impl Frame {
    #[inline]
    fn at(&self, offset: u32) -> *mut u8 {
        debug_assert!(offset <= self.pool.frame_size);
        // SAFETY: `offset <= frame_size`, so the address lies in the frame's bytes (or one past them).
        unsafe { self.buffer.as_ptr().add(offset as usize) }
    }

    /// The data.
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: `start + len <= frame_size`, the memory is initialised, and this handle owns the frame.
        unsafe { core::slice::from_raw_parts(self.at(self.start), self.len as usize) }
    }

    /// The data, to be changed.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        // SAFETY: as `data`; `&mut self` makes the borrow the only one.
        unsafe { core::slice::from_raw_parts_mut(self.at(self.start), self.len as usize) }
    }

    /// Bytes of data.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// True when there is no data.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Free bytes before the data.
    #[inline]
    pub fn headroom(&self) -> usize {
        self.start as usize
    }

    /// Free bytes behind the data.
    #[inline]
    pub fn tailroom(&self) -> usize {
        (self.pool.frame_size - self.start - self.len) as usize
    }

    /// Bytes of the whole buffer; what holding this frame costs its pool.
    #[inline]
    pub fn buffer_size(&self) -> usize {
        self.pool.frame_size as usize
    }

    /// Drops `n` bytes at the front (a parsed header); all of them when there are fewer.
    #[inline]
    pub fn trim_front(&mut self, n: usize) {
        let n = n.min(self.len as usize) as u32;
        self.start += n;
        self.len -= n;
    }

    /// Keeps the first `n` bytes; nothing happens when there are fewer.
    #[inline]
    pub fn truncate(&mut self, n: usize) {
        self.len = self.len.min(n.min(u32::MAX as usize) as u32);
    }

    /// Grows the data by `n` bytes at the front and returns them (their content is undefined but initialised).
    /// `None`, with nothing changed, when the headroom is too small.
    #[inline]
    pub fn push_front(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.start as usize {
            return None;
        }
        self.start -= n as u32;
        self.len += n as u32;
        self.data_mut().get_mut(..n)
    }

    /// Grows the data by `n` bytes at the end and returns them. `None`, with nothing changed, without the room.
    #[inline]
    pub fn extend(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.tailroom() {
            return None;
        }
        let old = self.len as usize;
        self.len += n as u32;
        self.data_mut().get_mut(old..)
    }

    /// Empties the frame and puts its data at `headroom` bytes from the front.
    #[inline]
    pub fn reset(&mut self, headroom: usize) {
        self.start = (headroom.min(self.pool.frame_size as usize)) as u32;
        self.len = 0;
    }

    /// Gives the frame away, to a NIC ring or the kernel: it does not return to the pool until
    /// [`FramePool::claim`] or [`FramePool::reclaim`].
    #[inline]
    pub fn into_raw(self) -> RawFrame {
        let raw = RawFrame { index: self.index, start: self.start, len: self.len };
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so the `Rc` is moved out exactly once; the frame itself stays taken.
        drop(unsafe { core::ptr::read(&this.pool) });
        raw
    }
}

impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        self.pool.give_back(self.index);
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame(#{} {}+{})", self.index, self.start, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_frame_returns_and_the_low_water_mark_stays() {
        let pool = FramePool::heap(2);
        let a = pool.alloc().unwrap();
        let b = pool.alloc().unwrap();
        assert!(pool.alloc().is_none());
        drop((a, b));
        assert_eq!((pool.available(), pool.low_water()), (2, 0));
    }

    #[test]
    fn headers_are_pushed_in_front_and_bounds_hold() {
        let pool = FramePool::heap(1);
        let mut frame = pool.alloc().unwrap();
        frame.extend(4).unwrap().copy_from_slice(b"data");
        frame.push_front(3).unwrap().copy_from_slice(b"hd:");
        assert_eq!(frame.data(), b"hd:data");
        assert!(frame.push_front(126).is_none());
        assert!(frame.extend(2048).is_none());
        frame.trim_front(3);
        frame.truncate(2);
        assert_eq!(frame.data(), b"da");
        frame.trim_front(99);
        assert!(frame.is_empty());
    }

    #[test]
    fn a_given_away_frame_is_counted_out_until_claimed() {
        let pool = FramePool::heap(2);
        let mut frame = pool.alloc().unwrap();
        frame.extend(5).unwrap().copy_from_slice(b"hello");
        let raw = frame.into_raw();
        assert_eq!(pool.available(), 1);
        let bad = RawFrame { len: 4000, ..raw };
        // SAFETY: the frame was given away above and nobody else holds it.
        assert!(unsafe { pool.claim(bad) }.is_none());
        // SAFETY: as above.
        let frame = unsafe { pool.claim(raw) }.unwrap();
        assert_eq!(frame.data(), b"hello");
        drop(frame);
        assert_eq!(pool.available(), 2);
    }
}
