//! Building and sending segments.
//!
//! ```text
//!   plan (what, from recovery and windows) ─▶ frame: payload gathered from the send queue, header pushed in front,
//!   checksum ─▶ Egress::send
//! ```
//!
//! The only copy of a payload is the one into the frame that the NIC reads. An acknowledgment rides on data whenever
//! there is data: connections are served here after the application had its turn, so an answer carries it.

use super::config::EcnMode;
use super::congestion::CongestionControl;
use super::control_block::{Conn, NONE, Phase, clock_ms, flag};
use super::emit::seal;
use super::sack::Blocks;
use super::segment::{ACK, CWR, ECE, FIN, Header, PSH, SYN, Timestamps};
use super::seq::Seq;
use super::shared::Shared;
use super::state::State;
use super::tuple::Tuple;
use super::window::{acknowledgment_due, advertise};
use super::{Ctx, recovery, timers};
use crate::counters::TcpCounter;
use crate::time::Instant;

/// What one turn of a connection did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Frames sent.
    pub(crate) frames: usize,
    /// The budget ended it: there is more.
    pub(crate) more: bool,
    /// The pool is empty: nothing can be sent for now.
    pub(crate) starved: bool,
}

/// A data segment that may be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Plan {
    seq: Seq,
    len: u32,
    fin: bool,
    again: bool,
}

/// Sends what the connection has to say, `budget` frames at most.
pub(crate) fn transmit(conn: &mut Conn, index: u32, shared: &mut Shared, ctx: &mut Ctx<'_>, budget: usize) -> Progress {
    let mut progress = Progress::default();
    match conn.state {
        State::Closed | State::TimeWait => return progress,
        State::SynSent | State::SynReceived => {
            if conn.has(flag::SYN_DUE) || conn.has(flag::ACK_NOW) {
                count(send_syn(conn, shared, ctx), &mut progress);
            }
        }
        _ => synchronized(conn, shared, ctx, budget, &mut progress),
    }
    shared.arm(conn, index);
    progress
}

fn count(sent: bool, progress: &mut Progress) {
    if sent {
        progress.frames += 1;
    } else {
        progress.starved = true;
    }
}

fn synchronized(conn: &mut Conn, shared: &mut Shared, ctx: &mut Ctx<'_>, budget: usize, progress: &mut Progress) {
    // Data first: its segments carry the acknowledgment.
    if conn.send_queued > 0 || conn.has(flag::FIN_QUEUED) {
        while !progress.starved {
            let Some(plan) = next_segment(conn, shared, ctx.now) else { break };
            if progress.frames >= budget {
                progress.more = true;
                break;
            }
            count(send_data(conn, plan, shared, ctx), progress);
            if all_is_said(conn) {
                conn.clear(flag::CWND_LIMITED);
                return;
            }
        }
        if !progress.more {
            note_limit(conn, shared);
        }
        timers::watch_window(conn, shared, ctx.now);
    }
    if progress.starved {
        return;
    }
    if conn.has(flag::KEEP_ALIVE_DUE) {
        conn.clear(flag::KEEP_ALIVE_DUE);
        shared.counters.bump(TcpCounter::TxKeepAlives);
        // RFC 9293 §3.8.4: a number just below the window makes the peer answer.
        count(send_empty(conn, conn.snd_nxt - 1, shared, ctx), progress);
    }
    if conn.has(flag::ACK_NOW) || acknowledgment_due(conn) {
        shared.counters.bump(TcpCounter::TxAcks);
        let sent = send_empty(conn, conn.snd_nxt, shared, ctx);
        count(sent, progress);
        if !sent {
            conn.set(flag::ACK_NOW);
        }
    } else if conn.has(flag::ACK_PENDING) && conn.delayed_ack_at == Instant::FAR_FUTURE {
        conn.delayed_ack_at = ctx.now + shared.config.delayed_ack;
    }
}

/// True in the usual case after a segment: what was queued is out, the acknowledgment went with it, nothing else is due.
#[inline]
fn all_is_said(conn: &Conn) -> bool {
    const DUE: u32 = flag::FIN_QUEUED | flag::PROBE_DUE | flag::KEEP_ALIVE_DUE | flag::ACK_NOW | flag::ACK_PENDING;
    conn.snd_nxt == conn.data_end() && conn.phase == Phase::Open && !conn.has(DUE)
}

