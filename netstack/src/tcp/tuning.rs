//! How large the buffers of a connection may become: right-sizing by what it moves in a round trip.
//!
//! ```text
//!   receive   │◀─ a round trip ─▶│◀─ a round trip ─▶│        the application took `space` bytes, then `copied`:
//!             └──── space ───────┴──── copied ──────┘        the window shall hold twice that, and more while it rises
//!   send      │ in flight: cwnd │ ready: cwnd │ being written: cwnd │
//! ```
//!
//! *Receiving* (dynamic right-sizing, as in Linux's `tcp_rcv_space_adjust`; the idea is Fisk and Feng's, 2001). A window
//! limits a sender when it is less than what fits the path, which a receiver sees as what its application takes in one
//! round trip. So long as that rises, the limit rises ahead of it: slow start doubles in each round trip, and the window
//! must be there before. An application that does not keep up takes nothing, and nothing grows. The round trip is
//! measured by timestamps (RFC 7323 §4.1, from the receiver's side), else by the time that a window's worth of data takes,
//! which is never less than it.
//!
//! *Sending.* The send queue holds what is in flight, and what can leave with the next acknowledgments: a limit that does
//! not follow the congestion window would end its growth.
//!
//! A limit only grows while memory is not short (memory.rs), and never beyond what the window scale of the handshake can
//! say, which is chosen for the largest window. Sizes that a listener or opener states ([`ConnOptions`]) stay fixed, as
//! with `SO_RCVBUF` and `SO_SNDBUF`.

use super::config::{ConnOptions, TcpConfig};
use super::congestion::CongestionControl;
use super::control_block::{Conn, NONE, flag};
use super::pool::Reusable;
use super::segment::Segment;
use super::seq::Seq;
use super::shared::Shared;
use crate::time::Instant;

/// The least window, and the most that a scaled one can say.
const WINDOW_BOUNDS: (u32, u32) = (2048, 1 << 30);
/// Round trips are not measured shorter than the timestamps' tick, in microseconds.
const RTT_MIN_US: u32 = 1_000;
/// Longer round trips are a peer's invention, in milliseconds.
const RTT_MAX_MS: u32 = 60_000;
/// Segments beyond twice the round trip's data that the window leaves for bursts.
const SLACK_SEGMENTS: u32 = 16;
/// What a sender is taken to have sent in the round trip before the first that was measured: RFC 6928's initial window.
const FIRST_SEGMENTS: u32 = 10;

/// What a buffer begins with, and what it may grow to, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sizes {
    pub(crate) start: u32,
    pub(crate) most: u32,
}

impl Sizes {
    fn new(fixed: Option<u32>, start: u32, most: u32, (floor, ceiling): (u32, u32)) -> Sizes {
        let start = fixed.unwrap_or(start).clamp(floor, ceiling);
        Sizes { start, most: if fixed.is_some() { start } else { most.clamp(start, ceiling) } }
    }

    /// The receive buffer of a connection with these options.
    pub(crate) fn receive(options: &ConnOptions, config: &TcpConfig) -> Sizes {
        Sizes::new(options.receive_buffer, config.receive_buffer, config.receive_buffer_max, WINDOW_BOUNDS)
    }

    /// The send buffer of a connection with these options.
    pub(crate) fn send(options: &ConnOptions, config: &TcpConfig) -> Sizes {
        Sizes::new(options.send_buffer, config.send_buffer, config.send_buffer_max, (1, WINDOW_BOUNDS.1))
    }
}

/// What is measured of a connection that receives much; pooled, as most receive little.
#[derive(Debug, Default)]
pub(crate) struct Tuner {
    /// The round trip as the receiver sees it, in microseconds; zero before the first measurement.
    rtt_us: u32,
    /// The shortest measurement of this round; zero before the first.
    lowest_us: u32,
    /// When the round began, and up to which number the application had read then.
    round_at: u32,
    round_from: Seq,
    /// Bytes that the application took in the best round.
    space: u32,
    /// Without timestamps: when the window was `worth_end`'s, and its edge then.
    worth_at: u32,
    worth_end: Seq,
}

impl Reusable for Tuner {
    fn reset(&mut self) {
        *self = Tuner::default();
    }
}

impl Tuner {
    fn begin(&mut self, conn: &Conn, now_us: u32) {
        self.rtt_us = conn.rtt.srtt().map_or(0, |srtt| srtt.as_micros().min(1 << 30) as u32);
        self.space = FIRST_SEGMENTS * u32::from(conn.mss);
        (self.round_at, self.round_from) = (now_us, read_until(conn));
        (self.worth_at, self.worth_end) = (now_us, conn.rcv_edge);
    }

