//! The source port of an active open: RFC 6056's double-hash algorithm (§3.3.4), with bounded work.
//!
//! ```text
//!   local, remote ─▶ keyed hash ─┬─▶ offset                     start = offset + next[G]
//!                                └─▶ G, one of 1,024 counters   tried: start, start + 1, ... until one fits
//! ```
//!
//! The counter goes on behind the port that was taken, a few at random left out (§3.3.5). A peer therefore sees ports in
//! turn, each as late again as can be, and strangers learn nothing from them of the ports towards others. And where most ports are taken, as by 28,000
//! connections to one server, no open looks at all of them: it gives up after so many, and the next one goes on from
//! there, so that every port has its turn.

use core::net::{IpAddr, SocketAddr};

use super::siphash::SipKey;
use super::tuple::Tuple;
use crate::rng::Seed;
use crate::rss::PortSearch;

/// Counters; RFC 6056 §3.3.4 suggests 10 or more.
const COUNTERS: usize = 1024;
/// Ports that one open looks at; for most of them it is only asked whose queue they belong to.
const MAX_STEPS: u32 = 4096;
/// Ports left out behind one that was taken, at most.
pub(crate) const MAX_SKIP: u32 = 8;
/// Ports of the own queue among them that are looked up.
const MAX_LOOKUPS: u32 = 512;

/// Where the next search begins, by peer.
pub(crate) struct Ports {
    key: SipKey,
    next: Box<[u32]>,
}

impl Ports {
    pub(crate) fn new(seed: &Seed) -> Ports {
        let (k0, k1) = seed.keys(u64::from_le_bytes(*b"tcp-port"));
        Ports { key: SipKey::new(k0, k1), next: vec![0; COUNTERS].into() }
    }

    /// The first port in `first..=last`, from where this peer's last search ended, whose replies come to the own queue
    /// (`search`) and that `take` takes. `skip` ports are left out behind it, a random number below [`MAX_SKIP`].
    pub(crate) fn choose(
        &mut self,
        (first, last): (u16, u16),
        local: IpAddr,
        remote: SocketAddr,
        search: Option<&PortSearch<'_>>,
        skip: u32,
        mut take: impl FnMut(&Tuple) -> bool,
    ) -> Option<Tuple> {
        let count = u32::from(last.checked_sub(first)?) + 1;
        let hash = Tuple::new(local, 0, remote.ip(), remote.port()).hash(&self.key);
        let next = self.next.get_mut((hash >> 32) as usize % COUNTERS)?;
        let start = (hash as u32).wrapping_add(*next) % count;
        let (mut steps, mut lookups) = (0, 0);
        let mut found = None;
        while found.is_none() && steps < count.min(MAX_STEPS) && lookups < MAX_LOOKUPS {
            let port = first + ((start + steps) % count) as u16;
            steps += 1;
            if search.is_none_or(|search| search.is_ours(port)) {
                lookups += 1;
                let tuple = Tuple::new(local, port, remote.ip(), remote.port());
                found = Some(tuple).filter(&mut take);
            }
        }
        // Nothing is left out behind a search in vain: it is the taken ones that have had their turn.
        *next = next.wrapping_add(steps + if found.is_some() { skip } else { 0 });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const RANGE: (u16, u16) = (32_768, 60_999);
    const COUNT: usize = 28_232;

    fn peer() -> (IpAddr, SocketAddr) {
        ([10, 0, 0, 1].into(), ([10, 0, 0, 2], 80).into())
    }

    #[test]
    fn every_port_has_its_turn_and_none_comes_twice() {
        let mut ports = Ports::new(&Seed::from_number(1));
        let (local, remote) = peer();
        let mut used = HashSet::new();
        for _ in 0..COUNT {
            let tuple = ports.choose(RANGE, local, remote, None, 0, |_| true).unwrap();
            assert!(used.insert(tuple.local_port));
        }
    }

    #[test]
    fn work_is_bounded_and_the_next_search_goes_on() {
        let mut ports = Ports::new(&Seed::from_number(1));
        let (local, remote) = peer();
        // One port of all is free.
        let mut tried = 0;
        let mut calls = 0;
        let found = loop {
            calls += 1;
            let before = tried;
            let found = ports.choose(RANGE, local, remote, None, 3, |tuple| {
                tried += 1;
                tuple.local_port == 50_000
            });
            assert!(tried - before <= MAX_LOOKUPS as usize);
            if let Some(tuple) = found {
                break tuple.local_port;
            }
        };
        assert_eq!(found, 50_000);
        assert!(tried <= COUNT, "{tried} in {calls} calls");
    }

    #[test]
    fn a_range_that_is_none_has_no_ports() {
        let (local, remote) = peer();
        let mut ports = Ports::new(&Seed::from_number(1));
        assert_eq!(ports.choose((2, 1), local, remote, None, 0, |_| true), None);
        let only = ports.choose((7, 7), local, remote, None, 5, |_| true);
        assert_eq!(only.map(|tuple| tuple.local_port), Some(7));
    }
}
