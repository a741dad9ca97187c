//! A wire between two threads in real time: descriptor rings in shared memory, for benchmarks with the generator on
//! another core.
//!
//! ```text
//!            thread 1                        shared block                            thread 2
//!   RingPort ── post ──▶ [slot slot slot ....................] ── take: copy into ──▶ RingPort
//!     pool  ◀─ reap ──   tail (receiver writes)  head (sender writes)   own frame      pool
//!   memory of both pools lies in the block, so that the receiver reads the sender's frame where it is
//! ```
//!
//! As memif: the sender posts a descriptor of its own frame, the receiver copies the bytes into a frame of its own pool
//! (the wire's DMA, the only copy) and moves the tail on, and the sender takes the frame back when it next looks.
//! Head and tail are published once a burst and cached by the other side, each on cache lines of its own, so that a
//! burst costs one atomic store and, when the rings run neither full nor empty, no extra cache miss.
//!
//! Limits: one queue; no wake-ups, both ends poll; a posted frame counts as in use until the sender's next burst.

mod block;
mod port;
mod queue;

use core::fmt;
use std::sync::Arc;

use netstack::FramePool;

use self::block::Block;
pub use self::port::RingPort;

/// The shape of a ring pair.
#[derive(Clone, Debug)]
pub struct RingConfig {
    /// Frames of each end's pool.
    pub pool_frames: usize,
    /// Bytes of a frame, headroom included; at most 32,768.
    pub frame_size: usize,
    /// Bytes before the data of a fresh frame.
    pub headroom: usize,
    /// Descriptors of each direction; rounded up to a power of two.
    pub slots: usize,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// Behave as a NIC with checksum offload both ways: received frames are `Verified` and nothing is summed, since
    /// memory does not corrupt. Otherwise all checksums are the stacks' to compute and check.
    pub checksum_offload: bool,
}

impl Default for RingConfig {
    fn default() -> RingConfig {
        RingConfig {
            pool_frames: 8192,
            frame_size: 2048,
            headroom: 128,
            slots: 1024,
            mtu: 1500,
            checksum_offload: false,
        }
    }
}

/// Why a ring pair cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingConfigError {
    /// `frame_size` is zero or above 32,768, or `headroom` leaves no byte of data.
    FrameSize,
    /// `pool_frames` is zero or above 2²⁴.
    PoolFrames,
    /// `slots` is zero or above 2¹⁶.
    Slots,
}

impl fmt::Display for RingConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RingConfigError::FrameSize => "frame_size must be between headroom + 1 and 32768 bytes",
            RingConfigError::PoolFrames => "pool_frames must be between 1 and 16777216",
            RingConfigError::Slots => "slots must be between 1 and 65536",
        })
    }
}

impl std::error::Error for RingConfigError {}

/// One end before it has a thread. [`RingEnd::into_port`] is called on the thread that will own the port, because
/// pools do not change threads.
pub struct RingEnd {
    block: Arc<Block>,
    side: usize,
    config: RingConfig,
}

/// Two ends of a new wire.
pub fn pair(config: &RingConfig) -> Result<(RingEnd, RingEnd), RingConfigError> {
    if config.frame_size > block::MAX_FRAME_SIZE || config.headroom >= config.frame_size {
        return Err(RingConfigError::FrameSize);
    }
    if config.pool_frames == 0 || config.pool_frames > block::MAX_FRAMES {
        return Err(RingConfigError::PoolFrames);
    }
    if config.slots == 0 || config.slots > block::MAX_SLOTS {
        return Err(RingConfigError::Slots);
    }
    let block = Arc::new(Block::new(config.slots.next_power_of_two(), config.pool_frames, config.frame_size));
    let end = |side| RingEnd { block: block.clone(), side, config: config.clone() };
    Ok((end(0), end(1)))
}

impl RingEnd {
    /// Makes the pool over this end's half of the block, and the port.
    pub fn into_port(self) -> RingPort {
        let pool = FramePool::new(
            Box::new(block::Half::new(self.block.clone(), self.side)),
            self.config.frame_size,
            self.config.headroom,
        );
        RingPort::new(self.block, self.side, pool, &self.config)
    }
}

#[cfg(test)]
mod tests;
