//! What one acknowledgment, with its SACK blocks, shows to have arrived: gathered record by record, then read by all that
//! learn from it (round-trip time, RACK, delivery rate, F-RTO).

use super::rate::Snapshot;
use super::scoreboard::{Record, mark};
use super::seq::{Seq, clock_before};
use crate::time::Instant;

/// The timestamp that an acknowledgment echoes (RFC 7323 §3), and our clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    /// The echoed value.
    pub(crate) ecr: u32,
    /// What our clock's milliseconds are offset by.
    pub(crate) ts_offset: u32,
}

impl Echo {
    /// True when the echoed timestamp is older than `sent_at`: something sent before was answered.
    pub(crate) fn is_before(self, sent_at: Instant) -> bool {
        clock_before(self.ecr, (sent_at.as_millis() as u32).wrapping_add(self.ts_offset))
    }
}

/// The segment sent last among those that were delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    pub(crate) sent_at: Instant,
    pub(crate) snapshot: Snapshot,
    pub(crate) app_limited: bool,
}

/// What was delivered for the first time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    now: Instant,
    echo: Option<Echo>,
    min_rtt_us: u32,
    prior_fack: Seq,
    recover: Seq,
    /// Bytes acknowledged or SACKed.
    pub(crate) bytes: u32,
    /// Of these, SACKed.
    pub(crate) sacked: u32,
    /// For the delivery rate.
    pub(crate) newest: Option<Newest>,
    /// When the first and the last segment left of those sent once only: these measure the round-trip time (RFC 6298 §3,
    /// Karn).
    pub(crate) sent_once: Option<(Instant, Instant)>,
    /// When the last segment left of which it is certain which transmission arrived (RFC 8985 §6.2, step 2).
    pub(crate) rack: Option<Instant>,
    /// A segment sent once arrived after a later one: the network reorders (RFC 8985 §6.2, step 3).
    pub(crate) reordered: bool,
    /// A segment sent once from before recovery began arrived (RFC 5682 §3.1, step 3b).
    pub(crate) original: bool,
    /// A segment sent more than once arrived.
    pub(crate) repeated: bool,
    /// A probe of the path's segment size arrived.
    pub(crate) size_probe: bool,
}

impl Delivery {
    /// Nothing yet. `prior_fack` is the highest number known to have arrived before, `recover` where recovery ends.
    #[inline]
    pub(crate) fn new(now: Instant, echo: Option<Echo>, min_rtt_us: u32, prior_fack: Seq, recover: Seq) -> Delivery {
        Delivery {
            now,
            echo,
            min_rtt_us,
            prior_fack,
            recover,
            bytes: 0,
            sacked: 0,
            newest: None,
            sent_once: None,
            rack: None,
            reordered: false,
            original: false,
            repeated: false,
            size_probe: false,
        }
    }

    /// A segment arrived.
    #[inline]
    pub(crate) fn note(&mut self, record: &Record) {
        self.bytes += record.len;
        self.size_probe |= record.has(mark::SIZE_PROBE);
        let sent_at = record.sent_at;
        if self.newest.is_none_or(|newest| newest.sent_at < sent_at) {
            let app_limited = record.has(mark::APP_LIMITED);
            self.newest = Some(Newest { sent_at, snapshot: record.snapshot, app_limited });
        }
        if record.transmissions == 1 {
            self.sent_once = Some(match self.sent_once {
                Some((first, last)) => (first.min(sent_at), last.max(sent_at)),
                None => (sent_at, sent_at),
            });
            self.reordered |= record.end().before(self.prior_fack);
            self.original |= record.end().at_or_before(self.recover);
        } else {
            self.repeated = true;
            if self.is_ambiguous(sent_at) {
                return;
            }
        }
        self.rack = self.rack.max(Some(sent_at));
    }

    /// RFC 8985 §6.2, step 2: the acknowledgment may be that of an earlier transmission.
    fn is_ambiguous(&self, sent_at: Instant) -> bool {
        self.echo.is_some_and(|echo| echo.is_before(sent_at))
            || self.now.micros_since(sent_at) < u64::from(self.min_rtt_us)
    }
}
