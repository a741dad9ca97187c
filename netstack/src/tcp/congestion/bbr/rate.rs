//! Rates in fixed point.

use core::ops::Mul;
use core::time::Duration;

/// Fraction bits.
const SHIFT: u32 = 24;
/// 2¹⁶ bytes a microsecond, half a Tbit/s: what products below are sized for.
const MAX: u64 = 1 << (16 + SHIFT);

/// Bytes per microsecond in units of 2⁻²⁴: sixteen bytes a second at least, 524 Gbit/s at most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Rate(u64);

impl Rate {
    pub(super) const ZERO: Rate = Rate(0);
    /// No bound.
    pub(super) const INFINITE: Rate = Rate(u64::MAX);

    /// `bytes` in `interval`; zero when the interval is.
    pub(super) fn of(bytes: u32, interval: Duration) -> Rate {
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        // 30 + 24 + 10 bits.
        let scaled = (u64::from(bytes.min(1 << 30)) << SHIFT).saturating_mul(1_000);
        Rate(scaled.checked_div(nanos).unwrap_or(0).min(MAX))
    }

    /// Bytes in `nanos` nanoseconds. What exceeds 64 bits on the way is above the largest window in any case.
    pub(super) fn bytes_in(self, nanos: u64) -> u64 {
        (self.0.min(MAX).saturating_mul(nanos) >> SHIFT) / 1_000
    }

    pub(super) fn percent(self, percent: u64) -> Rate {
        if self == Rate::INFINITE { self } else { Rate(self.0 * percent / 100) }
    }

    pub(super) fn bytes_per_second(self) -> u64 {
        (self.0.min(MAX << 2) * 1_000_000) >> SHIFT
    }
}

/// By a fraction.
impl Mul<(u64, u64)> for Rate {
    type Output = Rate;
    fn mul(self, (numerator, denominator): (u64, u64)) -> Rate {
        if self == Rate::INFINITE { self } else { Rate(self.0 * numerator / denominator) }
    }
}
