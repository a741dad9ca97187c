//! NewReno (RFC 5681, RFC 6582, with the initial window of RFC 6928).

use super::{Ack, CongestionControl, MAX_WINDOW, initial_window};
use crate::time::Instant;

/// RFC 5681.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewReno {
    cwnd: u32,
    ssthresh: u32,
    /// Bytes acknowledged since the window grew last, in congestion avoidance.
    acked: u32,
    /// Window and threshold before the last reduction, for when it was in error.
    prior: (u32, u32),
    initial_segments: u8,
}

impl NewReno {
    /// RFC 6928 §2: ten segments, but no more than 14,600 bytes unless two segments are more.
    pub fn new(mss: u32, initial_segments: u8) -> NewReno {
        NewReno {
            cwnd: initial_window(mss, initial_segments),
            ssthresh: MAX_WINDOW,
            acked: 0,
            prior: (0, 0),
            initial_segments,
        }
    }

    /// Goes on from another controller's window and threshold.
    pub(super) fn carry(&mut self, cwnd: u32, ssthresh: u32) {
        (self.cwnd, self.ssthresh) = (cwnd, ssthresh);
    }

    /// RFC 5681 §3.1, equation 4. Data sent beyond the window while losses were not yet known (RFC 3042, RACK's
    /// reordering window) is no part of the flight.
    fn halve(&mut self, in_flight: u32, mss: u32) {
        self.ssthresh = (in_flight.min(self.cwnd) / 2).max(2 * mss);
    }
}

impl CongestionControl for NewReno {
    fn name(&self) -> &'static str {
        "newreno"
    }

    #[inline]
    fn window(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    #[inline]
    fn on_ack(&mut self, ack: &Ack) {
        // A window that was not used is not grown; nor is one in recovery.
        if ack.in_recovery || !ack.limited {
            return;
        }
        if self.cwnd < self.ssthresh {
            // RFC 5681 §3.1, equation 2, counting bytes with L = 8 (RFC 3465 §2.2, RFC 9406 §4.2): peers acknowledge
            // whole bursts at once.
            self.cwnd = (self.cwnd + ack.acked.min(ack.mss.saturating_mul(8))).min(MAX_WINDOW);
            return;
        }
        // RFC 5681 §3.1: one segment per window acknowledged.
        self.acked += ack.acked.min(self.cwnd);
        if self.acked >= self.cwnd {
            self.acked -= self.cwnd;
            self.cwnd = (self.cwnd + ack.mss).min(MAX_WINDOW);
        }
    }

    fn on_loss(&mut self, _now: Instant, in_flight: u32, mss: u32) {
        self.prior = (self.cwnd, self.ssthresh);
        // RFC 6675 §5, step 4.2
        self.halve(in_flight, mss);
        self.cwnd = self.ssthresh;
        self.acked = 0;
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u32, mss: u32, first: bool) {
        // RFC 5681 §3.1: ssthresh is lowered once for one window of data; the loss window is one segment.
        if first {
            self.prior = (self.cwnd, self.ssthresh);
            self.halve(in_flight, mss);
        }
        self.cwnd = mss;
        self.acked = 0;
    }

    fn on_undo(&mut self, _now: Instant, _mss: u32) {
        // RFC 4015 §3.2 (DoRes): back to what was.
        self.cwnd = self.cwnd.max(self.prior.0);
        self.ssthresh = self.ssthresh.max(self.prior.1);
        self.prior = (0, 0);
    }

    fn on_restart(&mut self, _now: Instant, mss: u32) {
        // RFC 7661 §4.4.3: most of what the path was good for is remembered. RFC 5681 §4.1: the rest is found anew.
        self.ssthresh = self.ssthresh.max(self.cwnd - self.cwnd / 4);
        self.cwnd = self.cwnd.min(initial_window(mss, self.initial_segments));
        self.acked = 0;
    }

    fn on_mss(&mut self, old: u32, new: u32) {
        // RFC 8201 §5.3 by way of RFC 4821 §7.7: the window keeps its bytes, yet never less than a segment.
        if self.cwnd == initial_window(old, self.initial_segments) {
            self.cwnd = initial_window(new, self.initial_segments);
        }
        self.cwnd = self.cwnd.max(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(bytes: u32, limited: bool) -> Ack {
        Ack { acked: bytes, limited, ..Ack::new(Instant::ZERO, 1000) }
    }

    #[test]
    fn slow_start_doubles_and_avoidance_adds_a_segment() {
        let mut reno = NewReno::new(1000, 10);
        assert_eq!(reno.window(), 10_000);
        (0..5).for_each(|_| reno.on_ack(&ack(2000, true)));
        assert_eq!(reno.window(), 20_000);
        reno.on_loss(Instant::ZERO, 20_000, 1000);
        assert_eq!((reno.window(), reno.ssthresh()), (10_000, 10_000));
        (0..10).for_each(|_| reno.on_ack(&ack(1000, true)));
        assert_eq!(reno.window(), 11_000);
    }

    #[test]
    fn an_unused_window_does_not_grow_and_an_idle_one_shrinks() {
        let mut reno = NewReno::new(1000, 10);
        reno.on_ack(&ack(1000, false));
        assert_eq!(reno.window(), 10_000);
        (0..20).for_each(|_| reno.on_ack(&ack(2000, true)));
        reno.on_restart(Instant::ZERO, 1000);
        assert_eq!(reno.window(), 10_000);
    }

    #[test]
    fn a_timeout_leaves_one_segment_and_lowers_the_threshold_once() {
        let mut reno = NewReno::new(1000, 10);
        reno.on_timeout(Instant::ZERO, 9000, 1000, true);
        assert_eq!((reno.window(), reno.ssthresh()), (1000, 4500));
        reno.on_timeout(Instant::ZERO, 1000, 1000, false);
        assert_eq!(reno.ssthresh(), 4500);
        reno.on_timeout(Instant::ZERO, 1000, 1000, true);
        assert_eq!(reno.ssthresh(), 2000);
    }

    #[test]
    fn the_initial_window_is_bounded_in_bytes() {
        assert_eq!(NewReno::new(1460, 10).window(), 14_600);
        assert_eq!(NewReno::new(8960, 10).window(), 17_920);
        assert_eq!(NewReno::new(536, 10).window(), 5360);
    }
}
