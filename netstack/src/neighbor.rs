//! The neighbour table for ARP and NDP: bounded, constant work, told to the other workers.
//!
//! What a send touches (MAC address, state, generation) lies in a dense array of 12 bytes an entry; the rest lies apart.
//! A [`PathCache`](crate::ip::PathCache) holds index and generation, so that a send in steady state hashes nothing.
//! When the table is full, the neighbour that has been stale longest makes room; neighbours being asked for have a limit
//! of their own, so that a scan of the prefix cannot push out those in use (RFC 6583).
//!
//! The table sends nothing. It says what to ask for (`NeighborTable::poll_expired`) and the egress asks.

mod state;
#[cfg(test)]
mod tests;

use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;

use hashbrown::HashTable;

pub use state::{NeighborEvent, NeighborState, NeighborTimer, Step, step};

use crate::frame::Frame;
use crate::ip::keyed_hash::KeyedHash;
use crate::rng::{Rng, Seed};
use crate::time::Instant;
use crate::wheel::TimerWheel;

/// RFC 4861 §10: RETRANS_TIMER.
pub const RETRANS_TIMER: Duration = Duration::from_secs(1);
/// RFC 4861 §10: DELAY_FIRST_PROBE_TIME.
pub const DELAY_FIRST_PROBE: Duration = Duration::from_secs(5);
/// RFC 4861 §10: REACHABLE_TIME, before randomisation.
pub const REACHABLE_TIME: Duration = Duration::from_secs(30);
/// RFC 4861 §10: MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT.
pub const MAX_SOLICIT: u8 = 3;

const NIL: u32 = u32::MAX;

/// A neighbour's link address, learned by one worker and told to the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighborUpdate {
    /// The neighbour.
    pub address: IpAddr,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// It answered a question just now (which may have been another worker's).
    pub confirmed: bool,
    /// The worker that tells it has the neighbour in its own table; a stranger's answer only concerns who asked.
    pub known: bool,
}

/// One neighbour, as shown to people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighborInfo {
    /// The neighbour.
    pub address: IpAddr,
    /// Its MAC address, once known.
    pub mac: Option<[u8; 6]>,
    /// How far it is known.
    pub state: NeighborState,
    /// Packets that wait for it.
    pub pending: usize,
}

/// What the egress must do for an expired timer.
pub(crate) enum Expired {
    /// Ask for the neighbour; at its known MAC address when there is one.
    Solicit(IpAddr, Option<[u8; 6]>),
    /// It did not answer: so many waiting packets were dropped.
    Unreachable(IpAddr, usize),
}

/// The times that routers may set (RFC 4861 §6.3.2).
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// BaseReachableTime.
    pub reachable: Duration,
    /// RetransTimer.
    pub retrans: Duration,
}

/// Why there is no new entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TableFull;

#[derive(Clone, Copy)]
struct Hot {
    generation: u32,
    mac: [u8; 6],
    state: NeighborState,
    tries: u8,
}

struct Cold {
    address: IpAddr,
    pending: VecDeque<Frame>,
    /// Links of the list of stale neighbours, oldest first.
    older: u32,
    newer: u32,
    used: bool,
}

/// The table. See the module's description.
pub(crate) struct NeighborTable {
    hot: Vec<Hot>,
    cold: Vec<Cold>,
    free: Vec<u32>,
    index: HashTable<u32>,
    hash: KeyedHash,
    wheel: TimerWheel,
    rng: Rng,
    stale_oldest: u32,
    stale_newest: u32,
    incomplete: usize,
    /// Entries in DELAY or PROBE.
    awaiting: usize,
    limits: Limits,
    pub(crate) times: Times,
}

/// The bounds of the table.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub entries: usize,
    pub incomplete: usize,
    pub pending: usize,
}

