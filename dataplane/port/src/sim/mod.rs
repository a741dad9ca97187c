//! A simulated wire: two ends in one thread, in virtual time, with everything that a path does to packets
//! ([`crate::impair`]).
//!
//! ```text
//!   SimPort A ──tx_burst──▶ Pipe (crate::impair) ──▶ [Toeplitz hash] ──▶ queue 0..n ──rx_burst──▶ SimPort B
//!             ◀────────────────────────────────── Pipe ◀──────────────────────────────────
//! ```
//!
//! The run is a function of the configuration, the seed and what the ends send: it replays. Time is what the callers
//! say, and never goes back: a frame is sent at the latest `now` that any end of the wire was given. Frames are copied
//! from the sender's pool to the receiver's; that copy is the wire's DMA. For two threads and real time see [`ring`].

mod config;
pub mod ring;
mod wire;

pub use crate::impair::{Fate, LinkConfig, Loss, Outages, PathMtu};
pub use config::{EndConfig, SimConfig};
pub use wire::{Side, SimPort, Wire, WireEvent, pair};

#[cfg(test)]
mod tests;
