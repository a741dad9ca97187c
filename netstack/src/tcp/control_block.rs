//! The control block of a connection: what an idle connection costs.
//!
//! ```text
//!   line 1   identity, state, and what header prediction compares
//!   line 2   acknowledgment state, congestion window, round-trip time
//!   line 3   timers, path, token, event bits
//!   line 4   what only handshakes, losses and closing need
//! ```
//!
//! Queues are not here: they live in pooled objects (receive.rs, send.rs) which a connection holds only while it has
//! data, named by `recv` and `send`.

use super::black_hole::SizeSearch;
use super::config::{ConnOptions, KeepAlive, TcpConfig};
use super::congestion::{Congestion, CongestionControl};
use super::event::{EndReason, ListenerId, Ready};
use super::probe::Probe;
use super::rack::Reordering;
use super::rate::Totals;
use super::rtt::Rtt;
use super::segment::TIMESTAMPS;
use super::seq::Seq;
use super::state::{State, Transition};
use super::timers::Deadline;
use super::tuning::Sizes;
use super::tuple::Tuple;
use crate::ip::PathCache;
use crate::time::Instant;

/// No pooled object.
pub(crate) const NONE: u32 = u32::MAX;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)+) => {
        $($(#[$doc])* pub(crate) const $name: u32 = 1 << $bit;)+
        const _: () = assert!((0 $(| $name)+).count_ones() == 0 $(+ $name.count_ones())+, "two flags share a bit");
    };
}

/// Bits of [`Conn::flags`].
pub(crate) mod flag {
    flags! {
        /// Timestamps were negotiated (RFC 7323).
        TIMESTAMPS = 0;
        /// Selective acknowledgments were negotiated (RFC 2018).
        SACK = 1;
        /// Nagle's algorithm holds small segments back.
        NAGLE = 2;
        /// A SYN (or SYN-ACK) is to be sent now.
        SYN_DUE = 3;
        /// The application closed; a FIN ends the send queue.
        FIN_QUEUED = 4;
        /// The FIN was sent at least once.
        FIN_SENT = 5;
        /// The peer's FIN was received in order.
        FIN_RECEIVED = 6;
        /// An acknowledgment goes out at the next chance.
        ACK_NOW = 7;
        /// An acknowledgment goes out with the next segment, or when the delay is over.
        ACK_PENDING = 8;
        /// In the transmit queue.
        TX_QUEUED = 9;
        /// In the event queue.
        EVENT_QUEUED = 10;
        /// In the list of connections to be settled.
        TOUCHED = 11;
        /// The application filled the send buffer and waits for room.
        WANT_WRITE = 12;
        /// The SYN is being timed for the round-trip time.
        RTT_TIMED = 13;
        /// The next new data says that the congestion window was reduced (RFC 3168 §6.1.2).
        CWR_DUE = 14;
        /// A window probe is to be sent now.
        PROBE_DUE = 15;
        /// A keep-alive probe is to be sent now.
        KEEP_ALIVE_DUE = 16;
        /// Holds its 4-tuple in the table.
        IN_TABLE = 17;
        /// Counted with its listener until its first event is polled.
        ACCEPT_PENDING = 18;
        /// Over for the network; received data is still to be read.
        LINGERING = 19;
        /// The SYN was sent more than once.
        SYN_RESENT = 20;
        /// Window scaling was negotiated.
        SCALED = 21;
        /// What is in flight is one segment without a record (lone.rs).
        LONE = 22;
        /// ECN was negotiated (RFC 3168 §6.1.1): marks of the network are echoed; see [`super::Conn::sends_ect`].
        ECN = 23;
        /// The network marked congestion; said in every segment until the peer has heard it (RFC 3168 §6.1.3).
        ECE_ECHO = 24;
        /// The size of the receive buffer was stated: it does not grow.
        RECV_FIXED = 25;
        /// The size of the send buffer was stated: it does not grow.
        SEND_FIXED = 26;
        /// Memory is short: the window is a few segments until it is not any more.
        CLAMPED = 27;
        /// In the list of connections that were refused to send for want of memory.
        SEND_WAITS = 28;
        /// Fast Open (RFC 7413): in SYN-SENT it is tried; in SYN-RECEIVED the SYN brought data, which was taken.
        FAST_OPEN = 29;
        /// The SYN-ACK carries a Fast Open cookie.
        GIVES_COOKIE = 30;
    }
}

/// How losses are being repaired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Nothing is known to be lost.
    Open,
    /// The peer echoed a congestion mark (RFC 3168 §6.1.2): the window falls, until `recover` is acknowledged.
    Reduced,
    /// Fast recovery (RFC 6675, RFC 6582), until `recover` is acknowledged.
    Recovery,
    /// After a timeout (RFC 5681 §3.1), until `recover` is acknowledged.
    Loss,
}

/// A connection.
#[repr(C)]
pub(crate) struct Conn {
    pub(crate) tuple: Tuple,
    pub(crate) state: State,
    pub(crate) phase: Phase,
    pub(crate) snd_scale: u8,
    pub(crate) rcv_scale: u8,
    pub(crate) flags: u32,
    pub(crate) rcv_nxt: Seq,
    pub(crate) snd_una: Seq,
    pub(crate) snd_nxt: Seq,
    pub(crate) snd_wnd: u32,
    pub(crate) ts_recent: u32,

