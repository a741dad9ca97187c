//! What client and endpoint say to each other over TCP: one request, then bytes one way.
//!
//! ```text
//!   request (16 bytes):  | order | 7 × 0 | bytes, little-endian u64 |
//!
//!   SEND     client ── request ─▶ endpoint ── `bytes` bytes of the pattern, FIN ─▶ client
//!   RECEIVE  client ── request, pattern, FIN ─▶ endpoint ── number of bytes received (u64), FIN ─▶ client
//! ```
//!
//! The pattern is one pseudo-random block over and over. The block's length is a prime, so that no multiple of a
//! segment, a frame or a buffer fits it: bytes that are lost, doubled or swapped show as a difference.

use bytes::Bytes;
use netstack::rng::Rng;
use std::sync::OnceLock;

/// The port that endpoints listen on.
pub const PORT: u16 = 5001;
/// Length of a request.
pub const REQUEST_BYTES: usize = 16;
/// Bytes of the block that the pattern repeats.
const BLOCK_BYTES: usize = 65_521;

/// What a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// The endpoint sends so many bytes.
    Send(u64),
    /// The endpoint receives until the client has no more.
    Receive,
}

impl Request {
    /// As it goes over the connection.
    pub fn encode(self) -> [u8; REQUEST_BYTES] {
        let (order, bytes) = match self {
            Request::Send(bytes) => (1, bytes),
            Request::Receive => (2, 0),
        };
        let mut encoded = [0; REQUEST_BYTES];
        encoded[0] = order;
        encoded[8..].copy_from_slice(&u64::to_le_bytes(bytes));
        encoded
    }

    /// From what came over the connection; `None` when it is no request.
    pub fn decode(encoded: &[u8; REQUEST_BYTES]) -> Option<Request> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&encoded[8..]);
        match encoded[0] {
            1 => Some(Request::Send(u64::from_le_bytes(bytes))),
            2 => Some(Request::Receive),
            _ => None,
        }
    }
}

/// A place in the pattern.
#[derive(Clone, Copy, Default, Debug)]
pub struct Place(usize);

impl Place {
    /// The next bytes of the pattern, at most `most` and at least one if that is; the place moves behind them.
    pub fn next(&mut self, most: usize) -> Bytes {
        let block = block();
        let bytes = block.slice(self.0..block.len().min(self.0 + most));
        self.skip(bytes.len());
        bytes
    }

    /// True when `bytes` are the next ones of the pattern; the place moves behind them.
    pub fn matches(&mut self, mut bytes: &[u8]) -> bool {
        let block = block();
        while !bytes.is_empty() {
            let expected = &block[self.0..block.len().min(self.0 + bytes.len())];
            let (head, rest) = bytes.split_at(expected.len());
            if head != expected {
                return false;
            }
            bytes = rest;
            self.skip(head.len());
        }
        true
    }

    fn skip(&mut self, bytes: usize) {
        self.0 = (self.0 + bytes) % BLOCK_BYTES;
    }
}

fn block() -> &'static Bytes {
    static BLOCK: OnceLock<Bytes> = OnceLock::new();
    BLOCK.get_or_init(|| {
        let mut rng = Rng::new(7);
        (0..BLOCK_BYTES).map(|_| rng.next_u64() as u8).collect::<Vec<u8>>().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_back() {
        for request in [Request::Send(0), Request::Send(u64::MAX), Request::Receive] {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        assert_eq!(Request::decode(&[9; REQUEST_BYTES]), None);
    }

    #[test]
    fn the_pattern_matches_itself_however_it_is_cut() {
        let (mut source, mut sink) = (Place::default(), Place::default());
        let mut sent = Vec::new();
        while sent.len() < 3 * BLOCK_BYTES {
            sent.extend_from_slice(&source.next(10_000));
        }
        assert!(sent.chunks(1448).all(|segment| sink.matches(segment)));
    }

    #[test]
    fn a_segment_that_is_lost_or_changed_shows() {
        let sent = Place::default().next(10_000);
        let mut place = Place::default();
        assert!(place.matches(&sent[..1448]));
        assert!(!place.clone().matches(&sent[2896..4344]));
        let mut changed = sent[1448..2896].to_vec();
        changed[700] ^= 1;
        assert!(!place.matches(&changed));
    }
}
