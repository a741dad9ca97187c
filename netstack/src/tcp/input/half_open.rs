//! SYN-RECEIVED after a passive open (RFC 9293 §3.10.7.4), and the promotion to ESTABLISHED.

use core::time::Duration;

use super::super::config::TcpConfig;
use super::super::control_block::{Conn, NewConn, clock_ms, flag};
use super::super::cookie::Agreed;
use super::super::event::Ready;
use super::super::listen::HalfOpen;
use super::super::segment::{ACK, ECE, Header, RST, SYN, Segment, Timestamps};
use super::super::seq::{Seq, clock_before};
use super::super::shared::Shared;
use super::super::state::State;
use super::super::table::Entry;
use super::super::tuple::Tuple;
use super::super::{Ctx, Tcp, emit, output, timers};
use super::data;
use super::listen::Arrival;
use crate::counters::TcpCounter;
use crate::frame::Frame;
use crate::ip::IpMeta;

/// Time until the SYN-ACK is sent again, after `retries` times (RFC 6298 §2.1, §5.5).
pub(crate) fn resend_after(retries: u8, config: &TcpConfig) -> Duration {
    Duration::from_secs(1 << retries.min(6)).min(config.rto_max)
}

/// What a segment does to a half-open connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Establish,
    SendSynAckAgain,
    Reset,
    Remove,
    Drop(TcpCounter),
}

impl Tcp {
    pub(super) fn half_open_segment(
        &mut self,
        index: u32,
        segment: &Segment,
        frame: Frame,
        meta: &IpMeta,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(entry) = self.shared.listeners.half_open.at_mut(index) else { return };
        entry.path.note_ingress(meta);
        let verdict = judge(entry, segment);
        match verdict {
            Verdict::Establish => {
                let tuple = entry.tuple;
                self.complete(index, Arrival { segment, tuple: &tuple, meta, frame }, ctx);
            }
            Verdict::SendSynAckAgain => {
                entry.sent_at = None;
                // RFC 3168 §6.1.1: the peer gave ECN up, as after the loss of a SYN that asked for it.
                entry.ecn &= segment.is_ecn_setup();
                send_syn_ack(index, &mut self.shared, ctx);
            }
            Verdict::Reset => {
                let (tuple, mut path) = (entry.tuple, entry.path);
                self.shared.counters.bump(TcpCounter::ResetBadHandshake);
                emit::reset_for(segment, &tuple, &mut path, &mut self.shared, ctx);
            }
            Verdict::Remove => {
                self.shared.counters.bump(TcpCounter::ResetHalfOpen);
                remove(index, &mut self.shared);
            }
            Verdict::Drop(reason) => self.shared.counters.bump(reason),
        }
    }

    /// The acknowledgment of our SYN arrived: when there is room for a connection, the half-open one becomes it.
    fn complete(&mut self, index: u32, arrival: Arrival<'_>, ctx: &mut Ctx<'_>) {
        let Some(listener) = self.shared.listeners.half_open.at(index).map(|entry| entry.listener) else { return };
        let Some(listener) = self.shared.listeners.get_mut(listener) else { return };
        if listener.pending >= listener.backlog {
            // The peer's next segment, or our SYN-ACK sent again, tries anew.
            return self.shared.counters.bump(TcpCounter::DropAcceptQueue);
        }
        if self.conns.len() >= self.shared.config.max_connections {
            return self.shared.counters.bump(TcpCounter::RefuseConnections);
        }
        if !self.shared.may_open(self.conns.len()) {
            return self.shared.counters.bump(TcpCounter::RefuseMemory);
        }
        let Some(entry) = self.shared.listeners.remove_half_open(index) else { return };
        self.establish(&entry, Handshake::Remembered(index), arrival, ctx);
    }

