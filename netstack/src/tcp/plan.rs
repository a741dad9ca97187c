//! What is sent next: a probe, what is lost, new data, the FIN; and when.
//!
//! ```text
//!   window probe ─▶ tail loss probe ─▶ lost segments ─▶ new data and FIN
//!                                      └ as far as congestion window and pacing allow; new data also needs the peer's window
//! ```

use super::black_hole;
use super::congestion::CongestionControl;
use super::control_block::{Conn, Phase, clock_ms, flag};
use super::pacing::Rate;
use super::recovery::{self, Frto};
use super::rtt::RtoBounds;
use super::send::SendState;
use super::seq::Seq;
use super::shared::Shared;
use super::state::State;
use crate::time::Instant;

/// A data segment that may be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) seq: Seq,
    /// Payload bytes.
    pub(super) len: u32,
    pub(super) fin: bool,
    /// The record that goes again; a new segment otherwise.
    pub(super) again: Option<u32>,
    pub(super) purpose: Purpose,
}

/// Why a segment leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// It is what comes next.
    Next,
    /// It takes the whole queue of an idle connection (lone.rs).
    Lone,
    /// It is the tail loss probe.
    TailProbe,
    /// It is larger than others, to see whether the path carries it (black_hole.rs).
    SizeProbe,
}

/// A connection's turn to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) now: Instant,
    pub(super) rto: RtoBounds,
    pacing: bool,
    /// The rate at which segments leave, once it mattered.
    pub(super) rate: Option<Rate>,
    /// Pacing ended the turn: until then.
    pub(super) held_until: Option<Instant>,
}

impl Turn {
    #[inline]
    pub(super) fn new(now: Instant, shared: &Shared) -> Turn {
        Turn { now, rto: shared.rto, pacing: shared.config.pacing, rate: None, held_until: None }
    }

    /// RFC 5681 §4.1: nothing was sent for longer than a timeout.
    #[inline]
    pub(super) fn follows_silence(&self, conn: &Conn) -> bool {
        let quiet_us = u64::from(clock_ms(self.now).wrapping_sub(conn.sent_ms)) * 1_000;
        quiet_us > self.rto.least_us() && quiet_us > conn.rtt.rto_us(0, self.rto)
    }

    /// True when pacing holds the next segment back.
    #[inline]
    fn holds(&mut self, conn: &Conn, state: &SendState, pipe: u32) -> bool {
        if !self.pacing {
            return false;
        }
        if self.rate.is_none() {
            self.rate = Rate::of(conn, pipe);
        }
        self.held_until = self.rate.and_then(|rate| state.pacer.wait(&rate, self.now));
        self.held_until.is_some()
    }
}

/// What goes next, if anything may.
#[inline]
pub(super) fn next(conn: &mut Conn, state: &mut SendState, turn: &mut Turn) -> Option<Plan> {
    if !conn.state.can_transmit() {
        return None;
    }
    if conn.has(flag::PROBE_DUE) {
        conn.clear(flag::PROBE_DUE);
        return window_probe(conn, state);
    }
    let pipe = recovery::pipe(conn, state);
    if state.probe_due {
        state.probe_due = false;
        let probe = tail_probe(conn, state);
        if probe.is_some() {
            return probe;
        }
    }
    let window = recovery::window(conn, state);
    if state.board.lost() > 0 {
        let lost = lost_segment(conn, state, pipe, window, turn);
        if lost.is_some() || turn.held_until.is_some() {
            return lost;
        }
    }
    new_segment(conn, state, pipe, window, turn)
}

/// One byte at least, and what the window takes when it is open but too small for the rule of `new_segment`. A probe that
/// is out goes again.
fn window_probe(conn: &Conn, state: &SendState) -> Option<Plan> {
    if let Some((key, _)) = state.board.first() {
        return again(conn, state, key);
    }
    let len = conn.send_queued.min(conn.snd_wnd.clamp(1, u32::from(conn.mss)));
    let fin = len == 0 && conn.has(flag::FIN_QUEUED);
    (len > 0 || fin).then_some(Plan { seq: conn.snd_nxt, len, fin, again: None, purpose: Purpose::Next })
}

/// RFC 8985 §7.3: new data where there is some and the peer takes it, whatever the congestion window says; else the last
/// segment again.
fn tail_probe(conn: &Conn, state: &SendState) -> Option<Plan> {
    if conn.phase != Phase::Open || state.board.sacked_segments() > 0 || state.board.lost() > 0 {
        return None;
    }
    let (last, _) = state.board.last()?;
    let peer = (conn.snd_una + conn.snd_wnd).saturating_since(conn.snd_nxt);
    let len = conn.data_end().saturating_since(conn.snd_nxt).min(peer).min(u32::from(conn.mss));
    let plan = match len {
        0 => again(conn, state, last)?,
        _ => Plan { seq: conn.snd_nxt, len, fin: false, again: None, purpose: Purpose::TailProbe },
    };
    Some(Plan { purpose: Purpose::TailProbe, ..plan })
}

