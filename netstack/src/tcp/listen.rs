//! Listeners and half-open passive connections.
//!
//! A SYN takes a [`HalfOpen`], a fraction of a control block, from a bounded slab: the limits of the listener and of the
//! worker are checked before. The acknowledgment that completes the handshake promotes it to a connection
//! (input/half_open.rs); until then the listener's state is all that RFC 9293 calls SYN-RECEIVED after a passive open.

use core::net::IpAddr;

use super::config::{ConnOptions, ListenConfig};
use super::event::{ListenError, ListenerId};
use super::fast_open::Account;
use super::seq::Seq;
use super::tuple::{Tuple, octets};
use crate::ip::PathCache;
use crate::slab::{Key, Slab};
use crate::time::Instant;
use crate::wheel::TimerWheel;

/// A SYN was received and answered.
#[derive(Clone, Debug)]
pub(crate) struct HalfOpen {
    pub(crate) tuple: Tuple,
    pub(crate) listener: ListenerId,
    pub(crate) path: PathCache,
    pub(crate) irs: Seq,
    pub(crate) iss: Seq,
    pub(crate) ts_recent: u32,
    pub(crate) ts_offset: u32,
    pub(crate) snd_wnd: u32,
    pub(crate) rcv_wnd: u32,
    /// When the SYN-ACK was sent, if only once: a round-trip time to be measured.
    pub(crate) sent_at: Option<Instant>,
    pub(crate) peer_mss: u16,
    pub(crate) timestamps: bool,
    pub(crate) sack: bool,
    /// RFC 3168 §6.1.1: both sides want ECN.
    pub(crate) ecn: bool,
    /// The peer's and our own shift count, when scaling was agreed.
    pub(crate) scales: Option<(u8, u8)>,
    /// The SYN-ACK carries a Fast Open cookie (RFC 7413 §4.1.2).
    pub(crate) gives_cookie: bool,
    pub(crate) retries: u8,
}

/// A listener.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) port: u16,
    pub(crate) address: Option<IpAddr>,
    pub(crate) backlog: usize,
    pub(crate) options: ConnOptions,
    /// Half-open connections of it.
    pub(crate) half_open: usize,
    /// Connections whose acceptance was not polled yet.
    pub(crate) pending: usize,
    pub(crate) fast_open: Account,
    pub(crate) cookies: CookieCounts,
    /// When a SYN was last answered with a cookie: only for so long are acknowledgments looked at as such.
    pub(crate) overflowed_at: Option<Instant>,
}

/// SYN cookies of a listener.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CookieCounts {
    pub(crate) sent: u64,
    pub(crate) valid: u64,
    pub(crate) invalid: u64,
}

/// `(port, address)`; listeners on every address have the lowest address.
type Place = (u16, Option<[u8; 16]>);

/// Every listener and half-open connection of a worker.
pub(crate) struct Listeners {
    slab: Slab<Listener>,
    /// Sorted, so that a SYN finds its listener by bisection.
    places: Vec<(Place, Key)>,
    pub(crate) half_open: Slab<HalfOpen>,
    pub(crate) wheel: TimerWheel,
}

impl Listeners {
    pub(crate) fn new(wheel: TimerWheel) -> Listeners {
        Listeners { slab: Slab::default(), places: Vec::new(), half_open: Slab::default(), wheel }
    }

    /// Adds a listener; the caller has checked that the address is local.
    pub(crate) fn listen(&mut self, config: &ListenConfig) -> Result<ListenerId, ListenError> {
        if config.port == 0 {
            return Err(ListenError::InvalidPort);
        }
        let place = (config.port, config.address.map(octets));
        let at = match self.places.binary_search_by_key(&place, |entry| entry.0) {
            Ok(_) => return Err(ListenError::InUse),
            Err(at) => at,
        };
        let key = self.slab.insert(Listener {
            port: config.port,
            address: config.address,
            backlog: config.backlog,
            options: config.options,
            half_open: 0,
            pending: 0,
            fast_open: Account::new(config.fast_open),
            cookies: CookieCounts::default(),
            overflowed_at: None,
        });
        self.places.insert(at, (place, key));
        Ok(ListenerId { index: key.index, generation: key.generation })
    }

    /// Removes a listener. Its half-open connections stay with the caller.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Listener> {
        let listener = self.slab.remove(key(id))?;
        self.places.retain(|entry| entry.1 != key(id));
        Some(listener)
    }

    /// Who listens on that address and port: the listener on the very address before the one on every address.
    pub(crate) fn find(&self, address: IpAddr, port: u16) -> Option<ListenerId> {
        let exact = self.places.binary_search_by_key(&(port, Some(octets(address))), |entry| entry.0);
        let at = exact.or_else(|_| self.places.binary_search_by_key(&(port, None), |entry| entry.0)).ok()?;
        let key = self.places.get(at)?.1;
        Some(ListenerId { index: key.index, generation: key.generation })
    }

    pub(crate) fn get(&self, id: ListenerId) -> Option<&Listener> {
        self.slab.get(key(id))
    }

    pub(crate) fn get_mut(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.slab.get_mut(key(id))
    }

    /// True when something listens on `port` on any address.
    pub(crate) fn has_port(&self, port: u16) -> bool {
        let at = self.places.partition_point(|entry| entry.0.0 < port);
        self.places.get(at).is_some_and(|entry| entry.0.0 == port)
    }

    /// Keeps a half-open connection and arms its timer.
    pub(crate) fn insert_half_open(&mut self, half_open: HalfOpen, resend_at: Instant) -> Key {
        if let Some(listener) = self.slab.get_mut(key(half_open.listener)) {
            listener.half_open += 1;
        }
        let key = self.half_open.insert(half_open);
        self.wheel.schedule(key.index, resend_at);
        key
    }

    /// Forgets a half-open connection.
    pub(crate) fn remove_half_open(&mut self, index: u32) -> Option<HalfOpen> {
        let at = self.half_open.key_at(index)?;
        let half_open = self.half_open.remove(at)?;
        self.wheel.cancel(index);
        if let Some(listener) = self.slab.get_mut(key(half_open.listener)) {
            listener.half_open -= 1;
        }
        Some(half_open)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        self.slab
            .iter_from(0)
            .map(|(key, listener)| (ListenerId { index: key.index, generation: key.generation }, listener))
    }
}

fn key(id: ListenerId) -> Key {
    Key { index: id.index, generation: id.generation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn the_exact_address_goes_before_the_wildcard() {
        let mut listeners = Listeners::new(TimerWheel::new(Instant::ZERO, Duration::from_millis(1)));
        let here: IpAddr = [10, 0, 0, 1].into();
        let any = listeners.listen(&ListenConfig::port(80)).unwrap();
        let exact = listeners.listen(&ListenConfig { address: Some(here), ..ListenConfig::port(80) }).unwrap();
        assert_eq!(listeners.listen(&ListenConfig::port(80)), Err(ListenError::InUse));
        assert_eq!(listeners.listen(&ListenConfig::port(0)), Err(ListenError::InvalidPort));
        assert_eq!(listeners.find(here, 80), Some(exact));
        assert_eq!(listeners.find([10, 0, 0, 2].into(), 80), Some(any));
        assert_eq!(listeners.find(here, 81), None);
        assert!(listeners.has_port(80) && !listeners.has_port(79));
        listeners.remove(exact).unwrap();
        assert_eq!(listeners.find(here, 80), Some(any));
        assert!(listeners.remove(exact).is_none());
    }
}
