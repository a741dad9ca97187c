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

mod mutant;
mod stream;
mod worker;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use netstack::{FramePool, Instant};
use port::sim::{Side, Wire, WireEvent};

use crate::check::wire::WireCheck;
use crate::check::{ledger, stacks};
use crate::fault::{Fault, Invariant};
use crate::scenario::{CLIENT, NAMES, SERVER, Scenario};
pub use mutant::{Mutant, Mutation};
pub use stream::{Ended, Stream};
pub use worker::{Jobs, Worker};

/// Turns at one moment after which the sides talk in circles.
const TURN_LIMIT: usize = 20_000;
/// The least step of time. Timers may ask to be looked at early; time moves on.
const TICK_NANOS: u64 = 1_000;

/// Times at which nothing moved, within one second of virtual time, from which on a stack is busy for nothing: its timers
/// tick a thousand times a second.
const IDLE_LIMIT: u32 = 10_000;
/// Longer than TIME-WAIT, FIN-WAIT-2, SYN-ACK retransmissions and reassembly.
const AFTERWARDS: Duration = Duration::from_secs(4_000);

/// How closely a run is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watch {
    /// What is sent is judged.
    pub wire: bool,
    /// Stacks are audited at every so many steps; 0 for never.
    pub audit_every: u32,
}

impl Watch {
    /// At every step.
    pub const CLOSELY: Watch = Watch { wire: true, audit_every: 1 };
    /// The wire always, the stacks' insides now and then: for many seeds.
    pub const WELL: Watch = Watch { wire: true, audit_every: 16 };
    /// Not at all: for measurements.
    pub const NOT: Watch = Watch { wire: false, audit_every: 0 };
}

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
    watch: Watch,
    judge: Rc<RefCell<WireCheck>>,
    steps: u32,
    /// Steps at which nothing moved, since `idle_since`.
    idle: u32,
    idle_since: Instant,
}

impl<'a> World<'a> {
    /// Everything is laid out, nothing has happened.
    pub fn new(scenario: &'a Scenario, watch: Watch, bench: &mut Bench) -> Result<World<'a>, Fault> {
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
        let judge = Rc::new(RefCell::new(WireCheck::new([CLIENT, SERVER].map(|side| scenario.address(side)))));
        let world = World {
            scenario,
            sides,
            jobs: Jobs::new(scenario),
            now: Instant::ZERO,
            wire,
            switches,
            watch,
            judge,
            steps: 0,
            idle: 0,
            idle_since: Instant::ZERO,
        };
        world.observe(|_| {});
        Ok(world)
    }

    /// The wire.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The workers of both sides.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.sides.iter().flatten()
    }

    /// Shows every frame that is sent to `see`, and to the judge, when the wire is watched.
    pub fn observe(&self, mut see: impl FnMut(&WireEvent<'_>) + 'static) {
        let judge = self.watch.wire.then(|| self.judge.clone());
        self.wire.observe(move |event| {
            if let Some(judge) = &judge {
                judge.borrow_mut().see(event.from as usize, event.bytes);
            }
            see(event);
        });
    }

    /// Plays the whole scenario: until every job has ended on both sides, and then until nothing is left.
    pub fn play(&mut self) -> Result<(), Fault> {
        self.run()?;
        self.run_for(AFTERWARDS)?;
        self.audit()?;
        ledger::check(self)
    }

    /// Until every job has ended on both sides.
    pub fn run(&mut self) -> Result<(), Fault> {
        let limit = Instant::ZERO + self.scenario.limit;
        while self.jobs.left > 0 {
            let next = self.next_event().filter(|next| *next <= limit);
            let next = next.ok_or_else(|| Invariant::Time.fault(format!("{} ends are left", self.jobs.left)))?;
            self.advance(next)?;
        }
        Ok(())
    }

    /// Looks into the stacks.
    fn audit(&self) -> Result<(), Fault> {
        for worker in self.workers() {
            stacks::check(self.now, &worker.stack, self.scenario, worker.side)
                .map_err(|fault| fault.at(NAMES[worker.side]))?;
        }
        Ok(())
    }

    /// Lets everything happen that is to come within `time`.
    pub fn run_for(&mut self, time: Duration) -> Result<(), Fault> {
        let until = self.now + time;
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.advance(next)?;
        }
        self.advance(until)
    }

    fn next_event(&self) -> Option<Instant> {
        let switch = self.switches.last().map(|(at, _)| *at);
        self.workers().filter_map(|worker| worker.poll_timeout(self.now)).chain(switch).min()
    }

    /// To `next`, and there until nobody has anything more to do.
    fn advance(&mut self, next: Instant) -> Result<(), Fault> {
        self.now = next.max(self.now.plus_nanos(TICK_NANOS));
        while let Some((_, up)) = self.switches.pop_if(|(at, _)| *at <= self.now) {
            self.wire.set_link(up);
        }
        let mut turns = 0;
        while self.turn()? {
            turns += 1;
            Invariant::Progress.check(turns < TURN_LIMIT, || "the sides talk in circles".into())?;
        }
        if turns == 0 {
            self.idled()?
        } else {
            self.idle = 0
        }
        self.steps += 1;
        if self.watch.audit_every > 0 && self.steps.is_multiple_of(self.watch.audit_every) {
            self.audit()?;
        }
        self.judgment()
    }

    /// What the judge of the wire says. What the IP layer drops or holds after TCP has sent it is none of TCP's.
    fn judgment(&self) -> Result<(), Fault> {
        let mut judge = self.judge.borrow_mut();
        for side in [CLIENT, SERVER] {
            let Some(disorder) = judge.disorder[side].take() else { continue };
            if !self.sides[side].iter().any(Worker::lost_its_neighbor) {
                return Err(disorder);
            }
        }
        judge.fault.take().map_or(Ok(()), Err)
    }

    /// Time passed, and nothing was received or sent.
    fn idled(&mut self) -> Result<(), Fault> {
        if self.now.saturating_since(self.idle_since) > Duration::from_secs(1) {
            self.idle_since = self.now;
            self.idle = 0;
        }
        self.idle += 1;
        Invariant::Progress.check(self.idle < IDLE_LIMIT, || format!("busy for nothing at {:?}", self.now))
    }

    fn turn(&mut self) -> Result<bool, Fault> {
        let mut moved = false;
        for (side, workers) in self.sides.iter_mut().enumerate() {
            for worker in workers.iter_mut() {
                moved |= worker.turn(self.now, self.scenario, &mut self.jobs).map_err(|fault| fault.at(NAMES[side]))?;
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
