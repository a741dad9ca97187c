//! What the connections of a worker share: tables, pools, queues and counters.

use std::collections::VecDeque;

use super::config::TcpConfig;
use super::control_block::{Conn, flag};
use super::cookie::SynCookieKeys;
use super::event::{ConnId, Ready};
use super::fast_open::{FastOpenCache, FastOpenKeys};
use super::isn::IsnGenerator;
use super::listen::{HalfOpen, Listeners};
use super::memory::Memory;
use super::pacing;
use super::pool::Pool;
use super::pressure::OUT_OF_ORDER_SHARE;
use super::receive::{OutOfOrderLimits, RecvState};
use super::rtt::RtoBounds;
use super::send::SendState;
use super::table::{Entry, Table};
use super::time_wait::{TimeWait, TimeWaits};
use super::tuning::Tuner;
use super::tuple::Tuple;
use crate::counters::{TcpCounter, TcpCounters};
use crate::flows::{Claim, Flows};
use crate::rng::{Rng, Seed};
use crate::time::Instant;
use crate::wheel::TimerWheel;

/// What an object costs in the timer wheel and in the table of 4-tuples, in bytes.
const INDEX: usize = 48;
/// What a connection costs that holds nothing, in bytes.
pub(crate) const CONNECTION: usize = size_of::<Conn>() + INDEX;

/// Everything but the connections themselves, so that one of them and this can be borrowed side by side.
pub(crate) struct Shared {
    pub(crate) config: TcpConfig,
    pub(crate) counters: TcpCounters,
    pub(crate) table: Table,
    pub(crate) listeners: Listeners,
    pub(crate) time_waits: TimeWaits,
    pub(crate) wheel: TimerWheel,
    /// Connections that wait to send, by the key of their send state.
    pub(crate) pacing: TimerWheel,
    pub(crate) rto: RtoBounds,
    pub(crate) recv: Pool<RecvState>,
    pub(crate) send: Pool<SendState>,
    /// Of connections that receive much.
    pub(crate) tuners: Pool<Tuner>,
    pub(crate) memory: Memory,
    /// Connections with events; those that died meanwhile are skipped by generation.
    pub(crate) events: VecDeque<ConnId>,
    /// Connections with something to send; entries without the flag are stale and skipped.
    pub(crate) ready: VecDeque<u32>,
    /// Connections that received data in this burst.
    pub(crate) touched: Vec<u32>,
    /// The directory of flows, where several workers share an interface.
    pub(crate) flows: Option<Flows>,
    pub(crate) isn: IsnGenerator,
    pub(crate) cookies: SynCookieKeys,
    pub(crate) fast_open: FastOpenKeys,
    pub(crate) fast_open_cache: FastOpenCache,
    pub(crate) rng: Rng,
}

impl Shared {
    pub(crate) fn new(config: TcpConfig, flows: Option<Flows>, seed: &Seed, now: Instant) -> Shared {
        let wheel = || TimerWheel::new(now, config.timer_tick);
        Shared {
            counters: TcpCounters::default(),
            table: Table::new(seed, config.reserve_connections),
            listeners: Listeners::new(wheel()),
            time_waits: TimeWaits::new(wheel()),
            wheel: wheel(),
            pacing: TimerWheel::new(now, pacing::TICK),
            rto: RtoBounds::new(config.rto_min, config.rto_max),
            recv: Pool::default(),
            send: Pool::default(),
            tuners: Pool::default(),
            memory: Memory::new(config.memory, config.max_held_frames),
            events: VecDeque::with_capacity(1024),
            ready: VecDeque::with_capacity(1024),
            touched: Vec::with_capacity(1024),
            // One secret for all workers where there is one: a tuple that moves to another worker keeps to RFC 6528 §3, by
            // which its numbers go on from where the last connection's were, and so do the clocks of cookies.
            isn: IsnGenerator::new(config.shared_secret.as_ref().unwrap_or(seed)),
            fast_open: FastOpenKeys::new(config.shared_secret.as_ref().unwrap_or(seed), now),
            fast_open_cache: FastOpenCache::new(config.fast_open_cache, seed),
            cookies: SynCookieKeys::new(config.shared_secret.as_ref().unwrap_or(seed), now),
            flows,
            rng: Rng::new(seed.keys(u64::from_le_bytes(*b"tcp-port")).0),
            config,
        }
    }

