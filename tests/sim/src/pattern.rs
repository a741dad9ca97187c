//! What the streams consist of: slices of one static table, so that sending copies nothing and comparing is a `memcmp`.
//!
//! The table repeats with a prime period, and each stream begins elsewhere in it: bytes of another stream, or of another
//! place in the same one, do not compare equal.

use std::sync::OnceLock;

use bytes::Bytes;
use netstack::rng::Rng;

/// A prime.
const PERIOD: usize = 65_521;
/// Longest slice.
pub const MOST: usize = 65_536;

fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rng = Rng::new(0x5eed);
        let period: Vec<u8> = (0..PERIOD).map(|_| rng.next_u64() as u8).collect();
        period.iter().copied().cycle().take(PERIOD + MOST).collect()
    })
}

/// One direction of a job's connection.
#[derive(Clone, Copy, Debug)]
pub struct Pattern(usize);

impl Pattern {
    /// Of job number `job`, from `side` (0 or 1).
    pub fn of(job: usize, side: usize) -> Pattern {
        Pattern((job * 2 + side) * 7_919 % PERIOD)
    }

    /// The bytes from `offset` on, `len` (up to [`MOST`]) of them.
    pub fn slice(self, offset: u64, len: usize) -> &'static [u8] {
        let at = (self.0 + (offset % PERIOD as u64) as usize) % PERIOD;
        &table()[at..at + len.min(MOST)]
    }

    /// As [`Pattern::slice`], to be sent.
    pub fn bytes(self, offset: u64, len: usize) -> Bytes {
        Bytes::from_static(self.slice(offset, len))
    }

    /// The first byte of `received`, which begins at `offset`, that is wrong.
    pub fn mismatch(self, offset: u64, received: &[u8]) -> Option<u64> {
        let mut at = offset;
        for part in received.chunks(MOST) {
            let expected = self.slice(at, part.len());
            if part != expected {
                let wrong = part.iter().zip(expected).position(|(a, b)| a != b)?;
                return Some(at + wrong as u64);
            }
            at += part.len() as u64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_continue_each_other() {
        let pattern = Pattern::of(3, 1);
        let far = 65_521 * 7 + 12;
        assert_eq!(pattern.slice(far, 100)[40..], *pattern.slice(far + 40, 60));
        assert_eq!(pattern.mismatch(65_500, pattern.slice(65_500, MOST)), None);
    }

    #[test]
    fn other_places_and_other_streams_differ() {
        let pattern = Pattern::of(3, 1);
        assert!(pattern.mismatch(1, pattern.slice(0, 50)).is_some());
        assert!(Pattern::of(3, 0).mismatch(0, pattern.slice(0, 50)).is_some());
        let mut bytes = pattern.slice(9, 50).to_vec();
        bytes[20] ^= 4;
        assert_eq!(pattern.mismatch(9, &bytes), Some(29));
    }
}
