//! SipHash of a few words: 1-3 for the keyed hash of every segment's 4-tuple, 2-4 where a stranger sees the result and
//! must learn nothing from it (initial sequence numbers, cookies).
//!
//! The same functions as in the `siphasher` crate (a test compares them), without what that one pays for taking bytes of
//! any number: gathering words and looking for the tail.

/// The secret of one table, or of one purpose.
#[derive(Clone, Copy)]
pub(crate) struct SipKey {
    /// The state before the first word.
    start: [u64; 4],
}

#[inline(always)]
fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[inline(always)]
fn absorb(mut state: [u64; 4], word: u64) -> [u64; 4] {
    state[3] ^= word;
    state = round(state);
    state[0] ^= word;
    state
}

impl SipKey {
    /// The secret with these two words.
    pub(crate) fn new(k0: u64, k1: u64) -> SipKey {
        // The constants of SipHash: "somepseudorandomlygeneratedbytes".
        let constants = [0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573];
        let [a, b, c, d]: [u64; 4] = constants;
        SipKey { start: [a ^ k0, b ^ k1, c ^ k0, d ^ k1] }
    }

    /// SipHash-2-4 of `words` and `tail`: an authentication code. The key belongs to one family of messages: which
    /// words there are is not part of it.
    #[inline]
    pub(crate) fn mac<const N: usize>(&self, words: [u64; N], tail: u32) -> u64 {
        let absorb_twice = |mut state: [u64; 4], word: u64| {
            state[3] ^= word;
            state = round(round(state));
            state[0] ^= word;
            state
        };
        let len = 8 * N as u64 + 4;
        let mut state = words.into_iter().fold(self.start, absorb_twice);
        state = absorb_twice(state, len << 56 | u64::from(tail));
        state[2] ^= 0xff;
        let [a, b, c, d] = round(round(round(round(state))));
        a ^ b ^ c ^ d
    }

    /// The secret number `number` of those that this one leads to.
    pub(crate) fn derive(&self, number: u64) -> SipKey {
        SipKey::new(self.mac([number], 0), self.mac([number], 1))
    }

    /// The hash of `words` and `tail`, as if they stood little-endian behind each other.
    #[inline]
    pub(crate) fn hash<const N: usize>(&self, words: [u64; N], tail: u32) -> u64 {
        let mut state = words.into_iter().fold(self.start, absorb);
        let len = 8 * N as u64 + 4;
        state = absorb(state, len << 56 | u64::from(tail));
        state[2] ^= 0xff;
        let [a, b, c, d] = round(round(round(state)));
        a ^ b ^ c ^ d
    }
}

impl core::fmt::Debug for SipKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SipKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use siphasher::sip::{SipHasher13, SipHasher24};

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_is_the_function_that_others_know() {
        let mut rng = Rng::new(3);
        for _ in 0..100 {
            let (k0, k1, tail) = (rng.next_u64(), rng.next_u64(), rng.next_u64() as u32);
            let words: [u64; 4] = core::array::from_fn(|_| rng.next_u64());
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).chain(tail.to_le_bytes()).collect();
            let (key, reference) = (SipKey::new(k0, k1), SipHasher13::new_with_keys(k0, k1));
            assert_eq!(key.hash(words, tail), reference.hash(&bytes));
            assert_eq!(key.hash([words[3]], tail), reference.hash(&bytes[24..]));
            let reference = SipHasher24::new_with_keys(k0, k1);
            assert_eq!(key.mac(words, tail), reference.hash(&bytes));
            assert_eq!(key.mac([words[3]], tail), reference.hash(&bytes[24..]));
        }
    }
}
