//! The maximum of the last rounds.

/// A windowed maximum after Kathleen Nichols: the best sample, and the best ones of what came after it, so that when the
/// best one leaves the window its successor is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct WindowedMax {
    /// (round, value), best first, newest last.
    samples: [(u64, u32); 3],
}

impl WindowedMax {
    pub(super) fn max(&self) -> u32 {
        self.samples[0].1
    }

    /// Takes in `value` at `round`; what is older than `window` rounds is forgotten.
    pub(super) fn update(&mut self, window: u64, round: u64, value: u32) {
        let sample = (round, value);
        let [best, second, third] = &mut self.samples;
        if value >= best.1 || round.saturating_sub(third.0) > window {
            self.samples = [sample; 3];
            return;
        }
        if value >= second.1 {
            (*second, *third) = (sample, sample);
        } else if value >= third.1 {
            *third = sample;
        }
        self.age(window, sample);
    }

    fn age(&mut self, window: u64, sample: (u64, u32)) {
        let [best, second, third] = &mut self.samples;
        let age = sample.0.saturating_sub(best.0);
        if age > window {
            (*best, *second, *third) = (*second, *third, sample);
            if sample.0.saturating_sub(best.0) > window {
                (*best, *second, *third) = (*second, *third, sample);
            }
        } else if second.0 == best.0 && age > window / 4 {
            // A quarter of the window has passed without a second choice.
            (*second, *third) = (sample, sample);
        } else if third.0 == second.0 && age > window / 2 {
            *third = sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_holds_the_best_of_the_window_and_forgets_what_is_older() {
        let mut filter = WindowedMax::default();
        filter.update(10, 1, 500);
        (2..=11).for_each(|round| filter.update(10, round, 100));
        assert_eq!(filter.max(), 500);
        filter.update(10, 12, 100);
        assert_eq!(filter.max(), 100);
    }

    #[test]
    fn it_is_never_below_the_newest_nor_above_the_best_of_the_window() {
        let mut rng = Rng::new(7);
        let (mut filter, mut history) = (WindowedMax::default(), Vec::new());
        for round in 1..2000 {
            let value = rng.below(1000);
            history.push(value);
            filter.update(10, round, value);
            let best = history.iter().rev().take(11).max().copied().unwrap_or(0);
            assert!((value..=best).contains(&filter.max()), "round {round}");
        }
    }
}
