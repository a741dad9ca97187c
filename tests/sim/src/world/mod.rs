//! Plays a scenario: the workers of two sides on one wire, in virtual time.
//!
//! ```text
//!   ┌───────── client ─────────┐                            ┌───────── server ─────────┐
//!   │ streams ▸ stack ▸ port 0 ├──▶ Pipe ──▶ Toeplitz ──▶ ──┤ port 0 ◂ stack ◂ streams │
//!   │ streams ▸ stack ▸ port 1 ├──◀ ── Toeplitz ◀── Pipe ◀──┤ port 1 ◂ stack ◂ streams │
//!   └──────────────────────────┘                            └──────────────────────────┘
//! ```
//!
//! Time jumps from one event to the next: an arrival, a timer of a stack, an application that wakes. At each of them
//! every worker has turns until nothing moves any more.

mod stream;
mod worker;

use std::time::Duration;

use netstack::{FramePool, Instant};
use port::sim::{Side, Wire};

use crate::scenario::{NAMES, Scenario};
pub use stream::{Ended, Stream};
pub use worker::{Jobs, Worker};

/// Turns at one moment after which the sides talk in circles.
const TURN_LIMIT: usize = 20_000;
/// The least step of time. Timers may ask to be looked at early; time moves on.
const TICK_NANOS: u64 = 1_000;

/// What a thread keeps from one scenario to the next, so that it need not be laid out again: the pools of frames.
#[derive(Default)]
pub struct Bench {
    pools: Vec<FramePool>,
}

impl Bench {
    fn pool(&mut self, number: usize, frames: usize) -> FramePool {
        while self.pools.len() <= number {
            self.pools.push(FramePool::heap(frames));
        }
        let pool = &mut self.pools[number];
        if pool.capacity() != frames || pool.available() != frames {
            *pool = FramePool::heap(frames);
        }
        pool.clone()
    }
}

/// A scenario that is being played.
pub struct World<'a> {
    /// What is played.
    pub scenario: &'a Scenario,
    /// The workers of both sides.
    pub sides: [Vec<Worker>; 2],
    /// The connections.
    pub jobs: Jobs,
    /// Virtual time since the start.
    pub now: Instant,
    wire: Wire,
    /// When the cable goes out or in again, latest first.
    switches: Vec<(Instant, bool)>,
}

impl<'a> World<'a> {
    /// Everything is laid out, nothing has happened.
    pub fn new(scenario: &'a Scenario, bench: &mut Bench) -> Result<World<'a>, String> {
        let wire = Wire::new(scenario.sim_config(), scenario.seed);
        let queues = scenario.network.queues;
        let mut side = |side: usize| {
            let worker = |queue: u16| {
                let pool = bench.pool(side + 2 * usize::from(queue), scenario.network.pool_frames);
                Worker::new(scenario, side, queue, &wire, pool)
            };
            (0..queues).map(worker).collect::<Result<Vec<_>, _>>()
        };
        let sides = [side(0)?, side(1)?];
        let unplugged = scenario.unplugged.into_iter();
        let switches = unplugged.flat_map(|(out, back)| [(back, true), (out, false)]);
        let switches = switches.map(|(at, up)| (Instant::ZERO + at, up)).collect();
        Ok(World { scenario, sides, jobs: Jobs::new(scenario), now: Instant::ZERO, wire, switches })
    }

    /// The wire.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The workers of both sides.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.sides.iter().flatten()
    }

    /// Until every job has ended on both sides.
    pub fn run(&mut self) -> Result<(), String> {
        let limit = Instant::ZERO + self.scenario.limit;
        while self.jobs.left > 0 {
            let next = self.next_event().ok_or("nothing is to happen any more, and jobs are left")?;
            if next > limit {
                return Err("the limit of time is reached, and jobs are left".into());
            }
            self.advance(next)?;
        }
        Ok(())
    }

    /// Lets everything happen that is to come within `time`.
    pub fn run_for(&mut self, time: Duration) -> Result<(), String> {
        let until = self.now + time;
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.advance(next)?;
        }
        self.advance(until)
    }

    fn next_event(&self) -> Option<Instant> {
        let switch = self.switches.last().map(|(at, _)| *at);
        self.workers().filter_map(Worker::poll_timeout).chain(switch).min()
    }

    /// To `next`, and there until nobody has anything more to do.
    fn advance(&mut self, next: Instant) -> Result<(), String> {
        self.now = next.max(self.now.plus_nanos(TICK_NANOS));
        while let Some((_, up)) = self.switches.pop_if(|(at, _)| *at <= self.now) {
            self.wire.set_link(up);
        }
        for _ in 0..TURN_LIMIT {
            if !self.turn()? {
                return Ok(());
            }
        }
        Err("the sides talk in circles".into())
    }

    fn turn(&mut self) -> Result<bool, String> {
        let mut moved = false;
        for (side, workers) in self.sides.iter_mut().enumerate() {
            for worker in workers.iter_mut() {
                moved |= worker
                    .turn(self.now, self.scenario, &mut self.jobs)
                    .map_err(|fault| format!("{}: {fault}", NAMES[side]))?;
            }
            share_neighbors(workers, self.now);
        }
        Ok(moved)
    }

    /// How far everything is, for the report of a failure.
    pub fn progress(&self) -> String {
        let mut text = format!("at {:?}", self.now);
        for (number, streams) in self.jobs.streams.iter().enumerate() {
            for stream in streams.iter().filter(|stream| stream.ended.is_none()) {
                let progress = stream.progress(&self.scenario.jobs[number]);
                text += &format!("\n  job {number}, {}: {progress}", NAMES[stream.side]);
            }
        }
        for worker in self.workers() {
            for info in worker.stack.connections(0, 8) {
                text += &format!("\n  {}: {info:?}", NAMES[worker.side]);
            }
        }
        text
    }

    /// Payload bytes that a side's stacks took in order.
    pub fn received(&self, side: usize) -> u64 {
        let bytes = |worker: &Worker| worker.stack.tcp_counters().get(netstack::counters::TcpCounter::RxBytes);
        self.sides[side].iter().map(bytes).sum()
    }

    /// What the path did to what `side` sent.
    pub fn link_counters(&self, side: usize) -> port::PortCounters {
        self.wire.link_counters([Side::A, Side::B][side])
    }
}

/// Tells every worker of a side what one of them learned: ARP comes to queue 0 only.
fn share_neighbors(workers: &mut [Worker], now: Instant) {
    for learner in 0..workers.len() {
        while let Some(update) = workers[learner].stack.poll_neighbor() {
            for (number, worker) in workers.iter_mut().enumerate() {
                if number != learner {
                    worker.stack.handle_neighbor(now, update);
                }
            }
        }
    }
}
