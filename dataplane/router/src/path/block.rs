//! Sixteen bytes of a path at once: nearly every request's path is plain, and seen to be so by a few word operations.
//!
//! Bytes are lanes of a `u128`; a test leaves its answer in the high bit of each lane. No lane carries into the next one,
//! because only bytes below 0x80 are added to, and sums stay below 0x100.

/// Bytes of a block.
const BLOCK: usize = 16;

const HIGH: u128 = all(0x80);

/// `byte` in every lane.
const fn all(byte: u8) -> u128 {
    u128::from_ne_bytes([byte; BLOCK])
}

/// Lanes from `first` to `last`.
#[inline(always)]
const fn within(lanes: u128, first: u8, last: u8) -> u128 {
    (lanes + all(0x80 - first)) & !(lanes + all(0x7f - last))
}

/// Lanes that hold `byte`.
#[inline(always)]
const fn equal(lanes: u128, byte: u8) -> u128 {
    !((lanes ^ all(byte)) + all(0x7f))
}

/// Whether the bytes, which begin with a slash, hold only letters, digits, `-`, `.`, `_` and `/`, and neither a slash nor
/// a dot behind a slash. Says no of fewer than sixteen.
#[inline]
pub(super) fn all_normal(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<BLOCK>() else { return false };
    // Blocks overlap by a byte, so that every pair of neighbours lies in one.
    let mut rest = bytes;
    while rest.len() > BLOCK {
        match rest.first_chunk::<BLOCK>() {
            Some(block) if is_normal(*block) => rest = &rest[BLOCK - 1..],
            _ => return false,
        }
    }
    is_normal(*last)
}

#[inline(always)]
fn is_normal(block: [u8; BLOCK]) -> bool {
    // The first byte is the lowest lane, so that a shift to the left brings a byte to its successor.
    let lanes = u128::from_le_bytes(block);
    if lanes & HIGH != 0 {
        return false;
    }
    // From `-` on: `-`, `.`, `/`, digits.
    let plain = within(lanes, b'-', b'9') | within(lanes | all(0x20), b'a', b'z') | equal(lanes, b'_');
    let slash = equal(lanes, b'/') & HIGH;
    let after_slash = (slash << 8) & (slash | equal(lanes, b'.'));
    plain & HIGH == HIGH && after_slash & HIGH == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::is_normal_by_class;

    #[test]
    fn what_it_calls_normal_is() {
        for length in BLOCK..40 {
            for at in 1..length {
                for byte in 0..=255u8 {
                    let mut path = vec![b'a'; length];
                    path[0] = b'/';
                    path[at] = byte;
                    let known = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/');
                    let pair = at == 1 && matches!(byte, b'/' | b'.');
                    assert_eq!(all_normal(&path), known && !pair, "{}", path.escape_ascii());
                    assert!(!all_normal(&path) || is_normal_by_class(&path), "{}", path.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn pairs_are_seen_wherever_they_are() {
        for length in BLOCK..50 {
            for at in 0..length - 1 {
                for next in [b'/', b'.'] {
                    let mut path = vec![b'b'; length];
                    path[0] = b'/';
                    path[at] = b'/';
                    path[at + 1] = next;
                    assert!(!all_normal(&path) && !is_normal_by_class(&path), "{}", path.escape_ascii());
                }
            }
        }
        assert!(all_normal(b"/fastest/ever/ok") && !all_normal(b"/short"));
    }
}