/// Notes whether it was the congestion window that ended sending: only then does it grow (RFC 7661 §4.2).
#[inline]
fn note_limit(conn: &mut Conn, shared: &Shared) {
    let waits = conn.data_end().after(conn.snd_nxt);
    if waits && recovery::pipe(conn, shared) + u32::from(conn.mss) > conn.congestion.window() {
        conn.set(flag::CWND_LIMITED);
    } else {
        conn.clear(flag::CWND_LIMITED);
    }
}

/// What goes next: a probe, what is lost, new data, the FIN.
fn next_segment(conn: &mut Conn, shared: &Shared, now: Instant) -> Option<Plan> {
    if !conn.state.can_transmit() {
        return None;
    }
    if conn.has(flag::PROBE_DUE) {
        conn.clear(flag::PROBE_DUE);
        // One byte at least, and what the window takes when it is open but too small for the rule of new_segment.
        let available = conn.send_queued.min(conn.snd_wnd.clamp(1, u32::from(conn.mss)));
        let fin = available == 0 && conn.has(flag::FIN_QUEUED);
        return (available > 0 || fin).then_some(Plan { seq: conn.snd_una, len: available, fin, again: true });
    }
    // In the usual case everything sent was acknowledged: no scoreboard, nothing in flight.
    let pipe = if conn.snd_nxt == conn.snd_una { 0 } else { recovery::pipe(conn, shared) };
    let window = conn.congestion.window();
    if conn.phase != Phase::Open
        && let Some(plan) = lost_segment(conn, shared, pipe, window)
    {
        return Some(plan);
    }
    let plan = new_segment(conn, pipe, window, shared, now);
    if plan.is_none() && conn.phase != Phase::Open && pipe < window && recovery::widen(conn, shared) {
        return lost_segment(conn, shared, pipe, window);
    }
    plan
}

fn lost_segment(conn: &Conn, shared: &Shared, pipe: u32, window: u32) -> Option<Plan> {
    let mss = u32::from(conn.mss);
    let (seq, room) = recovery::next_hole(conn, shared)?;
    // RFC 6675 §5 step C: while the window has room for a segment; the first one goes in any case (step 4.3).
    if conn.high_rxt != conn.snd_una && window.saturating_sub(pipe) < mss {
        return None;
    }
    let data = conn.data_end().saturating_since(seq).min(room).min(mss);
    let fin = conn.has(flag::FIN_SENT) && seq + data == conn.data_end() && room > data;
    (data > 0 || fin).then_some(Plan { seq, len: data, fin, again: true })
}

fn new_segment(conn: &mut Conn, pipe: u32, window: u32, shared: &Shared, now: Instant) -> Option<Plan> {
    let mss = u32::from(conn.mss);
    let available = conn.data_end().saturating_since(conn.snd_nxt);
    let fin = conn.has(flag::FIN_QUEUED) && !conn.has(flag::FIN_SENT);
    if available == 0 && !fin {
        return None;
    }
    let idle = conn.snd_nxt == conn.snd_una;
    if idle && u64::from(now_minus(now, conn.sent_ms)) * 1_000 > conn.rtt.rto_us(0, shared.rto) {
        // RFC 5681 §4.1
        conn.congestion.on_restart(now, mss);
    }
    let window = conn.congestion.window().min(window);
    let peer = (conn.snd_una + conn.snd_wnd).saturating_since(conn.snd_nxt);
    let congestion = window.saturating_sub(pipe);
    let len = available.min(mss).min(peer).min(congestion);
    let all = len == available;
    let allowed = if len == mss {
        true
    } else if all {
        // RFC 9293 §3.7.4: Nagle holds a small segment back while anything is unacknowledged.
        (available > 0 || congestion > 0 || idle) && (idle || fin || !conn.has(flag::NAGLE))
    } else {
        // RFC 9293 §3.8.6.2.1: a part only when it is half of the largest window ever offered, or of the only one.
        len > 0 && (len >= conn.max_snd_wnd / 2) && peer <= congestion
    };
    if !allowed {
        return None;
    }
    // The FIN needs a number of the window like data, unless it could never be sent.
    let fin = fin && all && (len < peer || (idle && available == 0));
    (len > 0 || fin).then_some(Plan { seq: conn.snd_nxt, len, fin, again: false })
}

