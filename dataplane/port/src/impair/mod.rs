//! What a path does to packets, in one direction: the models of loss, delay and damage that the simulated wire
//! ([`crate::sim`]) applies in virtual time and a bridge between two interfaces applies in real time.
//!
//! ```text
//!   offer ─▶ [outage] ─▶ [path MTU] ─▶ [ACKs thinned] ─▶ [bottleneck: rate, buffer, ECN] ─▶ [loss]
//!                                                                                             │
//!   take_due ◀─ in flight ◀─ [slots] ◀─ [delay, jitter, reordering] ◀─ [damage] ◀─ [duplicate] ◀──┘
//! ```
//!
//! [`Impairment`] decides: bytes and a time in, a [`Verdict`] out. It is pure, knows nothing of ports, and is a function
//! of its [`LinkConfig`], its seed and what is offered, so that a run replays. [`Pipe`] is an [`Impairment`] with the
//! frames under way, in buffers that are used again:
//!
//! ```
//! use core::time::Duration;
//! use netstack::Instant;
//! use port::impair::{LinkConfig, Loss, Pipe};
//!
//! let link = LinkConfig {
//!     rate_bits_per_second: Some(10_000_000),
//!     buffer_bytes: 64_000,
//!     delay: Duration::from_millis(50),
//!     loss: Loss::Random { ppm: 10_000 },
//!     ..LinkConfig::default()
//! };
//! let mut pipe = Pipe::new(link, 1);
//! pipe.offer(Instant::ZERO, &[0; 1250]);
//! // A millisecond in the bottleneck, then the way.
//! let arrival = pipe.next_arrival().unwrap();
//! assert_eq!(arrival, Instant::from_millis(51));
//! let frame = pipe.take_due(arrival).unwrap();
//! assert_eq!(frame.len(), 1250);
//! pipe.recycle(frame);
//! ```
//!
//! In real time: offer each received frame with the clock's time, sleep until [`Pipe::next_arrival`], send what
//! [`Pipe::take_due`] gives. When the verdict is [`Fate::TooBig`] with `signalled`, the path's router reports it:
//! [`packet_too_big`] makes the message, and [`Pipe::inject`] of the other direction brings it to the sender.

mod config;
mod impairment;
mod pipe;
mod too_big;

pub use config::{LinkConfig, Loss, Outages, PathMtu};
pub use impairment::{Fate, Impairment, Verdict};
pub use pipe::Pipe;
pub use too_big::packet_too_big;

#[cfg(test)]
mod tests;