    /// Makes a flow this worker's; to be called before anything of it is put in the table. `Err`: it is that worker's.
    #[inline]
    pub(crate) fn claim(&mut self, tuple: &Tuple) -> Result<(), u16> {
        match self.flows.as_ref().map(|flows| flows.claim_tuple(tuple)) {
            None | Some(Claim::Made) => Ok(()),
            Some(Claim::Foreign(owner)) => Err(owner),
            Some(Claim::Full) => {
                self.counters.bump(TcpCounter::FlowsUnlisted);
                Ok(())
            }
        }
    }

    /// The other worker that has a flow which this worker's table does not know.
    #[inline]
    pub(crate) fn foreign_owner(&self, tuple: &Tuple) -> Option<u16> {
        self.flows.as_ref()?.foreign_owner(tuple)
    }

    /// Takes what was under a tuple out of the table, and gives the flow up.
    #[inline]
    pub(crate) fn remove_flow(&mut self, tuple: &Tuple, entry: Entry) {
        let hash = self.table.hash(tuple);
        self.table.remove(hash, entry);
        if let Some(flows) = &self.flows {
            flows.release_tuple(tuple);
        }
    }

    /// Tells the application about `ready`, once for everything until it polls.
    #[inline]
    pub(crate) fn notify(&mut self, conn: &mut Conn, index: u32, ready: Ready) {
        conn.events |= ready;
        if !conn.has(flag::EVENT_QUEUED) {
            conn.set(flag::EVENT_QUEUED);
            self.events.push_back(ConnId { index, generation: conn.generation });
        }
    }

    /// Puts the connection in line for transmission.
    #[inline]
    pub(crate) fn queue_transmit(&mut self, conn: &mut Conn, index: u32) {
        if !conn.has(flag::TX_QUEUED) {
            conn.set(flag::TX_QUEUED);
            self.ready.push_back(index);
        }
    }

    /// Arms the wheel for the connection's earliest deadline, unless it is armed for that or earlier. A deadline that
    /// moves later costs nothing: the wheel fires early once and is armed again.
    #[inline]
    pub(crate) fn arm(&mut self, conn: &mut Conn, index: u32) {
        let earliest = conn.retransmit_at.min(conn.delayed_ack_at).min(conn.idle_at);
        if earliest < conn.armed_at {
            conn.armed_at = earliest;
            self.wheel.schedule(index, earliest);
        }
    }

    /// Gives the send state back: nothing is queued or in flight.
    #[inline]
    pub(crate) fn release_send(&mut self, conn: &mut Conn) {
        if !self.pacing.is_empty() {
            self.pacing.cancel(conn.send);
        }
        self.memory.queued -= self.send.get(conn.send).map_or(0, SendState::held);
        self.send.give_back(&mut conn.send);
    }

    /// Gives the receive state back when it holds nothing.
    #[inline]
    pub(crate) fn release_recv(&mut self, conn: &mut Conn) {
        if self.recv.get(conn.recv).is_some_and(RecvState::is_idle) {
            self.recv.give_back(&mut conn.recv);
        }
    }

    /// Drops all received data of a connection.
    pub(crate) fn discard_recv(&mut self, conn: &mut Conn) {
        if let Some(state) = self.recv.get_mut(conn.recv) {
            state.discard(&mut self.memory);
        }
        self.recv.give_back(&mut conn.recv);
        conn.recv_queued = 0;
    }

    /// What out-of-order data of the connection may take: twice its window, as a frame of which half is used is the worst
    /// that is kept, and something for small windows; under pressure a share.
    pub(crate) fn out_of_order_limits(&self, conn: &Conn) -> OutOfOrderLimits {
        let most = (2 * conn.recv_limit as usize + OUT_OF_ORDER_SHARE).min(self.config.max_out_of_order_bytes as usize);
        OutOfOrderLimits {
            segments: self.config.max_out_of_order_segments,
            bytes: if self.memory.under_pressure { most.min(OUT_OF_ORDER_SHARE) } else { most },
        }
    }

    /// What control blocks, half-open connections, TIME-WAIT and pooled objects take, with `connections` of the first.
    pub(crate) fn note_control(&mut self, connections: usize) {
        self.memory.control = connections * CONNECTION
            + self.listeners.half_open.len() * (size_of::<HalfOpen>() + INDEX)
            + self.time_waits.slab.len() * (size_of::<TimeWait>() + INDEX)
            + self.recv.memory()
            + self.send.memory()
            + self.tuners.memory();
    }

    /// True while connections may be opened, by either side, as far as memory goes.
    pub(crate) fn may_open(&mut self, connections: usize) -> bool {
        self.note_control(connections);
        !self.memory.is_full()
    }
}
