//! Reassembly of IPv4 (RFC 791 §3.2, RFC 815) and IPv6 (RFC 8200 §4.5) fragments, within limits.
//!
//! Fragments are held as the frames they came in, sorted by offset, at most a few dozen a datagram. When the last hole is
//! filled they are copied, once, into a 64 KiB buffer of a small pool of our own, and the whole goes on as one frame.
//! Overlaps refuse the datagram, for both versions (RFC 5722 §3): what is held of it is freed, and what comes later is
//! dropped until its time is over. All bounds are checked before a frame is kept.

mod datagram;
#[cfg(test)]
mod tests;

use core::net::IpAddr;
use core::time::Duration;

use hashbrown::HashTable;

use crate::config::IpLimits;
use crate::counters::IpCounter;
use crate::frame::{Frame, FramePool, HeapRegion};
use crate::ip::IpMeta;
use crate::ip::keyed_hash::KeyedHash;
use crate::rng::Seed;
use crate::time::Instant;
use crate::wheel::TimerWheel;
use datagram::{Datagram, Key, check_shape};

/// How long an IPv4 datagram may take (RFC 1122 §3.3.2 recommends 60 to 120 s; Linux and we give 30).
pub const TIMEOUT_V4: Duration = Duration::from_secs(30);
/// How long an IPv6 packet may take (RFC 8200 §4.5).
pub const TIMEOUT_V6: Duration = Duration::from_secs(60);
/// Bytes of a reassembly buffer.
const BUFFER: usize = 65_536;

/// One fragment, as its header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fragment {
    /// Protocol (IPv4) or next header (IPv6).
    pub protocol: u8,
    pub identification: u32,
    /// Bytes from the start of the fragmentable part.
    pub offset: usize,
    pub more: bool,
    /// Where its bytes begin in the frame, which ends with them.
    pub payload: usize,
}

/// A packet put together: an IP header without extensions, then the payload.
pub(crate) struct Reassembled {
    pub meta: IpMeta,
    /// Protocol (IPv4) or next header (IPv6) of the payload.
    pub protocol: u8,
    pub frame: Frame,
}

/// The first fragment of a datagram that was not complete in time, to be quoted.
pub(crate) struct TimedOut {
    pub meta: IpMeta,
    pub first: Option<Frame>,
    pub dropped: u64,
}

struct Source {
    address: IpAddr,
    datagrams: usize,
}

/// All unfinished datagrams of one stack.
pub(crate) struct Reassembler {
    slots: Vec<Datagram>,
    free: Vec<u32>,
    index: HashTable<u32>,
    sources: HashTable<Source>,
    hash: KeyedHash,
    wheel: TimerWheel,
    held_bytes: usize,
    buffers: Option<FramePool>,
    limits: IpLimits,
}

impl Reassembler {
    pub(crate) fn new(limits: &IpLimits, seed: &Seed, now: Instant) -> Reassembler {
        Reassembler {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            sources: HashTable::new(),
            hash: KeyedHash::new(seed, 0x6672_6167),
            wheel: TimerWheel::new(now, Duration::from_millis(100)),
            held_bytes: 0,
            buffers: None,
            limits: limits.clone(),
        }
    }

