//! Packets that arrive in several buffers, joined into one frame.
//!
//! A virtual link in generic mode delivers packets of up to 64 KiB (the sender's TSO), in pieces of one UMEM frame each,
//! all but the last marked `XDP_PKT_CONTD`. They are copied into frames of a small pool of their own, so that such
//! packets, and only such, cost a copy; the pool bounds how many the stack may hold.

use netstack::frame::HeapRegion;
use netstack::{Frame, FramePool};

/// Bytes of a joined frame: the longest IP packet fits with its Ethernet header but for the last 14 bytes, and the
/// kernel's GSO packets are kept below that.
const JOINED_FRAME_BYTES: usize = 65_536;

/// Why a packet was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinError {
    /// The stack holds all joined frames.
    NoFrame,
    /// Longer than a joined frame.
    TooLong,
}

enum State {
    /// Between packets.
    Idle,
    /// The pieces so far.
    Collecting(Frame),
    /// The packet is lost; its further pieces are skipped.
    Skipping(JoinError),
}

/// Joins the pieces of one packet after the other.
pub struct Joiner {
    pool: FramePool,
    state: State,
}

impl Joiner {
    /// A joiner whose packets take at most `frames` joined frames at a time. The memory is touched when used.
    pub fn new(frames: usize) -> Joiner {
        let region = HeapRegion::new(frames * JOINED_FRAME_BYTES);
        Joiner { pool: FramePool::new(Box::new(region), JOINED_FRAME_BYTES, 0), state: State::Idle }
    }

    /// True between the first and the last piece of a packet.
    #[inline]
    pub fn is_collecting(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Takes the next piece. With the last one (`more` is false) the packet comes out, or the reason why it is lost.
    pub fn piece(&mut self, data: &[u8], more: bool) -> Option<Result<Frame, JoinError>> {
        let state = match core::mem::replace(&mut self.state, State::Idle) {
            State::Idle => match self.pool.alloc() {
                Some(frame) => append(frame, data),
                None => State::Skipping(JoinError::NoFrame),
            },
            State::Collecting(frame) => append(frame, data),
            skipping => skipping,
        };
        match state {
            state if more => {
                self.state = state;
                None
            }
            State::Collecting(frame) => Some(Ok(frame)),
            State::Skipping(error) => Some(Err(error)),
            State::Idle => None,
        }
    }
}

fn append(mut frame: Frame, data: &[u8]) -> State {
    match frame.extend(data.len()) {
        Some(room) => {
            room.copy_from_slice(data);
            State::Collecting(frame)
        }
        None => State::Skipping(JoinError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_one_frame() {
        let mut joiner = Joiner::new(1);
        assert!(joiner.piece(b"one ", true).is_none());
        assert!(joiner.is_collecting());
        assert!(joiner.piece(b"two ", true).is_none());
        let frame = joiner.piece(b"three", false).unwrap().unwrap();
        assert_eq!(frame.data(), b"one two three");
        assert!(!joiner.is_collecting());
    }

    #[test]
    fn without_a_frame_the_whole_packet_is_skipped_once() {
        let mut joiner = Joiner::new(1);
        let held = joiner.piece(b"held", false);
        assert!(joiner.piece(b"lost", true).is_none());
        assert_eq!(joiner.piece(b"lost", false).unwrap().unwrap_err(), JoinError::NoFrame);
        drop(held);
        assert!(joiner.piece(b"kept", false).unwrap().is_ok());
    }

    #[test]
    fn a_packet_longer_than_a_joined_frame_is_lost_and_its_frame_returns() {
        let mut joiner = Joiner::new(1);
        let piece = [7; 2048];
        for _ in 0..32 {
            assert!(joiner.piece(&piece, true).is_none());
        }
        assert!(joiner.piece(&piece, true).is_none());
        assert_eq!(joiner.piece(&piece, false).unwrap().unwrap_err(), JoinError::TooLong);
        assert_eq!(joiner.pool.available(), 1);
    }
}
