//! TCP Fast Open (RFC 7413), both sides, by choice.
//!
//! ```text
//!   client                                               server
//!     SYN, asks for a cookie     ─────────────────────▶    MAC of both addresses under a key of this period
//!                                ◀─────────────────────    SYN,ACK with the cookie
//!   later:
//!     SYN, the cookie, a request ─────────────────────▶    valid: the connection exists in SYN-RECEIVED, the request is
//!                                ◀── SYN,ACK · answer ─    delivered, and answered before the handshake is complete
//! ```
//!
//! The server keeps no cookie: it computes it anew. Keys change every hour, derived from the secret that all workers of
//! a process share; a cookie of the hour before is valid, too, and is replaced by the SYN-ACK. A listener has a limit of
//! such connections whose handshake is not complete; beyond it, and with a wrong cookie, the handshake takes its usual
//! way and the data is ignored, as if there were no option.
//!
//! A SYN with data may be delivered twice when it is duplicated in the network (RFC 7413 §2.1): a listener asks for this
//! only when its requests may be repeated.
//!
//! The client keeps one entry a server address and port, in a table of fixed size. A server that does not answer the
//! first SYN, or ignores its data without saying why, is not tried again for an hour (§4.1.3.1).

use core::net::SocketAddr;
use core::time::Duration;

use super::control_block::{Conn, flag};
use super::segment::Segment;
use super::shared::Shared;
use super::siphash::SipKey;
use super::state::{State, Transition};
use super::tuple::{Tuple, octets};
use super::{Ctx, timers};
use crate::counters::TcpCounter;
use crate::rng::Seed;
use crate::time::Instant;

/// The life of a key of the server's.
const PERIOD: Duration = Duration::from_secs(3600);
/// How long a server that failed is not tried again.
const DISABLED: Duration = Duration::from_secs(3600);
/// How long a reset connection still counts against the limit (RFC 7413 §5.1).
pub(crate) const RESET_DEBT: Duration = Duration::from_secs(60);
/// Entries that one hash leads to.
const WAYS: usize = 4;
/// The longest cookie that fits beside the other options of a SYN (12 of 40 bytes are left, two of them the header).
const LONGEST: usize = 10;

/// The option's body (RFC 7413 §4.1.1): empty, it asks for a cookie.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Cookie {
    len: u8,
    bytes: [u8; 16],
}

impl Cookie {
    /// Four to sixteen bytes, an even number, or none; anything else is no cookie.
    pub(crate) fn from_body(body: &[u8]) -> Option<Cookie> {
        if !matches!(body.len(), 0 | 4 | 6 | 8 | 10 | 12 | 14 | 16) {
            return None;
        }
        let mut cookie = Cookie { len: body.len() as u8, ..Cookie::default() };
        cookie.bytes.get_mut(..body.len())?.copy_from_slice(body);
        Some(cookie)
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// True when it asks for a cookie.
    pub(crate) fn is_request(&self) -> bool {
        self.len == 0
    }
}

// ---- the server's side ----

/// The secrets of the cookies that we give out.
pub(crate) struct FastOpenKeys {
    master: SipKey,
    period: u64,
    now: SipKey,
    before: SipKey,
}

/// What a cookie is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Worth {
    Valid,
    /// Valid, and to be replaced.
    Aging,
    Invalid,
}

impl FastOpenKeys {
    pub(crate) fn new(secret: &Seed, now: Instant) -> FastOpenKeys {
        let (k0, k1) = secret.keys(u64::from_le_bytes(*b"fastopen"));
        let master = SipKey::new(k0, k1);
        let period = period_of(now);
        let (present, before) = (master.derive(period), master.derive(period.wrapping_sub(1)));
        FastOpenKeys { master, period, now: present, before }
    }

    fn rotate(&mut self, now: Instant) {
        let period = period_of(now);
        if period != self.period {
            self.period = period;
            self.now = self.master.derive(period);
            self.before = self.master.derive(period.wrapping_sub(1));
        }
    }

