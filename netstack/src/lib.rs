//! One TCP/UDP/IP stack per core, sans-IO.
//!
//! ```text
//!   Port::rx_burst ─▶ Stack::handle_frame ─▶ poll_event ─▶ (application: peek/consume, send, close) ─▶ poll_transmit ─▶ Port::tx_burst
//! ```
//!
//! The stack does no input or output, reads no clock and draws no randomness: `now` and a [`rng::Seed`] are arguments.
//! Work per packet is constant, whatever the number of connections, and nothing is allocated per packet in steady state.

#![deny(unsafe_code)]

pub mod counters;
pub mod frame;
pub mod rng;
pub mod time;

pub use frame::{Frame, FramePool, RawFrame};
pub use time::Instant;