    /// The handshake is complete: `entry` becomes a connection, and the segment is its first. The caller has checked
    /// the limits.
    pub(super) fn establish(
        &mut self,
        entry: &HalfOpen,
        handshake: Handshake,
        arrival: Arrival<'_>,
        ctx: &mut Ctx<'_>,
    ) {
        let Arrival { segment, meta, frame, .. } = arrival;
        let Some(listener) = self.shared.listeners.get_mut(entry.listener) else { return };
        listener.pending += 1;
        let options = listener.options;
        let early = handshake == Handshake::Early;
        if early {
            listener.fast_open.begin();
        }
        let new = NewConn {
            tuple: entry.tuple,
            state: if early { State::SynReceived } else { State::Established },
            iss: entry.iss,
            ts_offset: entry.ts_offset,
            path: entry.path,
            options: &options,
            config: &self.shared.config,
            now: ctx.now,
        };
        let mut conn = Conn::new(&new);
        promote(&mut conn, entry, segment, &self.shared, ctx);
        if matches!(handshake, Handshake::Remembered(_)) {
            measure(&mut conn, entry, segment, ctx);
        }
        if early {
            conn.set(flag::FAST_OPEN | flag::SYN_DUE | if entry.gives_cookie { flag::GIVES_COOKIE } else { 0 });
        } else {
            timers::start_idle(&mut conn, &self.shared, ctx.now);
        }
        let key = self.conns.insert(conn);
        let hash = self.shared.table.hash(&entry.tuple);
        let connection = Entry::Connection(key.index);
        match handshake {
            Handshake::Early => self.shared.table.insert(hash, connection),
            Handshake::Remembered(index) => self.shared.table.replace(hash, Entry::HalfOpen(index), connection),
            Handshake::Cookie => self.shared.table.insert(hash, connection),
        }
        if !early {
            self.shared.counters.bump(TcpCounter::Established);
            self.shared.counters.add(TcpCounter::EcnNegotiated, u64::from(entry.ecn));
        }
        if let Some(conn) = self.conns.get_mut(key) {
            conn.generation = key.generation;
            self.shared.notify(conn, key.index, Ready::ACCEPTED);
            self.shared.arm(conn, key.index);
            if early {
                self.shared.queue_transmit(conn, key.index);
                if segment.payload_len > 0 {
                    // The numbers of the data begin behind the SYN's.
                    let data = Segment { seq: segment.seq + 1, ..*segment };
                    data::accept(conn, key.index, &data, frame, &mut self.shared, ctx.now);
                }
                return;
            }
        }
        // RFC 9293 §3.10.7.4: processing continues with the segment in ESTABLISHED.
        self.connection_segment(key.index, segment, frame, meta, ctx);
    }
}

/// What the handshake was kept in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Handshake {
    /// The half-open entry of this index, which is in the table.
    Remembered(u32),
    /// The peer's acknowledgment.
    Cookie,
    /// It is not complete: the SYN's data is taken before (RFC 7413 §4.2.2).
    Early,
}

/// RFC 9293 §3.10.7.4 for SYN-RECEIVED, in its order.
fn judge(entry: &HalfOpen, segment: &Segment) -> Verdict {
    let rcv_nxt = entry.irs + 1;
    let window = entry.rcv_wnd.min(0xffff);
    let stale = segment.timestamps.is_some_and(|ts| entry.timestamps && clock_before(ts.val, entry.ts_recent));
    if segment.has(RST) {
        // RFC 5961 §3.2: only the exact number ends it.
        return if segment.seq == rcv_nxt { Verdict::Remove } else { Verdict::Drop(TcpCounter::DropBadReset) };
    }
    if segment.has(SYN) {
        // The SYN again: our answer was lost. Another one: a new attempt of the peer, which resets what it does not
        // know when it sees our answer (RFC 9293 §3.5.1, RFC 5961 §4.2).
        return Verdict::SendSynAckAgain;
    }
    let in_window = segment.seq.at_or_after(rcv_nxt) && segment.seq.at_or_before(rcv_nxt + window);
    if !in_window || stale {
        // First: acceptability; and PAWS (RFC 7323 §5.3).
        return Verdict::Drop(TcpCounter::DropHalfOpen);
    }
    if !segment.has(ACK) {
        return Verdict::Drop(TcpCounter::DropNoAckFlag);
    }
    // Fifth: the acknowledgment must be the one of our SYN; else a reset.
    if segment.ack == entry.iss + 1 { Verdict::Establish } else { Verdict::Reset }
}

/// Fills a fresh control block with what the handshake agreed on.
fn promote(conn: &mut Conn, entry: &HalfOpen, segment: &Segment, shared: &Shared, ctx: &Ctx<'_>) {
    conn.set(flag::ACCEPT_PENDING | flag::IN_TABLE);
    if entry.timestamps {
        conn.set(flag::TIMESTAMPS);
    }
    if entry.sack {
        conn.set(flag::SACK);
    }
    if entry.ecn {
        conn.set(flag::ECN);
    }
    match entry.scales {
        Some((theirs, ours)) => {
            conn.set(flag::SCALED);
            (conn.snd_scale, conn.rcv_scale) = (theirs, ours);
        }
        None => conn.recv_limit = conn.recv_limit.min(0xffff),
    }
    conn.listener = Some(entry.listener);
    conn.snd_una = entry.iss + 1;
    conn.snd_nxt = entry.iss + 1;
    conn.recover = conn.snd_una;
    conn.rcv_nxt = entry.irs + 1;
    conn.last_ack_sent = conn.rcv_nxt;
    // More than the SYN-ACK could say; the first acknowledgment says it.
    conn.rcv_edge = conn.rcv_nxt + conn.recv_limit;
    conn.ts_recent = entry.ts_recent;
    conn.ts_recent_ms = clock_ms(ctx.now);
    conn.snd_wnd = entry.snd_wnd;
    conn.max_snd_wnd = entry.snd_wnd;
    conn.snd_wl1 = Seq(segment.seq.0.wrapping_sub(1));
    conn.snd_wl2 = conn.snd_una;
    conn.peer_mss = entry.peer_mss;
    conn.set_mss(output::path_mss(&entry.tuple, ctx), shared.config.min_mss);
}

