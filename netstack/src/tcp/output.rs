//! Building and sending segments.
//!
//! ```text
//!   plan.rs (what, from recovery and windows) ─▶ frame: payload gathered from the send queue, header pushed in front,
//!   checksum ─▶ Egress::send
//! ```
//!
//! The only copy of a payload is the one into the frame that the NIC reads. An acknowledgment rides on data whenever
//! there is data: connections are served here after the application had its turn, so an answer carries it.

use super::black_hole;
use super::config::EcnMode;
use super::control_block::{Conn, NONE, Phase, clock_ms, flag};
use super::emit::seal;
use super::fast_open;
use super::plan::{self, Plan, Purpose, Turn};
use super::sack::Blocks;
use super::scoreboard::{Record, mark};
use super::segment::{ACK, CWR, ECE, FIN, HEADER, Header, PSH, SYN, Timestamps};
use super::send::SendState;
use super::seq::Seq;
use super::shared::Shared;
use super::state::State;
use super::timers::{self, Deadline};
use super::tuple::Tuple;
use super::window::{acknowledgment_due, advertise};
use super::{Ctx, lone};
use crate::counters::TcpCounter;
use crate::frame::Frame;
use crate::time::Instant;

/// The ECN field of an ECN-capable packet, ECT(0) (RFC 3168 §5).
const ECT_0: u8 = 0b10;

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

