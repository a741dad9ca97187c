//! What an operator or the caller can set: limits, times and features, with their defaults.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::congestion::CongestionKind;
use super::memory::{MemoryLimits, OnMemoryExhausted};
use crate::rng::Seed;

/// Probing of an idle peer (RFC 9293 §3.8.4). Off unless asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepAlive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between two probes.
    pub interval: Duration,
    /// Probes without an answer after which the connection is given up.
    pub probes: u8,
}

impl Default for KeepAlive {
    /// RFC 9293 §3.8.4: the idle time defaults to no less than two hours.
    fn default() -> Self {
        KeepAlive { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), probes: 9 }
    }
}

/// Explicit congestion notification (RFC 3168).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum EcnMode {
    /// Neither asked for nor accepted.
    Off,
    /// Accepted when a peer asks for it.
    #[default]
    Passive,
    /// Asked for by active opens, too.
    Active,
}

/// When SYNs are answered without being remembered (RFC 4987 §3.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum SynCookieMode {
    /// Never: SYNs beyond the limits are dropped.
    Off,
    /// While the listener's backlog or the worker's limit of half-open connections is full.
    #[default]
    WhenFull,
    /// Always, but for SYNs that reopen a connection in TIME-WAIT.
    Always,
}

/// Limits and times of one worker's TCP.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// Connections at most, those in TIME-WAIT and half open ones not counted.
    pub max_connections: usize,
    /// Connections for which tables are laid out at the start; more are added as they come.
    pub reserve_connections: usize,
    /// Half-open passive connections at most, over all listeners.
    pub max_half_open: usize,
    /// When SYNs are answered with cookies.
    pub syn_cookies: SynCookieMode,
    /// Servers whose Fast Open cookies are remembered (RFC 7413 §4.1.3).
    pub fast_open_cache: usize,
    /// The secret of what every worker of a process must be able to check: cookies. The worker's own when `None`.
    pub shared_secret: Option<Seed>,
    /// Connections in TIME-WAIT at most; one more is forgotten at once, and counted.
    pub max_time_wait: usize,
    /// Bytes of received data that a connection may hold at first: what its window offers.
    pub receive_buffer: u32,
    /// Bytes that `receive_buffer` grows to while the application keeps up; no less than it.
    pub receive_buffer_max: u32,
    /// Bytes that the application may have queued on a connection at first, unsent and unacknowledged.
    pub send_buffer: u32,
    /// Bytes that `send_buffer` grows to with the congestion window; no less than it.
    pub send_buffer_max: u32,
    /// Runs of data held out of order on a connection at most, with gaps between them.
    pub max_out_of_order_segments: usize,
    /// Bytes that out-of-order data of a connection may cost at most; twice its window, if that is less.
    pub max_out_of_order_bytes: u32,
    /// Memory that all connections of the worker may hold, and the levels on the way there.
    pub memory: MemoryLimits,
    /// What is done when memory is full.
    pub on_memory_exhausted: OnMemoryExhausted,
    /// Receive frames held by all connections of the worker at most; beyond it data is copied out of its frame on arrival.
    pub max_held_frames: usize,
    /// Stay in TIME-WAIT (RFC 9293 §3.4.2: 2 MSL).
    pub time_wait: Duration,
    /// Silence in FIN-WAIT-2, or received data left unread after both sides closed, before the connection is given up.
    pub fin_wait_2: Duration,
    /// Lower bound of the retransmission timeout.
    pub rto_min: Duration,
    /// Upper bound of the retransmission timeout (RFC 6298 §2.5: at least 60 s).
    pub rto_max: Duration,
    /// SYN retransmissions of an active open.
    pub syn_retries: u8,
    /// SYN-ACK retransmissions of a passive open.
    pub syn_ack_retries: u8,
    /// Retransmissions of data, or zero-window probes without any answer, before the connection is given up.
    pub data_retries: u8,
    /// Longest delay of an acknowledgment (RFC 9293 §3.8.6.3: below 0.5 s).
    pub delayed_ack: Duration,
    /// Large segments at the start of a connection that are acknowledged one by one, and half as many after a gap.
    pub quick_acks: u8,
    /// Least time between two challenge ACKs of one connection (RFC 5961 §7).
    pub challenge_interval: Duration,
    /// Keep-alive of connections whose listener or opener says nothing else.
    pub keep_alive: Option<KeepAlive>,
    /// How long data may stay unacknowledged before the connection is given up (RFC 9293 §3.9.1.1, RFC 5482), where the
    /// listener or opener says nothing else; `None`: until `data_retries` are used up.
    pub user_timeout: Option<Duration>,
    /// Congestion controller of connections whose listener or opener says nothing else.
    pub congestion: CongestionKind,
    /// Initial window in segments (RFC 6928).
    pub initial_window_segments: u8,
    /// Offer and accept timestamps (RFC 7323).
    pub timestamps: bool,
    /// Offer and accept selective acknowledgments (RFC 2018).
    pub sack: bool,
    /// Offer and accept window scaling (RFC 7323).
    pub window_scaling: bool,
    /// Explicit congestion notification.
    pub ecn: EcnMode,
    /// Hold back small segments while data is unacknowledged (RFC 9293 §3.7.4).
    pub nagle: bool,
    /// Spread segments over the round-trip time instead of sending them in bursts.
    pub pacing: bool,
    /// Smallest maximum segment size that is believed, from a peer's option or an ICMP message, in bytes.
    pub min_mss: u16,
    /// First and last port of active opens (RFC 6056).
    pub ephemeral_ports: (u16, u16),
    /// Granularity of timers.
    pub timer_tick: Duration,
}

