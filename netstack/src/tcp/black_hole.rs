//! Paths that lose large segments and say nothing (RFC 2923 §2.1): found by their timeouts, and measured with real data
//! (RFC 4821 §7, as Linux with `tcp_mtu_probing=1`).
//!
//! ```text
//!   large segments time out, again and again ─▶ segments of BASE ─▶ they pass ─▶ probes between what passes and what
//!   does not: one segment of larger size each; it arrives: that is the size ; it is lost: alone, and no congestion
//! ```
//!
//! What a connection learns here is its own: the table of path MTUs is for what routers say.

use super::congestion::CongestionControl;
use super::control_block::{Conn, Phase, clock_ms};
use super::send::SendState;
use crate::time::Instant;

/// Payload bytes that pass nearly everywhere (RFC 4821 §7.2 recommends 1024).
const BASE: u16 = 1024;
/// Timeouts in a row of large segments that make a path suspect, as in Linux (tcp_retries1).
const SUSPECT_AFTER: u8 = 3;
/// The search ends when no more than this can be gained (RFC 4821 §7.3, as in Linux).
const GRAIN: u16 = 8;
/// Segments that must follow a probe, so that its loss shows by their acknowledgments (RFC 4821 §7.4).
const FOLLOWERS: u32 = 4;
/// After this the whole range is searched again: paths change (RFC 4821 §7.7).
const AGAIN_AFTER_MS: u32 = 600_000;

/// What is known of the sizes that a path carries. Idle unless large segments were lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SizeSearch {
    /// The size before anything was suspected; zero while nothing is.
    full: u16,
    /// The least size that was lost, or `full`.
    high: u16,
    /// The size that is being probed; zero without.
    probe: u16,
    /// When the search was last at its end.
    ended_ms: u32,
}

impl SizeSearch {
    /// True when large segments were lost here.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.full != 0
    }

    /// Segments of up to `mss` bytes time out: the size to go on with, if that can be the reason.
    fn suspect(&mut self, mss: u16) -> Option<u16> {
        if mss <= BASE {
            return None;
        }
        self.full = self.full.max(mss);
        (self.high, self.probe) = (self.full, 0);
        Some(BASE)
    }

    /// The next size to try while `mss` passes; none when the rest is not worth it, for a time.
    fn next(&mut self, mss: u16, now_ms: u32) -> Option<u16> {
        if self.full == 0 || self.probe != 0 {
            return None;
        }
        if self.high.saturating_sub(mss) < GRAIN {
            if now_ms.wrapping_sub(self.ended_ms) < AGAIN_AFTER_MS || mss >= self.full {
                return None;
            }
            self.high = self.full;
        }
        Some(mss + (self.high - mss).div_ceil(2))
    }

    fn lost(&mut self, now_ms: u32) {
        if self.probe != 0 {
            (self.high, self.probe, self.ended_ms) = (self.probe - 1, 0, now_ms);
        }
    }

    fn arrived(&mut self, now_ms: u32) -> u16 {
        self.ended_ms = now_ms;
        core::mem::take(&mut self.probe)
    }
}

/// A timeout: true when segments become smaller because of it.
pub(crate) fn on_timeout(conn: &mut Conn, state: &SendState, now: Instant) -> bool {
    conn.search.lost(clock_ms(now));
    // Not only full segments: the last one of an answer may be shorter, and too large all the same.
    let large = state.board.first().is_some_and(|(_, first)| first.data() > u32::from(BASE));
    if !large || conn.retries + 1 < SUSPECT_AFTER {
        return false;
    }
    let Some(size) = conn.search.suspect(conn.mss) else { return false };
    use_size(conn, size);
    true
}

/// The size of a probe to be sent now instead of a segment (RFC 4821 §7.4): nothing is amiss, and enough follows.
#[inline]
pub(crate) fn probe_size(conn: &mut Conn, state: &SendState, room: u32, now: Instant) -> Option<u16> {
    if !conn.search.is_on() || conn.phase != Phase::Open || state.board.sacked_segments() > 0 || state.dup_acks > 0 {
        return None;
    }
    let size = conn.search.next(conn.mss, clock_ms(now))?;
    let unsent = conn.data_end().saturating_since(conn.snd_nxt);
    let peer = (conn.snd_una + conn.snd_wnd).saturating_since(conn.snd_nxt);
    let wanted = u32::from(size) + FOLLOWERS * u32::from(conn.mss);
    (room >= wanted && unsent >= wanted && peer >= wanted).then_some(size)
}

/// A probe left.
pub(crate) fn probe_sent(conn: &mut Conn, size: u32) {
    conn.search.probe = size.min(u32::from(u16::MAX)) as u16;
}

/// The probe arrived: that is the size now.
pub(crate) fn probe_arrived(conn: &mut Conn, now: Instant) {
    let size = conn.search.arrived(clock_ms(now));
    if size > conn.mss {
        use_size(conn, size);
    }
}

/// The probe was lost, which says nothing of congestion (RFC 4821 §7.6.2).
pub(crate) fn probe_lost(conn: &mut Conn, now: Instant) {
    conn.search.lost(clock_ms(now));
}

fn use_size(conn: &mut Conn, size: u16) {
    let old = core::mem::replace(&mut conn.mss, size);
    conn.congestion.on_mss(u32::from(old), u32::from(size));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_found_by_halves() {
        let mut search = SizeSearch::default();
        assert_eq!(search.next(1460, 0), None, "nothing is suspected");
        let (mut mss, mut probes) = (search.suspect(1460).unwrap(), 0);
        assert_eq!(mss, 1024);
        while let Some(size) = search.next(mss, 0) {
            search.probe = size;
            assert_eq!(search.next(mss, 0), None, "one at a time");
            // The path carries 1312 bytes.
            if size <= 1312 {
                mss = search.arrived(0);
            } else {
                search.lost(0);
            }
            probes += 1;
        }
        assert!(mss <= 1312 && mss > 1312 - GRAIN && probes <= 8, "{mss} after {probes}");
        assert_eq!(search.next(mss, AGAIN_AFTER_MS - 1), None);
        assert!(search.next(mss, AGAIN_AFTER_MS).is_some(), "the path may have changed");
    }

    #[test]
    fn small_segments_that_time_out_are_not_too_large() {
        assert_eq!(SizeSearch::default().suspect(1000), None);
    }
}
