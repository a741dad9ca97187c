//! Proportional rate reduction (RFC 6937, and its revision draft-ietf-tcpm-prr-rfc6937bis): in recovery the window falls
//! to the slow-start threshold in proportion to what arrives, and not at once.
//!
//! ```text
//!   more in flight than ssthresh:   ssthresh / RecoverFS bytes leave for each byte delivered
//!   less (many losses):             as many leave as are delivered; a segment more when SND.UNA moves without a new loss
//! ```

/// The state of a reduction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Prr {
    /// Bytes in flight when it began, at least one.
    recover_fs: u32,
    delivered: u32,
    out: u32,
    window: u32,
}

/// An acknowledgment in recovery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Bytes delivered by it.
    pub(crate) delivered: u32,
    /// Bytes in flight now.
    pub(crate) in_flight: u32,
    pub(crate) ssthresh: u32,
    pub(crate) mss: u32,
    /// SND.UNA moved on, and no loss became known.
    pub(crate) safe: bool,
}

impl Prr {
    /// A reduction begins with `recover_fs` bytes that are still to be delivered.
    pub(crate) fn new(recover_fs: u32) -> Prr {
        Prr { recover_fs: recover_fs.max(1), ..Prr::default() }
    }

    /// Bytes that may be in flight until the next acknowledgment.
    #[inline]
    pub(crate) fn window(&self) -> u32 {
        self.window
    }

    /// Bytes left.
    #[inline]
    pub(crate) fn sent(&mut self, bytes: u32) {
        self.out = self.out.saturating_add(bytes);
    }

    /// An acknowledgment arrived.
    pub(crate) fn on_ack(&mut self, step: &Step) {
        if step.delivered == 0 && self.window != 0 {
            return;
        }
        self.delivered = self.delivered.saturating_add(step.delivered);
        let mut quota = if step.in_flight > step.ssthresh {
            let due = (u64::from(self.delivered) * u64::from(step.ssthresh)).div_ceil(u64::from(self.recover_fs));
            due.saturating_sub(u64::from(self.out)).min(u64::from(u32::MAX)) as u32
        } else {
            let conservative = self.delivered.saturating_sub(self.out).max(step.delivered);
            // The slow-start reduction bound while recovery goes well, the conservative one when it loses again.
            let bound = if step.safe { conservative.saturating_add(step.mss) } else { conservative };
            bound.min(step.ssthresh - step.in_flight)
        };
        if self.out == 0 {
            // The retransmission that recovery begins with.
            quota = quota.max(step.mss);
        }
        self.window = step.in_flight.saturating_add(quota);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u32 = 1000;

    fn step(in_flight: u32, safe: bool) -> Step {
        Step { delivered: MSS, in_flight, ssthresh: 10 * MSS, mss: MSS, safe }
    }

    #[test]
    fn half_of_what_arrives_is_sent_while_too_much_is_in_flight() {
        // One of twenty segments is lost; nineteen acknowledgments arrive.
        let (mut prr, mut in_flight, mut sent) = (Prr::new(20 * MSS), 19 * MSS, 0);
        for _ in 0..19 {
            in_flight -= MSS;
            prr.on_ack(&step(in_flight, false));
            while in_flight + MSS <= prr.window() {
                (in_flight, sent) = (in_flight + MSS, sent + 1);
                prr.sent(MSS);
            }
        }
        assert_eq!((sent, in_flight), (10, 10 * MSS), "every second one, and the window ends at the threshold");
    }

    #[test]
    fn after_heavy_losses_it_grows_back_no_faster_than_slow_start() {
        let mut prr = Prr::new(20 * MSS);
        prr.on_ack(&step(4 * MSS, false));
        assert_eq!(prr.window(), 5 * MSS, "conservative: as much as arrived");
        prr.sent(MSS);
        prr.on_ack(&step(4 * MSS, true));
        assert_eq!(prr.window(), 6 * MSS, "slow start: a segment more");
        prr.sent(2 * MSS);
        prr.on_ack(&step(10 * MSS, true));
        assert_eq!(prr.window(), 10 * MSS, "never beyond the threshold");
    }

    #[test]
    fn the_first_retransmission_always_leaves() {
        let mut prr = Prr::new(2 * MSS);
        prr.on_ack(&Step { delivered: 0, in_flight: 12 * MSS, ssthresh: 10 * MSS, mss: MSS, safe: false });
        assert_eq!(prr.window(), 13 * MSS);
    }
}
