//! Packet capture on any port, switched on and off while it runs.
//!
//! ```text
//!   worker 0: Capture<P> ─┐   record (copied)    ┌── CaptureStream ──▶ control thread: pcapng to a file or a pipe
//!   worker 1: Capture<P> ─┼──▶ [ full records ] ─┤
//!   worker n: Capture<P> ─┘◀── [ empty records ]─┘
//!        ▲
//!        └── CaptureControl (one a process): start(config) / stop
//! ```
//!
//! The worker never blocks and never allocates: it takes an empty record, copies the first bytes of the packet into it
//! and passes it on; when the reader is slow there is no empty record and the packet is missing in the capture,
//! counted. Switched off, the wrapper costs one relaxed load a burst.
//!
//! What is seen is what the stack sees: received frames before the stack, sent frames before the port, so transmit
//! checksums are not there yet when the port computes them. One capture at a time.

mod control;
mod filter;
mod wrapper;

pub use control::{AlreadyRunning, CaptureConfig, CaptureControl, CaptureRecord, CaptureStream};
pub use filter::{Filter, FilterError};
pub use wrapper::Capture;

#[cfg(test)]
mod tests;