/// The round-trip time of the handshake (RFC 6298 §2.2). A cookie does not know when it was sent: the initial timeout
/// stays (§2.1).
fn measure(conn: &mut Conn, entry: &HalfOpen, segment: &Segment, ctx: &Ctx<'_>) {
    match (entry.sent_at, segment.timestamps) {
        (Some(sent), _) => conn.rtt.measured(ctx.now.micros_since(sent), ctx.now),
        (None, Some(ts)) if entry.timestamps => {
            let elapsed = conn.ts_now(ctx.now).wrapping_sub(ts.ecr);
            conn.rtt.sample(u64::from(elapsed) * 1_000, true);
        }
        // RFC 6298 §5.7
        _ => conn.rtt.start_conservative_after_syn(),
    }
}

/// The SYN-ACK that agrees to `agreed`; `timestamps` are ours and the echo.
#[allow(clippy::too_many_arguments, reason = "everything that a SYN-ACK says")]
pub(super) fn syn_ack(
    tuple: &Tuple,
    iss: Seq,
    irs: Seq,
    rcv_wnd: u32,
    agreed: &Agreed,
    window_scale: Option<u8>,
    timestamps: Option<(u32, u32)>,
    ctx: &Ctx<'_>,
) -> Header {
    Header {
        seq: iss,
        ack: irs + 1,
        // RFC 3168 §6.1.1: the ECN-setup SYN-ACK.
        flags: SYN | ACK | if agreed.ecn { ECE } else { 0 },
        window: rcv_wnd.min(0xffff) as u16,
        mss: Some(output::path_mss(tuple, ctx)),
        // RFC 7323 §2.2, §3.2 and RFC 2018 §2: only what the SYN offered.
        timestamps: timestamps.map(|(val, ecr)| Timestamps { val, ecr }),
        window_scale,
        sack_permitted: agreed.sack,
        ..emit::addressed(tuple)
    }
}

/// Sends the SYN-ACK of a half-open connection.
pub(crate) fn send_syn_ack(index: u32, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let Some(entry) = shared.listeners.half_open.at(index) else { return };
    let val = clock_ms(ctx.now).wrapping_add(entry.ts_offset);
    let agreed = Agreed {
        mss: entry.peer_mss,
        scale: entry.scales.map(|(theirs, _)| theirs),
        sack: entry.sack,
        ecn: entry.ecn,
        timestamps: entry.timestamps,
    };
    let timestamps = entry.timestamps.then_some((val, entry.ts_recent));
    let ours = entry.scales.map(|(_, ours)| ours);
    let header = syn_ack(&entry.tuple, entry.iss, entry.irs, entry.rcv_wnd, &agreed, ours, timestamps, ctx);
    let (tuple, mut path, gives_cookie) = (entry.tuple, entry.path, entry.gives_cookie);
    let fast_open = gives_cookie.then(|| shared.fast_open.cookie(&tuple, ctx.now));
    let header = Header { fast_open, ..header };
    emit::emit_control(&header, &tuple, &mut path, shared, ctx);
    if let Some(entry) = shared.listeners.half_open.at_mut(index) {
        entry.path = path;
    }
}

/// The timer of a half-open connection fired: the SYN-ACK is sent again, or the connection forgotten.
pub(crate) fn timeout(index: u32, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let Some(entry) = shared.listeners.half_open.at_mut(index) else { return };
    if entry.retries >= shared.config.syn_ack_retries {
        shared.counters.bump(TcpCounter::DropSynAckTimeout);
        remove(index, shared);
        return;
    }
    entry.retries += 1;
    entry.sent_at = None;
    let again = ctx.now + resend_after(entry.retries, &shared.config);
    shared.listeners.wheel.schedule(index, again);
    shared.counters.bump(TcpCounter::Timeouts);
    send_syn_ack(index, shared, ctx);
}

/// Forgets a half-open connection, in the table, too.
pub(crate) fn remove(index: u32, shared: &mut Shared) {
    if let Some(entry) = shared.listeners.remove_half_open(index) {
        shared.remove_flow(&entry.tuple, Entry::HalfOpen(index));
    }
}
