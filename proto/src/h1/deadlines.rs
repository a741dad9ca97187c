//! Deadlines against slow peers: head, body, idle and write. Only arithmetic; the caller owns the timer.

use core::time::Duration;

use super::Limits;
use crate::Instant;

/// What the receiving side waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waiting {
    /// The first byte of a request.
    Idle,
    /// The rest of a head.
    Head,
    /// More of a body; `received` bytes of it came.
    Body { received: u64 },
    /// Nothing of the peer's.
    Nothing,
}

/// The moments from which deadlines are counted.
#[derive(Clone, Debug)]
pub(super) struct Deadlines {
    /// When the present wait began.
    since: Instant,
    /// When the last byte of a body came; while paused, when the pause began.
    progress: Instant,
    /// When the peer last took bytes of an answer; never when nothing is queued.
    write_since: Instant,
    paused: bool,
}

impl Deadlines {
    pub fn new(now: Instant) -> Deadlines {
        Deadlines { since: now, progress: now, write_since: Instant::FAR_FUTURE, paused: false }
    }

    /// Another wait begins.
    #[inline]
    pub fn begin(&mut self, now: Instant) {
        self.since = now;
        self.progress = now;
        self.paused = false;
    }

    /// Bytes of a body came.
    #[inline]
    pub fn progress(&mut self, now: Instant) {
        if !self.paused {
            self.progress = now;
        }
    }

    /// The application takes no more of the body: the peer is not to blame for the time that passes.
    pub fn pause(&mut self, now: Instant) {
        if !self.paused {
            self.paused = true;
            self.progress = now;
        }
    }

    pub fn resume(&mut self, now: Instant) {
        if self.paused {
            self.since = self.since + now.saturating_since(self.progress);
            self.progress = now;
            self.paused = false;
        }
    }

    #[inline]
    pub fn write_progress(&mut self, now: Instant) {
        self.write_since = now;
    }

    /// Everything queued was taken. An idle wait counts from here.
    #[inline]
    pub fn write_idle(&mut self, now: Instant, waiting: Waiting) {
        if self.write_since != Instant::FAR_FUTURE {
            self.write_since = Instant::FAR_FUTURE;
            if waiting == Waiting::Idle {
                self.since = now;
            }
        }
    }

    /// When the write deadline passes.
    #[inline]
    pub fn write(&self, limits: &Limits) -> Option<Instant> {
        (self.write_since != Instant::FAR_FUTURE).then(|| self.write_since + limits.write_timeout)
    }

    /// When the deadline of the present wait passes.
    #[inline]
    pub fn read(&self, limits: &Limits, waiting: Waiting) -> Option<Instant> {
        match waiting {
            Waiting::Nothing => None,
            // A peer that still takes a large answer is not idle.
            Waiting::Idle => (self.write_since == Instant::FAR_FUTURE).then(|| self.since + limits.idle_timeout),
            Waiting::Head => Some(self.since + limits.head_timeout),
            Waiting::Body { .. } if self.paused => None,
            Waiting::Body { received } => Some(self.body(limits, received)),
        }
    }

    /// The earlier of two: no pause longer than the timeout, and after as long no average below the rate, so that a
    /// byte now and then does not hold a connection.
    fn body(&self, limits: &Limits, received: u64) -> Instant {
        let pause = self.progress + limits.body_timeout;
        if limits.body_rate == 0 {
            return pause;
        }
        let earned = Duration::from_nanos(received.saturating_mul(1_000_000_000) / limits.body_rate);
        pause.min(self.since + limits.body_timeout + earned)
    }
}
