//! HyStart++ (RFC 9406): leaving slow start when queues build up, before they overflow.
//!
//! ```text
//!                 min RTT of a round rose by the threshold
//!   slow start ────────────────────────────────────────────▶ conservative slow start ── 5 rounds ──▶ avoidance
//!              ◀────────────────────────────────────────────
//!                 min RTT of a round fell below that: it was jitter
//! ```

use super::Ack;

/// RFC 9406 §4.3: bounds of the rise that counts, in microseconds, and its part of the round-trip time.
const MIN_RTT_THRESH_US: u32 = 4_000;
const MAX_RTT_THRESH_US: u32 = 16_000;
const MIN_RTT_DIVISOR: u32 = 8;
/// RFC 9406 §4.3: samples of a round before its minimum means something.
const N_RTT_SAMPLE: u8 = 8;
/// RFC 9406 §4.3: how much slower the window grows in conservative slow start, and for how many rounds.
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;
/// RFC 9406 §4.3: segments of growth at most for one acknowledgment. Unlimited growth is for senders that pace without
/// exception; here the first window after an idle time is a burst.
pub(super) const L: u32 = 8;
/// No sample yet.
const UNKNOWN: u32 = u32::MAX;

/// Round-trip times of the current round and of the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct HyStart {
    /// The round ends with the acknowledgment of a segment that left when this many bytes were delivered (the low half
    /// of the count).
    round_end: u32,
    current_min_us: u32,
    last_min_us: u32,
    /// Minimum of the round that led into conservative slow start; [`UNKNOWN`] outside of it.
    css_baseline_us: u32,
    samples: u8,
    css_rounds: u8,
}

/// What an acknowledgment means for the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SlowStart {
    /// It grows by so many bytes.
    Grow(u32),
    /// Slow start is over.
    Exit,
}

impl HyStart {
    pub(super) const fn new() -> HyStart {
        HyStart {
            round_end: 0,
            current_min_us: UNKNOWN,
            last_min_us: UNKNOWN,
            css_baseline_us: UNKNOWN,
            samples: 0,
            css_rounds: 0,
        }
    }

    /// In conservative slow start.
    fn is_conservative(&self) -> bool {
        self.css_baseline_us != UNKNOWN
    }

    /// RFC 9406 §4.2, for each acknowledgment in slow start.
    #[inline]
    pub(super) fn on_ack(&mut self, ack: &Ack) -> SlowStart {
        if let Some(rate) = ack.rate
            && (rate.prior_delivered as u32).wrapping_sub(self.round_end) < 1 << 31
        {
            self.begin_round(rate.total_delivered as u32);
        }
        if self.css_rounds >= CSS_ROUNDS {
            return SlowStart::Exit;
        }
        if let Some(rtt) = ack.rtt {
            let rtt_us = u32::try_from(rtt.as_micros()).unwrap_or(UNKNOWN - 1);
            self.current_min_us = self.current_min_us.min(rtt_us);
            self.samples = self.samples.saturating_add(1);
            if self.samples >= N_RTT_SAMPLE {
                self.judge();
            }
        }
        let growth = ack.acked.min(L.saturating_mul(ack.mss));
        SlowStart::Grow(if self.is_conservative() { growth / CSS_GROWTH_DIVISOR } else { growth })
    }

    fn begin_round(&mut self, delivered: u32) {
        self.round_end = delivered;
        self.last_min_us = self.current_min_us;
        self.current_min_us = UNKNOWN;
        self.samples = 0;
        if self.is_conservative() {
            // The round in which it began counts, although it was no whole one.
            self.css_rounds += 1;
        }
    }

    fn judge(&mut self) {
        if self.is_conservative() {
            if self.current_min_us < self.css_baseline_us {
                // The rise was spurious: slow start resumes.
                self.css_baseline_us = UNKNOWN;
                self.css_rounds = 0;
            }
        } else if self.last_min_us != UNKNOWN {
            let threshold = (self.last_min_us / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH_US, MAX_RTT_THRESH_US);
            if self.current_min_us >= self.last_min_us.saturating_add(threshold) {
                self.css_baseline_us = self.current_min_us;
                self.css_rounds = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::RateSample;
    use super::*;
    use crate::time::Instant;

    /// A round of `acks` acknowledgments of 1000 bytes each, at one round-trip time; what the last one said.
    fn round(hystart: &mut HyStart, number: u64, acks: u64, rtt_ms: u64) -> SlowStart {
        let mut last = SlowStart::Exit;
        for _ in 0..acks {
            // Every segment of a round left with the same count, and moves it on to the next round's.
            let rate = RateSample { prior_delivered: number, total_delivered: number + 1, ..RateSample::default() };
            last = hystart.on_ack(&Ack {
                acked: 1000,
                rtt: Some(Duration::from_millis(rtt_ms)),
                rate: Some(rate),
                ..Ack::new(Instant::ZERO, 1000)
            });
        }
        last
    }

    #[test]
    fn a_steady_round_trip_time_never_ends_slow_start() {
        let mut hystart = HyStart::new();
        for number in 0..50 {
            assert_eq!(round(&mut hystart, number, 10, 40), SlowStart::Grow(1000));
        }
    }

    #[test]
    fn a_rise_leads_through_five_conservative_rounds_to_the_end() {
        let mut hystart = HyStart::new();
        round(&mut hystart, 0, 10, 40);
        // 40 ms / 8 is the threshold.
        assert_eq!(round(&mut hystart, 1, 10, 44), SlowStart::Grow(1000));
        assert_eq!(round(&mut hystart, 2, 10, 50), SlowStart::Grow(250));
        for number in 3..7 {
            assert_eq!(round(&mut hystart, number, 10, 60), SlowStart::Grow(250));
        }
        assert_eq!(round(&mut hystart, 7, 1, 60), SlowStart::Exit);
    }

    #[test]
    fn a_spurious_rise_lets_slow_start_resume() {
        let mut hystart = HyStart::new();
        round(&mut hystart, 0, 10, 40);
        assert_eq!(round(&mut hystart, 1, 10, 50), SlowStart::Grow(250));
        assert_eq!(round(&mut hystart, 2, 10, 40), SlowStart::Grow(1000));
        // A later rise is looked for as before.
        assert_eq!(round(&mut hystart, 3, 10, 60), SlowStart::Grow(250));
    }

    #[test]
    fn thresholds_are_held_between_4_and_16_ms_and_seven_samples_say_nothing() {
        for (base, rise, conservative) in [(1, 3, false), (1, 4, true), (400, 15, false), (400, 16, true)] {
            let mut hystart = HyStart::new();
            round(&mut hystart, 0, 8, base);
            round(&mut hystart, 1, 8, base + rise);
            assert_eq!(hystart.is_conservative(), conservative, "{base} ms + {rise} ms");
            let mut hystart = HyStart::new();
            round(&mut hystart, 0, 8, base);
            round(&mut hystart, 1, 7, base + 100);
            assert!(!hystart.is_conservative());
        }
    }

    #[test]
    fn one_acknowledgment_lets_it_grow_by_eight_segments_at_most() {
        let ack = Ack { acked: 20_000, ..Ack::new(Instant::ZERO, 1000) };
        assert_eq!(HyStart::new().on_ack(&ack), SlowStart::Grow(8000));
    }
}
