//! What the application queued and the peer has not acknowledged, by reference.
//!
//! ```text
//!   queue   [ Bytes | Bytes | Bytes ]          sequence number of the first byte left: SND.UNA
//!              ▲ head      ▲ again    ▲ next
//!         acknowledged   sent again  sent up to here
//! ```
//!
//! Two cursors remember where in the queue the next new and the next repeated segment begin, so that gathering a
//! segment never walks the queue from its front.

use std::collections::VecDeque;

use bytes::Bytes;

use super::pool::{self, Reusable};
use super::sack::RangeSet;

/// Queue capacity that a pooled object keeps.
const KEEP: usize = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    piece: usize,
    /// Bytes of that piece behind the cursor.
    offset: usize,
    /// Bytes from the first unacknowledged one.
    position: usize,
}

/// The send state of a connection that has data.
#[derive(Debug, Default)]
pub(crate) struct SendState {
    queue: VecDeque<Bytes>,
    /// Bytes of the first piece that were acknowledged.
    head: usize,
    next: Cursor,
    again: Cursor,
    /// What the peer acknowledged selectively (RFC 2018's scoreboard).
    pub(crate) sacked: RangeSet,
}

impl Reusable for SendState {
    fn reset(&mut self) {
        pool::empty(&mut self.queue, KEEP);
        self.head = 0;
        self.next = Cursor::default();
        self.again = Cursor::default();
        self.sacked.clear();
    }
}

impl SendState {
    /// Adds data at the end.
    #[inline]
    pub(crate) fn push(&mut self, data: Bytes) {
        self.queue.push_back(data);
    }

    /// The peer acknowledged the first `n` bytes.
    #[inline]
    pub(crate) fn acknowledge(&mut self, n: usize) {
        let mut left = n + self.head;
        let mut gone = 0;
        while let Some(front) = self.queue.front() {
            if left < front.len() {
                break;
            }
            left -= front.len();
            self.queue.pop_front();
            gone += 1;
        }
        self.head = left;
        let start = Cursor { piece: 0, offset: left, position: 0 };
        for cursor in [&mut self.next, &mut self.again] {
            *cursor = if cursor.position <= n {
                start
            } else {
                Cursor { piece: cursor.piece - gone, offset: cursor.offset, position: cursor.position - n }
            };
        }
    }

    /// Copies the bytes from `position` (counted from the first unacknowledged one) on into `out`; how many there
    /// were.
    #[inline]
    pub(crate) fn gather(&mut self, position: usize, out: &mut [u8]) -> usize {
        if position == self.next.position {
            if self.copy_whole_piece(out) {
                return out.len();
            }
            let (cursor, copied) = self.copy(self.next, position, out);
            self.next = cursor;
            return copied;
        }
        let from = if self.again.position <= position {
            self.again
        } else {
            Cursor { piece: 0, offset: self.head, position: 0 }
        };
        let (cursor, copied) = self.copy(from, position, out);
        self.again = cursor;
        if cursor.position > self.next.position {
            self.next = cursor;
        }
        copied
    }

    /// The usual case: what goes out next is the rest of one piece, a whole answer.
    #[inline]
    fn copy_whole_piece(&mut self, out: &mut [u8]) -> bool {
        let next = &mut self.next;
        match self.queue.get(next.piece).and_then(|piece| piece.get(next.offset..)) {
            Some(rest) if rest.len() == out.len() => {
                out.copy_from_slice(rest);
                *next = Cursor { piece: next.piece + 1, offset: 0, position: next.position + out.len() };
                true
            }
            _ => false,
        }
    }

    fn copy(&self, mut cursor: Cursor, position: usize, out: &mut [u8]) -> (Cursor, usize) {
        let mut copied = 0;
        while let Some(piece) = self.queue.get(cursor.piece) {
            let rest = piece.get(cursor.offset..).unwrap_or_default();
            let skip = position.saturating_sub(cursor.position).min(rest.len());
            let rest = rest.get(skip..).unwrap_or_default();
            let n = rest.len().min(out.len() - copied);
            if let (Some(to), Some(from)) = (out.get_mut(copied..copied + n), rest.get(..n)) {
                to.copy_from_slice(from);
            }
            copied += n;
            cursor.position += skip + n;
            if n < rest.len() || piece.len() > cursor.offset + skip + n {
                cursor.offset += skip + n;
                break;
            }
            cursor.piece += 1;
            cursor.offset = 0;
            if copied == out.len() && cursor.position >= position {
                break;
            }
        }
        (cursor, copied)
    }

    /// Bytes queued, counted anew, for audits.
    pub(crate) fn bytes(&self) -> usize {
        self.queue.iter().map(Bytes::len).sum::<usize>() - self.head
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
                        state.acknowledge(n);
                        una += n;
                        assert_eq!(state.bytes(), stream.len() - una, "seed {seed}");
                    }
                }
            }
        }
    }
}
