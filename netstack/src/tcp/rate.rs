//! Delivery rate samples (draft-ietf-ccwg-bbr §4.5, from draft-cheng-iccrg-delivery-rate-estimation).
//!
//! ```text
//!   sent        s0 ─── first_sent_at ─────── sent_at         what was delivered between the two lines, over the longer
//!   delivered        delivered_at ─────────────────── now    of the two intervals, is the rate of a segment
//! ```

use super::congestion::{LostSegment, RateSample};
use super::delivery::Newest;
use crate::time::Instant;

/// What a connection has delivered and lost; kept over idle times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    /// Bytes acknowledged or SACKed.
    pub(crate) delivered: u64,
    /// Bytes taken for lost.
    pub(crate) lost: u64,
}

/// The connection's delivery when a segment left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Snapshot {
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    /// Modulo 2³².
    lost: u32,
    /// Bytes in flight, the segment included.
    in_flight: u32,
}

impl Snapshot {
    /// What a congestion controller learns when the segment, of `bytes` bytes, is taken for lost; `totals` include it.
    pub(crate) fn lost_segment(&self, totals: &Totals, bytes: u32, app_limited: bool) -> LostSegment {
        let lost = (totals.lost as u32).wrapping_sub(self.lost);
        LostSegment { bytes, tx_in_flight: self.in_flight, lost, app_limited }
    }
}

/// Takes samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sampler {
    /// When something was last delivered.
    delivered_at: Instant,
    /// When the segment left that was delivered last: the send interval begins there.
    first_sent_at: Instant,
    /// Samples are limited by the application until so much is delivered; zero when they are not.
    app_limited: u64,
}

impl Sampler {
    /// A segment leaves with `in_flight` bytes before it. `idle` when nothing was unacknowledged. The second value is true
    /// when the application limits the rate.
    #[inline]
    pub(crate) fn on_send(
        &mut self,
        totals: &Totals,
        now: Instant,
        len: u32,
        in_flight: u32,
        idle: bool,
    ) -> (Snapshot, bool) {
        if idle {
            (self.first_sent_at, self.delivered_at) = (now, now);
            // What had nothing to send was limited by the application.
            self.app_limited = totals.delivered.max(1);
        }
        let snapshot = Snapshot {
            delivered: totals.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            lost: totals.lost as u32,
            in_flight: in_flight.saturating_add(len),
        };
        (snapshot, self.app_limited != 0)
    }

    /// The application has nothing to send, and `in_flight` bytes are out.
    #[inline]
    pub(crate) fn on_application_limited(&mut self, totals: &Totals, in_flight: u32) {
        self.app_limited = (totals.delivered + u64::from(in_flight)).max(1);
    }

    /// An acknowledgment delivered `newest` last; `totals` include it. No sample when the interval is shorter than a
    /// round-trip time can be: then the acknowledgment was that of another transmission.
    #[inline]
    pub(crate) fn on_delivered(
        &mut self,
        totals: &Totals,
        newest: &Newest,
        now: Instant,
        min_rtt_us: u32,
    ) -> Option<RateSample> {
        self.delivered_at = now;
        if self.app_limited != 0 && totals.delivered > self.app_limited {
            self.app_limited = 0;
        }
        let sent = newest.snapshot;
        let send_interval = newest.sent_at - sent.first_sent_at;
        let interval = send_interval.max(now - sent.delivered_at);
        self.first_sent_at = newest.sent_at;
        if interval.is_zero() || interval.as_micros() < u128::from(min_rtt_us) {
            return None;
        }
        Some(RateSample {
            delivered: (totals.delivered - sent.delivered).min(u64::from(u32::MAX)) as u32,
            interval,
            app_limited: newest.app_limited,
            prior_delivered: sent.delivered,
            total_delivered: totals.delivered,
            tx_in_flight: sent.in_flight,
            lost: (totals.lost as u32).wrapping_sub(sent.lost),
        })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn the_rate_is_what_arrived_over_the_longer_interval() {
        let (mut sampler, mut totals) = (Sampler::default(), Totals::default());
        let at = Instant::from_millis;
        let (first, limited) = sampler.on_send(&totals, at(0), 1000, 0, true);
        let (second, _) = sampler.on_send(&totals, at(10), 1000, 1000, false);
        assert!(limited, "it was idle before");
        totals.delivered = 1000;
        let newest = Newest { sent_at: at(0), snapshot: first, app_limited: limited };
        let sample = sampler.on_delivered(&totals, &newest, at(100), 0).unwrap();
        assert_eq!((sample.delivered, sample.interval, sample.app_limited), (1000, Duration::from_millis(100), true));
        let (third, limited) = sampler.on_send(&totals, at(100), 1000, 1000, false);
        assert!(!limited);
        (totals.delivered, totals.lost) = (2000, 500);
        let newest = Newest { sent_at: at(10), snapshot: second, app_limited: true };
        let sample = sampler.on_delivered(&totals, &newest, at(110), 0).unwrap();
        assert_eq!((sample.delivered, sample.interval, sample.lost), (2000, Duration::from_millis(110), 500));
        assert_eq!((sample.prior_delivered, sample.tx_in_flight), (0, 2000));
        totals.delivered = 3000;
        let newest = Newest { sent_at: at(100), snapshot: third, app_limited: false };
        assert_eq!(sampler.on_delivered(&totals, &newest, at(105), 120_000), None, "too fast to be true");
        let sample = sampler.on_delivered(&totals, &newest, at(200), 50_000).unwrap();
        assert_eq!((sample.delivered, sample.interval), (2000, Duration::from_millis(100)));
    }

    #[test]
    fn the_application_limits_until_what_was_out_is_delivered() {
        let (mut sampler, mut totals) = (Sampler::default(), Totals { delivered: 5000, lost: 0 });
        sampler.on_application_limited(&totals, 2000);
        let (snapshot, limited) = sampler.on_send(&totals, Instant::from_millis(5), 1000, 2000, false);
        assert!(limited);
        let newest = Newest { sent_at: Instant::from_millis(5), snapshot, app_limited: limited };
        totals.delivered = 7000;
        sampler.on_delivered(&totals, &newest, Instant::from_millis(50), 0);
        assert!(sampler.on_send(&totals, Instant::from_millis(51), 1, 1, false).1);
        totals.delivered = 8000;
        sampler.on_delivered(&totals, &newest, Instant::from_millis(52), 0);
        assert!(!sampler.on_send(&totals, Instant::from_millis(53), 1, 1, false).1);
    }
}
