//! A segment for which there is no connection: LISTEN and CLOSED (RFC 9293 §3.10.7.1, §3.10.7.2).
//!
//! ```text
//!   another worker's flow ─▶ handed to it (crate::flows)
//!   SYN ─▶ limits ─┬─ room ──▶ half-open entry, SYN-ACK           half_open.rs
//!                  ├─ full ──▶ SYN-ACK with a cookie, in the SYN's own frame; nothing is kept
//!                  └─ refused: dropped, counted
//!   ACK ─▶ cookies out? ─ yes ─▶ valid? ─ yes ─▶ connection
//!                 └ no ──────────────┴─ no ────▶ reset
//! ```

use super::super::config::{EcnMode, SynCookieMode, TcpConfig};
use super::super::control_block::clock_ms;
use super::super::cookie::{self, Agreed};
use super::super::fast_open::Worth;
use super::super::listen::HalfOpen;
use super::super::segment::{ACK, FIN, RST, SYN, Segment};
use super::super::seq::Seq;
use super::super::shared::Shared;
use super::super::table::Entry;
use super::super::time_wait::{self, Reopening};
use super::super::tuning::Sizes;
use super::super::tuple::{self, Tuple};
use super::super::{Ctx, ListenerId, Misplaced, Tcp, emit, isn::Origins};
use super::half_open::{self, Handshake};
use crate::counters::TcpCounter;
use crate::frame::Frame;
use crate::ip::{Ecn, IpMeta, PathCache};

/// A segment as it came in.
pub(super) struct Arrival<'a> {
    pub(super) segment: &'a Segment,
    pub(super) tuple: &'a Tuple,
    pub(super) meta: &'a IpMeta,
    /// Its payload, and the frame for an answer.
    pub(super) frame: Frame,
}

impl Tcp {
    /// `reopening` is set when the segment is a SYN that ends a TIME-WAIT.
    #[inline(never)]
    pub(super) fn unknown_segment(
        &mut self,
        arrival: Arrival<'_>,
        reopening: Option<Reopening>,
        ctx: &mut Ctx<'_>,
    ) -> Option<Misplaced> {
        let Arrival { segment, meta, .. } = arrival;
        if let Some(owner) = self.shared.foreign_owner(arrival.tuple) {
            return self.hand_over(owner, arrival);
        }
        // RFC 9293 §3.9.2.3: nothing from or to a multicast or broadcast address is answered.
        if !tuple::is_peer(meta.src) || !ctx.egress.is_local(meta.dst) || segment.src_port == 0 {
            self.shared.counters.bump(TcpCounter::DropNotUnicast);
            return None;
        }
        let listener = self.shared.listeners.find(meta.dst, segment.dst_port);
        // RFC 9293 §3.10.7.2, first: a reset is ignored; second: an acknowledgment is reset, unless it brings a cookie
        // back; third: a SYN opens.
        match listener {
            Some(_) if segment.has(RST) => self.shared.counters.bump(TcpCounter::DropBadReset),
            Some(id) if segment.flags & (SYN | ACK) == SYN => return self.take_syn(arrival, reopening, id, ctx),
            Some(id) if segment.flags & (SYN | ACK) == ACK && cookies_are_out(&self.shared, id, ctx) => {
                return self.take_cookie(arrival, id, ctx);
            }
            // RFC 9293 §3.10.7.1
            _ if segment.has(RST) => {}
            _ => refuse(arrival, &mut self.shared, ctx),
        }
        None
    }

    fn take_syn(
        &mut self,
        arrival: Arrival<'_>,
        reopening: Option<Reopening>,
        id: ListenerId,
        ctx: &mut Ctx<'_>,
    ) -> Option<Misplaced> {
        let shared = &mut self.shared;
        match admit(shared, self.conns.len(), reopening.is_some(), id) {
            // Silently: the peer tries again, and what is refused costs nothing to answer (RFC 4987 §3.5).
            Admission::Refused(reason) => shared.counters.bump(reason),
            Admission::Cookie => send_cookie(arrival, id, shared, ctx),
            Admission::Stored => match shared.claim(arrival.tuple) {
                Ok(()) => self.begin(arrival, reopening, id, ctx),
                // The same SYN came to two queues at once, and the other worker was first.
                Err(owner) => return self.hand_over(owner, arrival),
            },
        }
        None
    }

