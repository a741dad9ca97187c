//! Peers that lie.
use crate::Scenario;
use netstack::{Frame, FramePool, Instant};
use std::collections::VecDeque;
/// A liar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Liar;
impl core::fmt::Display for Liar {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("liar")
    }
}
/// All liars.
pub struct Liars {
    /// frames
    pub received: u64,
    /// frames
    pub sent: u64,
}
impl Liars {
    /// new
    pub fn new(_: &Scenario) -> Liars {
        Liars { received: 0, sent: 0 }
    }
    /// takes
    pub fn take(&mut self, _now: Instant, _frame: &[u8]) -> bool {
        false
    }
    /// speaks
    pub fn speak(&mut self, _now: Instant, _pool: &FramePool, _out: &mut VecDeque<Frame>) -> usize {
        0
    }
    /// timeout
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
