//! From a header to a packet on its way: sealing, and the segments that stand alone (resets, challenges, answers of
//! connections that have no control block).

use super::Ctx;
use super::control_block::{Conn, clock_ms, flag};
use super::output::send_empty;
use super::segment::{ACK, CHECKSUM_AT, Header, RST, Segment, Timestamps};
use super::shared::Shared;
use super::tuple::Tuple;
use crate::counters::TcpCounter;
use crate::frame::{Frame, TxChecksum};
use crate::ip::{PathCache, checksum, protocol};

/// Header fields of a connection's tuple.
pub(crate) fn addressed(tuple: &Tuple) -> Header {
    Header { src_port: tuple.local_port, dst_port: tuple.remote_port, ..Header::default() }
}

/// Puts the header in front of the payload, fills the checksum in and hands the packet to the IP layer with its ECN field.
#[inline]
pub(super) fn seal(
    header: &Header,
    mut frame: Frame,
    ecn: u8,
    tuple: &Tuple,
    path: &mut PathCache,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) {
    let Some(out) = frame.push_front(header.len()) else {
        shared.counters.bump(TcpCounter::DropEgress);
        return;
    };
    header.emit(out);
    let (src, dst) = (tuple.local_ip(), tuple.remote_ip());
    let offload = ctx.egress.tcp_checksum_offload();
    checksum::fill_transport(src, dst, protocol::TCP, frame.data_mut(), CHECKSUM_AT, offload);
    if offload {
        frame.tx_checksum = TxChecksum::Offload { start: 0, offset: CHECKSUM_AT as u16 };
    }
    shared.counters.bump(TcpCounter::TxSegments);
    if ctx.egress.send(ctx.now, path, src, dst, protocol::TCP, ecn, frame).is_err() {
        shared.counters.bump(TcpCounter::DropEgress);
    }
}

/// Sends a segment that belongs to no control block; lost when there is no frame, as on the wire.
pub(crate) fn emit_control(
    header: &Header,
    tuple: &Tuple,
    path: &mut PathCache,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) {
    match ctx.egress.alloc() {
        Some(frame) => seal(header, frame, 0, tuple, path, shared, ctx),
        None => shared.counters.bump(TcpCounter::DropNoFrame),
    }
}

/// Sends a segment in answer to the one in `frame`, in that frame: nothing is taken from the pool for it.
pub(crate) fn turn_around(
    header: &Header,
    mut frame: Frame,
    tuple: &Tuple,
    path: &mut PathCache,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) {
    if !ctx.egress.pool.owns(&frame) {
        // A datagram put together from fragments: the port cannot send its buffer.
        return emit_control(header, tuple, path, shared, ctx);
    }
    frame.reset(ctx.egress.pool.headroom());
    seal(header, frame, 0, tuple, path, shared, ctx);
}

/// The reset that answers a segment which belongs nowhere (RFC 9293 §3.10.7.1).
pub(crate) fn reset_for(
    segment: &Segment,
    tuple: &Tuple,
    path: &mut PathCache,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) {
    if segment.has(RST) {
        return;
    }
    emit_control(&reset_header(segment, tuple), tuple, path, shared, ctx);
}

/// RFC 9293 §3.10.7.1: the numbers of a reset make it acceptable to whoever sent `segment`.
pub(crate) fn reset_header(segment: &Segment, tuple: &Tuple) -> Header {
    if segment.has(ACK) {
        Header { seq: segment.ack, flags: RST, ..addressed(tuple) }
    } else {
        Header { ack: segment.seq + segment.len(), flags: RST | ACK, ..addressed(tuple) }
    }
}

/// The reset with which this side ends a connection (RFC 9293 §3.10.5). A peer with a closed window takes none of the
/// numbers behind it, so a zero-window probe under way does not count.
pub(crate) fn send_reset(conn: &mut Conn, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let timestamps = conn.has(flag::TIMESTAMPS).then(|| Timestamps { val: conn.ts_now(ctx.now), ecr: conn.ts_recent });
    let seq = conn.snd_nxt.min(conn.snd_una + conn.snd_wnd);
    let header = Header { seq, ack: conn.rcv_nxt, flags: RST | ACK, timestamps, ..addressed(&conn.tuple) };
    let Conn { tuple, path, .. } = conn;
    emit_control(&header, tuple, path, shared, ctx);
}

/// RFC 5961 §7: an acknowledgment that makes an honest peer prove itself. The limit is one per connection and
/// interval, and not one for all: a common one can be observed from outside (CVE-2016-5696).
pub(crate) fn challenge(conn: &mut Conn, shared: &mut Shared, ctx: &mut Ctx<'_>) {
    let now_ms = clock_ms(ctx.now);
    if super::seq::clock_before(now_ms, conn.challenge_ms) {
        return;
    }
    conn.challenge_ms = now_ms.wrapping_add(shared.config.challenge_interval.as_millis() as u32);
    shared.counters.bump(TcpCounter::TxChallengeAcks);
    send_empty(conn, conn.snd_nxt, shared, ctx);
}
