//! The data plane put together: ports, stacks, HTTP, routes, the run loop and the control socket.
//!
//! ```text
//!   main thread: configuration ─▶ devices ─▶ workers ─▶ control socket ─▶ signals
//!   worker 0..n: port queue ▸ stack ▸ HTTP ▸ router ▸ actions            (shares only the snapshot; see `worker`)
//! ```
//!
//! This is the one crate that names concrete ports. It is a library so that the benchmark and tests drive the same
//! worker over other wires.

#![deny(unsafe_code)]

pub mod backend;
mod capture;
pub mod cli;
pub mod clock;
pub mod control;
pub mod devices;
pub mod host;
pub mod http;
pub mod snapshot;
pub mod supervisor;
pub mod wake;
pub mod worker;