    /// The cookie of the peer of `tuple` (RFC 7413 §4.1.2): its address, under this period's key.
    pub(crate) fn cookie(&mut self, tuple: &Tuple, now: Instant) -> Cookie {
        self.rotate(now);
        made(&self.now, tuple)
    }

    pub(crate) fn check(&mut self, tuple: &Tuple, cookie: &Cookie, now: Instant) -> Worth {
        self.rotate(now);
        if made(&self.now, tuple) == *cookie {
            Worth::Valid
        } else if made(&self.before, tuple) == *cookie {
            Worth::Aging
        } else {
            Worth::Invalid
        }
    }
}

fn period_of(now: Instant) -> u64 {
    now.as_nanos() / PERIOD.as_nanos() as u64
}

fn made(key: &SipKey, tuple: &Tuple) -> Cookie {
    // Addresses alone: a client has one cookie for all ports.
    let peer = Tuple::new(tuple.local_ip(), 0, tuple.remote_ip(), 0);
    let mut cookie = Cookie { len: 8, ..Cookie::default() };
    for (byte, code) in cookie.bytes.iter_mut().zip(peer.mac(key, 0, 0).to_be_bytes()) {
        *byte = code;
    }
    cookie
}

/// A listener's account of connections that began with data and whose handshake is not complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    /// Such connections at most; 0 turns Fast Open off.
    pub(crate) limit: usize,
    pending: usize,
    /// Those that were reset meanwhile.
    reset: usize,
    reset_until: Instant,
}

impl Account {
    pub(crate) fn new(limit: usize) -> Account {
        Account { limit, pending: 0, reset: 0, reset_until: Instant::ZERO }
    }

    /// True when one more may begin.
    pub(crate) fn has_room(&mut self, now: Instant) -> bool {
        if self.reset > 0 && now >= self.reset_until {
            self.reset = 0;
        }
        self.pending + self.reset < self.limit
    }

    pub(crate) fn begin(&mut self) {
        self.pending += 1;
    }

    fn end(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }

    /// RFC 7413 §5.1: who owns a cookie and resets what it opens would else open without limit.
    fn note_reset(&mut self, now: Instant) {
        self.reset += 1;
        self.reset_until = now + RESET_DEBT;
    }
}

/// The connection does no longer count as pending.
pub(crate) fn release(conn: &mut Conn, shared: &mut Shared) {
    conn.clear(flag::FAST_OPEN);
    if let Some(listener) = conn.listener.and_then(|id| shared.listeners.get_mut(id)) {
        listener.fast_open.end();
    }
}

/// The peer reset a connection whose handshake was not complete.
pub(crate) fn note_reset(conn: &Conn, shared: &mut Shared, now: Instant) {
    if let Some(listener) = conn.listener.and_then(|id| shared.listeners.get_mut(id)) {
        listener.fast_open.note_reset(now);
    }
}

/// Our SYN-ACK is acknowledged, perhaps with data behind it: ESTABLISHED.
pub(crate) fn confirm(conn: &mut Conn, index: u32, segment: &Segment, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    if !conn.move_by(Transition::HandshakeDone) {
        return;
    }
    release(conn, shared);
    conn.clear(flag::SYN_DUE);
    conn.backoff = 0;
    if conn.has(flag::RTT_TIMED) {
        conn.rtt.measured(ctx.now.micros_since(conn.timed_at), ctx.now);
        conn.clear(flag::RTT_TIMED);
    } else if let Some(ts) = segment.timestamps.filter(|_| conn.has(flag::TIMESTAMPS)) {
        let elapsed = conn.ts_now(ctx.now).wrapping_sub(ts.ecr);
        conn.rtt.sample(u64::from(elapsed) * 1_000, true);
    } else {
        conn.rtt.start_conservative_after_syn();
    }
    timers::stop_retransmit(conn);
    if conn.outstanding() > 0
        && let Some(state) = shared.send.get_mut(conn.send)
    {
        timers::restart_timeout(conn, state, shared.rto, ctx.now);
        timers::choose(conn, state, ctx.now);
    }
    timers::start_idle(conn, shared, ctx.now);
    shared.counters.bump(TcpCounter::Established);
    shared.counters.add(TcpCounter::EcnNegotiated, u64::from(conn.has(flag::ECN)));
    if conn.has(flag::FIN_QUEUED) {
        // The application closed before: its FIN waited for this.
        conn.move_by(Transition::Close);
    }
    shared.queue_transmit(conn, index);
    shared.arm(conn, index);
}