impl NeighborTable {
    pub(crate) fn new(limits: Limits, seed: &Seed, now: Instant) -> NeighborTable {
        let (a, _) = seed.keys(0x6e65_6967_6872_6e67);
        NeighborTable {
            hot: Vec::new(),
            cold: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hash: KeyedHash::new(seed, 0x6e65_6967_6862_6f72),
            wheel: TimerWheel::new(now, Duration::from_millis(10)),
            rng: Rng::new(a),
            stale_oldest: NIL,
            stale_newest: NIL,
            incomplete: 0,
            awaiting: 0,
            limits,
            times: Times { reachable: REACHABLE_TIME, retrans: RETRANS_TIMER },
        }
    }

    /// The MAC address behind a path, if the entry is still the same and usable.
    #[inline]
    pub(crate) fn mac_for_send(&mut self, now: Instant, at: u32, generation: u32) -> Option<[u8; 6]> {
        let hot = self.hot.get(at as usize)?;
        if hot.generation != generation {
            return None;
        }
        match hot.state {
            NeighborState::Reachable | NeighborState::Permanent | NeighborState::Delay | NeighborState::Probe => {
                Some(hot.mac)
            }
            NeighborState::Stale => {
                let mac = hot.mac;
                self.apply(now, at, NeighborEvent::Used, mac);
                Some(mac)
            }
            NeighborState::Incomplete => None,
        }
    }

    /// Entries in use that wait to be confirmed, or are being probed.
    #[inline]
    pub(crate) fn awaiting(&self) -> usize {
        self.awaiting
    }

    /// A connection over the entry made progress; true when the entry waited for that.
    pub(crate) fn confirm(&mut self, now: Instant, at: u32, generation: u32) -> bool {
        let Some(hot) = self.hot.get(at as usize).filter(|hot| hot.generation == generation) else { return false };
        if !is_awaiting(hot.state) {
            return false;
        }
        let mac = hot.mac;
        self.apply(now, at, NeighborEvent::Progress, mac);
        true
    }

    /// Every path finds its next hop anew: routes have changed.
    pub(crate) fn void_paths(&mut self) {
        for hot in &mut self.hot {
            hot.generation = hot.generation.wrapping_add(1);
        }
    }

    /// The entry of `address`: index, generation, state.
    pub(crate) fn find(&self, address: IpAddr) -> Option<(u32, u32, NeighborState)> {
        let hash = self.hash.address(address, 0);
        let cold = &self.cold;
        let at = *self.index.find(hash, |&at| cold.get(at as usize).is_some_and(|entry| entry.address == address))?;
        let hot = self.hot.get(at as usize)?;
        Some((at, hot.generation, hot.state))
    }

    /// Begins to resolve an unknown neighbour; the caller asks for it once, now.
    pub(crate) fn begin(&mut self, now: Instant, address: IpAddr) -> Result<u32, TableFull> {
        if self.incomplete >= self.limits.incomplete {
            return Err(TableFull);
        }
        let at = self.insert(address, [0; 6], NeighborState::Incomplete)?;
        self.incomplete += 1;
        if let Some(hot) = self.hot.get_mut(at as usize) {
            hot.tries = 1;
        }
        self.wheel.schedule(at, now + self.times.retrans);
        Ok(at)
    }

    /// Sets a neighbour that is never asked for, or changes its MAC address. True when something changed.
    pub(crate) fn set_permanent(&mut self, address: IpAddr, mac: [u8; 6]) -> Result<bool, TableFull> {
        if let Some((at, _, state)) = self.find(address) {
            let Some(hot) = self.hot.get_mut(at as usize) else { return Ok(false) };
            if state == NeighborState::Permanent {
                let changed = hot.mac != mac;
                hot.mac = mac;
                return Ok(changed);
            }
            self.remove(at);
        }
        self.insert(address, mac, NeighborState::Permanent).map(|_| true)
    }

