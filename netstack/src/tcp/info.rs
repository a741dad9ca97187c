//! A connection as observers see it: the CLI, tests and simulations.

use core::net::SocketAddr;
use core::time::Duration;

use super::congestion::CongestionControl;
use super::control_block::{Conn, NONE, Phase, flag};
use super::pacing::Rate;
use super::receive::RecvState;
use super::recovery;
use super::shared::Shared;
use super::table::Entry;
use super::{ConnId, ListenerId, Tcp};
use crate::time::Instant;

/// A snapshot of one connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnInfo {
    /// The connection.
    pub conn: ConnId,
    /// The application's token.
    pub token: u32,
    /// RFC 9293 name of the state, as `ESTABLISHED`.
    pub state: &'static str,
    /// Own end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// Oldest unacknowledged sequence number.
    pub snd_una: u32,
    /// Next sequence number to be sent.
    pub snd_nxt: u32,
    /// The peer's window in bytes.
    pub snd_wnd: u32,
    /// Next sequence number expected.
    pub rcv_nxt: u32,
    /// Window offered to the peer, in bytes.
    pub rcv_wnd: u32,
    /// Name of the congestion controller.
    pub congestion: &'static str,
    /// Congestion window in bytes.
    pub cwnd: u32,
    /// Slow-start threshold in bytes.
    pub ssthresh: u32,
    /// Name of the recovery phase: `open`, `reduced` (by a congestion mark), `recovery` or `loss`.
    pub recovery: &'static str,
    /// Largest payload sent in one segment, in bytes.
    pub mss: u16,
    /// Smoothed round-trip time, once measured.
    pub srtt: Option<Duration>,
    /// Least round-trip time of the last minutes, once measured.
    pub min_rtt: Option<Duration>,
    /// Bytes in the network: sent, and neither acknowledged nor taken for lost.
    pub in_flight: u32,
    /// Bytes that the peer reported beyond a gap.
    pub sacked: u32,
    /// Bytes taken for lost and not sent again yet.
    pub lost: u32,
    /// Bytes delivered in the connection's life.
    pub delivered: u64,
    /// Bytes taken for lost in the connection's life.
    pub lost_total: u64,
    /// Bytes a second at which segments leave; `None` while they are not paced.
    pub pacing_rate: Option<u64>,
    /// Retransmission timeout, back-off included.
    pub rto: Duration,
    /// Doublings of the retransmission timeout.
    pub backoff: u8,
    /// New data is marked ECN-capable.
    pub ecn: bool,
    /// Received bytes waiting for the application.
    pub recv_queued: u32,
    /// Bytes held out of order.
    pub out_of_order: u32,
    /// Bytes queued by the application, unsent and unacknowledged.
    pub send_queued: u32,
    /// When the retransmission or zero-window timer fires.
    pub retransmit_at: Option<Instant>,
    /// When a delayed acknowledgment is sent.
    pub delayed_ack_at: Option<Instant>,
    /// When keep-alive, FIN-WAIT-2 or the time to linger is looked at next.
    pub idle_at: Option<Instant>,
}

/// A snapshot of one listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenerInfo {
    /// The port.
    pub port: u16,
    /// Half-open connections, and accepted ones not yet polled, at most.
    pub backlog: usize,
    /// Half-open connections.
    pub half_open: usize,
    /// Accepted connections not yet polled.
    pub pending: usize,
    /// SYNs answered with a cookie.
    pub cookies_sent: u64,
    /// Acknowledgments that brought a cookie back.
    pub cookies_valid: u64,
    /// Acknowledgments that brought none, or an old one, while cookies were out.
    pub cookies_invalid: u64,
}

impl Tcp {
    /// A snapshot of a listener.
    pub fn listener_info(&self, id: ListenerId) -> Option<ListenerInfo> {
        self.shared.listeners.get(id).map(|listener| ListenerInfo {
            port: listener.port,
            backlog: listener.backlog,
            half_open: listener.half_open,
            pending: listener.pending,
            cookies_sent: listener.cookies.sent,
            cookies_valid: listener.cookies.valid,
            cookies_invalid: listener.cookies.invalid,
        })
    }

    /// Snapshots of connections, in order of slot, from slot `from` on, `max` at most.
    pub fn connections(&self, from: usize, max: usize) -> impl Iterator<Item = ConnInfo> {
        self.conns.iter_from(from).take(max).map(|(key, conn)| describe(key.into(), conn, &self.shared))
    }

    /// A snapshot of one connection.
    pub fn info(&self, id: ConnId) -> Option<ConnInfo> {
        self.conns.get(id.key()).map(|conn| describe(id, conn, &self.shared))
    }

