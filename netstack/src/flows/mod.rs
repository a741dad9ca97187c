//! Whose is a flow? The directory that the workers of one interface share where a flow's packets may come to the queue
//! of another worker: on a veth, whose sender chooses the queue, or with a NIC whose hash is not known.
//!
//! ```text
//!   worker 0: table miss ─▶ FlowDirectory::owner ─┬─▶ nobody's, or mine: LISTEN or CLOSED, as ever
//!                                                 └─▶ worker 1's: Stack::poll_foreign ─▶ ring ─▶ Stack::handle_handed_over
//! ```
//!
//! A worker *claims* a flow before it keeps anything of it (a half-open connection, an active open), and *releases* it
//! with the last thing that it kept (often TIME-WAIT). The segment of a flow that the worker's own table knows never
//! comes here: with every packet on the right queue the directory costs a claim and a release a connection.
//!
//! What the directory remembers is a tag, not the 4-tuple, so it may err on one side: a new flow whose tag is that of
//! another worker's flow is taken for that worker's. It then lives there, its packets are handed over, and nothing is
//! lost but time. A flow never has two owners ([`words`] says why).

mod words;

use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use self::words::Words;
use crate::rng::Seed;
use crate::tcp::siphash::SipKey;
use crate::tcp::tuple::Tuple;

/// Packets that came to another queue than the steering said, after which it is no longer believed.
const MISSTEERED_LIMIT: u32 = 64;

/// The atomics of [`words`]; a test of every interleaving puts others in their place (`tests/flow_interleavings.rs`).
mod atomic {
    pub(super) use core::sync::atomic::{AtomicU64, Ordering};
}

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// The flow is the claimer's from now on.
    Made,
    /// It is another worker's.
    Foreign(u16),
    /// There is no room to remember it: it works, as long as its packets come to the worker that has it.
    Full,
}

/// The flows of all workers of one interface. Lock-free: a claim or a release is one compare-and-swap, a look one load.
pub struct FlowDirectory {
    words: Words,
    key: SipKey,
    missteered: AtomicU32,
}

impl FlowDirectory {
    /// A directory for `workers` workers (4,096 at most) that have `flows` flows at most between them. 8 bytes a flow.
    pub fn new(workers: u16, flows: usize, seed: &Seed) -> Arc<FlowDirectory> {
        let (k0, k1) = seed.keys(u64::from_le_bytes(*b"flow-dir"));
        let (words, missteered) = (Words::new(workers, flows), AtomicU32::new(0));
        Arc::new(FlowDirectory { words, key: SipKey::new(k0, k1), missteered })
    }

    /// The view of one worker, numbered from 0, for [`StackConfig::flows`](crate::StackConfig::flows).
    pub fn worker(self: &Arc<FlowDirectory>, worker: u16) -> Flows {
        Flows { directory: self.clone(), worker }
    }

    /// How many flows are claimed. Counts them all: for tests and operators.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// True without any flow.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// False when so many packets came to other queues than the port's steering says that it must be wrong.
    pub fn trusts_steering(&self) -> bool {
        self.missteered.load(Ordering::Relaxed) < MISSTEERED_LIMIT
    }
}

impl fmt::Debug for FlowDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowDirectory({:?})", self.words)
    }
}

/// One worker's view of the directory.
#[derive(Clone, Debug)]
pub struct Flows {
    directory: Arc<FlowDirectory>,
    worker: u16,
}

impl Flows {
    /// Claims the flow between `local` and `remote`.
    pub fn claim(&self, local: SocketAddr, remote: SocketAddr) -> Claim {
        self.claim_tuple(&Tuple::new(local.ip(), local.port(), remote.ip(), remote.port()))
    }

    /// Gives up one claim of the flow.
    pub fn release(&self, local: SocketAddr, remote: SocketAddr) {
        self.release_tuple(&Tuple::new(local.ip(), local.port(), remote.ip(), remote.port()));
    }

    pub(crate) fn claim_tuple(&self, tuple: &Tuple) -> Claim {
        self.directory.words.claim(tuple.hash(&self.directory.key), self.worker)
    }

    pub(crate) fn release_tuple(&self, tuple: &Tuple) {
        self.directory.words.release(tuple.hash(&self.directory.key), self.worker);
    }

    /// The other worker that has the flow; `None` when it is our own or nobody's.
    pub(crate) fn foreign_owner(&self, tuple: &Tuple) -> Option<u16> {
        let owner = self.directory.words.owner(tuple.hash(&self.directory.key))?;
        Some(owner).filter(|&owner| owner != self.worker)
    }

    /// A packet came to another queue than the steering says. True for the one with which it is believed no longer.
    pub(crate) fn note_missteered(&self) -> bool {
        // Never wraps: nobody counts on once the limit is reached.
        self.directory.trusts_steering()
            && self.directory.missteered.fetch_add(1, Ordering::Relaxed) == MISSTEERED_LIMIT - 1
    }

    pub(crate) fn trusts_steering(&self) -> bool {
        self.directory.trusts_steering()
    }
}

#[cfg(test)]
mod tests;