    /// Right edge of the window that the peer was promised.
    pub(crate) rcv_edge: Seq,
    /// `rcv_nxt` as it was last acknowledged (RFC 7323's Last.ACK.sent).
    pub(crate) last_ack_sent: Seq,
    pub(crate) ts_offset: u32,
    /// Pooled receive state, or [`NONE`].
    pub(crate) recv: u32,
    /// Pooled send state, or [`NONE`].
    pub(crate) send: u32,
    /// Bytes received in order and not yet consumed.
    pub(crate) recv_queued: u32,
    /// Bytes queued and not yet acknowledged; the sequence space from `snd_una` on, but for SYN and FIN.
    pub(crate) send_queued: u32,
    pub(crate) congestion: Congestion,
    pub(crate) rtt: Rtt,
    /// Payload bytes of a full segment (options that every segment carries are taken off).
    pub(crate) mss: u16,
    /// What the peer announced.
    pub(crate) peer_mss: u16,
    /// When this is acknowledged, a round is over for the round-trip time's variation.
    pub(crate) rtt_round: Seq,
    /// When the SYN, or a lone segment, was sent.
    pub(crate) timed_at: Instant,
    pub(crate) totals: Totals,

    pub(crate) retransmit_at: Instant,
    pub(crate) delayed_ack_at: Instant,
    pub(crate) idle_at: Instant,
    /// What the wheel knows; never later than the earliest of the three above, unless about to be armed.
    pub(crate) armed_at: Instant,
    pub(crate) path: PathCache,
    pub(crate) token: u32,
    pub(crate) generation: u32,
    pub(crate) events: Ready,
    /// What the retransmission deadline is for.
    pub(crate) deadline: Deadline,
    /// Doublings of the retransmission timeout or of the probe interval.
    pub(crate) backoff: u8,
    /// Timeouts since the peer last acknowledged something new.
    pub(crate) retries: u8,
    /// Probes (of a window or for keep-alive) since the peer was last heard.
    pub(crate) probes: u8,
    /// When a segment of the peer last arrived, in milliseconds.
    pub(crate) heard_ms: u32,

    pub(crate) snd_wl1: Seq,
    pub(crate) snd_wl2: Seq,
    pub(crate) max_snd_wnd: u32,
    pub(crate) iss: Seq,
    /// Recovery ends when this is acknowledged.
    pub(crate) recover: Seq,
    pub(crate) probe: Probe,
    pub(crate) search: SizeSearch,
    /// When SND.UNA last moved, or something left after everything was acknowledged.
    pub(crate) progress_at: Instant,
    /// How long data may stay unacknowledged, in milliseconds; zero for as long as retransmissions go on.
    pub(crate) user_timeout_ms: u32,
    pub(crate) reordering: Reordering,
    /// Bytes of received data that may be held: the window with nothing queued.
    pub(crate) recv_limit: u32,
    pub(crate) send_limit: u32,
    /// Pooled measurements of the receive window, or [`NONE`].
    pub(crate) tuner: u32,
    /// When `ts_recent` was set, in milliseconds.
    pub(crate) ts_recent_ms: u32,
    /// When data was last sent, in milliseconds.
    pub(crate) sent_ms: u32,
    /// When a challenge ACK may be sent next, in milliseconds.
    pub(crate) challenge_ms: u32,
    pub(crate) keep_idle_ms: u32,
    pub(crate) keep_interval_ms: u32,
    pub(crate) keep_probes: u8,
    /// Large segments that are still acknowledged one by one.
    pub(crate) quick_acks: u8,
    /// Bytes that our SYN carried (RFC 7413).
    pub(crate) early_len: u16,
    pub(crate) ended: Option<EndReason>,
    pub(crate) listener: Option<ListenerId>,
}

// An idle connection costs one slab slot, one wheel node and its share of the table.
const _: () = assert!(size_of::<Conn>() <= 448);

/// Where the numbers of a new connection come from.
pub(crate) struct NewConn<'a> {
    pub(crate) tuple: Tuple,
    pub(crate) state: State,
    pub(crate) iss: Seq,
    pub(crate) ts_offset: u32,
    pub(crate) path: PathCache,
    pub(crate) options: &'a ConnOptions,
    pub(crate) config: &'a TcpConfig,
    pub(crate) now: Instant,
}

/// Milliseconds of a 32-bit clock.
#[inline]
pub(crate) fn clock_ms(now: Instant) -> u32 {
    now.as_millis() as u32
}

fn whole_millis(duration: core::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX / 4).min(u32::MAX / 4)
}

fn millis(keep_alive: Option<KeepAlive>) -> (u32, u32, u8) {
    let ms = whole_millis;
    keep_alive.map_or((0, 0, 0), |k| (ms(k.idle).max(1), ms(k.interval).max(1), k.probes.max(1)))
}

