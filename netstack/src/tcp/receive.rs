//! What was received and not yet consumed: chunks in order, and those beyond a gap.
//!
//! ```text
//!   frame ─▶ in order ─▶ queue [ chunk | chunk | … ] ─▶ peek/consume or take_chunk
//!        └─▶ beyond a gap ─▶ out of order, sorted ──┘ when the gap closes
//! ```
//!
//! Data stays in the frame that brought it, within limits. Frames are lent: data in a mostly empty frame that is
//! still here when the burst ends ([`RecvState::settle`]), sparse data beyond a gap, and everything beyond the worker's
//! budget of frames is copied into compact buffers. What all of it costs is told to the worker's account (memory.rs).

use std::collections::VecDeque;

use super::chunk::RecvChunk;
use super::memory::Memory;
use super::pool::{self, Reusable};
use super::sack::{Blocks, Range, RangeSet, Reporter};
use super::seq::Seq;
use crate::frame::Frame;

/// A compact buffer takes no more than this many bytes.
const COMPACT_MAX: usize = 16 * 1024;
/// Chunks of one connection from which on sparse ones are copied at once.
const MANY_CHUNKS: usize = 32;
/// Queue capacity that a pooled object keeps.
const KEEP: usize = 64;

/// What a piece beyond a gap costs more than its chunk in the queue: its place, and that in the set of ranges.
const PIECE: usize = size_of::<Piece>() - size_of::<RecvChunk>() + size_of::<Range>();

/// Bounds of one connection's out-of-order data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutOfOrderLimits {
    /// Runs with gaps between them.
    pub(crate) segments: usize,
    /// What all of it may cost.
    pub(crate) bytes: usize,
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
    covered: RangeSet,
    /// What everything here costs, and the part of `pieces`.
    held: usize,
    held_beyond: usize,
    /// Orders the SACK blocks.
    pub(crate) reporter: Reporter,
    /// Where a FIN that arrived beyond a gap lies.
    pub(crate) fin_at: Option<Seq>,
}

impl Reusable for RecvState {
    fn kept(&self) -> usize {
        self.queue.capacity() * size_of::<RecvChunk>() + self.pieces.capacity() * size_of::<Piece>()
    }

    fn reset(&mut self) {
        pool::empty(&mut self.queue, KEEP);
        pool::empty(&mut self.pieces, KEEP);
        self.unsettled = 0;
        self.covered.clear();
        (self.held, self.held_beyond) = (0, 0);
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
        self.covered.bytes()
    }

    /// What everything held here costs, in bytes.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// The SACK blocks of the next acknowledgment.
    #[inline]
    pub(crate) fn sack_blocks(&mut self, limit: usize) -> Blocks {
        if self.pieces.is_empty() && !self.reporter.has_duplicate() {
            return Blocks::default();
        }
        self.reporter.blocks(&self.covered, limit)
    }

    /// The first chunk.
    #[inline]
    pub(crate) fn front(&self) -> &[u8] {
        self.queue.front().map_or(&[], |chunk| chunk)
    }

    #[inline]
    fn charge(&mut self, cost: usize, memory: &mut Memory) {
        self.held += cost;
        memory.received += cost;
    }

    #[inline]
    fn refund(&mut self, cost: usize, memory: &mut Memory) {
        self.held -= cost;
        memory.received -= cost;
    }

    /// The chunk leaves: its cost, and its frame.
    #[inline]
    fn refund_chunk(&mut self, chunk: &RecvChunk, memory: &mut Memory) {
        self.refund(chunk.footprint(), memory);
        memory.frames -= usize::from(chunk.holds_frame());
    }

