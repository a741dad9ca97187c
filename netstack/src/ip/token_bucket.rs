//! Rate limits for answers that strangers can provoke (RFC 4443 §2.4(f), RFC 1812 §4.3.2.8).

use crate::time::Instant;

/// A token bucket in virtual time: `per_second` on average, `burst` at once.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Nanoseconds that one token costs; `u64::MAX` for a rate of zero.
    interval_nanos: u64,
    /// How far ahead of `now` the bucket may be emptied.
    depth_nanos: u64,
    /// The time up to which tokens are spent (GCRA's theoretical arrival time).
    spent_until: u64,
}

impl TokenBucket {
    /// A full bucket. A rate of zero never gives a token.
    pub fn new(per_second: u32, burst: u32) -> TokenBucket {
        let interval_nanos = if per_second == 0 { u64::MAX } else { 1_000_000_000 / u64::from(per_second) };
        TokenBucket { interval_nanos, depth_nanos: interval_nanos.saturating_mul(u64::from(burst)), spent_until: 0 }
    }

    /// Takes one token; false when there is none.
    #[inline]
    pub fn take(&mut self, now: Instant) -> bool {
        let now = now.as_nanos();
        let spent = self.spent_until.max(now).saturating_add(self.interval_nanos);
        if self.interval_nanos == u64::MAX || spent - now > self.depth_nanos {
            return false;
        }
        self.spent_until = spent;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_rate() {
        let mut bucket = TokenBucket::new(10, 3);
        let at = Instant::from_millis;
        assert_eq!((0..5).filter(|_| bucket.take(at(0))).count(), 3);
        assert!(!bucket.take(at(99)));
        assert!(bucket.take(at(100)));
        assert_eq!((0..9).filter(|_| bucket.take(at(10_000))).count(), 3);
        assert!(!TokenBucket::new(0, 9).take(at(5)));
    }
}
