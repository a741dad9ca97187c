//! A connection as observers see it: the CLI, tests and simulations.

use core::net::SocketAddr;
use core::time::Duration;

use super::ConnId;
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
    /// Congestion window in bytes.
    pub cwnd: u32,
    /// Slow-start threshold in bytes.
    pub ssthresh: u32,
    /// Name of the recovery phase: `open`, `recovery` or `loss`.
    pub recovery: &'static str,
    /// Largest payload sent in one segment, in bytes.
    pub mss: u16,
    /// Smoothed round-trip time, once measured.
    pub srtt: Option<Duration>,
    /// Retransmission timeout, back-off included.
    pub rto: Duration,
    /// Consecutive timeouts.
    pub backoff: u8,
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
