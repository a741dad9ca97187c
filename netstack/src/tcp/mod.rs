//! TCP (RFC 9293): one worker's connections as a sans-IO machine.
//!
//! ```text
//!   handle_segment ─▶ table ─▶ control block ─▶ input/ ─▶ receive queue, events, transmit queue
//!                                                              │ poll_event · peek/consume · send · close
//!   poll_transmit  ◀─ output ◀─ recovery · congestion · windows ◀─ send queue
//! ```
//!
//! Order of calls in one turn of the worker's loop: [`Tcp::handle_segment`] for each segment of the burst,
//! [`Tcp::handle_timeout`], then [`Tcp::poll_event`] until it is empty (the application reads, sends and closes),
//! [`Tcp::settle`], [`Tcp::poll_transmit`]. Acknowledgments leave in the last step, on the data that the application
//! queued where there is some. Resets, SYN-ACKs and challenge ACKs leave at once.
//!
//! Work per segment is constant, and nothing is allocated for it in steady state: queues live in pooled objects that a
//! connection holds while it has data, deadlines in one entry of a timer wheel.

mod black_hole;
mod chunk;
mod close;
mod commands;
mod config;
mod congestion;
mod control_block;
mod cookie;
mod delivery;
mod depart;
mod emit;
mod event;
mod fast_open;
mod icmp;
mod info;
mod input;
mod isn;
mod listen;
mod lone;
mod memory;
mod output;
mod pacing;
mod plan;
mod pool;
mod ports;
mod pressure;
mod probe;
mod prr;
mod rack;
mod rate;
mod receive;
mod recovery;
mod recovery_timer;
mod rtt;
mod sack;
mod scoreboard;
mod segment;
mod send;
mod seq;
mod shared;
pub(crate) mod siphash;
mod state;
mod table;
mod time_wait;
mod timers;
mod tuning;
pub(crate) mod tuple;
mod undo;
mod window;

#[cfg(test)]
mod tests;

pub use chunk::RecvChunk;
pub use config::{ConnOptions, ConnectConfig, EcnMode, KeepAlive, ListenConfig, SynCookieMode, TcpConfig};
pub use congestion::{
    Ack, Bbr, Congestion, CongestionControl, CongestionKind, Cubic, LostSegment, NewReno, RateSample,
};
pub(crate) use depart::Departure;
pub use event::{ConnId, ConnectError, EndReason, ListenError, ListenerId, Ready, SendError, TcpEvent};
pub use icmp::{IcmpError, IcmpErrorKind};
pub use info::{ConnInfo, ListenerInfo};
pub use memory::{MemoryLimits, MemoryUsage, OnMemoryExhausted};
pub use state::{State, Transition};

pub use crate::counters::{TcpCounter, TcpCounters};

use crate::flows::Flows;
use crate::frame::Frame;
use crate::ip::Egress;
use crate::rng::Seed;
use crate::rss::Steering;
use crate::slab::{Key, Slab};
use crate::time::Instant;
use control_block::{Conn, flag};
use ports::Ports;
use shared::Shared;

/// Frames that one connection sends before the next has its turn.
const QUANTUM: usize = 16;

/// What every entry point needs: the time, and the way out.
pub struct Ctx<'a> {
    /// The moment of the call.
    pub now: Instant,
    /// Where segments go.
    pub egress: &'a mut Egress,
}

/// What a segment or a timer means for a connection as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Keep,
    End(EndReason),
    TimeWait,
}

/// A segment of a flow that another worker has.
#[derive(Debug)]
pub struct Misplaced {
    /// That worker.
    pub owner: u16,
    /// The segment.
    pub frame: Frame,
}

impl ConnId {
    #[inline]
    fn key(self) -> Key {
        Key { index: self.index, generation: self.generation }
    }
}

impl From<Key> for ConnId {
    fn from(key: Key) -> ConnId {
        ConnId { index: key.index, generation: key.generation }
    }
}

/// One worker's TCP.
pub struct Tcp {
    conns: Slab<Conn>,
    shared: Shared,
    steering: Option<Steering>,
    /// Where the search for a source port begins, by peer.
    ports: Ports,
    /// The segment or error that is being handled came from another worker, and goes to no third one.
    handed_over: bool,
    /// A segment that was just handled, and is another worker's.
    misplaced: Option<Misplaced>,
    /// The steering was found wrong here, and nobody was told yet.
    steering_lost: bool,
}

impl Tcp {
    /// An empty machine. `steering` says which segments come to this worker's queue, where that is known; `flows` is
    /// the directory that it shares with other workers, if any.
    pub fn new(config: TcpConfig, steering: Option<Steering>, flows: Option<Flows>, seed: &Seed, now: Instant) -> Tcp {
        Tcp {
            conns: Slab::with_capacity(config.reserve_connections.min(config.max_connections)),
            shared: Shared::new(config, flows, seed, now),
            steering,
            ports: Ports::new(seed),
            handed_over: false,
            misplaced: None,
            steering_lost: false,
        }
    }