// ---- the client's side ----

#[derive(Clone, Copy, Debug)]
struct Entry {
    server: SocketAddr,
    cookie: Cookie,
    mss: u16,
    disabled_until: Instant,
    used: Instant,
}

/// What is known of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// Nothing: a cookie is asked for.
    Nothing,
    /// It failed lately.
    Disabled,
    /// Its cookie, and its segment size.
    Cookie(Cookie, u16),
}

/// The cookies that servers gave us. Its memory is taken with the first one.
pub(crate) struct FastOpenCache {
    sets: Vec<[Option<Entry>; WAYS]>,
    limit: usize,
    key: SipKey,
}

impl FastOpenCache {
    /// A cache of `limit` servers, rounded up.
    pub(crate) fn new(limit: usize, seed: &Seed) -> FastOpenCache {
        let (k0, k1) = seed.keys(u64::from_le_bytes(*b"tfocache"));
        FastOpenCache { sets: Vec::new(), limit, key: SipKey::new(k0, k1) }
    }

    fn set(&self, server: SocketAddr) -> usize {
        let bytes = octets(server.ip());
        let (high, low) = bytes.split_at(8);
        let word = |part: &[u8]| part.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        self.key.hash([word(high), word(low)], u32::from(server.port())) as usize % self.sets.len().max(1)
    }

    pub(crate) fn find(&mut self, server: SocketAddr, now: Instant) -> Known {
        let at = self.set(server);
        let entries = self.sets.get_mut(at).into_iter().flatten().flatten();
        match entries.into_iter().find(|entry| entry.server == server) {
            Some(entry) if now < entry.disabled_until => Known::Disabled,
            Some(entry) if !entry.cookie.is_request() => {
                entry.used = now;
                Known::Cookie(entry.cookie, entry.mss)
            }
            _ => Known::Nothing,
        }
    }

    /// The server gave a cookie.
    pub(crate) fn learn(&mut self, server: SocketAddr, cookie: Cookie, mss: u16, now: Instant) {
        if cookie.body().len() <= LONGEST {
            self.put(Entry { server, cookie, mss, disabled_until: Instant::ZERO, used: now });
        }
    }

    /// RFC 7413 §4.1.3.1: a negative answer, or none.
    pub(crate) fn disable(&mut self, server: SocketAddr, now: Instant) {
        self.put(Entry { server, cookie: Cookie::default(), mss: 0, disabled_until: now + DISABLED, used: now });
    }

    /// Takes the place of the server's old entry, of a free one, or of the one that was used least recently.
    fn put(&mut self, entry: Entry) {
        if self.limit == 0 {
            return;
        }
        if self.sets.is_empty() {
            self.sets = vec![[None; WAYS]; self.limit.div_ceil(WAYS)];
        }
        let at = self.set(entry.server);
        let Some(set) = self.sets.get_mut(at) else { return };
        let same = set.iter().position(|held| held.is_some_and(|held| held.server == entry.server));
        let oldest = (0..WAYS).min_by_key(|&way| set.get(way).copied().flatten().map(|held| held.used));
        if let Some(place) = same.or(oldest).and_then(|way| set.get_mut(way)) {
            *place = Some(entry);
        }
    }
}

/// What a SYN of ours says, and how many of the queued bytes it may carry.
pub(crate) fn offer(conn: &mut Conn, shared: &mut Shared, now: Instant) -> Option<(Cookie, u16)> {
    if conn.state != State::SynSent || !conn.has(flag::FAST_OPEN) {
        return None;
    }
    let server = conn.tuple.remote();
    if conn.has(flag::SYN_RESENT) {
        // RFC 7413 §4.1.3.1: the SYN is sent again without data and option, and the path not trusted for a while.
        conn.clear(flag::FAST_OPEN);
        shared.fast_open_cache.disable(server, now);
        shared.counters.bump(TcpCounter::FastOpenFailed);
        return None;
    }
    match shared.fast_open_cache.find(server, now) {
        Known::Nothing => Some((Cookie::default(), 0)),
        Known::Disabled => None,
        Known::Cookie(cookie, mss) => Some((cookie, mss)),
    }
}

