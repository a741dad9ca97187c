//! What the application queued and the peer has not acknowledged, by reference; and all that matters only while something
//! is queued or in flight.
//!
//! ```text
//!   queue   [ Bytes | Bytes | Bytes ]          each with the position behind it in the stream of the queue
//!              ▲ una      ▲ next
//!         acknowledged   sent up to here
//! ```
//!
//! A cursor remembers where the next new segment begins; one that is sent again is found by bisection.

use std::collections::VecDeque;

use bytes::Bytes;

use super::control_block::NONE;
use super::pacing::Pacer;
use super::pool::{self, Reusable};
use super::prr::Prr;
use super::rack::Rack;
use super::rate::Sampler;
use super::recovery::Frto;
use super::scoreboard::{Record, Scoreboard};
use super::seq::Seq;
use super::undo::Undo;
use crate::time::Instant;

/// Queue capacity that a pooled object keeps.
const KEEP: usize = 64;
/// Bytes of data for each of which a record is counted beforehand: segments are rarely smaller.
const RECORD_EVERY: usize = 1024;

/// Data that was queued in one call.
#[derive(Debug)]
struct Piece {
    /// Position behind it.
    end: u64,
    data: Bytes,
}

/// Where the next new byte lies.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    piece: usize,
    position: u64,
}

/// The send state of a connection that has data, or a FIN in flight.
#[derive(Debug)]
pub(crate) struct SendState {
    queue: VecDeque<Piece>,
    /// Position of the first unacknowledged byte, and behind the last one.
    una: u64,
    end: u64,
    /// What the queue costs: see [`SendState::cost`].
    held: usize,
    next: Cursor,
    /// True when there is more to be reset than the queue.
    pub(crate) used: bool,
    /// Whose it is: the connection's slot.
    pub(crate) owner: u32,
    /// When a segment last left; no two leave at the same moment.
    pub(crate) last_sent_at: Instant,
    /// When the retransmission timer expires, also while it runs for something earlier.
    pub(crate) rto_at: Instant,
    /// When a segment is lost that may only be late (RFC 8985 §6.2); never, if there is none.
    pub(crate) reorder_at: Instant,
    /// What was sent and is not acknowledged.
    pub(crate) board: Scoreboard,
    pub(crate) sampler: Sampler,
    pub(crate) usage: Usage,
    pub(crate) pacer: Pacer,
    pub(crate) rack: Rack,
    pub(crate) prr: Prr,
    pub(crate) undo: Undo,
    pub(crate) frto: Frto,
    /// A tail loss probe is to be sent now.
    pub(crate) probe_due: bool,
    /// The next retransmission leaves whatever the window says (RFC 6675 §5, step 4.3; RFC 5681 §3.1).
    pub(crate) forced: bool,
    /// Duplicate acknowledgments, of a peer without SACK: as many segments have left the network.
    pub(crate) dup_acks: u32,
}

impl Default for SendState {
    fn default() -> Self {
        SendState {
            queue: VecDeque::new(),
            una: 0,
            end: 0,
            held: 0,
            next: Cursor::default(),
            used: false,
            owner: NONE,
            last_sent_at: Instant::ZERO,
            rto_at: Instant::FAR_FUTURE,
            reorder_at: Instant::FAR_FUTURE,
            board: Scoreboard::default(),
            sampler: Sampler::default(),
            usage: Usage::default(),
            pacer: Pacer::default(),
            rack: Rack::default(),
            prr: Prr::default(),
            undo: Undo::default(),
            frto: Frto::default(),
            probe_due: false,
            forced: false,
            dup_acks: 0,
        }
    }
}

impl Reusable for SendState {
    fn kept(&self) -> usize {
        self.queue.capacity() * size_of::<Piece>() + self.board.kept()
    }

    fn reset(&mut self) {
        pool::empty(&mut self.queue, KEEP);
        (self.una, self.next, self.held) = (self.end, Cursor { piece: 0, position: self.end }, 0);
        if self.used {
            let (queue, mut board) = (core::mem::take(&mut self.queue), core::mem::take(&mut self.board));
            board.clear();
            *self = SendState { queue, board, ..SendState::default() };
        }
    }
}

/// How much of the congestion window was used: only one that was grows (RFC 7661 §4.2). The strongest sign of each window
/// of data counts, as in Linux.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Until this is acknowledged, weaker signs do not replace the present one.
    until: Seq,
    /// Bytes in flight at most.
    most: u32,
    limited: bool,
}

impl Usage {
    /// Sending came to an end with `in_flight` bytes out; `limited` when the congestion window was the reason.
    #[inline]
    pub(crate) fn note(&mut self, una: Seq, nxt: Seq, in_flight: u32, limited: bool) {
        if limited || una.at_or_after(self.until) || (!self.limited && in_flight > self.most) {
            *self = Usage { until: nxt, most: in_flight, limited };
        }
    }

    /// True when a window of `window` bytes may grow. In slow start half of it is enough: it doubles in a round.
    #[inline]
    pub(crate) fn is_limited(&self, window: u32, slow_start: bool) -> bool {
        self.limited || (slow_start && window < self.most.saturating_mul(2))
    }
}