    /// Time has passed. Cheap when nothing is due.
    pub fn handle_timeout(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(index) = self.shared.wheel.poll_expired(ctx.now) {
            let Some(conn) = self.conns.at_mut(index) else { continue };
            let outcome = timers::fire(conn, index, &mut self.shared, ctx);
            if outcome != Outcome::Keep {
                self.apply(index, outcome, ctx);
            }
        }
        while let Some(send) = self.shared.pacing.poll_expired(ctx.now) {
            let owner = self.shared.send.get(send).map(|state| state.owner);
            if let Some((index, conn)) = owner.and_then(|index| Some((index, self.conns.at_mut(index)?))) {
                self.shared.queue_transmit(conn, index);
            }
        }
        while let Some(index) = self.shared.listeners.wheel.poll_expired(ctx.now) {
            input::half_open_timeout(index, &mut self.shared, ctx);
        }
        while let Some(index) = self.shared.time_waits.wheel.poll_expired(ctx.now) {
            time_wait::remove(index, &mut self.shared);
        }
    }

    /// True when events wait to be polled.
    pub fn has_events(&self) -> bool {
        !self.shared.events.is_empty()
    }

    /// When [`Tcp::handle_timeout`] has something to do, at the earliest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let Shared { wheel, pacing, listeners, time_waits, .. } = &self.shared;
        [wheel, pacing, &listeners.wheel, &time_waits.wheel].into_iter().filter_map(|wheel| wheel.next_deadline()).min()
    }

    /// The burst is over and the application had its turn: received data that is still here and lies in mostly empty
    /// frames is copied into compact buffers, windows follow what was read, and memory is looked after.
    pub fn settle(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(index) = self.shared.touched.pop() {
            let Some(conn) = self.conns.at_mut(index) else { continue };
            conn.clear(flag::TOUCHED);
            if let Some(state) = self.shared.recv.get_mut(conn.recv) {
                state.settle(&mut self.shared.memory);
            }
            if self.shared.memory.under_pressure {
                pressure::clamp_window(conn, &mut self.shared);
            } else {
                conn.clear(flag::CLAMPED);
            }
            if conn.tuner != control_block::NONE {
                tuning::right_size(conn, &mut self.shared, ctx.now);
            }
        }
        let copied = core::mem::take(&mut self.shared.memory.compacted);
        self.shared.counters.add(TcpCounter::ReceiveCompacted, copied);
        self.relieve(ctx);
    }

    /// Sends what connections have to say, in turns, `max_frames` at most; how many frames went out.
    pub fn poll_transmit(&mut self, ctx: &mut Ctx<'_>, max_frames: usize) -> usize {
        let mut sent = 0;
        while sent < max_frames {
            let Some(index) = self.shared.ready.pop_front() else { break };
            let Some(conn) = self.conns.at_mut(index).filter(|conn| conn.has(flag::TX_QUEUED)) else { continue };
            conn.clear(flag::TX_QUEUED);
            let progress = output::transmit(conn, index, &mut self.shared, ctx, QUANTUM.min(max_frames - sent));
            sent += progress.frames;
            if progress.starved {
                conn.set(flag::TX_QUEUED);
                self.shared.ready.push_front(index);
                break;
            }
            if progress.more {
                self.shared.queue_transmit(conn, index);
            }
        }
        sent
    }

    /// The next thing that happened. One event of a connection carries everything since its last one.
    pub fn poll_event(&mut self) -> Option<TcpEvent> {
        loop {
            let id = self.shared.events.pop_front()?;
            let Some(conn) = self.conns.get_mut(id.key()) else { continue };
            conn.clear(flag::EVENT_QUEUED);
            let ready = core::mem::take(&mut conn.events);
            let unseen = conn.has(flag::ACCEPT_PENDING);
            if unseen {
                close::release_accept(conn, &mut self.shared);
            }
            let over = ready.contains(Ready::ENDED);
            let event = TcpEvent {
                conn: id,
                token: conn.token,
                ready,
                listener: conn.listener.filter(|_| ready.contains(Ready::ACCEPTED)),
                ended: conn.ended.filter(|_| over),
            };
            if over {
                self.forget(id);
                if unseen {
                    // It came and went before the application knew of it.
                    continue;
                }
            }
            return Some(event);
        }
    }

    /// While true, what arrives came from another worker's hands.
    pub(crate) fn set_handed_over(&mut self, handed_over: bool) {
        self.handed_over = handed_over;
    }

    /// True once, when so much came to other queues than the steering says that it is believed no longer.
    pub(crate) fn poll_steering_lost(&mut self) -> bool {
        core::mem::take(&mut self.steering_lost)
    }

    /// What was counted.
    pub fn counters(&self) -> &TcpCounters {
        &self.shared.counters
    }

    /// Connections, those not counted that are half open or in TIME-WAIT.
    pub fn connection_count(&self) -> usize {
        self.conns.len()
    }

    /// Half-open passive connections.
    pub fn half_open_count(&self) -> usize {
        self.shared.listeners.half_open.len()
    }

    /// Receive and send states that connections hold; both zero when every connection is idle.
    pub fn pooled_states(&self) -> (usize, usize) {
        (self.shared.recv.in_use(), self.shared.send.in_use())
    }

    /// What connections hold, in bytes.
    pub fn memory(&self) -> MemoryUsage {
        self.shared.memory.usage()
    }

    /// Connections in TIME-WAIT.
    pub fn time_wait_count(&self) -> usize {
        self.shared.time_waits.slab.len()
    }
}
