//! CUBIC (RFC 9438) with HyStart++ (RFC 9406) in its first slow start.
//!
//! ```text
//!   window                                             ╱  convex: looks for more
//!    W_max ┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈▁▁▂▂▃▃▃▃▃▃▃▃▃▄▄▅▆▆╱
//!                        ▂▃▄▅▆▇  concave: back to where the loss was
//!            0.7·W_max ╱
//!                      └ epoch ──────── K ──────────────▶ time
//! ```
//!
//! All arithmetic is in whole bytes and milliseconds: exact, the same on every machine, and a few multiplications for an
//! acknowledgment. The curve's steepest use, `C·t³` of a window of 2³⁰ bytes, fits 64 bits; beyond it saturates at the
//! largest window.

use super::hystart::{self, HyStart, SlowStart};
use super::{Ack, CongestionControl, MAX_WINDOW, initial_window};
use crate::time::Instant;

/// RFC 9438 §4.6: β_cubic = 0.7, as a fraction.
const BETA: (u64, u64) = (7, 10);
/// RFC 9438 §4.3: α_cubic = 3·(1 − β)/(1 + β) = 9/17.
const ALPHA: (u64, u64) = (9, 17);
/// RFC 9438 §5.1: C = 0.4 segments/s³ = 1/2,500,000,000 segments/ms³.
const C_DIVISOR: u64 = 2_500_000_000;
/// Half an hour and more: beyond it every curve has reached the largest window, and its cube still fits 64 bits.
const MAX_AGE_MS: u64 = 2_000_000;

/// RFC 9438.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cubic {
    cwnd: u32,
    ssthresh: u32,
    /// The fraction of a byte that the window has grown, in parts of the window.
    credit: u32,
    stage: Stage,
    initial_segments: u8,
}

/// What is known of the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The first slow start: no threshold was found.
    First(HyStart),
    /// Everything later.
    Later(Later),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Later {
    epoch: Epoch,
    /// The fraction of a byte that `w_est` has grown, in parts of the window.
    est_credit: u32,
    /// When the last acknowledgment arrived in congestion avoidance, in milliseconds.
    seen_ms: u32,
    /// What a spurious congestion event restores (RFC 9438 §4.9); its window is zero when there is nothing to restore.
    undo: Undo,
}

/// The curve of one stage of congestion avoidance (RFC 9438 §4.1.2), in bytes and milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Epoch {
    /// Zero when the stage shall begin at its plateau (RFC 9438 §4.8, §4.10).
    w_max: u32,
    k_ms: u32,
    start_ms: u32,
    /// Reno's window in the same conditions; zero until the stage begins.
    w_est: u32,
    /// Window when the slow-start threshold was set last.
    cwnd_prior: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Undo {
    cwnd: u32,
    ssthresh: u32,
    epoch: Epoch,
}

impl Cubic {
    /// A fresh controller with an initial window of `initial_segments` segments of `mss` bytes (RFC 6928 §2).
    pub fn new(mss: u32, initial_segments: u8) -> Cubic {
        Cubic {
            cwnd: initial_window(mss, initial_segments),
            ssthresh: MAX_WINDOW,
            credit: 0,
            stage: Stage::First(HyStart::new()),
            initial_segments,
        }
    }

    /// Goes on from another controller's window and threshold.
    pub(super) fn carry(&mut self, cwnd: u32, ssthresh: u32) {
        (self.cwnd, self.ssthresh) = (cwnd, ssthresh);
        if ssthresh < MAX_WINDOW {
            self.stage = Stage::Later(Later::default());
        }
    }

    fn first_slow_start(&mut self, ack: &Ack) {
        let Stage::First(hystart) = &mut self.stage else { return };
        match hystart.on_ack(ack) {
            SlowStart::Grow(bytes) => self.cwnd = (self.cwnd + bytes).min(MAX_WINDOW),
            SlowStart::Exit => {
                // RFC 9406 §4.2; RFC 9438 §4.10: avoidance begins at its plateau.
                self.ssthresh = self.cwnd;
                let epoch = Epoch { cwnd_prior: self.cwnd, ..Epoch::default() };
                self.stage = Stage::Later(Later { epoch, ..Later::default() });
            }
        }
    }

