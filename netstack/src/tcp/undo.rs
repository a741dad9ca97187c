//! Whether a recovery was needless, because what was taken for lost had only been late.
//!
//! Two signs, beside F-RTO's (recovery.rs): the peer reports every segment that was sent again as a duplicate (RFC 2883,
//! RFC 3708), or an acknowledgment echoes a timestamp from before the first retransmission (Eifel, RFC 3522).

use super::delivery::Echo;
use super::sack::Range;
use super::seq::Seq;
use crate::time::Instant;

/// The retransmissions of the recovery that is under way, or was last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Undo {
    /// SND.UNA when it began; `None` when there is nothing to be undone.
    since: Option<Seq>,
    sent: u32,
    /// Of these, reported as duplicates.
    needless: u32,
    first_sent_at: Option<Instant>,
}

impl Undo {
    /// A recovery that may be undone begins.
    pub(crate) fn begin(&mut self, una: Seq) {
        *self = Undo { since: Some(una), ..Undo::default() };
    }

    /// Nothing can be undone (any more).
    pub(crate) fn end(&mut self) {
        *self = Undo::default();
    }

    /// A segment was sent again.
    pub(crate) fn on_retransmission(&mut self, now: Instant) {
        self.sent = self.sent.saturating_add(1);
        self.first_sent_at.get_or_insert(now);
    }

    /// The peer reported a duplicate.
    pub(crate) fn on_dsack(&mut self, block: Range, mss: u32) {
        if self.since.is_some_and(|since| block.1.after(since)) {
            self.needless = self.needless.saturating_add(block.1.since(block.0).div_ceil(mss.max(1)));
        }
    }

    /// Everything that was sent again had arrived before (RFC 3708 §2).
    pub(crate) fn all_needless(&self) -> bool {
        self.since.is_some() && self.sent > 0 && self.needless >= self.sent
    }

    /// An acknowledgment of new data answers what was sent before the first retransmission (RFC 3522 §3.2, step 5).
    pub(crate) fn is_late(&self, echo: Option<Echo>) -> bool {
        self.since.is_some() && self.first_sent_at.zip(echo).is_some_and(|(first, echo)| echo.is_before(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ecr: u32) -> Option<Echo> {
        Some(Echo { ecr, ts_offset: 1000 })
    }

    #[test]
    fn every_retransmission_must_have_been_needless() {
        let mut undo = Undo::default();
        undo.begin(Seq(100));
        assert!(!undo.all_needless(), "nothing was sent again");
        (0..2).for_each(|_| undo.on_retransmission(Instant::from_millis(50)));
        undo.on_dsack((Seq(0), Seq(100)), 1000);
        assert!(!undo.all_needless(), "a duplicate from before");
        undo.on_dsack((Seq(100), Seq(1100)), 1000);
        assert!(!undo.all_needless());
        undo.on_dsack((Seq(1100), Seq(2100)), 1000);
        assert!(undo.all_needless());
        undo.end();
        assert!(!undo.all_needless());
    }

    #[test]
    fn an_older_timestamp_than_the_first_retransmission_tells() {
        let mut undo = Undo::default();
        undo.begin(Seq(100));
        assert!(!undo.is_late(at(1)));
        undo.on_retransmission(Instant::from_millis(50));
        undo.on_retransmission(Instant::from_millis(70));
        assert!(undo.is_late(at(1049)) && !undo.is_late(at(1050)) && !undo.is_late(at(1060)) && !undo.is_late(None));
    }
}