    /// There is room for what a SYN begins: a half-open connection, or with a Fast Open cookie a whole one.
    fn begin(&mut self, arrival: Arrival<'_>, reopening: Option<Reopening>, id: ListenerId, ctx: &mut Ctx<'_>) {
        let shared = &mut self.shared;
        let Arrival { segment, tuple, meta, .. } = arrival;
        let agreed = agree(segment, meta, &shared.config);
        if agreed.mss < shared.config.min_mss {
            shared.counters.bump(TcpCounter::RxMinMss);
        }
        let mut origins = shared.isn.origins(tuple, ctx.now);
        if let Some(Reopening { index, above }) = reopening {
            // RFC 9293 §3.6.1: the ISS after TIME-WAIT lies above everything that the old connection used.
            origins.iss = origins.iss.max(above);
            shared.counters.bump(TcpCounter::TimeWaitReused);
            time_wait::remove(index, shared);
        }
        let Some(entry) = half_open(&arrival, segment.seq, &agreed, origins, id, shared) else { return };
        let early = early(segment, tuple, id, shared, ctx);
        let gives_cookie = matches!(early, Early::Give | Early::Take(true));
        let entry = HalfOpen { sent_at: Some(ctx.now), gives_cookie, ..entry };
        shared.counters.bump(TcpCounter::OpenPassive);
        shared.counters.add(TcpCounter::FastOpenCookies, u64::from(gives_cookie));
        if let Early::Take(_) = early {
            shared.counters.bump(TcpCounter::FastOpenAccepted);
            self.establish(&entry, Handshake::Early, arrival, ctx);
        } else {
            store(entry, shared, ctx);
        }
    }

    /// An acknowledgment that may bring a cookie back (RFC 4987 §3.6).
    fn take_cookie(&mut self, arrival: Arrival<'_>, id: ListenerId, ctx: &mut Ctx<'_>) -> Option<Misplaced> {
        let shared = &mut self.shared;
        let segment = arrival.segment;
        let (irs, iss) = (segment.seq - 1, segment.ack - 1);
        let agreed = shared.cookies.check(arrival.tuple, irs, iss, segment.timestamps.map(|ts| ts.ecr), ctx.now);
        let connections = self.conns.len() + shared.listeners.half_open.len();
        let listener = shared.listeners.get_mut(id)?;
        let Some((agreed, origins)) = agreed else {
            listener.cookies.invalid += 1;
            shared.counters.bump(TcpCounter::CookiesInvalid);
            refuse(arrival, shared, ctx);
            return None;
        };
        if listener.pending >= listener.backlog {
            // As with a half-open connection: the peer's next segment tries anew.
            shared.counters.bump(TcpCounter::DropAcceptQueue);
            return None;
        }
        if connections >= shared.config.max_connections {
            shared.counters.bump(TcpCounter::RefuseConnections);
            return None;
        }
        if shared.memory.is_full() {
            shared.counters.bump(TcpCounter::RefuseMemory);
            return None;
        }
        listener.cookies.valid += 1;
        shared.counters.bump(TcpCounter::CookiesValid);
        shared.counters.bump(TcpCounter::OpenPassive);
        let entry = half_open(&arrival, irs, &agreed, origins, id, shared)?;
        // A cookie is valid at every worker; whoever gets it first has the flow.
        if let Err(owner) = shared.claim(arrival.tuple) {
            return self.hand_over(owner, arrival);
        }
        self.establish(&entry, Handshake::Cookie, arrival, ctx);
        None
    }
}

/// What becomes of a SYN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Admission {
    Stored,
    Cookie,
    Refused(TcpCounter),
}