    fn avoid(&mut self, ack: &Ack) {
        let Stage::Later(later) = &mut self.stage else { return };
        let now_ms = clock_ms(ack.now);
        if later.epoch.w_est == 0 {
            later.epoch.begin(self.cwnd, ack.mss, now_ms);
            later.est_credit = 0;
        }
        later.seen_ms = now_ms;
        let acked = u64::from(ack.acked.min(self.cwnd));
        later.grow_estimate(self.cwnd, acked, ack.mss);
        let epoch = &later.epoch;
        let age = u64::from(now_ms.wrapping_sub(epoch.start_ms));
        let cwnd = u64::from(self.cwnd);
        let grown = if epoch.w_cubic(age, ack.mss) < u64::from(epoch.w_est) {
            // RFC 9438 §4.3: the Reno-friendly region.
            cwnd.max(u64::from(epoch.w_est))
        } else {
            // RFC 9438 §4.2, §4.4, §4.5: a step towards the curve's value one round trip ahead.
            let rtt_ms = ack.srtt.map_or(0, |srtt| srtt.as_millis() as u64);
            let target = epoch.w_cubic(age + rtt_ms, ack.mss).clamp(cwnd, cwnd + cwnd / 2);
            let parts = (target - cwnd) * acked + u64::from(self.credit);
            self.credit = (parts % cwnd) as u32;
            cwnd + parts / cwnd
        };
        self.cwnd = grown.min(u64::from(MAX_WINDOW)) as u32;
    }

    /// RFC 9438 §4.6, §4.7: a congestion event. Data sent beyond the window while losses were not yet known (RFC 3042,
    /// RACK's reordering window) is no part of the flight.
    fn reduce(&mut self, in_flight: u32, mss: u32) {
        let mut later = self.leave_first();
        later.undo = Undo { cwnd: self.cwnd, ssthresh: self.ssthresh, epoch: later.epoch };
        let epoch = &mut later.epoch;
        epoch.cwnd_prior = self.cwnd;
        epoch.w_max = if self.cwnd < epoch.w_max {
            // §4.7: fast convergence gives room to flows that are new.
            fraction(self.cwnd, (BETA.0 + BETA.1, 2 * BETA.1))
        } else {
            self.cwnd
        };
        epoch.w_est = 0;
        self.ssthresh = fraction(in_flight.min(self.cwnd), BETA).max(2 * mss);
        self.credit = 0;
        self.stage = Stage::Later(later);
    }

    fn leave_first(&self) -> Later {
        match self.stage {
            Stage::First(_) => Later::default(),
            Stage::Later(later) => later,
        }
    }
}

impl Epoch {
    /// RFC 9438 §4.2: congestion avoidance begins with a window of `cwnd`.
    fn begin(&mut self, cwnd: u32, mss: u32, now_ms: u32) {
        self.start_ms = now_ms;
        self.w_est = cwnd;
        if cwnd < self.w_max {
            // K = ∛((W_max − cwnd_epoch)/C)
            self.k_ms = cube_root(u64::from(self.w_max - cwnd) * C_DIVISOR / u64::from(mss.max(1)));
        } else {
            (self.w_max, self.k_ms) = (cwnd, 0);
        }
    }

    /// RFC 9438 §4.2, equation 1: W_cubic(t) = C·(t − K)³ + W_max.
    fn w_cubic(&self, age_ms: u64, mss: u32) -> u64 {
        let (k_ms, w_max) = (u64::from(self.k_ms), u64::from(self.w_max));
        let distance = age_ms.abs_diff(k_ms).min(MAX_AGE_MS);
        let change = (distance * distance * distance).saturating_mul(u64::from(mss)) / C_DIVISOR;
        if age_ms < k_ms { w_max.saturating_sub(change) } else { w_max + change }
    }
}

impl Later {
    /// RFC 9438 §4.3, equation 4: what Reno, made as gentle as CUBIC, would have. Once it has what was there before the
    /// event, Reno itself.
    fn grow_estimate(&mut self, cwnd: u32, acked: u64, mss: u32) {
        let epoch = &mut self.epoch;
        let alpha = if epoch.w_est < epoch.cwnd_prior { ALPHA.0 } else { ALPHA.1 };
        let cwnd = u64::from(cwnd) * ALPHA.1;
        let parts = acked * u64::from(mss) * alpha + u64::from(self.est_credit) * ALPHA.1;
        self.est_credit = (parts % cwnd / ALPHA.1) as u32;
        epoch.w_est = (u64::from(epoch.w_est) + parts / cwnd).min(u64::from(MAX_WINDOW)) as u32;
    }

