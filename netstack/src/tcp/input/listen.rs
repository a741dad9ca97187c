//! A segment for which there is no connection: LISTEN and CLOSED (RFC 9293 §3.10.7.1, §3.10.7.2).

use super::super::config::{EcnMode, TcpConfig};
use super::super::listen::HalfOpen;
use super::super::segment::{ACK, RST, SYN, Segment};
use super::super::seq::Seq;
use super::super::shared::Shared;
use super::super::table::Entry;
use super::super::tuple::{self, Tuple};
use super::super::{Ctx, ListenerId, emit};
use super::half_open;
use crate::counters::TcpCounter;
use crate::ip::{Ecn, IpMeta, PathCache};

/// `connections` is how many there are; `above` is set when the SYN ends a TIME-WAIT, and bounds the new ISS.
pub(super) fn handle(
    shared: &mut Shared,
    connections: usize,
    segment: &Segment,
    tuple: &Tuple,
    meta: &IpMeta,
    above: Option<Seq>,
    ctx: &mut Ctx<'_>,
) {
    // RFC 9293 §3.9.2.3: nothing from or to a multicast or broadcast address is answered.
    if !tuple::is_peer(meta.src) || !ctx.egress.is_local(meta.dst) || segment.src_port == 0 {
        return shared.counters.bump(TcpCounter::DropNotUnicast);
    }
    let listener = shared.listeners.find(meta.dst, segment.dst_port);
    // RFC 9293 §3.10.7.2, first: a reset is ignored; second: an acknowledgment is reset; third: a SYN opens.
    match listener {
        Some(_) if segment.has(RST) => shared.counters.bump(TcpCounter::DropBadReset),
        Some(id) if segment.flags & (SYN | ACK) == SYN => {
            open(shared, connections, segment, tuple, meta, above, id, ctx)
        }
        _ => {
            // RFC 9293 §3.10.7.1
            if !segment.has(RST) {
                shared.counters.bump(TcpCounter::ResetNoConnection);
                emit::reset_for(segment, tuple, &mut PathCache::from_ingress(meta), shared, ctx);
            }
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "what a SYN brings, its listener, and the worker")]
fn open(
    shared: &mut Shared,
    connections: usize,
    segment: &Segment,
    tuple: &Tuple,
    meta: &IpMeta,
    above: Option<Seq>,
    id: ListenerId,
    ctx: &mut Ctx<'_>,
) {
    if let Some(refused) = refusal(shared, connections, id) {
        // Silently: the peer tries again, and a full backlog costs a flood nothing to answer (RFC 4987 §3.5).
        return shared.counters.bump(refused);
    }
    let Some(listener) = shared.listeners.get(id) else { return };
    let rcv_wnd = listener.options.receive_buffer.unwrap_or(shared.config.receive_buffer).clamp(2048, 1 << 30);
    let origins = shared.isn.origins(tuple, ctx.now);
    // RFC 9293 §3.6.1: the ISS after TIME-WAIT lies above everything that the old connection used.
    let iss = above.map_or(origins.iss, |above| origins.iss.max(above));
    let config = &shared.config;
    // RFC 9293 §3.7.1 (MUST-15): without the option the peer takes 536 bytes (RFC 8200: 1,220 over IPv6).
    let peer_mss = segment.mss.unwrap_or(if meta.src.is_ipv4() { 536 } else { 1220 });
    if peer_mss < config.min_mss {
        shared.counters.bump(TcpCounter::RxMinMss);
    }
    let timestamps = segment.timestamps.filter(|_| config.timestamps);
    let half_open = HalfOpen {
        tuple: *tuple,
        listener: id,
        path: PathCache::from_ingress(meta),
        irs: segment.seq,
        iss,
        ts_recent: timestamps.map_or(0, |ts| ts.val),
        ts_offset: origins.ts_offset,
        // RFC 7323 §2.2: the window of a SYN is never scaled.
        snd_wnd: u32::from(segment.window),
        rcv_wnd,
        sent_at: Some(ctx.now),
        peer_mss,
        timestamps: timestamps.is_some(),
        sack: segment.sack_permitted && config.sack,
        ecn: accepts_ecn(segment, meta, config),
        scales: segment.window_scale.filter(|_| config.window_scaling).map(|theirs| (theirs, scale_for(rcv_wnd))),
        retries: 0,
    };
    shared.counters.bump(TcpCounter::OpenPassive);
    let hash = shared.table.hash(tuple);
    let key = shared.listeners.insert_half_open(half_open, ctx.now + half_open::resend_after(0, config));
    shared.table.insert(hash, Entry::HalfOpen(key.index));
    half_open::send_syn_ack(key.index, shared, ctx);
}

/// RFC 3168 §6.1.1: the SYN asks for ECN. One that is itself marked has crossed something that rewrites the field, so
/// that marks would mean nothing: no implementation of this RFC sends it.
pub(super) fn accepts_ecn(segment: &Segment, meta: &IpMeta, config: &TcpConfig) -> bool {
    config.ecn != EcnMode::Off && segment.is_ecn_setup() && Ecn::from_bits(meta.ecn) == Ecn::NotEct
}

/// Every limit is checked before memory is taken.
fn refusal(shared: &Shared, connections: usize, id: ListenerId) -> Option<TcpCounter> {
    let listener = shared.listeners.get(id)?;
    let half_open = shared.listeners.half_open.len();
    if listener.half_open >= listener.backlog {
        Some(TcpCounter::RefuseBacklog)
    } else if half_open >= shared.config.max_half_open {
        Some(TcpCounter::RefuseHalfOpen)
    } else if connections + half_open >= shared.config.max_connections {
        Some(TcpCounter::RefuseConnections)
    } else {
        None
    }
}

/// The smallest shift with which 16 bits say `window` (RFC 7323 §2.3: 14 at most).
pub(crate) fn scale_for(window: u32) -> u8 {
    (0..14).find(|shift| window >> shift <= 0xffff).unwrap_or(14)
}