    fn sample(&mut self, rtt_us: u32) {
        let rtt_us = rtt_us.max(RTT_MIN_US);
        self.lowest_us = if self.lowest_us == 0 { rtt_us } else { self.lowest_us.min(rtt_us) };
        if self.rtt_us == 0 {
            self.rtt_us = rtt_us;
        }
    }

    /// A round is over: the estimate falls to what was measured at once, and rises by an eighth at most, as a sender that
    /// pauses makes measurements too long, and nothing makes them too short.
    fn settle_rtt(&mut self) {
        if self.lowest_us != 0 {
            self.rtt_us = self.lowest_us.min(self.rtt_us + self.rtt_us / 8);
        }
        self.lowest_us = 0;
    }

    fn next_round(&mut self, conn: &Conn, now_us: u32) {
        self.settle_rtt();
        (self.round_at, self.round_from) = (now_us, read_until(conn));
    }
}

/// The number behind what the application has read.
fn read_until(conn: &Conn) -> Seq {
    conn.rcv_nxt - conn.recv_queued
}

/// A 32-bit clock in microseconds: only differences within an hour count.
fn clock_us(now: Instant) -> u32 {
    now.as_micros() as u32
}

/// The largest window of the connection: what is configured, and what its scale can say.
fn most(conn: &Conn, shared: &Shared) -> u32 {
    shared.config.receive_buffer_max.min(0xffff << conn.rcv_scale)
}

/// A large segment arrived in order, before it is counted in: measures the round trip.
pub(crate) fn measure(conn: &mut Conn, segment: &Segment, shared: &mut Shared, now: Instant) {
    if conn.has(flag::RECV_FIXED) || conn.recv_limit >= most(conn, shared) {
        return;
    }
    let (fresh, now_us) = (conn.tuner == NONE, clock_us(now));
    let tuner = shared.tuners.take(&mut conn.tuner);
    if fresh {
        tuner.begin(conn, now_us);
    }
    match segment.timestamps.filter(|_| conn.has(flag::TIMESTAMPS)) {
        Some(stamps) => {
            let elapsed = conn.ts_now(now).wrapping_sub(stamps.ecr);
            if stamps.ecr != 0 && elapsed < RTT_MAX_MS {
                tuner.sample(elapsed * 1_000);
            }
        }
        None if (conn.rcv_nxt + segment.payload_len).at_or_after(tuner.worth_end) => {
            tuner.sample(now_us.wrapping_sub(tuner.worth_at));
            (tuner.worth_at, tuner.worth_end) = (now_us, conn.rcv_edge);
        }
        None => {}
    }
}

/// The application had its turn: when a round trip is over, what it took in it decides on the limit.
pub(crate) fn right_size(conn: &mut Conn, shared: &mut Shared, now: Instant) {
    let most = most(conn, shared);
    let Some(tuner) = shared.tuners.get_mut(conn.tuner) else { return };
    let now_us = clock_us(now);
    if tuner.rtt_us == 0 || now_us.wrapping_sub(tuner.round_at) < tuner.rtt_us.max(RTT_MIN_US) {
        return;
    }
    let copied = read_until(conn).saturating_since(tuner.round_from);
    if copied > tuner.space && !shared.memory.under_pressure {
        let target = window_for(copied, tuner.space, u32::from(conn.mss));
        tuner.space = copied;
        conn.recv_limit = conn.recv_limit.max(target.min(most));
    }
    tuner.next_round(conn, now_us);
    if conn.recv_limit >= most {
        shared.tuners.give_back(&mut conn.tuner);
    }
}

/// The window for an application that took `copied` bytes in a round trip, and `space` in the best one before: twice as
/// much, with room for a burst; and as much more as the rise would have it in the round trips until the larger window
/// takes effect.
fn window_for(copied: u32, space: u32, mss: u32) -> u32 {
    let copied = copied.min(WINDOW_BOUNDS.1);
    let target = 2 * u64::from(copied) + u64::from(SLACK_SEGMENTS * mss);
    let rise = target * u64::from(copied.saturating_sub(space)) / u64::from(space.max(1));
    (target + 2 * rise).min(u64::from(WINDOW_BOUNDS.1)) as u32
}

/// The application waits for room to send, and acknowledgments have moved the congestion window.
#[inline]
pub(crate) fn expand_send(conn: &mut Conn, shared: &Shared) {
    if !conn.has(flag::SEND_FIXED) && !shared.memory.under_pressure {
        // Three congestion windows, as the application is told at a half of the limit: one in flight, and a half to send
        // until it has written more.
        let wanted = conn.congestion.window().saturating_mul(3).min(shared.config.send_buffer_max);
        conn.send_limit = conn.send_limit.max(wanted);
    }
}

#[cfg(test)]
#[path = "tests/tuning.rs"]
mod tests;