fn now_minus(now: Instant, then_ms: u32) -> u32 {
    clock_ms(now).wrapping_sub(then_ms)
}

/// Sends one data segment (or a FIN); false when there is no frame.
fn send_data(conn: &mut Conn, plan: Plan, shared: &mut Shared, ctx: &mut Ctx<'_>) -> bool {
    let Some(mut frame) = ctx.egress.alloc() else {
        shared.counters.bump(TcpCounter::DropNoFrame);
        return false;
    };
    let blocks = sack_blocks(conn, shared);
    // A segment with SACK blocks carries less, so that it stays within the path's size.
    let room = u32::from(conn.mss).saturating_sub(blocks_len(&blocks)).max(1);
    let mut len = plan.len.min(room);
    if len > 0 {
        let position = plan.seq.since(conn.snd_una) as usize;
        let state = shared.send.get_mut(conn.send);
        let copied = match (state, frame.extend((len as usize).min(frame.tailroom()))) {
            (Some(state), Some(out)) => state.gather(position, out),
            _ => 0,
        };
        frame.truncate(copied);
        len = copied as u32;
    }
    let fin = plan.fin && len == plan.len;
    if len == 0 && !fin {
        return true;
    }
    let end = plan.seq + len;
    let mut header = acknowledging(conn, plan.seq, blocks, ctx.now);
    if fin {
        header.flags |= FIN;
    }
    if end == conn.data_end() {
        header.flags |= PSH;
    }
    note_sent(conn, plan.seq, end + u32::from(fin), fin, plan.again, shared, ctx.now);
    shared.counters.add(TcpCounter::TxBytes, u64::from(len));
    let Conn { tuple, path, .. } = conn;
    seal(&header, frame, tuple, path, shared, ctx);
    true
}

/// What sending `seq..end` changes: numbers, timers, measurements.
#[inline]
fn note_sent(conn: &mut Conn, seq: Seq, end: Seq, fin: bool, again: bool, shared: &mut Shared, now: Instant) {
    if fin {
        conn.set(flag::FIN_SENT);
    }
    if again && seq.before(conn.snd_nxt) {
        // Karn's rule (RFC 6298 §3): what was sent twice is not timed.
        conn.clear(flag::RTT_TIMED);
        conn.high_rxt = conn.high_rxt.max(end);
        shared.counters.bump(TcpCounter::TxRetransmits);
    } else if !conn.has(flag::RTT_TIMED) {
        conn.set(flag::RTT_TIMED);
        conn.timed_seq = end;
        conn.timed_at = now;
    }
    conn.snd_nxt = conn.snd_nxt.max(end);
    conn.sent_ms = clock_ms(now);
    // RFC 6298 §5.1: the timer runs while anything is in flight.
    if conn.retransmit_at == Instant::FAR_FUTURE {
        timers::restart_retransmit(conn, shared, now);
    }
}

/// The fields that every segment of a synchronized connection has. What it acknowledges counts as acknowledged.
#[inline]
fn acknowledging(conn: &mut Conn, seq: Seq, sack: Blocks, now: Instant) -> Header {
    let window = advertise(conn);
    conn.last_ack_sent = conn.rcv_nxt;
    conn.clear(flag::ACK_NOW | flag::ACK_PENDING);
    conn.delayed_ack_at = Instant::FAR_FUTURE;
    Header {
        src_port: conn.tuple.local_port,
        dst_port: conn.tuple.remote_port,
        seq,
        ack: conn.rcv_nxt,
        // RFC 3168 §6.1.3: in every segment until the peer's CWR.
        flags: ACK | if conn.has(flag::ECE_ECHO) { ECE } else { 0 },
        window,
        timestamps: conn.has(flag::TIMESTAMPS).then(|| Timestamps { val: conn.ts_now(now), ecr: conn.ts_recent }),
        sack,
        mss: None,
        window_scale: None,
        sack_permitted: false,
    }
}

