//! Congestion control: how much may be in flight, and how fast it leaves.
//!
//! A controller knows windows and rates only. What is lost and what is sent again is recovery's (recovery.rs), which
//! reports acknowledgments and losses and asks for the window. Dispatch is by enum: small states live inside of the
//! control block, large ones in a box that is made once for a connection.
//!
//! ```text
//!   ack ─▶ on_ack(delivered, lost, rate sample) ──▶ window() ─▶ recovery's send quota (or PRR's, while in recovery)
//!   loss ─▶ on_loss · on_ecn · on_timeout · on_undo ─▶ pacing_rate() ─▶ the pacing wheel
//! ```

mod bbr;
mod cubic;
mod hystart;
mod new_reno;

#[cfg(test)]
mod tests;

use core::time::Duration;

pub use bbr::Bbr;
pub use cubic::Cubic;
pub use new_reno::NewReno;

use crate::time::Instant;

/// Windows never grow beyond what a scaled receive window can offer.
pub(crate) const MAX_WINDOW: u32 = 1 << 30;

/// What an acknowledgment, with its SACK blocks, tells a controller.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// When it arrived.
    pub now: Instant,
    /// Bytes by which SND.UNA moved on.
    pub acked: u32,
    /// Bytes newly known to have arrived: acknowledged, or selectively acknowledged, for the first time.
    pub delivered: u32,
    /// Bytes newly taken for lost.
    pub lost: u32,
    /// Bytes in the network before this acknowledgment was processed.
    pub prior_in_flight: u32,
    /// Bytes in the network now.
    pub in_flight: u32,
    /// What was in flight shows that the path carries the window, so that it may grow (RFC 5681 §4.3 by way of RFC 7661
    /// §4.1): it was full, or in slow start half full. That is as much as shows while pacing spreads a window that
    /// doubles.
    pub limited: bool,
    /// Losses are being repaired (fast recovery).
    pub in_recovery: bool,
    /// Segment size in bytes.
    pub mss: u32,
    /// The round-trip time that this acknowledgment measured, if it did.
    pub rtt: Option<Duration>,
    /// Smoothed round-trip time, once measured.
    pub srtt: Option<Duration>,
    /// The delivery rate that this acknowledgment measured, if it did.
    pub rate: Option<RateSample>,
}

impl Ack {
    /// An acknowledgment of nothing, to be filled in.
    pub fn new(now: Instant, mss: u32) -> Ack {
        Ack {
            now,
            acked: 0,
            delivered: 0,
            lost: 0,
            prior_in_flight: 0,
            in_flight: 0,
            limited: false,
            in_recovery: false,
            mss,
            rtt: None,
            srtt: None,
            rate: None,
        }
    }
}

/// A delivery rate sample (draft-ietf-ccwg-bbr, section "Delivery Rate Samples"), taken over the segment that was sent
/// last among those that the acknowledgment delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RateSample {
    /// Bytes delivered over `interval`.
    pub delivered: u32,
    /// The longer of the send and the acknowledgment interval.
    pub interval: Duration,
    /// The application, not the window, limited sending when the segment left.
    pub app_limited: bool,
    /// All bytes that the connection had delivered when the segment left: what rounds are counted with.
    pub prior_delivered: u64,
    /// All bytes that the connection has delivered now.
    pub total_delivered: u64,
    /// Bytes in flight just after the segment left.
    pub tx_in_flight: u32,
    /// Bytes lost between the segment's departure and now.
    pub lost: u32,
}

/// A segment that was taken for lost, as it was when it last left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostSegment {
    /// Its bytes.
    pub bytes: u32,
    /// Bytes in flight just after it left.
    pub tx_in_flight: u32,
    /// Bytes lost between its departure and now, its own included.
    pub lost: u32,
    /// The application, not the window, limited sending when it left.
    pub app_limited: bool,
}

/// A congestion controller.
pub trait CongestionControl {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Bytes that may be in flight.
    fn window(&self) -> u32;
    /// Slow-start threshold in bytes.
    fn ssthresh(&self) -> u32;
    /// Bytes per second at which segments shall leave, when the controller itself says so. Otherwise the sender paces by
    /// window and round-trip time.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
    /// True when the window falls step by step in recovery (PRR, RFC 6937); false when [`window`](Self::window) holds
    /// there, too.
    fn uses_prr(&self) -> bool {
        true
    }
    /// An acknowledgment delivered or lost something; in recovery, too.
    fn on_ack(&mut self, ack: &Ack);
    /// A segment was taken for lost: for each of them, before [`on_loss`](Self::on_loss) or
    /// [`on_timeout`](Self::on_timeout), and before the [`on_ack`](Self::on_ack) that counts them.
    fn on_lost(&mut self, _now: Instant, _segment: &LostSegment) {}
    /// Acknowledgments showed a loss: recovery begins with `in_flight` bytes out.
    fn on_loss(&mut self, now: Instant, in_flight: u32, mss: u32);
    /// The peer echoed a congestion mark (RFC 3168 §6.1.2), for the first time in this window of data.
    fn on_ecn(&mut self, now: Instant, in_flight: u32, mss: u32) {
        self.on_loss(now, in_flight, mss);
    }
    /// Everything sent before recovery began is acknowledged.
    fn on_recovered(&mut self, _now: Instant, _mss: u32) {}
    /// The last reduction (loss or timeout) was in error: what was taken for lost had arrived.
    fn on_undo(&mut self, now: Instant, mss: u32);
    /// The retransmission timer fired; `first` unless it had fired for the same data before.
    fn on_timeout(&mut self, now: Instant, in_flight: u32, mss: u32, first: bool);
    /// Sending resumes after an idle time of more than a timeout.
    fn on_restart(&mut self, now: Instant, mss: u32);
    /// The segment size was set or lowered, before data was sent or by path MTU discovery.
    fn on_mss(&mut self, old: u32, new: u32);
}