impl Default for TcpConfig {
    fn default() -> Self {
        TcpConfig {
            max_connections: 1_048_576,
            reserve_connections: 1024,
            max_half_open: 65_536,
            syn_cookies: SynCookieMode::default(),
            fast_open_cache: 1024,
            shared_secret: None,
            max_time_wait: 262_144,
            // Three round trips of slow start from ten segments; a promise, not memory.
            receive_buffer: 128 * 1024,
            // Twice what 1 Gbit/s over 100 ms has in flight, so that a loss does not end the flow. As Linux 6.16.
            receive_buffer_max: 32 * 1024 * 1024,
            send_buffer: 256 * 1024,
            send_buffer_max: 32 * 1024 * 1024,
            max_out_of_order_segments: 1024,
            max_out_of_order_bytes: 64 * 1024 * 1024,
            memory: MemoryLimits::of(1024 * 1024 * 1024),
            on_memory_exhausted: OnMemoryExhausted::default(),
            max_held_frames: 1024,
            time_wait: Duration::from_secs(60),
            fin_wait_2: Duration::from_secs(60),
            rto_min: Duration::from_millis(200),
            rto_max: Duration::from_secs(60),
            syn_retries: 6,
            syn_ack_retries: 5,
            data_retries: 15,
            delayed_ack: Duration::from_millis(40),
            // What a sender sends in the first two round trips of slow start: 10 and 20 segments (RFC 6928).
            quick_acks: 32,
            challenge_interval: Duration::from_millis(500),
            keep_alive: None,
            user_timeout: None,
            congestion: CongestionKind::default(),
            initial_window_segments: 10,
            timestamps: true,
            sack: true,
            window_scaling: true,
            ecn: EcnMode::default(),
            nagle: false,
            pacing: true,
            min_mss: 216,
            ephemeral_ports: (32_768, 60_999),
            timer_tick: Duration::from_millis(1),
        }
    }
}

/// What a connection takes from its listener or opener instead of from [`TcpConfig`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnOptions {
    /// Receive buffer in bytes, which then stays as it is.
    pub receive_buffer: Option<u32>,
    /// Send buffer in bytes, which then stays as it is.
    pub send_buffer: Option<u32>,
    /// Keep-alive.
    pub keep_alive: Option<KeepAlive>,
    /// How long data may stay unacknowledged before the connection is given up.
    pub user_timeout: Option<Duration>,
    /// Nagle's algorithm.
    pub nagle: Option<bool>,
    /// Congestion controller.
    pub congestion: Option<CongestionKind>,
}

/// A port to accept connections on.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// One local address; every local one (IPv4 and IPv6) when `None`.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// Half-open connections, and as many accepted ones not yet polled, at most. Beyond the first, SYNs are answered
    /// with cookies ([`TcpConfig::syn_cookies`]) or dropped; beyond the second they are dropped, and handshakes held
    /// back.
    pub backlog: usize,
    /// Connections at most that began with data in their SYN and whose handshake is not complete (RFC 7413). 0: data in
    /// a SYN is ignored. A SYN may be delivered twice: only for requests that may be repeated.
    pub fast_open: usize,
    /// Options of accepted connections.
    pub options: ConnOptions,
}

impl ListenConfig {
    /// `port` on every local address with a backlog of 4,096.
    pub fn port(port: u16) -> ListenConfig {
        ListenConfig { address: None, port, backlog: 4096, fast_open: 0, options: ConnOptions::default() }
    }
}

/// An active open.
#[derive(Clone, Debug)]
pub struct ConnectConfig {
    /// Source address; chosen by the routes when `None`.
    pub local: Option<IpAddr>,
    /// Source port; chosen at random, steered to the own queue, when `None`.
    pub local_port: Option<u16>,
    /// Whom to reach.
    pub remote: SocketAddr,
    /// The application's token, handed back with every event.
    pub token: u32,
    /// Data that is queued before the SYN leaves goes with it, when the server gave a cookie before (RFC 7413). It may
    /// be delivered twice.
    pub fast_open: bool,
    /// Options of the connection.
    pub options: ConnOptions,
}

impl ConnectConfig {
    /// To `remote`, with everything else chosen by the stack.
    pub fn to(remote: SocketAddr, token: u32) -> ConnectConfig {
        ConnectConfig {
            local: None,
            local_port: None,
            remote,
            token,
            fast_open: false,
            options: ConnOptions::default(),
        }
    }
}