    /// Adds a frame's data at the end of the queue.
    #[inline]
    pub(crate) fn push(&mut self, frame: Frame, memory: &mut Memory) {
        let too_many = self.queue.len() >= MANY_CHUNKS && frame.len() * 2 < frame.buffer_size();
        if memory.frames >= memory.max_frames || too_many {
            self.push_copy(&frame, memory);
        } else {
            let chunk = RecvChunk::frame(frame);
            self.charge(chunk.footprint(), memory);
            memory.frames += 1;
            self.queue.push_back(chunk);
            self.unsettled += 1;
        }
    }

    /// As `push`, into a compact buffer.
    pub(crate) fn push_copy(&mut self, frame: &Frame, memory: &mut Memory) {
        memory.compacted += 1;
        let cost = append_or_push(&mut self.queue, frame.data());
        self.charge(cost, memory);
    }

    /// Keeps a frame's data, which begins at `seq`, until the gap before it closes. What overlaps with data held already
    /// is dropped, so that a byte never changes once it was acknowledged selectively; and so is what lies behind the
    /// first held piece that it overlaps, which the peer sends again.
    pub(crate) fn store(
        &mut self,
        seq: Seq,
        mut frame: Frame,
        memory: &mut Memory,
        limits: OutOfOrderLimits,
    ) -> Stored {
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
        let copied = memory.frames >= memory.max_frames || frame.len() * 2 < frame.buffer_size();
        let cost = PIECE + if copied { RecvChunk::compact_cost(frame.len()) } else { RecvChunk::frame_cost(&frame) };
        let full = self.held_beyond + cost > limits.bytes || !memory.has_room(cost);
        if full || self.covered.insert(start, end, limits.segments).is_none() {
            return Stored::Refused;
        }
        self.keep(at, start, frame, copied, memory);
        self.reporter.note(start);
        Stored::New
    }

    /// Puts a piece at place `at`, or its bytes behind the piece before, where both are copies and touch.
    fn keep(&mut self, at: usize, start: Seq, frame: Frame, copied: bool, memory: &mut Memory) {
        let before = at.checked_sub(1).and_then(|before| self.pieces.get_mut(before));
        let cost = match before.filter(|piece| copied && piece.end() == start) {
            Some(piece) => append(&mut piece.chunk, frame.data()),
            None => None,
        };
        memory.compacted += u64::from(copied);
        let cost = cost.unwrap_or_else(|| {
            let chunk = if copied { RecvChunk::compact(frame.data()) } else { RecvChunk::frame(frame) };
            memory.frames += usize::from(!copied);
            let cost = PIECE + chunk.footprint();
            self.pieces.insert(at, Piece { seq: start, chunk });
            cost
        });
        self.held_beyond += cost;
        self.charge(cost, memory);
    }

    /// Moves what has become contiguous at `rcv_nxt` to the queue; the bytes moved.
    pub(crate) fn join(&mut self, rcv_nxt: Seq, memory: &mut Memory) -> u32 {
        let mut next = rcv_nxt;
        while self.pieces.front().is_some_and(|piece| piece.seq.at_or_before(next)) {
            let Some(Piece { seq, mut chunk }) = self.pieces.pop_front() else { break };
            self.held_beyond -= PIECE + chunk.footprint();
            self.refund(PIECE, memory);
            chunk.advance(next.since(seq) as usize);
            if chunk.is_empty() {
                self.refund_chunk(&chunk, memory);
            } else {
                next += chunk.len() as u32;
                self.queue.push_back(chunk);
                self.unsettled += 1;
            }
        }
        self.covered.remove_before(next);
        next.since(rcv_nxt)
    }

    /// Drops data beyond gaps, the highest numbers first, until the rest costs no more than `share` bytes; how many
    /// pieces were dropped.
    pub(crate) fn prune(&mut self, share: usize, memory: &mut Memory) -> u64 {
        let mut dropped = 0;
        while self.held_beyond > share {
            let Some(Piece { seq, chunk }) = self.pieces.pop_back() else { break };
            self.held_beyond -= PIECE + chunk.footprint();
            self.refund(PIECE, memory);
            self.refund_chunk(&chunk, memory);
            self.covered.remove_from(seq);
            dropped += 1;
        }
        // What is left is said anew: the numbers noted last are gone.
        if let Some(last) = self.pieces.back().filter(|_| dropped > 0) {
            self.reporter.note(last.seq);
        }
        dropped
    }

