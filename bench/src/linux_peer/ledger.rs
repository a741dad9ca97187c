//! What endpoints count while they run, for whoever watches.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one endpoint, shared between its threads and the one that measures.
#[derive(Default, Debug)]
pub struct Ledger {
    /// Payload bytes received and found right.
    pub received: AtomicU64,
    /// Connections whose bytes were not those that were sent.
    pub mismatches: AtomicU64,
    /// Connections that ended by a reset or an error.
    pub broken: AtomicU64,
}

impl Ledger {
    /// Adds received bytes.
    pub fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Payload bytes received so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Adds one.
pub fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
