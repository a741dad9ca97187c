//! What was received and not yet consumed: chunks in order, and those beyond a gap.
//!
//! ```text
//!   frame ─▶ in order ─▶ queue [ chunk | chunk | … ] ─▶ peek/consume or take_chunk
//!        └─▶ beyond a gap ─▶ out of order, sorted ──┘ when the gap closes
//! ```
//!
//! Data stays in the frame that brought it, within limits. Frames are lent: data in a mostly empty frame that is
//! still here when the burst ends ([`RecvState::settle`]), sparse data beyond a gap, and everything beyond the worker's
//! budget of frames is copied into compact buffers.

use std::collections::VecDeque;

use super::chunk::RecvChunk;
use super::pool::{self, Reusable};
use super::sack::{Blocks, RangeSet, Reporter};
use super::seq::Seq;
use crate::frame::Frame;

/// A compact buffer takes no more than this many bytes.
const COMPACT_MAX: usize = 16 * 1024;
/// Chunks of one connection from which on sparse ones are copied at once.
const MANY_CHUNKS: usize = 32;
/// Queue capacity that a pooled object keeps.
const KEEP: usize = 64;

/// What all connections of the worker hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Held {
    /// Received bytes not yet consumed, in frames and in compact buffers.
    pub(crate) bytes: usize,
    /// Frames that hold such bytes.
    pub(crate) frames: usize,
    /// Segments that were copied out of their frames.
    pub(crate) compacted: u64,
    /// The limit of `frames`.
    pub(crate) max_frames: usize,
}

impl Held {
    fn add(&mut self, chunk: &RecvChunk) {
        self.bytes += chunk.len();
        self.frames += usize::from(chunk.holds_frame());
    }

    fn sub(&mut self, chunk: &RecvChunk) {
        self.bytes -= chunk.len();
        self.frames -= usize::from(chunk.holds_frame());
    }
}

/// Bounds of one connection's out-of-order data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutOfOrderLimits {
    pub(crate) segments: usize,
    pub(crate) bytes: u32,
}

/// What became of a segment beyond a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stored {
    /// Kept.
    New,
    /// All of it had been received.
    Duplicate,
    /// Beyond a limit: dropped.
    Refused,
}

#[derive(Debug)]
struct Piece {
    seq: Seq,
    chunk: RecvChunk,
}

impl Piece {
    fn end(&self) -> Seq {
        self.seq + self.chunk.len() as u32
    }
}

/// The receive state of a connection that has data, or a gap.
#[derive(Debug, Default)]
pub(crate) struct RecvState {
    queue: VecDeque<RecvChunk>,
    /// Chunks at the end of the queue that `settle` has not looked at.
    unsettled: usize,
    pieces: VecDeque<Piece>,
    /// What `pieces` cover.
    held: RangeSet,
    /// Orders the SACK blocks.
    pub(crate) reporter: Reporter,
    /// Where a FIN that arrived beyond a gap lies.
    pub(crate) fin_at: Option<Seq>,
}

impl Reusable for RecvState {
    fn reset(&mut self) {
        pool::empty(&mut self.queue, KEEP);
        pool::empty(&mut self.pieces, KEEP);
        self.unsettled = 0;
        self.held.clear();
        self.reporter = Reporter::default();
        self.fin_at = None;
    }
}