    /// Learns a neighbour that made itself known (RFC 4861 §7.2.3: STALE), if there is room.
    pub(crate) fn insert_stale(&mut self, address: IpAddr, mac: [u8; 6]) -> Result<u32, TableFull> {
        let at = self.insert(address, mac, NeighborState::Stale)?;
        self.stale_link(at);
        Ok(at)
    }

    /// Lets `frame` wait for an entry; gives back the oldest one when too many wait.
    pub(crate) fn park(&mut self, at: u32, frame: Frame) -> Option<Frame> {
        let Some(cold) = self.cold.get_mut(at as usize) else { return Some(frame) };
        let oldest = if cold.pending.len() >= self.limits.pending { cold.pending.pop_front() } else { None };
        cold.pending.push_back(frame);
        oldest
    }

    /// One of the packets that wait for an entry whose MAC address is known now.
    pub(crate) fn unpark(&mut self, at: u32) -> Option<Frame> {
        self.cold.get_mut(at as usize)?.pending.pop_front()
    }

    /// Moves the entry `at`; `mac` is the link address that came along. True when the link address was taken over.
    pub(crate) fn apply(&mut self, now: Instant, at: u32, event: NeighborEvent, mac: [u8; 6]) -> bool {
        let Some(hot) = self.hot.get_mut(at as usize) else { return false };
        let before = hot.state;
        let outcome = step(before, event);
        let Some(next) = outcome.next else {
            self.remove(at);
            return false;
        };
        if outcome.take {
            hot.mac = mac;
        }
        if next != before {
            hot.state = next;
            hot.tries = 0;
            self.moved(at, before, next);
        }
        self.set_timer(now, at, outcome.timer);
        outcome.take
    }

    /// True when a link address other than the known one is heard.
    pub(crate) fn differs(&self, at: u32, mac: [u8; 6]) -> bool {
        self.hot.get(at as usize).is_none_or(|hot| hot.mac != mac)
    }

    /// The next timer that ran out, if any.
    pub(crate) fn poll_expired(&mut self, now: Instant) -> Option<Expired> {
        while let Some(at) = self.wheel.poll_expired(now) {
            let Some(hot) = self.hot.get_mut(at as usize) else { continue };
            let last = hot.tries >= MAX_SOLICIT;
            let event = if last { NeighborEvent::TimerLast } else { NeighborEvent::Timer };
            let outcome = step(hot.state, event);
            let Some(next) = outcome.next else {
                let address = self.cold.get(at as usize)?.address;
                return Some(Expired::Unreachable(address, self.remove(at)));
            };
            let (before, mac) = (hot.state, hot.mac);
            if next != before {
                hot.state = next;
                hot.tries = 0;
                self.moved(at, before, next);
            }
            self.set_timer(now, at, outcome.timer);
            if outcome.solicit {
                if let Some(hot) = self.hot.get_mut(at as usize) {
                    hot.tries += 1;
                }
                let known = (next != NeighborState::Incomplete).then_some(mac);
                if let Some(cold) = self.cold.get(at as usize) {
                    return Some(Expired::Solicit(cold.address, known));
                }
            }
        }
        None
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }

