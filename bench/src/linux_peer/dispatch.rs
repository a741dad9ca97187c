//! Many runs at the same time without disturbing each other: lanes take jobs as long as the machine has room for what
//! they cost.

use super::lane::{Lane, LaneConfig};
use crate::error::BenchError;
use anygate::clock::Clock;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Something to be done on a lane.
pub struct Job<'a, T> {
    /// What it costs the machine, in processor cores.
    pub cost: f64,
    /// How long it takes, roughly.
    pub time: Duration,
    /// For messages.
    pub name: String,
    /// Does it.
    pub work: Work<'a, T>,
}

/// What a job does.
pub type Work<'a, T> = Box<dyn Fn(&Lane) -> Result<T, BenchError> + Send + Sync + 'a>;

/// How much goes on at once.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Lanes.
    pub lanes: usize,
    /// Processor cores that jobs may use together; one that costs more runs alone.
    pub budget: f64,
}

struct State {
    /// Jobs to be done, those that cost most last.
    waiting: Vec<usize>,
    running: usize,
    load: f64,
    done: usize,
    seconds_left: f64,
}

impl State {
    /// The dearest job that fits.
    fn take(&mut self, costs: &[f64], budget: f64) -> Option<usize> {
        let fits = |&job: &usize| self.running == 0 || self.load + costs[job] <= budget;
        let place = self.waiting.iter().rposition(fits)?;
        let job = self.waiting.remove(place);
        self.running += 1;
        self.load += costs[job];
        Some(job)
    }
}

/// Does every job; results in the order of the jobs. One that fails does not keep the others from running.
pub fn run_all<T: Send>(jobs: &[Job<'_, T>], room: Room, clock: Clock) -> Vec<Result<T, BenchError>> {
    let costs: Vec<f64> = jobs.iter().map(|job| job.cost).collect();
    let mut waiting: Vec<usize> = (0..jobs.len()).collect();
    waiting.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]));
    let seconds_left = jobs.iter().map(|job| job.time.as_secs_f64()).sum();
    let state = Mutex::new(State { waiting, running: 0, load: 0.0, done: 0, seconds_left });
    let results: Mutex<Vec<Option<Result<T, BenchError>>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    let changed = Condvar::new();
    thread::scope(|scope| {
        for index in 0..room.lanes.min(jobs.len()) {
            let (state, results, changed, costs) = (&state, &results, &changed, &costs);
            scope.spawn(move || {
                let lane = Lane::up(LaneConfig::of_index(index), clock);
                loop {
                    let mut now = state.lock().unwrap_or_else(PoisonError::into_inner);
                    let job = loop {
                        if now.waiting.is_empty() {
                            return;
                        }
                        match now.take(costs, room.budget) {
                            Some(job) => break job,
                            None => now = changed.wait(now).unwrap_or_else(PoisonError::into_inner),
                        }
                    };
                    drop(now);
                    let result = match &lane {
                        Ok(lane) => (jobs[job].work)(lane),
                        Err(error) => Err(BenchError::new(format!("no lane: {error}"))),
                    };
                    if let Err(error) = &result {
                        eprintln!("{}: {error}", jobs[job].name);
                    }
                    results.lock().unwrap_or_else(PoisonError::into_inner)[job] = Some(result);
                    let mut now = state.lock().unwrap_or_else(PoisonError::into_inner);
                    now.running -= 1;
                    now.load -= costs[job];
                    now.done += 1;
                    now.seconds_left -= jobs[job].time.as_secs_f64();
                    progress(&now, jobs.len(), clock);
                    changed.notify_all();
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let missing = || Err(BenchError::new("a lane's thread panicked"));
    results.into_iter().map(|result| result.unwrap_or_else(missing)).collect()
}

fn progress(state: &State, all: usize, clock: Clock) {
    if state.done.is_multiple_of(20) || state.done == all {
        let elapsed = clock.now().as_millis() as f64 / 1000.0;
        eprintln!(
            "{elapsed:.0} s: {} of {all} runs, {} at work, {:.0} s of runs left",
            state.done, state.running, state.seconds_left
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dearest_job_that_fits_is_next_and_one_beyond_the_budget_runs_alone() {
        let costs = [1.0, 40.0, 60.0, 500.0];
        let mut state = State { waiting: vec![0, 1, 2, 3], running: 0, load: 0.0, done: 0, seconds_left: 0.0 };
        assert_eq!(state.take(&costs, 100.0), Some(3));
        assert_eq!(state.take(&costs, 100.0), None);
        (state.running, state.load) = (0, 0.0);
        let order: Vec<_> = std::iter::from_fn(|| state.take(&costs, 100.0)).collect();
        assert_eq!(order, [2, 1]);
    }
}
