//! The receive window: what the peer may send, and when it is told (RFC 9293 §3.8.6).
//!
//! ```text
//!      read │ queued, unread │◀──── window ────▶│
//!  ─────────┼────────────────┼──────────────────┼───────▶ sequence numbers
//!           │            RCV.NXT           right edge: moves to the right or stays
//!           │◀──────── recv_limit (tuning.rs) ─────────▶│
//! ```
//!
//! When acknowledgments leave: with data, or on their own when the turn of the worker's loop ends in which
//!
//! - two full segments have come (RFC 9293 §3.8.6.3), however many there are by then: one acknowledgment stands for a
//!   burst, as it does where Linux's receive offload hands over up to 64 KiB at once. A port hands over 64 frames at most
//!   in a turn, and a flow that fills the path arrives over several turns, so that the peer's acknowledgment clock still
//!   ticks many times in a round trip; senders count bytes (RFC 3465);
//! - one large segment has come, of the first of a connection or after a gap (`quick_acks`): an acknowledgment that waits
//!   holds a sender up most while its window is small (Linux's quick-ACK mode);
//! - a gap appeared, closed, or a duplicate came (RFC 5681 §4.2), or a first mark of congestion;
//! - the window opened by two segments, or half of the buffer, since the peer was told.
//!
//! Everything else waits for the delay timer.

use super::control_block::{Conn, flag};
use super::seq::Seq;

/// Segments of as many payload bytes are those of bulk transfers (RFC 9293 §3.7.1: every path carries them).
pub(crate) const LARGE: u32 = 536;

/// RFC 9293 §3.8.6.3 (SHLD-19): at least every second full segment; and whenever the window opened by as much.
#[inline]
pub(crate) fn acknowledgment_due(conn: &Conn) -> bool {
    let two = 2 * u32::from(conn.mss);
    (conn.has(flag::ACK_PENDING) && conn.rcv_nxt.since(conn.last_ack_sent) >= two) || window_grew(conn, two)
}

/// Segments that the window holds while memory is short: enough for recovery by duplicate acknowledgments, as in Linux.
const CLAMP_SEGMENTS: u32 = 4;

/// The edge that the receive buffer allows now.
#[inline]
fn open_edge(conn: &Conn) -> Seq {
    let mut limit = conn.recv_limit;
    if conn.has(flag::CLAMPED) {
        limit = limit.min(CLAMP_SEGMENTS * u32::from(conn.mss));
    }
    conn.rcv_nxt + limit.saturating_sub(conn.recv_queued)
}

/// True when the window could be opened by `bytes`, or by half of the buffer.
#[inline]
pub(crate) fn window_grew(conn: &Conn, bytes: u32) -> bool {
    // Without new data: an update that the peer may be waiting for. With it, the rule above acknowledges anyway.
    let growth = open_edge(conn).saturating_since(conn.rcv_edge);
    growth > 0 && growth >= bytes.min(conn.recv_limit / 2) && conn.rcv_nxt == conn.last_ack_sent
}

/// The window field, and the promise that goes with it. RFC 9293 §3.8.6.2.2: the edge moves by a full segment or half
/// of the buffer or not at all, and never back.
#[inline]
pub(crate) fn advertise(conn: &mut Conn) -> u16 {
    let edge = open_edge(conn);
    if edge.saturating_since(conn.rcv_edge) >= u32::from(conn.mss).min(conn.recv_limit / 2).max(1) {
        conn.rcv_edge = edge;
    }
    let window = conn.rcv_wnd();
    let unit = 1 << conn.rcv_scale;
    // Rounded up to what the shift can say, so that a promise never shrinks by rounding (RFC 7323 §2.4).
    let mut field = ((window + unit - 1) >> conn.rcv_scale).min(0xffff);
    if conn.recv_queued + (field << conn.rcv_scale) > overdrawn(conn, unit) {
        field = window >> conn.rcv_scale;
    }
    conn.rcv_edge = conn.rcv_edge.max(conn.rcv_nxt + (field << conn.rcv_scale));
    field as u16
}

/// How far rounding up may take queue and window beyond the buffer. Each acknowledgment of less than a unit rounds up by
/// what it acknowledged: a peer that sends little at a time to an application that does not read would never see the
/// window close. From here on it is rounded down (RFC 7323 §2.4 has the sender expect that), while what was promised
/// before is still taken.
#[inline]
fn overdrawn(conn: &Conn, unit: u32) -> u32 {
    conn.recv_limit + conn.recv_limit / 4 + unit
}
