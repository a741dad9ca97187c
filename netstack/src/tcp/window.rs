//! The receive window: what the peer may send, and when it is told (RFC 9293 §3.8.6).

use super::control_block::{Conn, flag};
use super::seq::Seq;

/// RFC 9293 §3.8.6.3 (SHLD-19): at least every second full segment; and whenever the window opened by as much.
#[inline]
pub(crate) fn acknowledgment_due(conn: &Conn) -> bool {
    let two = 2 * u32::from(conn.mss);
    (conn.has(flag::ACK_PENDING) && conn.rcv_nxt.since(conn.last_ack_sent) >= two) || window_grew(conn, two)
}

/// The edge that the receive buffer allows now.
#[inline]
fn open_edge(conn: &Conn) -> Seq {
    conn.rcv_nxt + conn.recv_limit.saturating_sub(conn.recv_queued)
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
    // Rounded up to what the shift can say, so that a promise never shrinks by rounding (RFC 7323 §2.4).
    let field = ((conn.rcv_wnd() + (1 << conn.rcv_scale) - 1) >> conn.rcv_scale).min(0xffff);
    conn.rcv_edge = conn.rcv_edge.max(conn.rcv_nxt + (field << conn.rcv_scale));
    field as u16
}
