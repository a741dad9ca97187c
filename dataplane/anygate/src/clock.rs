//! The only place of the data plane that reads clocks.

use netstack::Instant;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A monotonic clock whose epoch is its own start, and the calendar beside it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: std::time::Instant,
}

impl Clock {
    /// Starts a clock: its epoch is now.
    #[allow(clippy::disallowed_methods, reason = "the run loop is where time enters the program")]
    pub fn start() -> Clock {
        Clock { epoch: std::time::Instant::now() }
    }

    /// Time since the epoch.
    #[inline]
    #[allow(clippy::disallowed_methods, reason = "the run loop is where time enters the program")]
    pub fn now(&self) -> Instant {
        let elapsed = std::time::Instant::now().saturating_duration_since(self.epoch);
        Instant::from_nanos(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Seconds since 1970-01-01T00:00:00Z, for the `Date` field (RFC 9110 §6.6.1).
pub fn unix_seconds() -> u64 {
    since_1970().as_secs()
}

/// Nanoseconds since 1970-01-01T00:00:00Z, for time stamps of captures.
pub fn unix_nanos() -> u64 {
    u64::try_from(since_1970().as_nanos()).unwrap_or(u64::MAX)
}

#[allow(clippy::disallowed_methods, reason = "the run loop is where the date enters the program")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}
