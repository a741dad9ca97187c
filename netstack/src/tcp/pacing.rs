//! Pacing: segments leave spread over the round-trip time, and not in the bursts in which acknowledgments come.
//!
//! ```text
//!   next    the moment at which everything sent so far would have left at the rate
//!   now ────────────── next ──────────▶         next - now is the debt; up to `burst` of it may leave at once,
//!       ├── debt ───────┤                       then the connection waits until half of that is paid back
//! ```
//!
//! Waiting connections are in a wheel of their own with finer ticks than that of the timers ([`TICK`]). Nothing is paced
//! that does not need it: the first segments of a window leave at once, so that a request and its answer arm nothing, and
//! so does everything on paths whose round-trip time is about as long as a tick.

use core::time::Duration;

use super::congestion::CongestionControl;
use super::control_block::Conn;
use crate::time::Instant;

/// Granularity of the pacing wheel.
pub(crate) const TICK: Duration = Duration::from_micros(50);
/// Below this round-trip time, in microseconds, a window is gone within a few ticks: acknowledgments are clock enough.
const LEAST_RTT_US: u32 = 200;
/// Segments in flight up to which nothing is held back: an initial window (RFC 6928) and what its acknowledgments let
/// out, so that an answer of some 64 KiB takes no longer than without pacing.
const FREE_SEGMENTS: u32 = 20;
/// Time for which a batch lasts, as a fraction of a second.
const BATCHES_A_SECOND: u64 = 2_000;
/// Bytes of one batch at most.
const BATCH_MAX: u64 = 65_536;
/// Segments of one batch at least.
const BATCH_MIN_SEGMENTS: u64 = 2;

/// When segments leave, and how many at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate {
    bytes_per_second: u64,
    burst: Duration,
}

/// The debt of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pacer {
    next: Instant,
}

impl Rate {
    /// The rate of a connection with `in_flight` bytes out; `None` when it is not paced now.
    #[inline]
    pub(crate) fn of(conn: &Conn, in_flight: u32) -> Option<Rate> {
        let mss = u32::from(conn.mss);
        if in_flight < FREE_SEGMENTS * mss {
            return None;
        }
        let rate = match conn.congestion.pacing_rate() {
            Some(rate) => rate,
            None => by_window(conn.congestion.window(), conn.congestion.ssthresh(), conn.rtt.srtt_us())?,
        };
        Some(Rate::new(rate, mss))
    }

    /// `bytes_per_second` in batches of segments of `mss` bytes.
    pub(crate) fn new(bytes_per_second: u64, mss: u32) -> Rate {
        let bytes_per_second = bytes_per_second.max(1);
        let least = BATCH_MIN_SEGMENTS * u64::from(mss);
        let batch = (bytes_per_second / BATCHES_A_SECOND).min(BATCH_MAX).max(least);
        Rate { bytes_per_second, burst: Duration::from_nanos(nanos(2 * batch, bytes_per_second)) }
    }

    /// Bytes a second.
    pub(crate) fn bytes_per_second(&self) -> u64 {
        self.bytes_per_second
    }
}

/// As Linux: twice the window each round-trip time in slow start, so that it can double, and 1.2 times after.
#[inline]
fn by_window(window: u32, ssthresh: u32, srtt_us: u32) -> Option<u64> {
    if srtt_us < LEAST_RTT_US {
        return None;
    }
    let tenths = if window < ssthresh / 2 { 20 } else { 12 };
    Some(u64::from(window) * tenths * 100_000 / u64::from(srtt_us))
}

fn nanos(bytes: u64, bytes_per_second: u64) -> u64 {
    bytes.saturating_mul(1_000_000_000) / bytes_per_second
}

impl Pacer {
    /// Until when the connection must wait; `None` when a segment may leave now.
    #[inline]
    pub(crate) fn wait(&self, rate: &Rate, now: Instant) -> Option<Instant> {
        let debt = self.next - now;
        (debt > rate.burst).then(|| now + (debt - rate.burst / 2))
    }

    /// `bytes` left.
    #[inline]
    pub(crate) fn sent(&mut self, rate: &Rate, bytes: u32, now: Instant) {
        self.next = self.next.max(now).plus_nanos(nanos(u64::from(bytes), rate.bytes_per_second));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_leave_in_batches_at_the_rate() {
        // 12 MB/s: a batch is 6000 bytes, four segments; twice as much leaves at first.
        let (rate, mut pacer, mut now) = (Rate::new(12_000_000, 1500), Pacer::default(), Instant::from_millis(7));
        let mut batches = Vec::new();
        for _ in 0..5 {
            let mut batch = 0;
            while pacer.wait(&rate, now).is_none() {
                pacer.sent(&rate, 1500, now);
                batch += 1;
            }
            let until = pacer.wait(&rate, now).unwrap();
            batches.push((batch, (until - now).as_micros()));
            now = until;
        }
        assert_eq!(batches[0].0, 9);
        assert!(batches[1..].iter().all(|batch| *batch == (5, 625)), "{batches:?}");
        now += Duration::from_secs(1);
        assert_eq!(pacer.wait(&rate, now), None, "an idle time pays everything back, and no more");
    }

    #[test]
    fn the_window_leaves_once_a_round_trip_or_twice_in_slow_start() {
        assert_eq!(by_window(100_000, 1 << 30, 10_000), Some(20_000_000));
        assert_eq!(by_window(100_000, 100_000, 10_000), Some(12_000_000));
        assert_eq!(by_window(100_000, 1 << 30, 150), None);
    }

    #[test]
    fn slow_paths_send_two_segments_at_a_time_and_fast_ones_64_kib() {
        assert_eq!(Rate::new(1_000, 1500).burst, Duration::from_secs(6));
        assert_eq!(Rate::new(1_000_000_000, 1500).burst, Duration::from_nanos(131_072));
    }
}