impl SendState {
    /// What queueing `data` costs, in bytes: its length, whoever else holds it; its place; and, about, the records of its
    /// segments while they are in flight.
    #[inline]
    pub(crate) fn cost(data: &Bytes) -> usize {
        size_of::<Piece>() + data.len() + (1 + data.len() / RECORD_EVERY) * size_of::<Record>()
    }

    /// What everything queued costs, in bytes.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Adds data at the end.
    #[inline]
    pub(crate) fn push(&mut self, data: Bytes) {
        self.held += SendState::cost(&data);
        self.end += data.len() as u64;
        self.queue.push_back(Piece { end: self.end, data });
    }

    /// The peer acknowledged the first `n` bytes; what is let go of, in bytes as `cost` counts them.
    #[inline]
    #[must_use]
    pub(crate) fn acknowledge(&mut self, n: usize) -> usize {
        let before = self.held;
        self.una += n as u64;
        while let Some(front) = self.queue.front().filter(|front| front.end <= self.una) {
            self.held -= SendState::cost(&front.data);
            self.queue.pop_front();
            self.next.piece = self.next.piece.saturating_sub(1);
        }
        self.next.position = self.next.position.max(self.una);
        before - self.held
    }

    /// Copies the bytes from `offset` (counted from the first unacknowledged one) on into `out`; how many there were.
    #[inline]
    pub(crate) fn gather(&mut self, offset: usize, out: &mut [u8]) -> usize {
        let position = self.una + offset as u64;
        if position != self.next.position {
            let piece = self.queue.partition_point(|piece| piece.end <= position);
            return self.copy(Cursor { piece, position }, out).0;
        }
        if self.copy_whole_piece(out) {
            return out.len();
        }
        let (copied, next) = self.copy(self.next, out);
        self.next = next;
        copied
    }

    /// The usual case: what goes out next is the rest of one piece, a whole answer.
    #[inline]
    fn copy_whole_piece(&mut self, out: &mut [u8]) -> bool {
        let Some(piece) = self.queue.get(self.next.piece) else { return false };
        if piece.end - self.next.position != out.len() as u64 {
            return false;
        }
        match piece.data.len().checked_sub(out.len()).and_then(|from| piece.data.get(from..)) {
            Some(rest) => {
                out.copy_from_slice(rest);
                self.next = Cursor { piece: self.next.piece + 1, position: piece.end };
                true
            }
            None => false,
        }
    }

    fn copy(&self, mut cursor: Cursor, out: &mut [u8]) -> (usize, Cursor) {
        let mut copied = 0;
        while let Some(piece) = self.queue.get(cursor.piece)
            && copied < out.len()
        {
            let left = (piece.end - cursor.position) as usize;
            let rest = piece.data.len().checked_sub(left).and_then(|from| piece.data.get(from..)).unwrap_or_default();
            let n = rest.len().min(out.len() - copied);
            if let (Some(to), Some(from)) = (out.get_mut(copied..copied + n), rest.get(..n)) {
                to.copy_from_slice(from);
            }
            copied += n;
            cursor.position += n as u64;
            if n < rest.len() {
                break;
            }
            cursor.piece += 1;
        }
        (copied, cursor)
    }

    /// Bytes queued, counted anew, for audits.
    pub(crate) fn bytes(&self) -> usize {
        let pieces: usize = self.queue.iter().map(|piece| piece.data.len()).sum();
        let first = self.queue.front().map_or(0, |front| front.data.len() - (front.end - self.una) as usize);
        pieces - first
    }

    /// A moment at which a segment leaves: now, or just after the one before.
    #[inline]
    pub(crate) fn stamp(&mut self, now: Instant) -> Instant {
        self.last_sent_at = now.max(self.last_sent_at.plus_nanos(1));
        self.last_sent_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn segments_are_gathered_over_pieces_and_again_after_acknowledgments() {
        for seed in 0..200 {
            let mut rng = Rng::new(seed);
            let (mut state, mut stream) = (SendState::default(), Vec::new());
            let (mut una, mut next) = (0usize, 0usize);
            for _ in 0..200 {
                match rng.below(4) {
                    0 => {
                        let data: Vec<u8> = (0..1 + rng.below(50)).map(|_| rng.next_u64() as u8).collect();
                        stream.extend_from_slice(&data);
                        state.push(Bytes::from(data));
                    }
                    1 => {
                        let mut out = vec![0; 1 + rng.below(40) as usize];
                        let n = state.gather(next - una, &mut out);
                        assert_eq!(n, out.len().min(stream.len() - next), "seed {seed}");
                        assert_eq!(out[..n], stream[next..next + n], "seed {seed}");
                        next += n;
                    }
                    2 if next > una => {
                        let from = una + rng.below((next - una) as u32) as usize;
                        let mut out = vec![0; (1 + rng.below(40) as usize).min(next - from)];
                        assert_eq!(state.gather(from - una, &mut out), out.len(), "seed {seed}");
                        assert_eq!(out, stream[from..from + out.len()], "seed {seed}");
                    }
                    _ => {
                        let n = rng.below((next - una) as u32 + 1) as usize;
                        let _ = state.acknowledge(n);
                        una += n;
                        assert_eq!(state.bytes(), stream.len() - una, "seed {seed}");
                    }
                }
            }
        }
    }
}