impl Conn {
    /// A connection on which nothing was sent or received yet.
    pub(crate) fn new(new: &NewConn<'_>) -> Conn {
        let config = new.config;
        let (keep_idle_ms, keep_interval_ms, keep_probes) = millis(new.options.keep_alive.or(config.keep_alive));
        let (recv, send) = (Sizes::receive(new.options, config), Sizes::send(new.options, config));
        let when = |is: bool, flag: u32| if is { flag } else { 0 };
        let kind = new.options.congestion.unwrap_or(config.congestion);
        let nagle = new.options.nagle.unwrap_or(config.nagle);
        let now_ms = clock_ms(new.now);
        Conn {
            tuple: new.tuple,
            state: new.state,
            phase: Phase::Open,
            snd_scale: 0,
            rcv_scale: 0,
            flags: when(nagle, flag::NAGLE)
                | when(recv.start == recv.most, flag::RECV_FIXED)
                | when(send.start == send.most, flag::SEND_FIXED),
            rcv_nxt: Seq(0),
            snd_una: new.iss,
            snd_nxt: new.iss,
            snd_wnd: 0,
            ts_recent: 0,
            rcv_edge: Seq(0),
            last_ack_sent: Seq(0),
            ts_offset: new.ts_offset,
            recv: NONE,
            send: NONE,
            recv_queued: 0,
            send_queued: 0,
            congestion: Congestion::new(kind, 536, config.initial_window_segments, u64::from(new.iss.0), new.now),
            rtt: Rtt::default(),
            mss: 536,
            peer_mss: 536,
            rtt_round: new.iss,
            timed_at: new.now,
            totals: Totals::default(),
            retransmit_at: Instant::FAR_FUTURE,
            delayed_ack_at: Instant::FAR_FUTURE,
            idle_at: Instant::FAR_FUTURE,
            armed_at: Instant::FAR_FUTURE,
            path: new.path,
            token: 0,
            generation: 0,
            events: Ready::NONE,
            deadline: Deadline::Retransmit,
            backoff: 0,
            retries: 0,
            probes: 0,
            heard_ms: now_ms,
            snd_wl1: Seq(0),
            snd_wl2: new.iss,
            max_snd_wnd: 0,
            iss: new.iss,
            recover: new.iss,
            probe: Probe::default(),
            search: SizeSearch::default(),
            progress_at: new.now,
            user_timeout_ms: new
                .options
                .user_timeout
                .or(config.user_timeout)
                .map_or(0, |limit| whole_millis(limit).max(1)),
            reordering: Reordering::default(),
            recv_limit: recv.start,
            send_limit: send.start,
            tuner: NONE,
            ts_recent_ms: now_ms,
            sent_ms: now_ms,
            challenge_ms: now_ms,
            keep_idle_ms,
            keep_interval_ms,
            keep_probes,
            quick_acks: config.quick_acks,
            early_len: 0,
            ended: None,
            listener: None,
        }
    }

    #[inline]
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    #[inline]
    pub(crate) fn set(&mut self, flag: u32) {
        self.flags |= flag;
    }

    #[inline]
    pub(crate) fn clear(&mut self, flag: u32) {
        self.flags &= !flag;
    }

    /// True when new data may be marked ECN-capable. RFC 3168 §6.1.1: never after a SYN without ECN was sent, which is
    /// what a SYN sent again is.
    #[inline]
    pub(crate) fn sends_ect(&self) -> bool {
        self.flags & (flag::ECN | flag::SYN_RESENT) == flag::ECN
    }

    /// Moves the state; false (and nothing changed) when the transition has no meaning in it.
    #[inline]
    pub(crate) fn move_by(&mut self, transition: Transition) -> bool {
        match self.state.after(transition) {
            Some(state) => {
                self.state = state;
                true
            }
            None => false,
        }
    }

    /// Bytes sent and not acknowledged, SYN and FIN included.
    #[inline]
    pub(crate) fn outstanding(&self) -> u32 {
        self.snd_nxt.since(self.snd_una)
    }

    /// The sequence number behind the last byte queued: the FIN's, when there is one.
    #[inline]
    pub(crate) fn data_end(&self) -> Seq {
        self.snd_una + self.send_queued
    }

    /// The window that the peer may use now.
    #[inline]
    pub(crate) fn rcv_wnd(&self) -> u32 {
        self.rcv_edge.saturating_since(self.rcv_nxt)
    }

    /// The timestamp clock of the connection (RFC 7323 §5.4), in milliseconds.
    #[inline]
    pub(crate) fn ts_now(&self, now: Instant) -> u32 {
        clock_ms(now).wrapping_add(self.ts_offset)
    }

    /// Fixes the segment size from what the peer announced and what the path carries.
    pub(crate) fn set_mss(&mut self, path_mss: u16, floor: u16) {
        let old = self.mss;
        let option_bytes = if self.has(flag::TIMESTAMPS) { TIMESTAMPS as u16 } else { 0 };
        // RFC 6691 §2: the announced size does not count options, so they are taken off here.
        self.mss = self.peer_mss.min(path_mss).max(floor).saturating_sub(option_bytes).max(1);
        if old != self.mss {
            self.congestion.on_mss(u32::from(old), u32::from(self.mss));
        }
    }
}
