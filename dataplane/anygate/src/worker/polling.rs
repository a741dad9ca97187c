//! Adaptive polling (B6): spin while there is work, sleep when there is none.

use netstack::Instant;
use std::time::Duration;

/// How a worker waits for work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polling {
    /// Spin for `spin` after the last work, then sleep until the port, a timer or the bell wakes the worker.
    Adaptive {
        /// How long to look again before sleeping; longer spins cost power, shorter ones cost wake-ups.
        spin: Duration,
    },
    /// Never sleep: the lowest latency, one core at 100 %.
    Always,
}

/// Remembers when there was work last.
#[derive(Clone, Copy, Debug)]
pub struct Idleness {
    polling: Polling,
    last_work: Instant,
}

impl Idleness {
    /// Starts as if there had been work just now.
    pub fn new(polling: Polling, now: Instant) -> Idleness {
        Idleness { polling, last_work: now }
    }

    /// Tells of one turn of the loop; true when the worker may sleep.
    #[inline]
    pub fn after_turn(&mut self, now: Instant, worked: bool) -> bool {
        if worked {
            self.last_work = now;
            return false;
        }
        match self.polling {
            Polling::Always => false,
            Polling::Adaptive { spin } => now.saturating_since(self.last_work) >= spin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_only_after_the_spin_budget_without_work() {
        let spin = Duration::from_micros(50);
        let mut idle = Idleness::new(Polling::Adaptive { spin }, Instant::ZERO);
        assert!(!idle.after_turn(Instant::from_micros(10), false));
        assert!(!idle.after_turn(Instant::from_micros(40), true));
        assert!(!idle.after_turn(Instant::from_micros(80), false));
        assert!(idle.after_turn(Instant::from_micros(90), false));
    }

    #[test]
    fn always_never_sleeps() {
        let mut idle = Idleness::new(Polling::Always, Instant::ZERO);
        assert!(!idle.after_turn(Instant::from_millis(1000), false));
    }
}
