//! A run of received bytes: in the frame that they came in, or copied into a compact buffer.

use core::fmt;
use core::ops::Deref;

use crate::frame::Frame;

/// What an allocator adds to a buffer, about.
const ALLOCATION: usize = 16;

enum Store {
    Frame(Frame),
    Compact { buffer: Vec<u8>, start: usize },
}

/// Received bytes, owned. Dropping it returns the frame to its pool.
pub struct RecvChunk(Store);

impl RecvChunk {
    pub(crate) fn frame(frame: Frame) -> RecvChunk {
        RecvChunk(Store::Frame(frame))
    }

    pub(crate) fn compact(bytes: &[u8]) -> RecvChunk {
        RecvChunk(Store::Compact { buffer: bytes.to_vec(), start: 0 })
    }

    /// Forgets the first `n` bytes; all of them when there are fewer.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        match &mut self.0 {
            Store::Frame(frame) => frame.trim_front(n),
            Store::Compact { buffer, start } => *start = start.saturating_add(n).min(buffer.len()),
        }
    }

    /// Keeps the first `n` bytes.
    #[inline]
    pub fn truncate(&mut self, n: usize) {
        match &mut self.0 {
            Store::Frame(frame) => frame.truncate(n),
            Store::Compact { buffer, start } => buffer.truncate(start.saturating_add(n)),
        }
    }

    /// True while the bytes lie in a receive frame, which its pool misses.
    #[inline]
    pub fn holds_frame(&self) -> bool {
        matches!(self.0, Store::Frame(_))
    }

    /// True when the bytes lie in a frame of which they fill less than a half.
    pub(crate) fn is_sparse(&self) -> bool {
        match &self.0 {
            Store::Frame(frame) => frame.len() * 2 < frame.buffer_size(),
            Store::Compact { .. } => false,
        }
    }

    /// What holding a frame costs: all of its bytes, and the handle.
    #[inline]
    pub(crate) fn frame_cost(frame: &Frame) -> usize {
        size_of::<RecvChunk>() + frame.buffer_size()
    }

    /// What holding a compact buffer costs: its bytes, what the allocator adds, and the handle.
    #[inline]
    pub(crate) fn compact_cost(capacity: usize) -> usize {
        size_of::<RecvChunk>() + capacity + ALLOCATION
    }

    /// What holding the chunk costs, in bytes.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        match &self.0 {
            Store::Frame(frame) => RecvChunk::frame_cost(frame),
            Store::Compact { buffer, .. } => RecvChunk::compact_cost(buffer.capacity()),
        }
    }

    /// Appends `bytes` to a compact buffer that stays within `limit` bytes; false when it does not apply.
    pub(crate) fn append(&mut self, bytes: &[u8], limit: usize) -> bool {
        match &mut self.0 {
            Store::Compact { buffer, .. } if buffer.len() + bytes.len() <= limit => {
                buffer.extend_from_slice(bytes);
                true
            }
            _ => false,
        }
    }
}

impl Deref for RecvChunk {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Store::Frame(frame) => frame.data(),
            Store::Compact { buffer, start } => buffer.get(*start..).unwrap_or_default(),
        }
    }
}

impl AsRef<[u8]> for RecvChunk {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for RecvChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecvChunk({} bytes{})", self.len(), if self.holds_frame() { " in a frame" } else { "" })
    }
}
