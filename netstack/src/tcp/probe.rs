//! The tail loss probe (RFC 8985 §7): when acknowledgments stop coming, the last segment goes again (or a new one, where
//! there is one), so that a lost tail is repaired by RACK and not by a timeout.

use super::seq::Seq;

/// The round-trip times after which a probe is due (RFC 8985 §7.2).
const ROUND_TRIPS: u64 = 2;
/// How long a peer may hold back the acknowledgment of a lone segment, in microseconds (RFC 8985 §7.2, WCDelAckT).
const WORST_DELAYED_ACK_US: u64 = 200_000;
/// Timers tick in milliseconds: a probe comes no earlier than after two ticks.
const LEAST_US: u64 = 2_000;

/// The probe that is out, if one is. Kept while nothing is in flight: it may be the next acknowledgment that judges it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Probe {
    /// SND.NXT when it was sent (TLP.end_seq).
    end: Seq,
    out: bool,
    /// It was a retransmission (TLP.is_retrans).
    repeated: bool,
}

/// What an acknowledgment says about a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Nothing (yet).
    Open,
    /// Nothing was lost.
    Needless,
    /// It repaired a loss that nothing else would have shown: the window must be reduced.
    Repaired,
}

impl Probe {
    /// True while one is out: then no other is sent.
    #[inline]
    pub(crate) fn is_out(&self) -> bool {
        self.out
    }

    /// A probe was sent.
    pub(crate) fn sent(&mut self, nxt: Seq, repeated: bool) {
        *self = Probe { end: nxt, out: true, repeated };
    }

    /// Recovery or a timeout began: they see to everything.
    pub(crate) fn end(&mut self) {
        self.out = false;
    }

    /// An acknowledgment of `una` (RFC 8985 §7.4.2). `duplicate_end` is where the duplicate ends that it reports, if it
    /// does; `bare` when it acknowledges and SACKs nothing new.
    pub(crate) fn judge(&mut self, una: Seq, duplicate_end: Option<Seq>, bare: bool) -> Verdict {
        if !self.out || una.before(self.end) {
            return Verdict::Open;
        }
        let needless = !self.repeated || duplicate_end == Some(self.end) || (bare && una == self.end);
        if needless || una.after(self.end) {
            self.out = false;
            return if needless { Verdict::Needless } else { Verdict::Repaired };
        }
        Verdict::Open
    }
}

/// How long after the last transmission or acknowledgment a probe is due (RFC 8985 §7.2), in microseconds. `alone` when
/// one segment is in flight, whose acknowledgment may be delayed.
#[inline]
pub(crate) fn timeout_us(srtt_us: u32, alone: bool) -> u64 {
    let delay = if alone { WORST_DELAYED_ACK_US } else { 0 };
    (ROUND_TRIPS * u64::from(srtt_us) + delay).max(LEAST_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_probe_tells_whether_it_repaired_a_loss() {
        let sent = |repeated| {
            let mut probe = Probe::default();
            probe.sent(Seq(100), repeated);
            probe
        };
        assert_eq!(sent(true).judge(Seq(90), None, false), Verdict::Open);
        assert_eq!(sent(false).judge(Seq(100), None, false), Verdict::Needless, "new data, delivered");
        assert_eq!(sent(true).judge(Seq(100), Some(Seq(100)), false), Verdict::Needless, "reported as a duplicate");
        assert_eq!(sent(true).judge(Seq(100), None, true), Verdict::Needless, "both transmissions were answered");
        assert_eq!(sent(true).judge(Seq(100), None, false), Verdict::Open);
        assert_eq!(sent(true).judge(Seq(101), None, false), Verdict::Repaired);
        let mut probe = sent(true);
        probe.judge(Seq(101), None, false);
        assert!(!probe.is_out());
    }

    #[test]
    fn a_lone_segment_waits_for_the_delayed_acknowledgment() {
        assert_eq!((timeout_us(30_000, false), timeout_us(30_000, true)), (60_000, 260_000));
        assert_eq!(timeout_us(100, false), 2_000);
    }
}
