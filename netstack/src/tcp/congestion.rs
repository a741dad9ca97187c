//! Congestion control: a trait, and NewReno (RFC 5681, RFC 6582 with the window of RFC 6928).
//!
//! The controllers know windows only. When to send what again is recovery's (recovery.rs), which asks for the window
//! and reports acknowledgments and losses. Dispatch is by enum: the state lives inside of the control block.

use core::time::Duration;

use crate::time::Instant;

/// What an acknowledgment tells a controller.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// When it arrived.
    pub now: Instant,
    /// Bytes newly acknowledged.
    pub bytes: u32,
    /// The window, and nothing else, held data back when the last segment was sent.
    pub limited: bool,
    /// Segment size in bytes.
    pub mss: u32,
    /// Smoothed round-trip time, once measured.
    pub srtt: Option<Duration>,
}

/// A congestion controller.
pub trait CongestionControl {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Bytes that may be in flight.
    fn window(&self) -> u32;
    /// Slow-start threshold in bytes.
    fn ssthresh(&self) -> u32;
    /// Data was acknowledged outside of recovery.
    fn on_ack(&mut self, ack: &Ack);
    /// Acknowledgments showed a loss: recovery begins with `in_flight` bytes out.
    fn on_loss(&mut self, now: Instant, in_flight: u32, mss: u32);
    /// The retransmission timer fired; `first` unless it had fired for the same data before.
    fn on_timeout(&mut self, now: Instant, in_flight: u32, mss: u32, first: bool);
    /// Sending resumes after an idle time of more than a timeout.
    fn on_restart(&mut self, mss: u32);
    /// The segment size was set or lowered, before data was sent or by path MTU discovery.
    fn on_mss(&mut self, old: u32, new: u32);
}

/// The controllers to choose from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Congestion {
    /// RFC 5681 with RFC 6582.
    NewReno(NewReno),
}

impl Congestion {
    /// NewReno with an initial window of `segments` segments of `mss` bytes.
    pub fn new_reno(mss: u32, segments: u8) -> Congestion {
        Congestion::NewReno(NewReno::new(mss, segments))
    }
}

macro_rules! dispatch {
    ($self:ident, $controller:ident => $call:expr) => {
        match $self {
            Congestion::NewReno($controller) => $call,
        }
    };
}

impl CongestionControl for Congestion {
    fn name(&self) -> &'static str {
        dispatch!(self, c => c.name())
    }
    #[inline]
    fn window(&self) -> u32 {
        dispatch!(self, c => c.window())
    }
    fn ssthresh(&self) -> u32 {
        dispatch!(self, c => c.ssthresh())
    }
    #[inline]
    fn on_ack(&mut self, ack: &Ack) {
        dispatch!(self, c => c.on_ack(ack))
    }
    fn on_loss(&mut self, now: Instant, in_flight: u32, mss: u32) {
        dispatch!(self, c => c.on_loss(now, in_flight, mss))
    }
    fn on_timeout(&mut self, now: Instant, in_flight: u32, mss: u32, first: bool) {
        dispatch!(self, c => c.on_timeout(now, in_flight, mss, first))
    }
    fn on_restart(&mut self, mss: u32) {
        dispatch!(self, c => c.on_restart(mss))
    }
    fn on_mss(&mut self, old: u32, new: u32) {
        dispatch!(self, c => c.on_mss(old, new))
    }
}

/// Windows never grow beyond what a scaled receive window can offer.
const MAX_WINDOW: u32 = 1 << 30;

/// RFC 5681.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewReno {
    cwnd: u32,
    ssthresh: u32,
    /// Bytes acknowledged since the window grew last, in congestion avoidance.
    acked: u32,
    initial_segments: u8,
}

impl NewReno {
    /// RFC 6928 §2: ten segments, but no more than 14,600 bytes unless two segments are more.
    pub fn new(mss: u32, initial_segments: u8) -> NewReno {
        NewReno { cwnd: initial_window(mss, initial_segments), ssthresh: MAX_WINDOW, acked: 0, initial_segments }
    }

    /// RFC 5681 §3.1, equation 4.
    fn halve(&mut self, in_flight: u32, mss: u32) {
        self.ssthresh = (in_flight / 2).max(2 * mss);
    }
}

fn initial_window(mss: u32, segments: u8) -> u32 {
    (mss * u32::from(segments)).min((1460 * u32::from(segments)).max(2 * mss))
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
        // RFC 5681 §4.3 by way of RFC 7661 §4.2: a window that was not used is not grown.
        if !ack.limited {
            return;
        }
        if self.cwnd < self.ssthresh {
            // RFC 5681 §3.1, equation 2, counting bytes with L = 8 (RFC 3465 §2.2, RFC 9406 §4.2): peers acknowledge
            // whole bursts at once.
            self.cwnd = (self.cwnd + ack.bytes.min(8 * ack.mss)).min(MAX_WINDOW);
            return;
        }
        // RFC 5681 §3.1: one segment per window acknowledged.
        self.acked += ack.bytes.min(self.cwnd);
        if self.acked >= self.cwnd {
            self.acked -= self.cwnd;
            self.cwnd = (self.cwnd + ack.mss).min(MAX_WINDOW);
        }
    }

    fn on_loss(&mut self, _now: Instant, in_flight: u32, mss: u32) {
        // RFC 6675 §5, step 4.2
        self.halve(in_flight, mss);
        self.cwnd = self.ssthresh;
        self.acked = 0;
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u32, mss: u32, first: bool) {
        // RFC 5681 §3.1: ssthresh is lowered once for one window of data; the loss window is one segment.
        if first {
            self.halve(in_flight, mss);
        }
        self.cwnd = mss;
        self.acked = 0;
    }

    fn on_restart(&mut self, mss: u32) {
        // RFC 5681 §4.1
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
        Ack { now: Instant::ZERO, bytes, limited, mss: 1000, srtt: None }
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
        reno.on_restart(1000);
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