    /// Every neighbour, in slab order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = NeighborInfo> + '_ {
        self.hot.iter().zip(&self.cold).filter(|(_, cold)| cold.used).map(|(hot, cold)| NeighborInfo {
            address: cold.address,
            mac: (hot.state != NeighborState::Incomplete).then_some(hot.mac),
            state: hot.state,
            pending: cold.pending.len(),
        })
    }

    fn set_timer(&mut self, now: Instant, at: u32, timer: NeighborTimer) {
        let after = match timer {
            NeighborTimer::Keep => return,
            NeighborTimer::Stop => return self.wheel.cancel(at),
            NeighborTimer::Delay => DELAY_FIRST_PROBE,
            NeighborTimer::Retransmit => self.times.retrans,
            // RFC 4861 §6.3.2: uniform between 0.5 and 1.5 times the base.
            NeighborTimer::Reachable => {
                let base = u32::try_from(self.times.reachable.as_millis()).unwrap_or(u32::MAX);
                self.times.reachable / 2 + Duration::from_millis(u64::from(self.rng.below(base)))
            }
        };
        self.wheel.schedule(at, now + after);
    }

    fn moved(&mut self, at: u32, before: NeighborState, next: NeighborState) {
        if before == NeighborState::Incomplete {
            self.incomplete = self.incomplete.saturating_sub(1);
        }
        self.awaiting += usize::from(is_awaiting(next));
        self.awaiting -= usize::from(is_awaiting(before));
        if before == NeighborState::Stale {
            self.stale_unlink(at);
        }
        if next == NeighborState::Stale {
            self.stale_link(at);
        }
    }

    fn insert(&mut self, address: IpAddr, mac: [u8; 6], state: NeighborState) -> Result<u32, TableFull> {
        if self.index.len() >= self.limits.entries {
            if self.stale_oldest == NIL {
                return Err(TableFull);
            }
            self.remove(self.stale_oldest);
        }
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                let at = self.hot.len() as u32;
                self.hot.push(Hot { generation: 0, mac, state, tries: 0 });
                let pending = VecDeque::with_capacity(self.limits.pending);
                self.cold.push(Cold { address, pending, older: NIL, newer: NIL, used: false });
                at
            }
        };
        if let (Some(hot), Some(cold)) = (self.hot.get_mut(at as usize), self.cold.get_mut(at as usize)) {
            *hot = Hot { generation: hot.generation, mac, state, tries: 0 };
            cold.address = address;
            cold.used = true;
        }
        let (hash, cold) = (self.hash, &self.cold);
        self.index.insert_unique(hash.address(address, 0), at, |&at| {
            cold.get(at as usize).map_or(0, |entry| hash.address(entry.address, 0))
        });
        Ok(at)
    }

    /// Forgets an entry; returns how many packets waited for it.
    fn remove(&mut self, at: u32) -> usize {
        let Some(hot) = self.hot.get_mut(at as usize) else { return 0 };
        let state = hot.state;
        // Paths that point here are void from now on.
        hot.generation = hot.generation.wrapping_add(1);
        if state == NeighborState::Stale {
            self.stale_unlink(at);
        }
        if state == NeighborState::Incomplete {
            self.incomplete = self.incomplete.saturating_sub(1);
        }
        self.awaiting -= usize::from(is_awaiting(state));
        self.wheel.cancel(at);
        let Some(cold) = self.cold.get_mut(at as usize) else { return 0 };
        let waited = cold.pending.len();
        cold.pending.clear();
        cold.used = false;
        let hash = self.hash.address(cold.address, 0);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == at) {
            entry.remove();
        }
        self.free.push(at);
        waited
    }

    fn stale_link(&mut self, at: u32) {
        let newest = self.stale_newest;
        if let Some(cold) = self.cold.get_mut(at as usize) {
            (cold.older, cold.newer) = (newest, NIL);
        }
        match self.cold.get_mut(newest as usize) {
            Some(cold) => cold.newer = at,
            None => self.stale_oldest = at,
        }
        self.stale_newest = at;
    }

    fn stale_unlink(&mut self, at: u32) {
        let Some(cold) = self.cold.get_mut(at as usize) else { return };
        let (older, newer) = (cold.older, cold.newer);
        (cold.older, cold.newer) = (NIL, NIL);
        match self.cold.get_mut(older as usize) {
            Some(cold) => cold.newer = newer,
            None => self.stale_oldest = newer,
        }
        match self.cold.get_mut(newer as usize) {
            Some(cold) => cold.older = older,
            None => self.stale_newest = older,
        }
    }
}

/// Waits to be confirmed, by an answer or by the progress of a connection.
fn is_awaiting(state: NeighborState) -> bool {
    matches!(state, NeighborState::Delay | NeighborState::Probe)
}
