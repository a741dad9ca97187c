//! TIME-WAIT (RFC 9293 §3.3.2): what is left of a closed connection, to answer what is still in the network.
//!
//! It needs neither queues nor windows: some 100 bytes, in a slab of its own, on a wheel of its own.

use super::control_block::{Conn, flag};
use super::segment::{ACK, FIN, Header, RST, SYN, Segment, Timestamps};
use super::seq::{Seq, clock_before};
use super::shared::Shared;
use super::table::Entry;
use super::tuple::Tuple;
use super::{Ctx, emit};
use crate::counters::TcpCounter;
use crate::ip::PathCache;
use crate::slab::Slab;
use crate::time::Instant;
use crate::wheel::TimerWheel;

/// A connection in TIME-WAIT.
pub(crate) struct TimeWait {
    pub(crate) tuple: Tuple,
    pub(crate) path: PathCache,
    pub(crate) snd_nxt: Seq,
    pub(crate) rcv_nxt: Seq,
    window: u16,
    timestamps: bool,
    ts_recent: u32,
    ts_offset: u32,
}

/// Every connection in TIME-WAIT of a worker.
pub(crate) struct TimeWaits {
    pub(crate) slab: Slab<TimeWait>,
    pub(crate) wheel: TimerWheel,
}

impl TimeWaits {
    pub(crate) fn new(wheel: TimerWheel) -> TimeWaits {
        TimeWaits { slab: Slab::default(), wheel }
    }
}

/// Moves the tuple of a closed connection to TIME-WAIT; the connection no longer holds it.
pub(crate) fn enter(conn: &mut Conn, index: u32, shared: &mut Shared, now: Instant) {
    if !conn.has(flag::IN_TABLE) {
        return;
    }
    conn.clear(flag::IN_TABLE);
    if shared.time_waits.slab.len() >= shared.config.max_time_wait {
        shared.counters.bump(TcpCounter::TimeWaitOverflow);
        shared.remove_flow(&conn.tuple, Entry::Connection(index));
        return;
    }
    let key = shared.time_waits.slab.insert(TimeWait {
        tuple: conn.tuple,
        path: conn.path,
        snd_nxt: conn.snd_nxt,
        rcv_nxt: conn.rcv_nxt,
        window: (conn.rcv_wnd() >> conn.rcv_scale).min(0xffff) as u16,
        timestamps: conn.has(flag::TIMESTAMPS),
        ts_recent: conn.ts_recent,
        ts_offset: conn.ts_offset,
    });
    shared.time_waits.wheel.schedule(key.index, now + shared.config.time_wait);
    let hash = shared.table.hash(&conn.tuple);
    shared.table.replace(hash, Entry::Connection(index), Entry::TimeWait(key.index));
}

/// Forgets a connection in TIME-WAIT.
pub(crate) fn remove(index: u32, shared: &mut Shared) -> Option<TimeWait> {
    let key = shared.time_waits.slab.key_at(index)?;
    let entry = shared.time_waits.slab.remove(key)?;
    shared.time_waits.wheel.cancel(index);
    shared.remove_flow(&entry.tuple, Entry::TimeWait(index));
    Some(entry)
}

/// A SYN wants to open the connection anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reopening {
    /// The connection in TIME-WAIT, which is over when the SYN is taken.
    pub(crate) index: u32,
    /// The new initial sequence number lies above this.
    pub(crate) above: Seq,
}

/// A segment arrived.
pub(crate) fn handle(index: u32, segment: &Segment, shared: &mut Shared, ctx: &mut Ctx<'_>) -> Option<Reopening> {
    let entry = shared.time_waits.slab.at_mut(index)?;
    // RFC 1337 §3 (fix 1): resets are ignored, or old duplicates could end TIME-WAIT.
    if segment.has(RST) {
        shared.counters.bump(TcpCounter::DropTimeWait);
        return None;
    }
    if segment.has(SYN) && !segment.has(ACK) && reopens(entry, segment) {
        // RFC 9293 §3.6.1, RFC 6191 §2: a newer SYN may open the connection at once.
        return Some(Reopening { index, above: entry.snd_nxt + 0x1_0000 });
    }
    let old = segment.timestamps.is_some_and(|ts| entry.timestamps && clock_before(ts.val, entry.ts_recent));
    // RFC 9293 §3.10.7.4: a FIN sent again is acknowledged and restarts the wait; anything else that takes sequence
    // space cannot be acceptable and is answered with an acknowledgment. Pure acknowledgments need none.
    if segment.len() == 0 || old && !segment.has(FIN) {
        shared.counters.bump(TcpCounter::DropTimeWait);
        return None;
    }
    if segment.has(FIN) && segment.seq + segment.len() == entry.rcv_nxt {
        shared.time_waits.wheel.schedule(index, ctx.now + shared.config.time_wait);
    }
    let timestamps = entry.timestamps.then(|| Timestamps {
        val: super::control_block::clock_ms(ctx.now).wrapping_add(entry.ts_offset),
        ecr: entry.ts_recent,
    });
    let header = Header {
        seq: entry.snd_nxt,
        ack: entry.rcv_nxt,
        flags: ACK,
        window: entry.window,
        timestamps,
        ..emit::addressed(&entry.tuple)
    };
    let (tuple, mut path) = (entry.tuple, entry.path);
    shared.counters.bump(TcpCounter::TxAcks);
    emit::emit_control(&header, &tuple, &mut path, shared, ctx);
    None
}

/// RFC 6191 §2: by a newer timestamp, or by a sequence number beyond the window of the old connection.
fn reopens(entry: &TimeWait, segment: &Segment) -> bool {
    match segment.timestamps {
        Some(ts) if entry.timestamps => {
            clock_before(entry.ts_recent, ts.val) || (ts.val == entry.ts_recent && segment.seq.after(entry.rcv_nxt))
        }
        _ => segment.seq.after(entry.rcv_nxt),
    }
}
