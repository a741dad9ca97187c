//! Initial sequence numbers and timestamp offsets that strangers cannot guess (RFC 6528, RFC 7323 §5.4).

use super::seq::Seq;
use super::siphash::SipKey;
use super::tuple::Tuple;
use crate::rng::Seed;
use crate::time::Instant;

/// The worker's secret.
pub(crate) struct IsnGenerator {
    key: SipKey,
}

/// Where the two clocks of a connection start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Origins {
    pub(crate) iss: Seq,
    pub(crate) ts_offset: u32,
}

impl IsnGenerator {
    pub(crate) fn new(seed: &Seed) -> IsnGenerator {
        let (k0, k1) = seed.keys(u64::from_le_bytes(*b"tcp-isn "));
        IsnGenerator { key: SipKey::new(k0, k1) }
    }

    /// RFC 6528 §3: `ISN = M + F(localip, localport, remoteip, remoteport, secretkey)`, M counting 4 µs.
    pub(crate) fn origins(&self, tuple: &Tuple, now: Instant) -> Origins {
        let hash = tuple.mac(&self.key, 0, 0);
        let clock = (now.as_nanos() / 4_000) as u32;
        Origins { iss: Seq((hash as u32).wrapping_add(clock)), ts_offset: (hash >> 32) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_with_the_clock_and_differ_by_tuple_and_secret() {
        let one = IsnGenerator::new(&Seed::from_number(1));
        let two = IsnGenerator::new(&Seed::from_number(2));
        let tuple = |port| Tuple::new([10, 0, 0, 1].into(), port, [10, 0, 0, 2].into(), 80);
        let first = one.origins(&tuple(1), Instant::ZERO);
        let later = one.origins(&tuple(1), Instant::from_millis(1));
        assert_eq!(later.iss.since(first.iss), 250);
        assert_eq!(later.ts_offset, first.ts_offset);
        assert_ne!(first, one.origins(&tuple(2), Instant::ZERO));
        assert_ne!(first, two.origins(&tuple(1), Instant::ZERO));
    }
}
