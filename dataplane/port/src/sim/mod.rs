//! A simulated wire: two ends in one thread, in virtual time, with everything that a path does to packets.
//!
//! ```text
//!   SimPort A ──tx_burst──▶ [bottleneck: rate, buffer, ECN] ─▶ [loss] ─▶ [duplicate] ─▶ [corrupt] ─▶ [delay, jitter, reorder] ──▶ SimPort B
//! ```
//!
//! The run is a function of the configuration, the seed and what the ends send: it replays. Time is what the callers
//! say, and never goes back: a frame is sent at the latest `now` that any end of the wire was given. Frames are copied
//! from the sender's pool to the receiver's; that copy is the wire's DMA. For two threads and real time see [`ring`].

mod config;
mod link;
pub mod ring;
mod wire;

pub use config::{EndConfig, LinkConfig, Loss, SimConfig};
pub use wire::{Fate, Side, SimPort, Wire, WireEvent, pair};

#[cfg(test)]
mod tests;