fn again(conn: &Conn, state: &SendState, key: u32) -> Option<Plan> {
    let record = state.board.get(key)?;
    // The first part may have been acknowledged while the FIN was not.
    let len = record.data().min(conn.data_end().saturating_since(record.start));
    let fin = record.len > record.data();
    Some(Plan { seq: record.start, len, fin, again: Some(key), purpose: Purpose::Next })
}

/// RFC 6675 §5 step C: while the window has room for a segment; the first one goes in any case.
fn lost_segment(conn: &Conn, state: &mut SendState, pipe: u32, window: u32, turn: &mut Turn) -> Option<Plan> {
    let (key, record) = state.board.next_lost()?;
    if state.forced {
        return again(conn, state, key);
    }
    if state.frto == Frto::Testing {
        // RFC 5682 §3.1 step 2b: new data first, if there can be any.
        if conn.snd_nxt.after(conn.recover) || new_data_fits(conn, pipe, window) {
            return None;
        }
        state.frto = Frto::Off;
    }
    let fits = pipe == 0 || window.saturating_sub(pipe) >= record.len;
    if !fits || turn.holds(conn, state, pipe) {
        return None;
    }
    again(conn, state, key)
}

fn new_data_fits(conn: &Conn, pipe: u32, window: u32) -> bool {
    let available = conn.data_end().saturating_since(conn.snd_nxt);
    let peer = (conn.snd_una + conn.snd_wnd).saturating_since(conn.snd_nxt);
    let wanted = available.min(u32::from(conn.mss));
    wanted > 0 && peer >= wanted && window.saturating_sub(pipe) >= wanted
}

fn new_segment(conn: &mut Conn, state: &mut SendState, pipe: u32, window: u32, turn: &mut Turn) -> Option<Plan> {
    let mss = u32::from(conn.mss);
    let available = conn.data_end().saturating_since(conn.snd_nxt);
    // In SYN-RECEIVED (after a Fast Open) the FIN waits for the handshake.
    let fin = conn.has(flag::FIN_QUEUED) && !conn.has(flag::FIN_SENT) && conn.state != State::SynReceived;
    if available == 0 && !fin {
        return None;
    }
    let idle = conn.snd_nxt == conn.snd_una;
    if let Some(size) = black_hole::probe_size(conn, state, window.saturating_sub(pipe), turn.now) {
        let (seq, len) = (conn.snd_nxt, u32::from(size));
        return Some(Plan { seq, len, fin: false, again: None, purpose: Purpose::SizeProbe });
    }
    let mut window = window;
    if idle && turn.follows_silence(conn) {
        conn.congestion.on_restart(turn.now, mss);
        window = window.min(conn.congestion.window());
    }
    let peer = (conn.snd_una + conn.snd_wnd).saturating_since(conn.snd_nxt);
    let congestion = window.saturating_sub(pipe);
    let len = available.min(mss).min(peer).min(congestion);
    let all = len == available;
    let allowed = if len == mss {
        true
    } else if all {
        // RFC 9293 §3.7.4: Nagle holds a small segment back while anything is unacknowledged.
        (available > 0 || congestion > 0 || idle) && (idle || fin || !conn.has(flag::NAGLE))
    } else {
        // RFC 9293 §3.8.6.2.1: a part only when it is half of the largest window ever offered, or of the only one.
        len > 0 && (len >= conn.max_snd_wnd / 2) && peer <= congestion
    };
    if !allowed || turn.holds(conn, state, pipe) {
        return None;
    }
    // The FIN needs a number of the window like data, unless it could never be sent.
    let fin = fin && all && (len < peer || (idle && available == 0));
    (len > 0 || fin).then_some(Plan { seq: conn.snd_nxt, len, fin, again: None, purpose: Purpose::Next })
}

/// Notes whether it was the congestion window that ended sending, or the application.
#[inline]
pub(super) fn note_usage(conn: &Conn, state: &mut SendState) {
    let pipe = recovery::pipe(conn, state);
    let waits = conn.data_end().after(conn.snd_nxt);
    let full = pipe + u32::from(conn.mss) > conn.congestion.window();
    state.usage.note(conn.snd_una, conn.snd_nxt, pipe, waits && full);
    if !waits && !full && state.board.lost() == 0 {
        state.sampler.on_application_limited(&conn.totals, pipe);
    }
}