    /// Forgets the first `n` bytes of the queue; how many there were.
    pub(crate) fn consume(&mut self, n: usize, memory: &mut Memory) -> usize {
        let mut left = n;
        while let Some(front) = self.queue.front_mut() {
            if left < front.len() {
                front.advance(left);
                left = 0;
                break;
            }
            left -= front.len();
            if let Some(chunk) = self.queue.pop_front() {
                self.refund_chunk(&chunk, memory);
            }
        }
        self.unsettled = self.unsettled.min(self.queue.len());
        n - left
    }

    /// Takes the first chunk out.
    pub(crate) fn take(&mut self, memory: &mut Memory) -> Option<RecvChunk> {
        let chunk = self.queue.pop_front()?;
        self.refund_chunk(&chunk, memory);
        self.unsettled = self.unsettled.min(self.queue.len());
        Some(chunk)
    }

    /// The end of a burst: what came with it and lies in mostly empty frames is copied into compact buffers.
    pub(crate) fn settle(&mut self, memory: &mut Memory) {
        let first = self.queue.len() - self.unsettled;
        let mut kept = first;
        for at in first..self.queue.len() {
            if self.queue[at].is_sparse() {
                memory.compacted += 1;
                let sparse = core::mem::replace(&mut self.queue[at], RecvChunk::compact(&[]));
                self.refund_chunk(&sparse, memory);
                let before = kept.checked_sub(1).and_then(|before| self.queue.get_mut(before));
                if let Some(cost) = before.and_then(|chunk| append(chunk, &sparse)) {
                    self.charge(cost, memory);
                    continue;
                }
                self.queue[at] = RecvChunk::compact(&sparse);
                self.charge(self.queue[at].footprint(), memory);
            }
            self.queue.swap(at, kept);
            kept += 1;
        }
        self.queue.truncate(kept);
        self.unsettled = 0;
    }

    /// Drops everything.
    pub(crate) fn discard(&mut self, memory: &mut Memory) {
        let chunks = self.queue.iter().chain(self.pieces.iter().map(|piece| &piece.chunk));
        memory.frames -= chunks.filter(|chunk| chunk.holds_frame()).count();
        memory.received -= self.held;
        self.reset();
    }

    /// Recounts what is held, for audits: bytes and frames.
    pub(crate) fn count(&self) -> (usize, usize) {
        let pieces = self.pieces.iter().map(|piece| &piece.chunk);
        let chunks = || self.queue.iter().chain(pieces.clone());
        let cost: usize = chunks().map(RecvChunk::footprint).sum();
        (cost + self.pieces.len() * PIECE, chunks().filter(|chunk| chunk.holds_frame()).count())
    }

    /// Bytes in the queue, counted anew, for audits.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.queue.iter().map(|chunk| chunk.len()).sum()
    }
}

/// Appends `bytes` to the chunk when it is a compact buffer with room; what that costs.
fn append(chunk: &mut RecvChunk, bytes: &[u8]) -> Option<usize> {
    let before = chunk.footprint();
    chunk.append(bytes, COMPACT_MAX).then(|| chunk.footprint() - before)
}

/// Appends `bytes` to the last chunk, or behind it; what that costs.
fn append_or_push(queue: &mut VecDeque<RecvChunk>, bytes: &[u8]) -> usize {
    if let Some(cost) = queue.back_mut().and_then(|last| append(last, bytes)) {
        return cost;
    }
    let chunk = RecvChunk::compact(bytes);
    let cost = chunk.footprint();
    queue.push_back(chunk);
    cost
}

#[cfg(test)]
#[path = "tests/receive.rs"]
mod tests;