    /// RFC 9438 §5.8: time in which the window was not used is no time of the curve.
    fn skip(&mut self, now: Instant) {
        if self.epoch.w_est != 0 {
            let now_ms = clock_ms(now);
            self.epoch.start_ms = self.epoch.start_ms.wrapping_add(now_ms.wrapping_sub(self.seen_ms));
            self.seen_ms = now_ms;
        }
    }
}

impl CongestionControl for Cubic {
    fn name(&self) -> &'static str {
        "cubic"
    }

    #[inline]
    fn window(&self) -> u32 {
        self.cwnd
    }

    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    #[inline]
    fn on_ack(&mut self, ack: &Ack) {
        if ack.in_recovery {
            return;
        }
        if !ack.limited {
            if let Stage::Later(later) = &mut self.stage {
                later.skip(ack.now);
            }
            return;
        }
        if self.cwnd >= self.ssthresh {
            self.avoid(ack);
        } else if matches!(self.stage, Stage::First(_)) {
            self.first_slow_start(ack);
        } else {
            // RFC 5681 §3.1, equation 2 (RFC 9406 §4.3: later slow starts know their threshold).
            self.cwnd = (self.cwnd + ack.acked.min(hystart::L.saturating_mul(ack.mss))).min(MAX_WINDOW);
        }
    }

    fn on_loss(&mut self, _now: Instant, in_flight: u32, mss: u32) {
        self.reduce(in_flight, mss);
        self.cwnd = self.ssthresh;
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u32, mss: u32, first: bool) {
        // RFC 5681 §3.1: ssthresh is lowered once for one window of data.
        if first {
            self.reduce(in_flight, mss);
        }
        // RFC 9438 §4.8: the next avoidance begins at its plateau, wherever that is.
        let mut later = self.leave_first();
        later.epoch = Epoch { cwnd_prior: later.epoch.cwnd_prior, ..Epoch::default() };
        self.stage = Stage::Later(later);
        self.cwnd = mss;
        self.credit = 0;
    }

    fn on_undo(&mut self, _now: Instant, _mss: u32) {
        // RFC 9438 §4.9: back to what was, and to the same curve.
        let Stage::Later(later) = &mut self.stage else { return };
        let undo = later.undo;
        if undo.cwnd == 0 {
            return;
        }
        later.undo.cwnd = 0;
        if undo.ssthresh == MAX_WINDOW {
            self.stage = Stage::First(HyStart::new());
        } else {
            later.epoch = undo.epoch;
            later.est_credit = 0;
        }
        self.cwnd = self.cwnd.max(undo.cwnd);
        self.ssthresh = self.ssthresh.max(undo.ssthresh);
        self.credit = 0;
    }

    fn on_restart(&mut self, _now: Instant, mss: u32) {
        match &mut self.stage {
            // RFC 9406 §4.3: it may serve after an idle time, too.
            Stage::First(hystart) => *hystart = HyStart::new(),
            Stage::Later(later) => {
                // RFC 7661 §4.4.3: most of what the path was good for is remembered.
                self.ssthresh = self.ssthresh.max(fraction(self.cwnd, (3, 4)));
                later.epoch.w_est = 0;
            }
        }
        // RFC 5681 §4.1
        self.cwnd = self.cwnd.min(initial_window(mss, self.initial_segments));
        self.credit = 0;
    }

    fn on_mss(&mut self, old: u32, new: u32) {
        // RFC 8201 §5.3 by way of RFC 4821 §7.7: the window keeps its bytes, yet never less than a segment.
        if self.cwnd == initial_window(old, self.initial_segments) {
            self.cwnd = initial_window(new, self.initial_segments);
        }
        self.cwnd = self.cwnd.max(new);
    }
}

fn clock_ms(now: Instant) -> u32 {
    now.as_millis() as u32
}

/// `part` of `bytes`, rounded down; parts are at most one.
fn fraction(bytes: u32, part: (u64, u64)) -> u32 {
    (u64::from(bytes) * part.0 / part.1) as u32
}

/// The greatest integer whose cube is at most `value`, one bit at a time: a stage of avoidance needs it once.
fn cube_root(value: u64) -> u32 {
    let (mut rest, mut root) = (value, 0u64);
    for shift in (0..=63).rev().step_by(3) {
        // (2r + 1)³ − (2r)³, where r is the root so far.
        root *= 2;
        let step = 3 * root * (root + 1) + 1;
        if rest >> shift >= step {
            rest -= step << shift;
            root += 1;
        }
    }
    root as u32
}

// It lives inside of every control block.
const _: () = assert!(size_of::<Cubic>() <= 76);

#[cfg(test)]
mod tests;