/// Which controller a connection uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CongestionKind {
    /// RFC 5681 with RFC 6582.
    NewReno,
    /// RFC 9438 with RFC 9406.
    #[default]
    Cubic,
    /// Version 3 (draft-ietf-ccwg-bbr).
    Bbr,
}

impl CongestionKind {
    /// Every kind.
    pub const ALL: [CongestionKind; 3] = [CongestionKind::NewReno, CongestionKind::Cubic, CongestionKind::Bbr];

    /// The name that configuration and observers use.
    pub const fn name(self) -> &'static str {
        match self {
            CongestionKind::NewReno => "newreno",
            CongestionKind::Cubic => "cubic",
            CongestionKind::Bbr => "bbr",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<CongestionKind> {
        CongestionKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The controller of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Congestion {
    /// RFC 5681 with RFC 6582.
    NewReno(NewReno),
    /// RFC 9438 with RFC 9406.
    Cubic(Cubic),
    /// Version 3 (draft-ietf-ccwg-bbr).
    Bbr(Bbr),
}

impl Congestion {
    /// A fresh controller with an initial window of `segments` segments of `mss` bytes. `seed` is all the randomness that
    /// it has.
    pub fn new(kind: CongestionKind, mss: u32, segments: u8, seed: u64, now: Instant) -> Congestion {
        match kind {
            CongestionKind::NewReno => Congestion::NewReno(NewReno::new(mss, segments)),
            CongestionKind::Cubic => Congestion::Cubic(Cubic::new(mss, segments)),
            CongestionKind::Bbr => Congestion::Bbr(Bbr::new(mss, segments, seed, now)),
        }
    }

    /// Which one it is.
    pub fn kind(&self) -> CongestionKind {
        match self {
            Congestion::NewReno(_) => CongestionKind::NewReno,
            Congestion::Cubic(_) => CongestionKind::Cubic,
            Congestion::Bbr(_) => CongestionKind::Bbr,
        }
    }

    /// Becomes one of another kind, which goes on from the window and the threshold that there are.
    pub fn switch(&mut self, kind: CongestionKind, mss: u32, segments: u8, seed: u64, now: Instant) {
        if kind == self.kind() {
            return;
        }
        let (cwnd, ssthresh) = (self.window(), self.ssthresh());
        *self = Congestion::new(kind, mss, segments, seed, now);
        match self {
            Congestion::NewReno(reno) => reno.carry(cwnd, ssthresh),
            Congestion::Cubic(cubic) => cubic.carry(cwnd, ssthresh),
            Congestion::Bbr(bbr) => bbr.carry(cwnd),
        }
    }
}

macro_rules! dispatch {
    ($self:ident, $controller:ident => $call:expr) => {
        match $self {
            Congestion::NewReno($controller) => $call,
            Congestion::Cubic($controller) => $call,
            Congestion::Bbr($controller) => $call,
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
    fn pacing_rate(&self) -> Option<u64> {
        dispatch!(self, c => c.pacing_rate())
    }
    fn uses_prr(&self) -> bool {
        dispatch!(self, c => c.uses_prr())
    }
    #[inline]
    fn on_ack(&mut self, ack: &Ack) {
        dispatch!(self, c => c.on_ack(ack))
    }
    fn on_lost(&mut self, now: Instant, segment: &LostSegment) {
        dispatch!(self, c => c.on_lost(now, segment))
    }
    fn on_loss(&mut self, now: Instant, in_flight: u32, mss: u32) {
        dispatch!(self, c => c.on_loss(now, in_flight, mss))
    }
    fn on_ecn(&mut self, now: Instant, in_flight: u32, mss: u32) {
        dispatch!(self, c => c.on_ecn(now, in_flight, mss))
    }
    fn on_recovered(&mut self, now: Instant, mss: u32) {
        dispatch!(self, c => c.on_recovered(now, mss))
    }
    fn on_undo(&mut self, now: Instant, mss: u32) {
        dispatch!(self, c => c.on_undo(now, mss))
    }
    fn on_timeout(&mut self, now: Instant, in_flight: u32, mss: u32, first: bool) {
        dispatch!(self, c => c.on_timeout(now, in_flight, mss, first))
    }
    fn on_restart(&mut self, now: Instant, mss: u32) {
        dispatch!(self, c => c.on_restart(now, mss))
    }
    fn on_mss(&mut self, old: u32, new: u32) {
        dispatch!(self, c => c.on_mss(old, new))
    }
}

/// RFC 6928 §2: ten segments, but no more than 14,600 bytes unless two segments are more.
pub(crate) fn initial_window(mss: u32, segments: u8) -> u32 {
    let segments = u32::from(segments.max(1));
    (mss * segments).min((1460 * segments).max(2 * mss))
}
