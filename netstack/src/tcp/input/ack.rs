//! The acknowledgment field: what it frees, measures and reveals (RFC 9293 §3.10.7.4, fifth).

use super::super::congestion::{Ack, CongestionControl};
use super::super::control_block::{Conn, Phase, flag};
use super::super::event::Ready;
use super::super::segment::{FIN, Segment};
use super::super::seq::Seq;
use super::super::shared::Shared;
use super::super::{Ctx, emit, recovery, timers, tuning};
use crate::counters::TcpCounter;
use crate::time::Instant;

/// What the acknowledgment was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acknowledged {
    /// Of what was never sent, or long past: the segment is dropped.
    Invalid,
    /// Nothing special.
    Valid,
    /// It covers our FIN.
    Fin,
}

pub(super) fn process(
    conn: &mut Conn,
    index: u32,
    segment: &Segment,
    shared: &mut Shared,
    ctx: &mut Ctx<'_>,
) -> Acknowledged {
    let ack = segment.ack;
    // RFC 5961 §5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT, or a challenge. (A window of less than 64 KiB is
    // taken as 64 KiB: an old acknowledgment from before the window was scaled is harmless.)
    let past = conn.max_snd_wnd.max(0xffff);
    if ack.after(conn.snd_nxt) || ack.before(conn.snd_una - past) {
        shared.counters.bump(TcpCounter::DropBadAck);
        emit::challenge(conn, shared, ctx);
        return Acknowledged::Invalid;
    }
    let advances = ack.after(conn.snd_una);
    let before = conn.snd_una;
    let news = !segment.sack.is_empty()
        && conn.has(flag::SACK)
        && recovery::note_sack(conn, &segment.sack, ack.max(before), shared);
    let duplicate = !advances && ack == before && is_duplicate(conn, segment, news);
    let mut fin = false;
    if advances {
        fin = advance(conn, index, segment, shared, ctx.now);
    }
    if duplicate {
        shared.counters.bump(TcpCounter::RxDuplicateAck);
        conn.dup_acks = conn.dup_acks.saturating_add(1);
    }
    if duplicate || news {
        recovery::on_duplicate(conn, shared, ctx.now);
        shared.queue_transmit(conn, index);
    }
    update_window(conn, index, segment, shared, ctx.now);
    if fin { Acknowledged::Fin } else { Acknowledged::Valid }
}

/// RFC 5681 §2, and RFC 6675 §2 where SACK is in use.
fn is_duplicate(conn: &Conn, segment: &Segment, news: bool) -> bool {
    if conn.outstanding() == 0 {
        return false;
    }
    if conn.has(flag::SACK) {
        return news;
    }
    segment.payload_len == 0
        && !segment.has(FIN)
        && u32::from(segment.window) << conn.snd_scale == conn.snd_wnd
        && !conn.has(flag::PERSIST)
}

/// SND.UNA moves to the segment's acknowledgment; true when that covers our FIN.
#[inline]
pub(super) fn advance(conn: &mut Conn, index: u32, segment: &Segment, shared: &mut Shared, now: Instant) -> bool {
    let bytes = segment.ack.since(conn.snd_una);
    let measured = measure(conn, segment, now);
    let data = bytes.min(conn.send_queued);
    conn.snd_una = segment.ack;
    free(conn, segment.ack, data, shared);
    conn.retries = 0;
    // RFC 6298 §5 (Karn): only a measurement ends the back-off. One that only spaced window probes ends here.
    if measured || conn.has(flag::PERSIST) {
        conn.backoff = 0;
    }
    if conn.phase != Phase::Recovery {
        let limited = conn.phase == Phase::Loss || conn.has(flag::CWND_LIMITED);
        let mss = u32::from(conn.mss);
        let ack = Ack { acked: bytes, delivered: bytes, limited, srtt: conn.rtt.srtt(), ..Ack::new(now, mss) };
        conn.congestion.on_ack(&ack);
    }
    recovery::on_advance(conn, shared, bytes);
    if conn.outstanding() == 0 {
        timers::stop_retransmit(conn);
    } else {
        // RFC 6298 §5.3
        conn.clear(flag::PERSIST);
        timers::restart_retransmit(conn, shared, now);
    }
    if conn.send_queued > 0 || conn.has(flag::FIN_QUEUED) {
        shared.queue_transmit(conn, index);
    }
    if conn.has(flag::WANT_WRITE) {
        tuning::expand_send(conn, shared);
        if conn.send_queued <= conn.send_limit / 2 && conn.state.can_queue() {
            conn.clear(flag::WANT_WRITE);
            shared.notify(conn, index, Ready::WRITABLE);
        }
    }
    conn.has(flag::FIN_SENT) && bytes > data
}

/// Lets go of `data` acknowledged bytes.
#[inline]
fn free(conn: &mut Conn, una: Seq, data: u32, shared: &mut Shared) {
    conn.send_queued -= data;
    let Some(state) = shared.send.get_mut(conn.send) else { return };
    if conn.send_queued == 0 {
        shared.send.give_back(&mut conn.send);
        return;
    }
    state.acknowledge(data as usize);
    if !state.sacked.is_empty() {
        state.sacked.remove_before(una);
    }
}

/// RFC 6298 §3, §4; RFC 7323 §4.1 for what was sent more than once. True when there was something to measure.
#[inline]
fn measure(conn: &mut Conn, segment: &Segment, now: Instant) -> bool {
    if conn.has(flag::RTT_TIMED) {
        if segment.ack.at_or_after(conn.timed_seq) {
            conn.clear(flag::RTT_TIMED);
            conn.rtt.sample(now.micros_since(conn.timed_at));
            return true;
        }
    } else if let Some(ts) = segment.timestamps.filter(|ts| conn.has(flag::TIMESTAMPS) && ts.ecr != 0) {
        let elapsed = conn.ts_now(now).wrapping_sub(ts.ecr);
        // A peer that invents echoes shall not stretch the timeout beyond reason.
        if elapsed < 60_000 {
            conn.rtt.sample(u64::from(elapsed) * 1_000);
            return true;
        }
    }
    false
}

/// RFC 9293 §3.10.7.4: SND.WND follows the latest segment.
#[inline]
pub(super) fn update_window(conn: &mut Conn, index: u32, segment: &Segment, shared: &mut Shared, now: Instant) {
    // RFC 9293 §3.10.7.4 goes by SEG.SEQ first. A retransmission that fills a gap has an old one: its window counts as well,
    // because its acknowledgment is new (as Linux does); else SND.WND would reach beyond what the peer offered.
    let newer = conn.snd_wl2.before(segment.ack)
        || conn.snd_wl1.before(segment.seq)
        || (conn.snd_wl1 == segment.seq && conn.snd_wl2 == segment.ack);
    if !newer || segment.ack.before(conn.snd_una) {
        return;
    }
    let window = u32::from(segment.window) << conn.snd_scale;
    let grew = window > conn.snd_wnd;
    conn.snd_wnd = window;
    conn.snd_wl1 = segment.seq;
    conn.snd_wl2 = segment.ack;
    conn.max_snd_wnd = conn.max_snd_wnd.max(window);
    if !grew {
        return;
    }
    if conn.has(flag::PERSIST) {
        conn.backoff = 0;
        conn.clear(flag::PERSIST | flag::PROBE_DUE);
        recovery::on_window_opened(conn);
        if conn.outstanding() == 0 {
            timers::stop_retransmit(conn);
        } else {
            timers::restart_retransmit(conn, shared, now);
        }
    }
    if conn.send_queued > 0 || conn.has(flag::FIN_QUEUED) {
        shared.queue_transmit(conn, index);
    }
}