/// The SACK blocks of the next segment. Without a receive state there is no gap, hence nothing to look for.
#[inline]
fn sack_blocks(conn: &mut Conn, shared: &mut Shared) -> Blocks {
    if conn.recv == NONE || !conn.has(flag::SACK) { Blocks::default() } else { held_blocks(conn, shared) }
}

fn held_blocks(conn: &mut Conn, shared: &mut Shared) -> Blocks {
    // RFC 7323 §3.2: three blocks fit beside timestamps.
    let limit = if conn.has(flag::TIMESTAMPS) { 3 } else { 4 };
    let Some(state) = shared.recv.get_mut(conn.recv) else { return Blocks::default() };
    let blocks = state.sack_blocks(limit);
    if !blocks.is_empty() {
        shared.release_recv(conn);
    }
    blocks
}

fn blocks_len(blocks: &Blocks) -> u32 {
    if blocks.is_empty() { 0 } else { 4 + 8 * u32::from(blocks.count) }
}

/// Sends a segment without data: an acknowledgment or a probe; false when there is no frame.
pub(crate) fn send_empty(conn: &mut Conn, seq: Seq, shared: &mut Shared, ctx: &mut Ctx<'_>) -> bool {
    let Some(frame) = ctx.egress.alloc() else {
        shared.counters.bump(TcpCounter::DropNoFrame);
        return false;
    };
    let blocks = sack_blocks(conn, shared);
    let header = acknowledging(conn, seq, blocks, ctx.now);
    let Conn { tuple, path, .. } = conn;
    seal(&header, frame, tuple, path, shared, ctx);
    true
}

/// Sends the SYN of an active open, or the SYN-ACK after SYNs crossed.
fn send_syn(conn: &mut Conn, shared: &mut Shared, ctx: &mut Ctx<'_>) -> bool {
    let Some(frame) = ctx.egress.alloc() else {
        shared.counters.bump(TcpCounter::DropNoFrame);
        return false;
    };
    let crossed = conn.state == State::SynReceived;
    let mut header = acknowledging(conn, conn.iss, Blocks::default(), ctx.now);
    if !crossed {
        header.flags = 0;
        header.ack = Seq(0);
    }
    header.flags |= SYN;
    if crossed {
        header.flags |= if conn.has(flag::ECN) { ECE } else { 0 };
    } else if shared.config.ecn == EcnMode::Active && !conn.has(flag::SYN_RESENT) {
        // RFC 3168 §6.1.1.1: the SYN that is sent again does not ask, lest something on the path drops those that do.
        header.flags |= ECE | CWR;
    }
    // RFC 7323 §2.2: the window of a SYN is not scaled.
    header.window = conn.rcv_wnd().min(0xffff) as u16;
    header.mss = Some(path_mss(&conn.tuple, ctx));
    let config = &shared.config;
    let offered = |agreed: u32, ours: bool| if crossed { conn.has(agreed) } else { ours };
    let stamps = offered(flag::TIMESTAMPS, config.timestamps);
    header.timestamps = stamps.then(|| Timestamps { val: conn.ts_now(ctx.now), ecr: conn.ts_recent });
    header.sack_permitted = offered(flag::SACK, config.sack);
    // RFC 7323 §2.2: when SYNs cross, scaling goes into the SYN-ACK only if the peer's SYN had it.
    let scaled = if crossed { conn.has(flag::SCALED) } else { config.window_scaling };
    header.window_scale = scaled.then_some(conn.rcv_scale);
    conn.clear(flag::SYN_DUE);
    note_sent(conn, conn.iss, conn.iss + 1, false, conn.has(flag::SYN_RESENT), shared, ctx.now);
    let Conn { tuple, path, .. } = conn;
    seal(&header, frame, tuple, path, shared, ctx);
    true
}

/// The segment size to announce: the path's packets without the fixed headers (RFC 6691 §2).
pub(crate) fn path_mss(tuple: &Tuple, ctx: &Ctx<'_>) -> u16 {
    let remote = tuple.remote_ip();
    let headers = if remote.is_ipv4() { 40 } else { 60 };
    ctx.egress.ip_mtu(ctx.now, remote).saturating_sub(headers)
}
