//! SYN-SENT (RFC 9293 §3.10.7.3).

use super::super::config::EcnMode;
use super::super::control_block::{Conn, clock_ms, flag};
use super::super::event::{EndReason, Ready};
use super::super::segment::{ACK, RST, SYN, Segment};
use super::super::shared::Shared;
use super::super::state::Transition;
use super::super::{Ctx, Outcome, emit, fast_open, output, timers};
use crate::counters::TcpCounter;

pub(super) fn handle(
    conn: &mut Conn,
    index: u32,
    segment: &Segment,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) -> Outcome {
    // First: an acknowledgment of anything but our SYN is answered with a reset.
    // (RFC 7413 §4.2.1: it may cover data that our SYN carried.)
    if segment.has(ACK) && segment.ack.since(conn.iss + 1) > u32::from(conn.early_len) {
        shared.counters.bump(TcpCounter::DropBadAck);
        if !segment.has(RST) {
            shared.counters.bump(TcpCounter::ResetBadHandshake);
            let Conn { tuple, path, .. } = conn;
            emit::reset_for(segment, tuple, path, shared, ctx);
        }
        return Outcome::Keep;
    }
    // Second: a reset counts only with an acceptable acknowledgment.
    if segment.has(RST) {
        if segment.has(ACK) {
            shared.counters.bump(TcpCounter::ResetReceived);
            return Outcome::End(EndReason::Refused);
        }
        shared.counters.bump(TcpCounter::DropBadReset);
        return Outcome::Keep;
    }
    // Fourth: SYN. (Third, security, is of the past; fifth: nothing else is processed.)
    if !segment.has(SYN) {
        shared.counters.bump(TcpCounter::DropNoAckFlag);
        return Outcome::Keep;
    }
    take_syn(conn, segment, shared, ctx);
    if segment.has(ACK) {
        complete(conn, index, segment, shared, ctx);
    } else {
        conn.clear(flag::FAST_OPEN);
        // Simultaneous open (RFC 9293 §3.5, figure 8): the answer is SYN,ACK.
        conn.move_by(Transition::SynReceived);
        conn.set(flag::SYN_DUE);
    }
    shared.queue_transmit(conn, index);
    Outcome::Keep
}

/// What the peer's SYN says, whether or not it acknowledges ours.
fn take_syn(conn: &mut Conn, segment: &Segment, shared: &mut Shared, ctx: &Ctx<'_>) {
    conn.rcv_nxt = segment.seq + 1;
    conn.last_ack_sent = conn.rcv_nxt;
    if let Some(ts) = segment.timestamps.filter(|_| shared.config.timestamps) {
        conn.set(flag::TIMESTAMPS);
        conn.ts_recent = ts.val;
        conn.ts_recent_ms = clock_ms(ctx.now);
    }
    if segment.sack_permitted && shared.config.sack {
        conn.set(flag::SACK);
    }
    // RFC 3168 §6.1.1: every SYN of ours must have asked. A SYN-ACK may answer the one that did before one that did
    // not: then marks are echoed, and none is made (`Conn::sends_ect`).
    let asked = shared.config.ecn == EcnMode::Active && (segment.has(ACK) || !conn.has(flag::SYN_RESENT));
    if asked && segment.is_ecn_setup() {
        conn.set(flag::ECN);
    }
    // RFC 7323 §2.2: both SYNs must have the option.
    match segment.window_scale.filter(|_| shared.config.window_scaling) {
        Some(theirs) => {
            conn.set(flag::SCALED);
            conn.snd_scale = theirs;
        }
        None => {
            conn.rcv_scale = 0;
            conn.recv_limit = conn.recv_limit.min(0xffff);
        }
    }
    // More than a SYN can say; the first acknowledgment says it.
    conn.rcv_edge = conn.rcv_nxt + conn.recv_limit;
    conn.snd_wnd = u32::from(segment.window);
    conn.max_snd_wnd = conn.snd_wnd;
    conn.snd_wl1 = segment.seq;
    conn.snd_wl2 = if segment.has(ACK) { segment.ack } else { conn.iss };
    // RFC 9293 §3.7.1 (MUST-15)
    conn.peer_mss = segment.mss.unwrap_or(if conn.tuple.remote_ip().is_ipv4() { 536 } else { 1220 });
    if conn.peer_mss < shared.config.min_mss {
        shared.counters.bump(TcpCounter::RxMinMss);
    }
    conn.set_mss(output::path_mss(&conn.tuple, ctx), shared.config.min_mss);
    conn.heard_ms = clock_ms(ctx.now);
}

