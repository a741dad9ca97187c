//! The memory that the two ends of a ring share, and every `unsafe` line of it.
//!
//! The protocol that makes it sound, for each direction:
//!
//! 1. The sender writes a frame and the slot, then publishes `head` (release). From then on nobody writes the frame.
//! 2. The receiver loads `head` (acquire), reads slot and frame, then publishes `tail` (release).
//! 3. The sender loads `tail` (acquire) and only then takes the frame back.
//!
//! [`super::queue`] is the only user and follows these steps; slots are plain atomics, so a broken step could at
//! worst read a frame while it is written, never outside of the block: [`Block::read`] checks the bounds.

#![allow(unsafe_code)]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use netstack::frame::{HeapRegion, Region};
use netstack::{Frame, FramePool, RawFrame};

pub const MAX_FRAME_SIZE: usize = 32_768;
pub const MAX_FRAMES: usize = 1 << 24;
pub const MAX_SLOTS: usize = 1 << 16;

/// An index on cache lines of its own (two, because processors prefetch them in pairs).
#[repr(align(128))]
#[derive(Default)]
pub struct Cursor(AtomicU32);

impl Cursor {
    pub fn publish(&self, value: u32) {
        self.0.store(value, Ordering::Release);
    }

    pub fn observe(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

/// One direction: posted descriptors, and how far each side is.
pub struct Direction {
    /// How many frames were posted, modulo 2³²; written by the sender.
    pub head: Cursor,
    /// How many frames were taken, modulo 2³²; written by the receiver.
    pub tail: Cursor,
    slots: Box<[AtomicU64]>,
}

impl Direction {
    fn new(slots: usize) -> Direction {
        let slots = (0..slots).map(|_| AtomicU64::new(0)).collect();
        Direction { head: Cursor::default(), tail: Cursor::default(), slots }
    }

    pub fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    fn slot(&self, position: u32) -> &AtomicU64 {
        // The length is a power of two, so the index is in bounds.
        &self.slots[position as usize & (self.slots.len() - 1)]
    }

    pub fn store(&self, position: u32, raw: RawFrame) {
        let word = u64::from(raw.index) << 32 | u64::from(raw.start) << 16 | u64::from(raw.len);
        self.slot(position).store(word, Ordering::Relaxed);
    }

    pub fn load(&self, position: u32) -> RawFrame {
        let word = self.slot(position).load(Ordering::Relaxed);
        RawFrame { index: (word >> 32) as u32, start: (word >> 16) as u32 & 0xffff, len: word as u32 & 0xffff }
    }
}

/// Everything that two ends share.
pub struct Block {
    /// `directions[s]` carries what side `s` sends.
    pub directions: [Direction; 2],
    memory: [HeapRegion; 2],
    frames: usize,
    frame_size: usize,
    /// `open[s]`: the port of side `s` exists.
    pub open: [AtomicBool; 2],
}

// SAFETY: the two `HeapRegion`s are plain memory owned by the block; moving the owner to another thread moves nothing.
unsafe impl Send for Block {}
// SAFETY: cursors, slots and flags are atomics; frame memory is touched only under the protocol at the top.
unsafe impl Sync for Block {}

impl Block {
    pub fn new(slots: usize, frames: usize, frame_size: usize) -> Block {
        Block {
            directions: [Direction::new(slots), Direction::new(slots)],
            memory: [HeapRegion::new(frames * frame_size), HeapRegion::new(frames * frame_size)],
            frames,
            frame_size,
            open: [AtomicBool::new(true), AtomicBool::new(true)],
        }
    }

    /// The bytes of a frame of side `side`. `None` when the bounds do not lie in one frame.
    ///
    /// # Safety
    ///
    /// The descriptor was posted by `side`, and the slot it came from has not been given back by moving `tail` on.
    pub unsafe fn read(&self, side: usize, raw: RawFrame) -> Option<&[u8]> {
        let (start, len) = (raw.start as usize, raw.len as usize);
        if raw.index as usize >= self.frames || start + len > self.frame_size {
            return None;
        }
        let offset = raw.index as usize * self.frame_size + start;
        // SAFETY: the range lies in the region by the check above, is initialised (the region is zeroed), and nobody
        // writes it before `tail` moves on (step 3).
        Some(unsafe { core::slice::from_raw_parts(self.memory[side].base().as_ptr().add(offset), len) })
    }
}

/// One side's half of the frame memory, as the region of its pool.
pub struct Half {
    block: Arc<Block>,
    side: usize,
}

impl Half {
    pub fn new(block: Arc<Block>, side: usize) -> Half {
        Half { block, side }
    }
}

// SAFETY: the `Arc` keeps the memory alive and in place; `RingEnd::into_port` consumes the end, so there is one pool per
// half; the far side reads only frames that were given away to it, as a NIC does.
unsafe impl Region for Half {
    fn base(&self) -> NonNull<u8> {
        self.block.memory[self.side].base()
    }
    fn len(&self) -> usize {
        self.block.frames * self.block.frame_size
    }
}

/// Copies the posted frame `raw` of the far side `from` into a frame of `pool`, the pool over this side's half.
///
/// The bytes are written while the frame is away from the pool's bookkeeping, and the handle is made with its final
/// bounds: a handle that is filled step by step and then moved makes the processor wait for the stores to the frame,
/// which miss the cache here.
///
/// # Safety
///
/// As for [`Block::read`]; and `pool` is the one made by `RingEnd::into_port` of the other side than `from`.
pub unsafe fn copy_in(block: &Block, from: usize, raw: RawFrame, pool: &FramePool, fresh: Frame) -> Option<Frame> {
    let mut own = fresh.into_raw();
    // SAFETY: the caller's promise is the same.
    let bytes = unsafe { block.read(from, raw) };
    let fitting = bytes.filter(|bytes| own.start as usize + bytes.len() <= block.frame_size);
    if let Some(bytes) = fitting {
        let to = own.index as usize * block.frame_size + own.start as usize;
        // SAFETY: the frame was given away by `into_raw`, so it is this function's alone; start and length lie in it
        // by the check above; the two halves are separate allocations.
        unsafe {
            let to = block.memory[1 - from].base().as_ptr().add(to);
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        own.len = bytes.len() as u32;
    }
    // SAFETY: given away above, and claimed once.
    let frame = unsafe { pool.claim(own) };
    if fitting.is_some() { frame } else { None }
}

/// Puts a posted frame that the receiver is done with back into the sender's pool.
///
/// # Safety
///
/// `raw` was posted from a frame of `pool`, `tail` has moved past it, and it was not taken back before.
pub unsafe fn take_back(pool: &FramePool, raw: RawFrame) {
    // SAFETY: the frame was given away when it was posted, and the receiver no longer reads it (step 3).
    unsafe { pool.reclaim(raw.index) }
}
