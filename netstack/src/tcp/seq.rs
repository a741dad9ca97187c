//! Sequence numbers: arithmetic modulo 2³² (RFC 9293 §3.4).

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A sequence number. Compared with numbers at most 2³¹ away.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Seq(pub u32);

impl Seq {
    /// Bytes from `earlier` to `self`, modulo 2³².
    #[inline]
    pub const fn since(self, earlier: Seq) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Bytes from `earlier` to `self`; zero when `earlier` is later.
    #[inline]
    pub const fn saturating_since(self, earlier: Seq) -> u32 {
        let distance = self.since(earlier);
        if distance as i32 > 0 { distance } else { 0 }
    }

    /// `self < other`.
    #[inline]
    pub const fn before(self, other: Seq) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    /// `self <= other`.
    #[inline]
    pub const fn at_or_before(self, other: Seq) -> bool {
        (self.0.wrapping_sub(other.0) as i32) <= 0
    }

    /// `self > other`.
    #[inline]
    pub const fn after(self, other: Seq) -> bool {
        other.before(self)
    }

    /// `self >= other`.
    #[inline]
    pub const fn at_or_after(self, other: Seq) -> bool {
        other.at_or_before(self)
    }

    /// The later of two.
    #[inline]
    pub const fn max(self, other: Seq) -> Seq {
        if self.before(other) { other } else { self }
    }

    /// The earlier of two.
    #[inline]
    pub const fn min(self, other: Seq) -> Seq {
        if self.before(other) { self } else { other }
    }
}

impl Add<u32> for Seq {
    type Output = Seq;
    #[inline]
    fn add(self, bytes: u32) -> Seq {
        Seq(self.0.wrapping_add(bytes))
    }
}

impl AddAssign<u32> for Seq {
    #[inline]
    fn add_assign(&mut self, bytes: u32) {
        *self = *self + bytes;
    }
}

impl Sub<u32> for Seq {
    type Output = Seq;
    #[inline]
    fn sub(self, bytes: u32) -> Seq {
        Seq(self.0.wrapping_sub(bytes))
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// `a < b` for 32-bit clocks that wrap, as timestamps do (RFC 7323 §5.2).
#[inline]
pub const fn clock_before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_holds_across_the_wrap() {
        let high = Seq(u32::MAX - 1);
        let low = high + 4;
        assert_eq!(low, Seq(2));
        assert!(high.before(low) && low.after(high) && high.at_or_before(high) && high.at_or_after(high));
        assert_eq!((low.since(high), high.saturating_since(low), low.saturating_since(high)), (4, 0, 4));
        assert_eq!((high.max(low), high.min(low)), (low, high));
        assert!(clock_before(u32::MAX, 0) && !clock_before(0, u32::MAX));
    }
}