/// The SYN-ACK has arrived: what it says of cookie and data. Answers with the bytes of the SYN that it acknowledges.
pub(crate) fn answered(conn: &mut Conn, segment: &Segment, shared: &mut Shared, now: Instant) -> u32 {
    let acked = segment.ack.since(conn.iss + 1).min(u32::from(conn.early_len));
    if !conn.has(flag::FAST_OPEN) {
        return acked;
    }
    conn.clear(flag::FAST_OPEN);
    let server = conn.tuple.remote();
    match segment.fast_open.filter(|cookie| !cookie.is_request()) {
        Some(cookie) => shared.fast_open_cache.learn(server, cookie, conn.peer_mss, now),
        None if conn.early_len > 0 && acked == 0 => {
            shared.fast_open_cache.disable(server, now);
            shared.counters.bump(TcpCounter::FastOpenFailed);
        }
        None => {}
    }
    acked
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_millis(7_200_000);

    fn tuple(client: u8) -> Tuple {
        Tuple::new([10, 0, 0, 1].into(), 80, [10, 0, 0, client].into(), 40_000)
    }

    #[test]
    fn a_cookie_is_of_one_client_and_outlives_its_key_by_one() {
        let mut keys = FastOpenKeys::new(&Seed::from_number(1), NOW);
        let mut beside = FastOpenKeys::new(&Seed::from_number(1), NOW);
        let cookie = keys.cookie(&tuple(2), NOW);
        assert_eq!(beside.check(&tuple(2), &cookie, NOW), Worth::Valid);
        assert_eq!(keys.check(&tuple(3), &cookie, NOW), Worth::Invalid);
        assert_eq!(keys.check(&tuple(2), &cookie, NOW + PERIOD), Worth::Aging);
        assert_eq!(keys.check(&tuple(2), &cookie, NOW + 2 * PERIOD), Worth::Invalid);
        assert_eq!(keys.check(&tuple(2), &Cookie::default(), NOW), Worth::Invalid);
    }

    #[test]
    fn the_cache_forgets_the_least_used_and_distrusts_for_an_hour() {
        let mut cache = FastOpenCache::new(WAYS, &Seed::from_number(1));
        let server = |n: u8| SocketAddr::from(([10, 0, 0, n], 80));
        let cookie = Cookie::from_body(&[1, 2, 3, 4]).unwrap();
        assert_eq!(cache.find(server(0), NOW), Known::Nothing);
        for n in 0..=WAYS as u8 {
            cache.learn(server(n), cookie, 1460, NOW + Duration::from_secs(u64::from(n)));
        }
        assert_eq!(cache.find(server(0), NOW), Known::Nothing);
        assert_eq!(cache.find(server(1), NOW), Known::Cookie(cookie, 1460));
        cache.disable(server(1), NOW);
        assert_eq!(cache.find(server(1), NOW), Known::Disabled);
        assert_eq!(cache.find(server(1), NOW + DISABLED), Known::Nothing);
    }

    #[test]
    fn resets_count_for_a_while() {
        let mut account = Account::new(1);
        assert!(account.has_room(NOW));
        account.begin();
        assert!(!account.has_room(NOW));
        account.note_reset(NOW);
        account.end();
        assert!(!account.has_room(NOW));
        assert!(account.has_room(NOW + RESET_DEBT));
    }

    #[test]
    fn lengths_that_the_rfc_does_not_know_are_no_cookies() {
        for len in 0..=18 {
            let known = matches!(len, 0 | 4 | 6 | 8 | 10 | 12 | 14 | 16);
            assert_eq!(Cookie::from_body(&[7; 18][..len]).is_some(), known, "{len}");
        }
    }
}
