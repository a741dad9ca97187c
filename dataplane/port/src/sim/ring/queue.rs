//! The two ends of one direction: [`Sender`] posts and takes back, [`Receiver`] copies out. Between them they keep the
//! protocol of [`super::block`].

#![allow(unsafe_code)]

use std::sync::Arc;

use netstack::{Frame, FramePool, RawFrame};

use super::block::{self, Block, Direction};

/// Look for finished frames only when so many are out: reading the receiver's cursor costs a cache miss.
const REAP_BATCH: u32 = 64;

pub struct Sender {
    block: Arc<Block>,
    side: usize,
    /// Position of the next post.
    head: u32,
    /// The far side's cursor as last seen.
    tail: u32,
    /// Frames before this position are back in the pool.
    reaped: u32,
}

impl Sender {
    pub fn new(block: Arc<Block>, side: usize) -> Sender {
        Sender { block, side, head: 0, tail: 0, reaped: 0 }
    }

    fn direction(&self) -> &Direction {
        &self.block.directions[self.side]
    }

    /// Slots free to post in, as far as is known without a cache miss; looks at the cursor when there are none.
    pub fn room(&mut self, pool: &FramePool) -> u32 {
        let capacity = self.direction().capacity();
        if self.head.wrapping_sub(self.reaped) >= capacity {
            self.reap(pool);
        }
        capacity - self.head.wrapping_sub(self.reaped)
    }

    /// Puts a frame of `pool` into the next slot. The caller has seen room. Not visible before [`Sender::publish`].
    pub fn post(&mut self, frame: Frame) {
        debug_assert!(self.head.wrapping_sub(self.reaped) < self.direction().capacity());
        let raw = frame.into_raw();
        self.direction().store(self.head, raw);
        self.head = self.head.wrapping_add(1);
    }

    /// Shows everything posted to the far side.
    pub fn publish(&self) {
        self.direction().head.publish(self.head);
    }

    /// Takes back finished frames when there may be many.
    pub fn reap_some(&mut self, pool: &FramePool) {
        if self.head.wrapping_sub(self.reaped) >= REAP_BATCH {
            self.reap(pool);
        }
    }

    /// Takes back all finished frames.
    pub fn reap(&mut self, pool: &FramePool) {
        if self.reaped == self.head {
            return;
        }
        self.tail = self.direction().tail.observe();
        while self.reaped != self.tail {
            let raw = self.direction().load(self.reaped);
            // SAFETY: only this side stores into its slots, so `raw` is the frame of `pool` that was posted here;
            // `tail` is past it, and `reaped` moves on so that it is taken back once.
            unsafe { block::take_back(pool, raw) };
            self.reaped = self.reaped.wrapping_add(1);
        }
    }
}

pub struct Receiver {
    block: Arc<Block>,
    /// The far side, whose frames are read.
    from: usize,
    /// The far side's cursor as last seen.
    head: u32,
    /// Position of the next frame to take.
    tail: u32,
}

/// Why a posted frame could not be received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The pool is empty; the frame was left in the ring.
    NoFrame,
    /// The descriptor is not valid or the frame does not fit.
    Invalid,
}

impl Receiver {
    pub fn new(block: Arc<Block>, from: usize) -> Receiver {
        Receiver { block, from, head: 0, tail: 0 }
    }

    /// Frames waiting; looks at the cursor only when none are known.
    pub fn waiting(&mut self) -> u32 {
        if self.head == self.tail {
            self.head = self.block.directions[self.from].head.observe();
        }
        self.head.wrapping_sub(self.tail)
    }

    /// Copies the next waiting frame into a frame of `pool`. The caller has seen one waiting.
    pub fn take(&mut self, pool: &FramePool) -> Result<Frame, Refused> {
        debug_assert!(self.head != self.tail);
        let fresh = pool.alloc().ok_or(Refused::NoFrame)?;
        let raw: RawFrame = self.block.directions[self.from].load(self.tail);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the position lies before `head`, which was observed, and `tail` is published only after this; a port
        // is made with the pool of its own end.
        unsafe { block::copy_in(&self.block, self.from, raw, pool, fresh) }.ok_or(Refused::Invalid)
    }

    /// Gives the slots of everything taken back to the far side.
    pub fn publish(&self) {
        self.block.directions[self.from].tail.publish(self.tail);
    }
}