impl RecvState {
    /// True when nothing is kept, so that the object can go back.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.pieces.is_empty() && self.fin_at.is_none() && !self.reporter.has_duplicate()
    }

    /// True when there is a gap.
    #[inline]
    pub(crate) fn has_gap(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Where the data beyond the first gap begins.
    pub(crate) fn first_held(&self) -> Option<Seq> {
        self.pieces.front().map(|piece| piece.seq)
    }

    /// Bytes beyond a gap.
    pub(crate) fn out_of_order_bytes(&self) -> u32 {
        self.held.bytes()
    }

    /// The SACK blocks of the next acknowledgment.
    #[inline]
    pub(crate) fn sack_blocks(&mut self, limit: usize) -> Blocks {
        if self.pieces.is_empty() && !self.reporter.has_duplicate() {
            return Blocks::default();
        }
        self.reporter.blocks(&self.held, limit)
    }

    /// The first chunk.
    #[inline]
    pub(crate) fn front(&self) -> &[u8] {
        self.queue.front().map_or(&[], |chunk| chunk)
    }

    /// Adds a frame's data at the end of the queue.
    #[inline]
    pub(crate) fn push(&mut self, frame: Frame, held: &mut Held) {
        let too_many = self.queue.len() >= MANY_CHUNKS && frame.len() * 2 < frame.buffer_size();
        if held.frames >= held.max_frames || too_many {
            held.compacted += 1;
            self.push_copy(frame.data(), held);
        } else {
            let chunk = RecvChunk::frame(frame);
            held.add(&chunk);
            self.queue.push_back(chunk);
            self.unsettled += 1;
        }
    }

    fn push_copy(&mut self, bytes: &[u8], held: &mut Held) {
        held.bytes += bytes.len();
        if !self.queue.back_mut().is_some_and(|last| last.append(bytes, COMPACT_MAX)) {
            self.queue.push_back(RecvChunk::compact(bytes));
        }
    }

    /// Keeps a frame's data, which begins at `seq`, until the gap before it closes. What overlaps with data held already
    /// is dropped, so that a byte never changes once it was acknowledged selectively; and so is what lies behind the
    /// first held piece that it overlaps, which the peer sends again.
    pub(crate) fn store(&mut self, seq: Seq, mut frame: Frame, held: &mut Held, limits: OutOfOrderLimits) -> Stored {
        let mut start = seq;
        let mut end = seq + frame.len() as u32;
        let at = self.pieces.partition_point(|piece| piece.seq.at_or_before(start));
        if let Some(before) = at.checked_sub(1).and_then(|before| self.pieces.get(before)) {
            let known = before.end().saturating_since(start).min(frame.len() as u32);
            frame.trim_front(known as usize);
            start += known;
        }
        if let Some(after) = self.pieces.get(at) {
            end = end.min(after.seq.max(start));
        }
        if start.at_or_after(end) {
            return Stored::Duplicate;
        }
        frame.truncate(end.since(start) as usize);
        let full = self.held.bytes() + frame.len() as u32 > limits.bytes || self.pieces.len() >= limits.segments;
        if full || self.held.insert(start, end, limits.segments).is_none() {
            return Stored::Refused;
        }
        let mut chunk = RecvChunk::frame(frame);
        if held.frames >= held.max_frames || chunk.is_sparse() {
            chunk = RecvChunk::compact(&chunk);
            held.compacted += 1;
        }
        held.add(&chunk);
        self.pieces.insert(at, Piece { seq: start, chunk });
        self.reporter.note(start);
        Stored::New
    }

    /// Moves what has become contiguous at `rcv_nxt` to the queue; the bytes moved.
    pub(crate) fn join(&mut self, rcv_nxt: Seq, held: &mut Held) -> u32 {
        let mut next = rcv_nxt;
        while let Some(piece) = self.pieces.front().filter(|piece| piece.seq.at_or_before(next)) {
            let known = next.since(piece.seq) as usize;
            let Some(Piece { mut chunk, .. }) = self.pieces.pop_front() else { break };
            held.sub(&chunk);
            chunk.advance(known);
            if !chunk.is_empty() {
                next += chunk.len() as u32;
                held.add(&chunk);
                self.queue.push_back(chunk);
                self.unsettled += 1;
            }
        }
        self.held.remove_before(next);
        next.since(rcv_nxt)
    }

    /// Forgets the first `n` bytes of the queue; how many there were.
    pub(crate) fn consume(&mut self, n: usize, held: &mut Held) -> usize {
        let mut left = n;
        while let Some(front) = self.queue.front_mut() {
            if left < front.len() {
                front.advance(left);
                held.bytes -= left;
                left = 0;
                break;
            }
            left -= front.len();
            held.sub(front);
            self.queue.pop_front();
        }
        self.unsettled = self.unsettled.min(self.queue.len());
        n - left
    }

    /// Takes the first chunk out.
    pub(crate) fn take(&mut self, held: &mut Held) -> Option<RecvChunk> {
        let chunk = self.queue.pop_front()?;
        held.sub(&chunk);
        self.unsettled = self.unsettled.min(self.queue.len());
        Some(chunk)
    }

    /// The end of a burst: what came with it and lies in mostly empty frames is copied into compact buffers.
    pub(crate) fn settle(&mut self, held: &mut Held) {
        let first = self.queue.len() - self.unsettled;
        let mut kept = first;
        for at in first..self.queue.len() {
            let sparse = self.queue[at].is_sparse();
            if sparse {
                held.sub(&self.queue[at]);
                held.bytes += self.queue[at].len();
                held.compacted += 1;
                if self.merge(at, kept) {
                    continue;
                }
                self.queue[at] = RecvChunk::compact(&self.queue[at]);
            }
            self.queue.swap(at, kept);
            kept += 1;
        }
        self.queue.truncate(kept);
        self.unsettled = 0;
    }

    /// Appends chunk `at` to the one before `kept`, when that is compact and has room.
    fn merge(&mut self, at: usize, kept: usize) -> bool {
        let Some(before) = kept.checked_sub(1) else { return false };
        let bytes = core::mem::replace(&mut self.queue[at], RecvChunk::compact(&[]));
        let merged = self.queue[before].append(&bytes, COMPACT_MAX);
        if !merged {
            self.queue[at] = bytes;
        }
        merged
    }

    /// Drops everything.
    pub(crate) fn discard(&mut self, held: &mut Held) {
        for chunk in self.queue.drain(..) {
            held.sub(&chunk);
        }
        for piece in self.pieces.drain(..) {
            held.sub(&piece.chunk);
        }
        self.reset();
    }

    /// Recounts what is held, for audits.
    pub(crate) fn count(&self, into: &mut Held) {
        self.queue.iter().for_each(|chunk| into.add(chunk));
        self.pieces.iter().for_each(|piece| into.add(&piece.chunk));
    }

    /// Bytes in the queue, counted anew, for audits.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.queue.iter().map(|chunk| chunk.len()).sum()
    }
}

#[cfg(test)]
#[path = "tests/receive.rs"]
mod tests;
