//! RACK: losses by time (RFC 8985). A segment is lost when one sent sufficiently later has arrived.
//!
//! ```text
//!   sent      a   b   c   d          d arrives, one round-trip time after it left:
//!   deadline      ├── rtt ──┼── reo_wnd ──┤   what left before d and is past its deadline is lost,
//!                                             what is not yet past it waits for the reordering timer
//! ```

use super::seq::Seq;
use crate::time::Instant;

/// SACKed segments that make a loss sure while the network was not seen to reorder (RFC 8985 §6.2, RFC 6675 §2).
pub(crate) const DUP_THRESH: u32 = 3;
/// Recoveries without a needless retransmission after which the window is as at the start (RFC 8985 §6.2, step 4).
const PERSIST: u8 = 16;

/// The segment sent last among those delivered (RFC 8985 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rack {
    /// When it left; [`Instant::ZERO`] until one was delivered.
    sent_at: Instant,
    /// Its round-trip time in microseconds.
    rtt_us: u64,
    /// The needless retransmissions of a round count once, until this is acknowledged.
    dsack_round: Option<Seq>,
}

impl Rack {
    /// A segment that was sent at `sent_at` was delivered (RFC 8985 §6.2, step 2).
    #[inline]
    pub(crate) fn delivered(&mut self, sent_at: Instant, now: Instant) {
        self.rtt_us = now.micros_since(sent_at);
        self.sent_at = self.sent_at.max(sent_at);
    }

    /// When a segment sent at `sent_at` is lost if it is not delivered by then; `None` for one sent later than what was
    /// delivered (RFC 8985 §6.2, step 5).
    #[inline]
    pub(crate) fn deadline(&self, sent_at: Instant, reordering_window_us: u64) -> Option<Instant> {
        (sent_at < self.sent_at).then(|| sent_at.plus_micros(self.rtt_us + reordering_window_us))
    }

    /// What left later is too recent to be lost at a timeout (RFC 8985 §6.3).
    pub(crate) fn timeout_cutoff(&self, now: Instant, reordering_window_us: u64) -> Instant {
        if self.sent_at == Instant::ZERO {
            return now;
        }
        Instant::from_nanos(now.as_nanos().saturating_sub((self.rtt_us + reordering_window_us) * 1_000))
    }

    /// A duplicate was reported: true when it is the first of its round.
    pub(crate) fn begins_dsack_round(&mut self, una: Seq, nxt: Seq) -> bool {
        if self.dsack_round.is_some_and(|round| una.before(round)) {
            return false;
        }
        self.dsack_round = Some(nxt);
        true
    }
}

/// What is known of the path's reordering; kept over idle times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reordering {
    /// A segment arrived after one that was sent later (RACK.reordering_seen).
    pub(crate) seen: bool,
    /// Quarters of the least round-trip time that a segment may be late (RACK.reo_wnd_mult).
    quarters: u8,
    /// Recoveries until `quarters` is one again (RACK.reo_wnd_persist).
    persist: u8,
}

impl Default for Reordering {
    fn default() -> Self {
        Reordering { seen: false, quarters: 1, persist: PERSIST }
    }
}

impl Reordering {
    /// What was sent again had arrived: segments are given more time.
    pub(crate) fn widen(&mut self) {
        self.quarters = self.quarters.saturating_add(1);
        self.persist = PERSIST;
    }

    /// A recovery is over.
    pub(crate) fn recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.quarters = 1;
        }
    }

    /// How late a segment may be, in microseconds (RFC 8985 §6.2, step 4). `certain` when losses are being repaired, or
    /// [`DUP_THRESH`] segments are SACKed.
    #[inline]
    pub(crate) fn window_us(&self, certain: bool, min_rtt_us: u32, srtt_us: u32) -> u64 {
        if !self.seen && certain {
            return 0;
        }
        (u64::from(min_rtt_us) * u64::from(self.quarters) / 4).min(u64::from(srtt_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_given_a_round_trip_and_the_window() {
        let mut rack = Rack::default();
        assert_eq!(rack.deadline(Instant::from_millis(1), 0), None, "nothing was delivered");
        rack.delivered(Instant::from_millis(20), Instant::from_millis(120));
        assert_eq!(rack.deadline(Instant::from_millis(20), 0), None);
        assert_eq!(rack.deadline(Instant::from_millis(10), 5_000), Some(Instant::from_millis(115)));
        // One sent earlier tells its time, and does not move the front back.
        rack.delivered(Instant::from_millis(15), Instant::from_millis(125));
        assert_eq!(rack.deadline(Instant::from_millis(19), 0), Some(Instant::from_millis(129)));
        assert_eq!(rack.timeout_cutoff(Instant::from_millis(500), 10_000), Instant::from_millis(380));
    }

    #[test]
    fn the_window_opens_by_reordering_and_by_needless_retransmissions() {
        let mut reordering = Reordering::default();
        assert_eq!(reordering.window_us(false, 40_000, 50_000), 10_000);
        assert_eq!(reordering.window_us(true, 40_000, 50_000), 0);
        reordering.seen = true;
        assert_eq!(reordering.window_us(true, 40_000, 50_000), 10_000);
        (0..2).for_each(|_| reordering.widen());
        assert_eq!(reordering.window_us(true, 40_000, 50_000), 30_000);
        (0..200).for_each(|_| reordering.widen());
        assert_eq!(reordering.window_us(true, 40_000, 50_000), 50_000, "never more than a round-trip time");
        (0..16).for_each(|_| reordering.recovered());
        assert_eq!(reordering.window_us(true, 40_000, 50_000), 10_000);
    }

    #[test]
    fn duplicates_count_once_a_round() {
        let mut rack = Rack::default();
        assert!(rack.begins_dsack_round(Seq(10), Seq(100)));
        assert!(!rack.begins_dsack_round(Seq(99), Seq(180)));
        assert!(rack.begins_dsack_round(Seq(100), Seq(200)));
    }
}
