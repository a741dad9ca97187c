//! Round-trip time and retransmission timeout (RFC 6298), in whole microseconds: every segment sent computes one.

use core::time::Duration;

use crate::time::Instant;

/// RFC 6298 §2.1: before a measurement.
const INITIAL_US: u32 = 1_000_000;
/// RFC 6298 §5.7: after a SYN was sent again without a measurement.
const CONSERVATIVE_US: u32 = 3_000_000;

/// How long a least round-trip time is remembered at least, in milliseconds; twice as long at most. Routes change.
const MIN_RTT_MS: u32 = 150_000;

/// Smoothed round-trip time and its variation, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rtt {
    /// Zero until the first sample.
    srtt_us: u32,
    /// Before the first sample: the timeout to start with, or zero for the usual one.
    rttvar_us: u32,
    /// The variation sample by sample, and its maximum in this round.
    deviation_us: u32,
    round_us: u32,
    /// The least sample of this window of time and of the one before; zero without.
    min_us: u32,
    min_before_us: u32,
    /// When this window began.
    min_since_ms: u32,
}

impl Rtt {
    /// A sample. Karn's rule (RFC 6298 §3) is the caller's: none of segments sent twice, but by timestamp. `round` when
    /// everything is acknowledged that was out at the last sample for which it was true: every acknowledgment measures, and
    /// the variation is the largest of a round, so that many samples of one do not hide it (as in Linux; RFC 7323
    /// appendix G has another remedy).
    #[inline]
    pub(crate) fn sample(&mut self, rtt_us: u64, round: bool) {
        let rtt_us = rtt_us.clamp(1, 600_000_000) as u32;
        if self.srtt_us == 0 {
            // RFC 6298 §2.2
            self.srtt_us = rtt_us;
            self.rttvar_us = rtt_us / 2;
            self.deviation_us = self.rttvar_us;
            self.round_us = 0;
            return;
        }
        // RFC 6298 §2.3, alpha = 1/8, beta = 1/4
        let error = self.srtt_us.abs_diff(rtt_us);
        self.deviation_us = self.deviation_us - self.deviation_us / 4 + error / 4;
        self.srtt_us = (self.srtt_us - self.srtt_us / 8 + rtt_us / 8).max(1);
        self.round_us = self.round_us.max(self.deviation_us);
        self.rttvar_us = self.rttvar_us.max(self.round_us);
        if round {
            self.rttvar_us -= (self.rttvar_us - self.round_us) / 4;
            self.round_us = 0;
        }
    }

    /// The round-trip time of a handshake.
    pub(crate) fn measured(&mut self, rtt_us: u64, now: Instant) {
        self.sample(rtt_us, true);
        self.note_min(rtt_us, now.as_millis() as u32);
    }

    /// A round-trip time, which is the path's if it is the least.
    #[inline]
    pub(crate) fn note_min(&mut self, rtt_us: u64, now_ms: u32) {
        let rtt_us = rtt_us.clamp(1, 600_000_000) as u32;
        if self.min_us == 0 || rtt_us <= self.min_us {
            self.min_since_ms = if self.min_us == 0 { now_ms } else { self.min_since_ms };
            self.min_us = rtt_us;
        }
        if now_ms.wrapping_sub(self.min_since_ms) >= MIN_RTT_MS {
            (self.min_before_us, self.min_us, self.min_since_ms) = (self.min_us, rtt_us, now_ms);
        }
    }

    /// The least round-trip time of the last minutes in microseconds; zero until one is known.
    #[inline]
    pub(crate) fn min_us(&self) -> u32 {
        if self.min_before_us == 0 { self.min_us } else { self.min_us.min(self.min_before_us) }
    }

    /// The smoothed round-trip time in microseconds; zero until measured.
    #[inline]
    pub(crate) fn srtt_us(&self) -> u32 {
        self.srtt_us
    }

    /// The SYN had to be sent again: without a sample the timeout starts at three seconds.
    pub(crate) fn start_conservative_after_syn(&mut self) {
        if self.srtt_us == 0 {
            self.rttvar_us = CONSERVATIVE_US;
        }
    }