    /// Checks what must hold between any two calls; the first contradiction found. Takes time in proportion to
    /// everything there is: for tests and simulations.
    pub fn audit(&self) -> Result<(), String> {
        let (mut received, mut frames, mut queued) = (0, 0, 0);
        let (mut recv_in_use, mut send_in_use, mut in_table) = (0, 0, 0);
        for (key, conn) in self.conns.iter_from(0) {
            audit_connection(key.into(), conn, &self.shared)
                .map_err(|fault| format!("{} {key:?}: {fault}", conn.state))?;
            recv_in_use += usize::from(conn.recv != NONE);
            send_in_use += usize::from(conn.send != NONE);
            in_table += usize::from(conn.has(flag::IN_TABLE));
            if let Some(state) = self.shared.recv.get(conn.recv) {
                let (bytes, in_frames) = state.count();
                check(bytes == state.held(), || format!("{key:?} holds {bytes} bytes, noted {}", state.held()))?;
                (received, frames) = (received + bytes, frames + in_frames);
            }
            queued += self.shared.send.get(conn.send).map_or(0, |state| state.held());
        }
        let noted = self.shared.memory.usage();
        check((received, frames, queued) == (noted.received, noted.frames, noted.queued), || {
            format!("counted {received} bytes in {frames} frames, {queued} queued; noted {noted:?}")
        })?;
        let budget = self.shared.memory.limits.budget;
        check(noted.total() <= budget, || format!("{noted:?} exceeds the budget of {budget}"))?;
        check(recv_in_use == self.shared.recv.in_use(), || "receive states leak".into())?;
        check(send_in_use == self.shared.send.in_use(), || "send states leak".into())?;
        let entries = in_table + self.shared.listeners.half_open.len() + self.shared.time_waits.slab.len();
        check(entries == self.shared.table.len(), || {
            format!("table has {} entries for {entries}", self.shared.table.len())
        })?;
        for (id, listener) in self.shared.listeners.iter() {
            let half_open = self.shared.listeners.half_open.iter_from(0).filter(|(_, h)| h.listener == id).count();
            check(half_open == listener.half_open, || format!("listener {} miscounts half-open", listener.port))?;
        }
        Ok(())
    }
}

fn check(holds: bool, fault: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(fault()) }
}

fn audit_connection(id: ConnId, conn: &Conn, shared: &Shared) -> Result<(), String> {
    check(conn.generation == id.generation, || "generation differs from the slab's".into())?;
    let events = shared.events.iter().filter(|queued| **queued == id).count();
    check(events == usize::from(conn.has(flag::EVENT_QUEUED)), || format!("{events} times in the event queue"))?;
    let queued = shared.ready.contains(&id.index);
    check(queued || !conn.has(flag::TX_QUEUED), || "not in the transmit queue".into())?;
    let recv = shared.recv.get(conn.recv);
    check(recv.map_or(0, RecvState::queue_bytes) == conn.recv_queued as usize, || "recv_queued is wrong".into())?;
    let send = shared.send.get(conn.send).map_or(0, |state| state.bytes());
    check(send == conn.send_queued as usize, || format!("send_queued {} but {send} bytes", conn.send_queued))?;
    if let Some(state) = shared.send.get(conn.send).filter(|_| conn.state.is_synchronized()) {
        // A lone segment has no record.
        let recorded = if conn.has(flag::LONE) { conn.snd_una } else { conn.snd_nxt };
        state.board.audit(conn.snd_una, recorded)?;
        check(state.owner == id.index, || "the send state is another's".into())?;
    }
    check(conn.snd_una.at_or_before(conn.snd_nxt), || "SND.UNA beyond SND.NXT".into())?;
    if conn.has(flag::IN_TABLE) {
        let hash = shared.table.hash(&conn.tuple);
        let found = shared.table.find(hash, |entry| entry == Entry::Connection(id.index));
        check(found.is_some(), || "not in the table".into())?;
        let earliest = conn.retransmit_at.min(conn.delayed_ack_at).min(conn.idle_at);
        let armed =
            conn.armed_at <= earliest && (shared.wheel.is_set(id.index) || conn.armed_at == Instant::FAR_FUTURE);
        check(armed || conn.has(flag::TX_QUEUED), || "the wheel is armed too late".into())?;
        let timed = conn.outstanding() == 0 || conn.retransmit_at != Instant::FAR_FUTURE;
        check(timed, || "data in flight without a timer".into())?;
    }
    Ok(())
}

fn describe(id: ConnId, conn: &Conn, shared: &Shared) -> ConnInfo {
    let set = |at: Instant| (at != Instant::FAR_FUTURE).then_some(at);
    let send = shared.send.get(conn.send);
    let recorded = send.map_or(0, |state| recovery::pipe(conn, state));
    let in_flight = if conn.has(flag::LONE) { conn.outstanding() } else { recorded };
    ConnInfo {
        conn: id,
        token: conn.token,
        state: conn.state.name(),
        local: conn.tuple.local(),
        remote: conn.tuple.remote(),
        snd_una: conn.snd_una.0,
        snd_nxt: conn.snd_nxt.0,
        snd_wnd: conn.snd_wnd,
        rcv_nxt: conn.rcv_nxt.0,
        rcv_wnd: conn.rcv_wnd(),
        congestion: conn.congestion.name(),
        cwnd: conn.congestion.window(),
        ssthresh: conn.congestion.ssthresh(),
        recovery: match conn.phase {
            Phase::Open => "open",
            Phase::Reduced => "reduced",
            Phase::Recovery => "recovery",
            Phase::Loss => "loss",
        },
        mss: conn.mss,
        srtt: conn.rtt.srtt(),
        min_rtt: Some(conn.rtt.min_us()).filter(|us| *us > 0).map(|us| Duration::from_micros(us.into())),
        in_flight,
        sacked: send.map_or(0, |state| state.board.sacked()),
        lost: send.map_or(0, |state| state.board.lost()),
        delivered: conn.totals.delivered,
        lost_total: conn.totals.lost,
        pacing_rate: Rate::of(conn, in_flight).filter(|_| shared.config.pacing).map(|rate| rate.bytes_per_second()),
        rto: Duration::from_micros(conn.rtt.rto_us(conn.backoff, shared.rto)),
        backoff: conn.backoff,
        ecn: conn.sends_ect(),
        recv_queued: conn.recv_queued,
        out_of_order: shared.recv.get(conn.recv).map_or(0, RecvState::out_of_order_bytes),
        send_queued: conn.send_queued,
        retransmit_at: set(conn.retransmit_at),
        delayed_ack_at: set(conn.delayed_ack_at),
        idle_at: set(conn.idle_at),
    }
}
