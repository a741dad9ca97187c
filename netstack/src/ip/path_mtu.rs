//! Path MTUs learned from packet-too-big messages (RFC 1191, RFC 8201): bounded, and forgotten after ten minutes so
//! that a larger path is found again (RFC 8201 §4).

use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;

use hashbrown::HashTable;

use super::keyed_hash::KeyedHash;
use crate::rng::Seed;
use crate::time::Instant;

/// How long a lowered MTU is believed.
const LIFETIME: Duration = Duration::from_secs(600);

struct Entry {
    remote: IpAddr,
    mtu: u16,
    expires: Instant,
}

/// The cache. Entries expire in order of their insertion, because all live equally long.
pub(crate) struct PathMtus {
    table: HashTable<Entry>,
    order: VecDeque<(Instant, IpAddr)>,
    hash: KeyedHash,
    limit: usize,
}

impl PathMtus {
    pub(crate) fn new(limit: usize, seed: &Seed) -> PathMtus {
        let hash = KeyedHash::new(seed, 0x706d_7475);
        PathMtus { table: HashTable::new(), order: VecDeque::new(), hash, limit }
    }

    /// The MTU towards `remote`, if a router told one.
    #[inline]
    pub(crate) fn find(&self, now: Instant, remote: IpAddr) -> Option<u16> {
        if self.table.is_empty() {
            return None;
        }
        let hash = self.hash.address(remote, 0);
        self.table.find(hash, |entry| entry.remote == remote).filter(|entry| entry.expires > now).map(|entry| entry.mtu)
    }

    /// Lowers the MTU towards `remote`; true when it was higher before. It never rises here.
    pub(crate) fn lower(&mut self, now: Instant, remote: IpAddr, mtu: u16) -> bool {
        self.expire(now);
        let hash = self.hash.address(remote, 0);
        if let Some(entry) = self.table.find_mut(hash, |entry| entry.remote == remote) {
            let lower = mtu < entry.mtu;
            entry.mtu = entry.mtu.min(mtu);
            return lower;
        }
        if self.limit == 0 {
            return false;
        }
        if self.table.len() >= self.limit {
            self.forget_oldest();
        }
        let expires = now + LIFETIME;
        let hasher = self.hash;
        self.table.insert_unique(hash, Entry { remote, mtu, expires }, |entry| hasher.address(entry.remote, 0));
        self.order.push_back((expires, remote));
        true
    }

    /// Forgets what is due; at most a few entries, each paid for by its insertion.
    pub(crate) fn expire(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(expires, _)| *expires <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, remote)) = self.order.pop_front() {
            let hash = self.hash.address(remote, 0);
            if let Ok(entry) = self.table.find_entry(hash, |entry| entry.remote == remote) {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowered_bounded_and_forgotten() {
        let mut cache = PathMtus::new(2, &Seed::from_number(1));
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let at = |secs: u64| Instant::from_millis(secs * 1000);
        assert!(cache.lower(at(0), ip("10.0.0.1"), 1400));
        assert!(!cache.lower(at(1), ip("10.0.0.1"), 1450));
        assert!(cache.lower(at(1), ip("10.0.0.1"), 1300));
        assert_eq!(cache.find(at(2), ip("10.0.0.1")), Some(1300));
        assert!(cache.lower(at(3), ip("10.0.0.2"), 1280));
        assert!(cache.lower(at(4), ip("2001:db8::1"), 1280));
        assert_eq!(cache.find(at(5), ip("10.0.0.1")), None, "the oldest made room");
        assert_eq!(cache.find(at(603), ip("10.0.0.2")), None, "too old");
        cache.expire(at(605));
        assert!(cache.table.is_empty() && cache.order.is_empty());
    }
}