/// Every limit is checked before memory is taken.
fn admit(shared: &mut Shared, connections: usize, reopens: bool, id: ListenerId) -> Admission {
    let may_open = shared.may_open(connections);
    let (config, half_open) = (&shared.config, shared.listeners.half_open.len());
    let Some(listener) = shared.listeners.get(id) else { return Admission::Refused(TcpCounter::RefuseBacklog) };
    if listener.pending >= listener.backlog {
        return Admission::Refused(TcpCounter::RefuseAcceptQueue);
    }
    if connections + half_open >= config.max_connections {
        return Admission::Refused(TcpCounter::RefuseConnections);
    }
    let full = if listener.half_open >= listener.backlog {
        Some(TcpCounter::RefuseBacklog)
    } else if half_open >= config.max_half_open {
        Some(TcpCounter::RefuseHalfOpen)
    } else if !may_open {
        Some(TcpCounter::RefuseMemory)
    } else {
        None
    };
    match (config.syn_cookies, full) {
        // A cookie cannot promise to lie above the numbers of the old connection (RFC 9293 §3.6.1).
        (SynCookieMode::WhenFull | SynCookieMode::Always, Some(_)) if reopens => {
            Admission::Refused(TcpCounter::RefuseReopen)
        }
        (SynCookieMode::WhenFull, Some(_)) => Admission::Cookie,
        (SynCookieMode::Always, _) if !reopens => Admission::Cookie,
        (_, Some(reason)) => Admission::Refused(reason),
        (_, None) => Admission::Stored,
    }
}

/// What the SYN offers and we want.
fn agree(segment: &Segment, meta: &IpMeta, config: &TcpConfig) -> Agreed {
    Agreed {
        // RFC 9293 §3.7.1 (MUST-15): without the option the peer takes 536 bytes (RFC 8200: 1,220 over IPv6).
        mss: segment.mss.unwrap_or(if meta.src.is_ipv4() { 536 } else { 1220 }),
        scale: segment.window_scale.filter(|_| config.window_scaling),
        sack: segment.sack_permitted && config.sack,
        ecn: accepts_ecn(segment, meta, config),
        timestamps: segment.timestamps.is_some() && config.timestamps,
    }
}

/// RFC 3168 §6.1.1: the SYN asks for ECN. One that is itself marked has crossed something that rewrites the field, so
/// that marks would mean nothing: no implementation of this RFC sends it.
fn accepts_ecn(segment: &Segment, meta: &IpMeta, config: &TcpConfig) -> bool {
    config.ecn != EcnMode::Off && segment.is_ecn_setup() && Ecn::from_bits(meta.ecn) == Ecn::NotEct
}

/// The half-open connection that a SYN with the number `irs` leads to.
fn half_open(
    arrival: &Arrival<'_>,
    irs: Seq,
    agreed: &Agreed,
    origins: Origins,
    id: ListenerId,
    shared: &Shared,
) -> Option<HalfOpen> {
    let segment = arrival.segment;
    let window = Sizes::receive(&shared.listeners.get(id)?.options, &shared.config);
    Some(HalfOpen {
        tuple: *arrival.tuple,
        listener: id,
        path: PathCache::from_ingress(arrival.meta),
        irs,
        iss: origins.iss,
        ts_recent: segment.timestamps.filter(|_| agreed.timestamps).map_or(0, |ts| ts.val),
        ts_offset: origins.ts_offset,
        // RFC 7323 §2.2: the window of a SYN is never scaled.
        snd_wnd: u32::from(segment.window),
        rcv_wnd: window.start,
        sent_at: None,
        peer_mss: agreed.mss,
        timestamps: agreed.timestamps,
        sack: agreed.sack,
        ecn: agreed.ecn,
        scales: agreed.scale.map(|theirs| (theirs, scale_for(window.most))),
        gives_cookie: false,
        retries: 0,
    })
}