    /// The smoothed round-trip time, once measured.
    pub(crate) fn srtt(&self) -> Option<Duration> {
        (self.srtt_us != 0).then(|| Duration::from_micros(u64::from(self.srtt_us)))
    }

    /// The timeout after `backoff` doublings (RFC 6298 §2.3, §5.5), within the bounds, in microseconds.
    #[inline]
    pub(crate) fn rto_us(&self, backoff: u8, bounds: RtoBounds) -> u64 {
        let base = match (self.srtt_us, self.rttvar_us) {
            (0, 0) => u64::from(INITIAL_US),
            (0, start) => u64::from(start),
            (srtt, rttvar) => (u64::from(srtt) + 4 * u64::from(rttvar)).max(bounds.min_us),
        };
        (base << backoff.min(16)).min(bounds.max_us)
    }
}

/// What a timeout is held within.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RtoBounds {
    min_us: u64,
    max_us: u64,
}

impl RtoBounds {
    pub(crate) fn new(min: Duration, max: Duration) -> RtoBounds {
        // A limit of twelve days leaves room for every doubling.
        let micros = |bound: Duration| bound.as_micros().min(1 << 40) as u64;
        RtoBounds { min_us: micros(min), max_us: micros(max) }
    }

    /// No timeout that follows from a measurement is shorter, in microseconds.
    #[inline]
    pub(crate) fn least_us(&self) -> u64 {
        self.min_us.min(self.max_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(200);
    const MAX: Duration = Duration::from_secs(60);

    fn rto(rtt: &Rtt, backoff: u8) -> Duration {
        Duration::from_micros(rtt.rto_us(backoff, RtoBounds::new(MIN, MAX)))
    }

    #[test]
    fn it_starts_at_a_second_and_backs_off_to_the_limit() {
        let mut rtt = Rtt::default();
        assert_eq!(rto(&rtt, 0), Duration::from_secs(1));
        assert_eq!(rto(&rtt, 3), Duration::from_secs(8));
        assert_eq!(rto(&rtt, 255), MAX);
        rtt.start_conservative_after_syn();
        assert_eq!((rto(&rtt, 0), rtt.srtt()), (Duration::from_secs(3), None));
    }

    #[test]
    fn it_smooths_as_the_rfc_says() {
        let mut rtt = Rtt::default();
        rtt.start_conservative_after_syn();
        rtt.sample(100_000, true);
        assert_eq!(rtt.srtt(), Some(Duration::from_millis(100)));
        assert_eq!(rto(&rtt, 0), Duration::from_millis(300));
        rtt.sample(180_000, true);
        assert_eq!(rtt.srtt(), Some(Duration::from_millis(110)));
        assert_eq!(rto(&rtt, 0), Duration::from_micros(110_000 + 4 * 57_500));
        for _ in 0..100 {
            rtt.sample(0, true);
        }
        assert_eq!(rto(&rtt, 0), MIN);
    }

    #[test]
    fn many_samples_of_a_round_do_not_hide_its_variation() {
        let mut rtt = Rtt::default();
        rtt.sample(400_000, true);
        rtt.sample(800_000, false);
        let timeout = rto(&rtt, 0);
        for _ in 0..50 {
            rtt.sample(450_000, false);
        }
        assert!(rto(&rtt, 0) + Duration::from_millis(50) > timeout, "{:?} {timeout:?}", rto(&rtt, 0));
        for _ in 0..50 {
            rtt.sample(450_000, true);
        }
        assert!(rto(&rtt, 0) < Duration::from_millis(500));
    }

    #[test]
    fn the_least_is_forgotten_after_minutes() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.min_us(), 0);
        rtt.note_min(50_000, 1_000);
        rtt.note_min(80_000, 2_000);
        assert_eq!(rtt.min_us(), 50_000);
        rtt.note_min(90_000, 160_000);
        assert_eq!(rtt.min_us(), 50_000, "that of the window before still counts");
        rtt.note_min(95_000, 320_000);
        assert_eq!(rtt.min_us(), 90_000);
    }
}