/// Sends what the connection has to say, `budget` frames at most.
pub(crate) fn transmit(conn: &mut Conn, index: u32, shared: &mut Shared, ctx: &mut Ctx<'_>, budget: usize) -> Progress {
    let mut progress = Progress::default();
    match conn.state {
        State::Closed | State::TimeWait => return progress,
        // RFC 7413 §4.2.2: the answer to a SYN's data leaves behind the SYN-ACK, before the handshake is complete.
        State::SynReceived if conn.has(flag::FAST_OPEN) => {
            if conn.has(flag::SYN_DUE) {
                count(send_syn(conn, shared, ctx), &mut progress);
            }
            if !progress.starved {
                synchronized(conn, index, shared, ctx, budget, &mut progress);
            }
        }
        State::SynSent | State::SynReceived => {
            if conn.has(flag::SYN_DUE) || conn.has(flag::ACK_NOW) {
                count(send_syn(conn, shared, ctx), &mut progress);
            }
        }
        _ => synchronized(conn, index, shared, ctx, budget, &mut progress),
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

fn synchronized(
    conn: &mut Conn,
    index: u32,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
    budget: usize,
    progress: &mut Progress,
) {
    // Data first: its segments carry the acknowledgment.
    if (conn.send_queued > 0 || conn.has(flag::FIN_QUEUED)) && send_queued(conn, index, shared, ctx, budget, progress) {
        return;
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

/// Sends from the queue what may leave now. True in the usual case: what was queued is out, the acknowledgment went with
/// it, and nothing else is due.
#[inline]
fn send_queued(
    conn: &mut Conn,
    index: u32,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
    budget: usize,
    progress: &mut Progress,
) -> bool {
    if conn.send == NONE {
        if conn.has(flag::FIN_SENT) {
            return false;
        }
        // A FIN alone.
        shared.send.take(&mut conn.send).owner = index;
    }
    let begun = progress.frames;
    let mut turn = Turn::new(ctx.now, shared);
    let mut done = false;
    if conn.has(flag::LONE) && conn.snd_nxt == conn.data_end() && !conn.has(flag::FIN_QUEUED) {
        return false;
    }
    while !progress.starved {
        let plan = match lone::plan(conn, &turn) {
            Some(plan) => plan,
            None => {
                let Some(plan) = recorded_plan(conn, &mut turn, shared) else { break };
                plan
            }
        };
        if progress.frames >= budget {
            progress.more = true;
            break;
        }
        count(send_data(conn, plan, &mut turn, shared, ctx), progress);
        done = all_is_said(conn);
        if done {
            break;
        }
    }
    if conn.has(flag::LONE) {
        return done;
    }
    if let Some(until) = turn.held_until {
        shared.pacing.schedule(conn.send, until);
    }
    if let Some(state) = shared.send.get_mut(conn.send) {
        if !progress.more {
            plan::note_usage(conn, state);
        }
        if progress.frames > begun && conn.deadline != Deadline::Window {
            timers::choose(conn, state, ctx.now);
        }
    }
    if !done {
        timers::watch_window(conn, shared, ctx.now);
    }
    done
}

/// What goes next, of a connection that keeps records.
fn recorded_plan(conn: &mut Conn, turn: &mut Turn, shared: &mut Shared) -> Option<Plan> {
    let state = shared.send.get_mut(conn.send)?;
    lone::settle(conn, state, shared.rto);
    plan::next(conn, state, turn)
}

/// True in the usual case after a segment.
#[inline]
fn all_is_said(conn: &Conn) -> bool {
    const DUE: u32 = flag::FIN_QUEUED | flag::PROBE_DUE | flag::KEEP_ALIVE_DUE | flag::ACK_NOW | flag::ACK_PENDING;
    conn.snd_nxt == conn.data_end() && conn.phase == Phase::Open && !conn.has(DUE)
}

/// Sends one data segment (or a FIN); false when there is no frame.
fn send_data(conn: &mut Conn, plan: Plan, turn: &mut Turn, shared: &mut Shared, ctx: &mut Ctx<'_>) -> bool {
    let Some(mut frame) = ctx.egress.alloc() else {
        shared.counters.bump(TcpCounter::DropNoFrame);
        return false;
    };
    let urgent_ack = conn.flags & flag::ACK_NOW;
    let (blocks, withheld) = blocks_beside(conn, &plan, shared);
    // A segment with SACK blocks carries less, so that it stays within the path's size.
    let most = if plan.purpose == Purpose::SizeProbe { plan.len } else { u32::from(conn.mss) };
    let room = most.saturating_sub(blocks_len(&blocks)).max(1);
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
    let mut header = acknowledging(conn, plan.seq, blocks, ctx.now);
    if withheld {
        // The blocks follow in a segment of their own.
        conn.set(urgent_ack);
    }
    if fin {
        header.flags |= FIN;
    }
    if plan.seq + len == conn.data_end() {
        header.flags |= PSH;
    }
    let ecn = mark_capable(conn, &plan, len, &mut header);
    note_sent(conn, &plan, len, fin, turn, shared);
    shared.counters.add(TcpCounter::TxBytes, u64::from(len));
    let Conn { tuple, path, .. } = conn;
    seal(&header, frame, ecn, tuple, path, shared, ctx);
    true
}

/// RFC 3168 §6.1.4, §6.1.5: new data is marked ECN-capable, nothing else; §6.1.2: and it tells of a reduction.
#[inline]
fn mark_capable(conn: &mut Conn, plan: &Plan, len: u32, header: &mut Header) -> u8 {
    if !conn.sends_ect() || plan.again.is_some() || len == 0 || conn.deadline == Deadline::Window {
        return 0;
    }
    if conn.has(flag::CWR_DUE) {
        conn.clear(flag::CWR_DUE);
        header.flags |= CWR;
    }
    ECT_0
}

/// What sending changes: numbers, records, timers, measurements.
#[inline]
fn note_sent(conn: &mut Conn, plan: &Plan, len: u32, fin: bool, turn: &mut Turn, shared: &mut Shared) {
    conn.sent_ms = clock_ms(turn.now);
    if plan.purpose == Purpose::Lone {
        return lone::sent(conn, len, shared.rto, turn.now);
    }
    let Some(state) = shared.send.get_mut(conn.send) else { return };
    state.used = true;
    let numbers = len + u32::from(fin);
    let idle = state.board.is_empty();
    let sent_at = state.stamp(turn.now);
    let (snapshot, app_limited) = state.sampler.on_send(&conn.totals, sent_at, numbers, state.board.in_flight(), idle);
    let first = match plan.again {
        Some(key) => {
            // Karn's rule (RFC 6298 §3): what was sent twice is not timed; the record knows.
            let first = state.board.first().is_some_and(|(first, _)| first == key);
            state.board.resend(key, sent_at, snapshot, app_limited);
            state.undo.on_retransmission(turn.now);
            state.forced = false;
            shared.counters.bump(TcpCounter::TxRetransmits);
            first
        }
        None => {
            let marks = if fin { mark::FIN } else { 0 } | if app_limited { mark::APP_LIMITED } else { 0 };
            let record = Record::new(plan.seq, numbers, marks, sent_at, snapshot);
            if plan.purpose == Purpose::SizeProbe {
                push_size_probe(conn, state, record);
                shared.counters.bump(TcpCounter::TxSizeProbes);
            } else {
                state.board.push(record);
            }
            conn.snd_nxt = plan.seq + numbers;
            if fin {
                conn.set(flag::FIN_SENT);
            }
            idle
        }
    };
    // RFC 6298 §5.1: the timer runs while anything is in flight; the first segment's retransmission gives it anew.
    if idle {
        conn.progress_at = turn.now;
    }
    if first {
        timers::restart_timeout(conn, state, shared.rto, turn.now);
    }
    state.prr.sent(numbers);
    if let Some(rate) = &turn.rate {
        state.pacer.sent(rate, numbers, turn.now);
    }
    if plan.purpose == Purpose::TailProbe {
        conn.probe.sent(conn.snd_nxt, plan.again.is_some());
        shared.counters.bump(TcpCounter::TxLossProbes);
    }
}

/// A probe of the segment size has a record for each segment that it would else have been, so that these go again if it
/// is lost.
#[cold]
fn push_size_probe(conn: &mut Conn, state: &mut SendState, whole: Record) {
    black_hole::probe_sent(conn, whole.len);
    let mut start = whole.start;
    while start.before(whole.end()) {
        let len = whole.end().since(start).min(u32::from(conn.mss));
        let flags = whole.flags | mark::SIZE_PROBE;
        state.board.push(Record::new(start, len, flags, whole.sent_at, whole.snapshot));
        start += len;
    }
}

/// The SYN is out: it is timed, and the timer runs.
fn note_syn_sent(conn: &mut Conn, shared: &mut Shared, now: Instant) {
    if conn.has(flag::SYN_RESENT) && conn.snd_nxt != conn.iss {
        // Karn's rule (RFC 6298 §3)
        conn.clear(flag::RTT_TIMED);
        shared.counters.bump(TcpCounter::TxRetransmits);
    } else if !conn.has(flag::RTT_TIMED) {
        conn.set(flag::RTT_TIMED);
        conn.timed_at = now;
    }
    conn.snd_nxt = conn.snd_nxt.max(conn.iss + 1);
    conn.sent_ms = clock_ms(now);
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
        fast_open: None,
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

/// The SACK blocks that go with a segment, and whether there are some that do not fit: what is sent again keeps its size.
#[inline]
fn blocks_beside(conn: &mut Conn, plan: &Plan, shared: &mut Shared) -> (Blocks, bool) {
    if plan.again.is_none() || conn.recv == NONE || plan.len + blocks_most(conn) <= u32::from(conn.mss) {
        return (sack_blocks(conn, shared), false);
    }
    (Blocks::default(), conn.has(flag::SACK))
}

/// Bytes that SACK blocks take at most (RFC 7323 §3.2: three fit beside timestamps).
fn blocks_most(conn: &Conn) -> u32 {
    4 + 8 * if conn.has(flag::TIMESTAMPS) { 3 } else { 4 }
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
    seal(&header, frame, 0, tuple, path, shared, ctx);
    true
}

/// Sends the SYN of an active open, or the SYN-ACK after SYNs crossed.
fn send_syn(conn: &mut Conn, shared: &mut Shared, ctx: &mut Ctx<'_>) -> bool {
    let Some(mut frame) = ctx.egress.alloc() else {
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
    if conn.has(flag::FAST_OPEN) {
        fast_open_option(conn, &mut header, &mut frame, shared, ctx.now);
    }
    conn.clear(flag::SYN_DUE);
    note_syn_sent(conn, shared, ctx.now);
    let Conn { tuple, path, .. } = conn;
    seal(&header, frame, 0, tuple, path, shared, ctx);
    true
}

/// RFC 7413 §4.1.3, §4.2.1: the option of a SYN or SYN-ACK, and the data that a SYN may carry.
#[cold]
fn fast_open_option(conn: &mut Conn, header: &mut Header, frame: &mut Frame, shared: &mut Shared, now: Instant) {
    if conn.has(flag::GIVES_COOKIE) {
        header.fast_open = Some(shared.fast_open.cookie(&conn.tuple, now));
        return;
    }
    let Some((cookie, mss)) = fast_open::offer(conn, shared, now) else { return };
    header.fast_open = Some(cookie);
    if cookie.is_request() {
        return;
    }
    // RFC 6691 §2: options are taken off the segment size.
    let size = mss.min(header.mss.unwrap_or(mss)).saturating_sub((header.len() - HEADER) as u16);
    let len = conn.send_queued.min(u32::from(size)) as usize;
    let gathered = match (shared.send.get_mut(conn.send), frame.extend(len.min(frame.tailroom()))) {
        (Some(state), Some(out)) => state.gather(0, out),
        _ => 0,
    };
    frame.truncate(gathered);
    conn.early_len = gathered as u16;
    shared.counters.add(TcpCounter::FastOpenSent, u64::from(gathered > 0));
    shared.counters.add(TcpCounter::TxBytes, gathered as u64);
}

/// The segment size to announce: the path's packets without the fixed headers (RFC 6691 §2).
pub(crate) fn path_mss(tuple: &Tuple, ctx: &Ctx<'_>) -> u16 {
    let remote = tuple.remote_ip();
    let headers = if remote.is_ipv4() { 40 } else { 60 };
    ctx.egress.ip_mtu(ctx.now, remote).saturating_sub(headers)
}