/// A half-open connection is kept, and its SYN-ACK sent.
fn store(entry: HalfOpen, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let hash = shared.table.hash(&entry.tuple);
    let resend_at = ctx.now + half_open::resend_after(0, &shared.config);
    let key = shared.listeners.insert_half_open(entry, resend_at);
    shared.table.insert(hash, Entry::HalfOpen(key.index));
    half_open::send_syn_ack(key.index, shared, ctx);
}

/// What the Fast Open option of a SYN leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Early {
    /// Nothing: the usual handshake.
    No,
    /// The usual handshake, whose SYN-ACK gives a cookie.
    Give,
    /// The data is taken now; the flag: a new cookie replaces an aging one.
    Take(bool),
}

/// RFC 7413 §4.2.2.
fn early(segment: &Segment, tuple: &Tuple, id: ListenerId, shared: &mut Shared, ctx: &Ctx<'_>) -> Early {
    let Some(listener) = shared.listeners.get_mut(id) else { return Early::No };
    let Some(cookie) = segment.fast_open.filter(|_| listener.fast_open.limit > 0 && !segment.has(FIN)) else {
        return Early::No;
    };
    let room = listener.fast_open.has_room(ctx.now);
    if cookie.is_request() {
        return Early::Give;
    }
    match shared.fast_open.check(tuple, &cookie, ctx.now) {
        Worth::Invalid => {
            shared.counters.bump(TcpCounter::RefuseFastOpenCookie);
            Early::Give
        }
        _ if !room => {
            shared.counters.bump(TcpCounter::RefuseFastOpen);
            Early::No
        }
        worth => Early::Take(worth == Worth::Aging),
    }
}

/// Answers a SYN and forgets it.
fn send_cookie(arrival: Arrival<'_>, id: ListenerId, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let Arrival { segment, tuple, meta, frame } = arrival;
    let agreed = agree(segment, meta, &shared.config);
    let Origins { iss, ts_offset } = shared.cookies.bake(tuple, segment.seq, &agreed, ctx.now);
    let timestamps = segment.timestamps.filter(|_| agreed.timestamps).map(|ts| {
        let clock = clock_ms(ctx.now).wrapping_add(ts_offset);
        (agreed.timestamp(clock), ts.val)
    });
    let Some(listener) = shared.listeners.get_mut(id) else { return };
    listener.cookies.sent += 1;
    listener.overflowed_at = Some(ctx.now);
    let window = Sizes::receive(&listener.options, &shared.config);
    shared.counters.bump(TcpCounter::CookiesSent);
    let ours = agreed.scale.map(|_| scale_for(window.most));
    let header = half_open::syn_ack(tuple, iss, segment.seq, window.start, &agreed, ours, timestamps, ctx);
    // The source may be forged: no neighbour is asked for on its behalf.
    emit::turn_around(&header, frame, tuple, &mut PathCache::straight_back(meta), shared, ctx);
}

/// Acknowledgments are looked at as cookies only while some may be out: at other times they cost nothing.
fn cookies_are_out(shared: &Shared, id: ListenerId, ctx: &Ctx<'_>) -> bool {
    match shared.config.syn_cookies {
        SynCookieMode::Off => false,
        SynCookieMode::Always => true,
        SynCookieMode::WhenFull => {
            let overflowed_at = shared.listeners.get(id).and_then(|listener| listener.overflowed_at);
            overflowed_at.is_some_and(|at| ctx.now.saturating_since(at) <= cookie::LIFETIME)
        }
    }
}

/// RFC 9293 §3.10.7.1, §3.10.7.2: what belongs to no connection is reset.
fn refuse(arrival: Arrival<'_>, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let Arrival { segment, tuple, meta, frame } = arrival;
    shared.counters.bump(TcpCounter::ResetNoConnection);
    let header = emit::reset_header(segment, tuple);
    emit::turn_around(&header, frame, tuple, &mut PathCache::from_ingress(meta), shared, ctx);
}

/// The smallest shift with which 16 bits say `window` (RFC 7323 §2.3: 14 at most).
pub(crate) fn scale_for(window: u32) -> u8 {
    (32 - (window >> 16).leading_zeros()).min(14) as u8
}