    /// Takes one fragment. `Ok(None)` when it is held; an error is the reason why it was dropped.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        meta: &IpMeta,
        fragment: Fragment,
        frame: Frame,
    ) -> Result<Option<Reassembled>, IpCounter> {
        let len = frame.len().saturating_sub(fragment.payload);
        check_shape(meta, &fragment, &frame, len)?;
        let key = Key {
            src: meta.src,
            dst: meta.dst,
            identification: fragment.identification,
            protocol: if meta.src.is_ipv4() { fragment.protocol } else { 0 },
        };
        let at = match self.find(&key) {
            Some(at) => at,
            None => self.begin(now, key, meta, fragment.protocol)?,
        };
        if self.held_bytes + frame.buffer_size() > self.limits.fragment_bytes {
            self.drop_if_empty(at);
            return Err(IpCounter::DropFragmentMemory);
        }
        let max_parts = self.limits.fragment_parts;
        let Some(datagram) = self.slots.get_mut(at as usize) else { return Err(IpCounter::DropFragmentMemory) };
        let buffer_size = frame.buffer_size();
        match datagram.insert(meta, &fragment, len, frame, max_parts) {
            Ok(()) => self.held_bytes += buffer_size,
            Err(counter) => {
                if matches!(counter, IpCounter::DropFragmentOverlap | IpCounter::DropFragmentTooLong) {
                    self.refuse(at);
                }
                self.drop_if_empty(at);
                return Err(counter);
            }
        }
        match self.slots.get(at as usize) {
            Some(datagram) if datagram.total == Some(datagram.received) => self.complete(at).map(Some),
            _ => Ok(None),
        }
    }

    /// The next datagram whose time is over.
    pub(crate) fn poll_expired(&mut self, now: Instant) -> Option<TimedOut> {
        let at = self.wheel.poll_expired(now)?;
        let datagram = self.slots.get_mut(at as usize)?;
        let meta = datagram.meta;
        let dropped = datagram.parts.len() as u64;
        let first_is_there = datagram.parts.first().is_some_and(|part| part.offset == 0);
        let mut first = None;
        if first_is_there {
            let part = datagram.parts.swap_remove(0);
            self.held_bytes -= part.frame.buffer_size();
            first = Some(part.frame);
        }
        self.remove(at);
        Some(TimedOut { meta, first, dropped })
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }

    fn find(&self, key: &Key) -> Option<u32> {
        let slots = &self.slots;
        let hash = hash_key(&self.hash, key);
        self.index.find(hash, |&at| slots.get(at as usize).is_some_and(|datagram| datagram.key == *key)).copied()
    }

    fn begin(&mut self, now: Instant, key: Key, meta: &IpMeta, protocol: u8) -> Result<u32, IpCounter> {
        if self.index.len() >= self.limits.fragment_datagrams {
            return Err(IpCounter::DropFragmentDatagrams);
        }
        self.count_source(key.src)?;
        let fresh = |parts| Datagram {
            key,
            meta: *meta,
            protocol,
            parts,
            received: 0,
            total: None,
            refused: false,
            dropped: 0,
        };
        let at = match self.free.pop().filter(|at| (*at as usize) < self.slots.len()) {
            Some(at) => {
                // The list of parts keeps the memory it once took.
                if let Some(slot) = self.slots.get_mut(at as usize) {
                    let parts = core::mem::take(&mut slot.parts);
                    *slot = fresh(parts);
                }
                at
            }
            None => {
                self.slots.push(fresh(Vec::new()));
                (self.slots.len() - 1) as u32
            }
        };
        let (hash, slots) = (self.hash, &self.slots);
        self.index.insert_unique(hash_key(&hash, &key), at, |&at| {
            slots.get(at as usize).map_or(0, |datagram| hash_key(&hash, &datagram.key))
        });
        let timeout = if key.src.is_ipv4() { TIMEOUT_V4 } else { TIMEOUT_V6 };
        self.wheel.schedule(at, now + timeout);
        Ok(at)
    }

    fn count_source(&mut self, address: IpAddr) -> Result<(), IpCounter> {
        let hash = self.hash.address(address, 1);
        if let Some(source) = self.sources.find_mut(hash, |source| source.address == address) {
            if source.datagrams >= self.limits.fragment_datagrams_per_source {
                return Err(IpCounter::DropFragmentSource);
            }
            source.datagrams += 1;
            return Ok(());
        }
        let hasher = self.hash;
        self.sources.insert_unique(hash, Source { address, datagrams: 1 }, |source| hasher.address(source.address, 1));
        Ok(())
    }

    /// Frees what is held of a datagram; its entry stays, so that later fragments meet it.
    fn refuse(&mut self, at: u32) {
        let Some(datagram) = self.slots.get_mut(at as usize) else { return };
        datagram.refused = true;
        datagram.dropped += datagram.parts.len() as u64;
        for part in datagram.parts.drain(..) {
            self.held_bytes -= part.frame.buffer_size();
        }
    }

    /// An entry whose first fragment was not kept is not worth a place.
    fn drop_if_empty(&mut self, at: u32) {
        if self.slots.get(at as usize).is_some_and(|datagram| datagram.parts.is_empty() && !datagram.refused) {
            self.remove(at);
        }
    }

    fn complete(&mut self, at: u32) -> Result<Reassembled, IpCounter> {
        let buffers = match &self.buffers {
            Some(buffers) => buffers.clone(),
            None => {
                let region = HeapRegion::new(self.limits.reassembled_datagrams * BUFFER);
                self.buffers.insert(FramePool::new(Box::new(region), BUFFER, 0)).clone()
            }
        };
        let outcome = buffers.alloc().and_then(|mut frame| {
            let datagram = self.slots.get(at as usize)?;
            let Datagram { meta, protocol, .. } = *datagram;
            datagram.assemble(&mut frame).then_some(Reassembled { meta, protocol, frame })
        });
        self.remove(at);
        outcome.ok_or(IpCounter::DropFragmentMemory)
    }

    fn remove(&mut self, at: u32) {
        self.wheel.cancel(at);
        let Some(datagram) = self.slots.get_mut(at as usize) else { return };
        for part in datagram.parts.drain(..) {
            self.held_bytes -= part.frame.buffer_size();
        }
        let key = datagram.key;
        if let Ok(entry) = self.index.find_entry(hash_key(&self.hash, &key), |&other| other == at) {
            entry.remove();
        }
        let hash = self.hash.address(key.src, 1);
        if let Ok(mut entry) = self.sources.find_entry(hash, |source| source.address == key.src) {
            entry.get_mut().datagrams -= 1;
            if entry.get().datagrams == 0 {
                entry.remove();
            }
        }
        self.free.push(at);
    }
}

fn hash_key(hash: &KeyedHash, key: &Key) -> u64 {
    let first = hash.address(key.src, u64::from(key.identification) << 8 | u64::from(key.protocol));
    hash.address(key.dst, first)
}