/// Our SYN is acknowledged: ESTABLISHED. Also from SYN-RECEIVED, when SYNs had crossed.
pub(super) fn complete(conn: &mut Conn, index: u32, segment: &Segment, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let crossed = conn.state != super::super::state::State::SynSent;
    if !conn.move_by(Transition::HandshakeDone) {
        return;
    }
    // RFC 3168 §6.1.1: after crossed SYNs the peer may still refuse, in its SYN-ACK.
    if segment.has(SYN) && !segment.is_ecn_setup() {
        conn.clear(flag::ECN);
    }
    if conn.has(flag::RTT_TIMED) {
        conn.rtt.measured(ctx.now.micros_since(conn.timed_at), ctx.now);
        conn.clear(flag::RTT_TIMED);
    } else if let Some(ts) = segment.timestamps.filter(|_| conn.has(flag::TIMESTAMPS)) {
        let elapsed = conn.ts_now(ctx.now).wrapping_sub(ts.ecr);
        conn.rtt.sample(u64::from(elapsed) * 1_000, true);
    } else {
        // RFC 6298 §5.7: the SYN was sent more than once, so nothing was measured.
        conn.rtt.start_conservative_after_syn();
    }
    conn.snd_una = conn.iss + 1;
    conn.snd_nxt = conn.snd_nxt.max(conn.snd_una);
    if !crossed && conn.flags & flag::FAST_OPEN | u32::from(conn.early_len) != 0 {
        free_early(conn, segment, shared, ctx);
    }
    conn.recover = conn.snd_una;
    conn.clear(flag::SYN_DUE);
    conn.backoff = 0;
    timers::stop_retransmit(conn);
    timers::start_idle(conn, shared, ctx.now);
    if !crossed {
        // RFC 9293 §3.10.7.3: the acknowledgment that completes the handshake; queued data carries it.
        conn.set(flag::ACK_NOW);
    }
    shared.counters.bump(TcpCounter::Established);
    shared.counters.add(TcpCounter::EcnNegotiated, u64::from(conn.has(flag::ECN)));
    shared.notify(conn, index, Ready::CONNECTED);
    if conn.has(flag::FIN_QUEUED) {
        // The application closed while SYNs crossed.
        conn.move_by(Transition::Close);
    }
    shared.queue_transmit(conn, index);
    shared.arm(conn, index);
}

/// RFC 7413 §4.2.1: what the SYN carried and the SYN-ACK acknowledges is done; the rest is sent as if it were new.
fn free_early(conn: &mut Conn, segment: &Segment, shared: &mut Shared, ctx: &Ctx<'_>) {
    let acked = fast_open::answered(conn, segment, shared, ctx.now).min(conn.send_queued);
    if acked == 0 {
        return;
    }
    shared.counters.bump(TcpCounter::FastOpenAcked);
    conn.snd_una += acked;
    conn.snd_nxt = conn.snd_nxt.max(conn.snd_una);
    conn.send_queued -= acked;
    if let Some(state) = shared.send.get_mut(conn.send) {
        shared.memory.queued -= state.acknowledge(acked as usize);
    }
    if conn.send_queued == 0 {
        shared.release_send(conn);
    }
}
