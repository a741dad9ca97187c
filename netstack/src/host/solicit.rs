//! When routers are solicited: once after a random delay, then with a growing one until a router answers (RFC 4861
//! §6.3.7, RFC 7559).

use core::time::Duration;

use crate::rng::Rng;
use crate::time::Instant;

/// RFC 4861 §10: MAX_RTR_SOLICITATION_DELAY.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// RFC 7559 §2.1: IRT, which is RTR_SOLICITATION_INTERVAL.
const FIRST_INTERVAL: Duration = Duration::from_secs(4);
/// RFC 7559 §2.1: MRT.
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// The clock of solicitations. See the module's description.
#[derive(Clone, Debug)]
pub(crate) struct Solicitation {
    interval: Duration,
    at: Instant,
}

impl Solicitation {
    /// Nothing is solicited.
    pub(crate) const fn idle() -> Solicitation {
        Solicitation { interval: Duration::ZERO, at: Instant::FAR_FUTURE }
    }

    /// Begins, unless it has.
    pub(crate) fn start(&mut self, now: Instant, rng: &mut Rng) {
        if self.at == Instant::FAR_FUTURE {
            self.interval = Duration::ZERO;
            self.at = now + jitter(rng, MAX_DELAY);
        }
    }

    /// A router answered: no more until it is lost.
    pub(crate) fn stop(&mut self) {
        self.at = Instant::FAR_FUTURE;
    }

    pub(crate) fn next_at(&self) -> Instant {
        self.at
    }

    /// True when one is due now; the next one is then set.
    pub(crate) fn poll(&mut self, now: Instant, rng: &mut Rng) -> bool {
        if now < self.at {
            return false;
        }
        // RFC 8415 §15, as RFC 7559 §2 uses it: RT = 2·RTprev + RAND·RTprev, MRT + RAND·MRT at most, RAND in ±0.1.
        let base = if self.interval.is_zero() { FIRST_INTERVAL } else { (self.interval * 2).min(LONGEST_INTERVAL) };
        let spread = base / 5;
        self.interval = base - spread / 2 + jitter(rng, spread);
        self.at = now + self.interval;
        true
    }
}

/// Uniform between nothing and `most`.
pub(crate) fn jitter(rng: &mut Rng, most: Duration) -> Duration {
    let millis = u32::try_from(most.as_millis()).unwrap_or(u32::MAX);
    Duration::from_millis(u64::from(rng.below(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_double_up_to_an_hour_and_stop() {
        let (mut solicitation, mut rng) = (Solicitation::idle(), Rng::new(1));
        assert!(!solicitation.poll(Instant::from_millis(9), &mut rng));
        let mut now = Instant::ZERO;
        solicitation.start(now, &mut rng);
        let mut intervals = Vec::new();
        for _ in 0..14 {
            let at = solicitation.next_at();
            intervals.push((at - now).as_secs_f64());
            now = at;
            assert!(solicitation.poll(now, &mut rng) && !solicitation.poll(now, &mut rng));
        }
        assert!(intervals[0] < 1.0 && (3.6..=4.4).contains(&intervals[1]), "{intervals:?}");
        for pair in intervals[1..].windows(2) {
            assert!(pair[1] <= 3960.0 && (pair[1] >= pair[0] * 1.79 || pair[1] >= 3240.0), "{intervals:?}");
        }
        solicitation.stop();
        assert_eq!(solicitation.next_at(), Instant::FAR_FUTURE);
    }
}
