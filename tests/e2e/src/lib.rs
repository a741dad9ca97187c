//! End-to-end tests: the built `anygate` and `mgmt`, in network namespaces, with Linux's TCP as the peer.
//!
//! ```text
//!   namespace "client"                    namespace "server"
//!   curl, wrk, raw sockets ── veth ────── AF_XDP ▸ anygate        Wire::AfXdp
//!
//!   one namespace: curl, … ── kernel's end of a tap ▸ anygate     Wire::Tap
//! ```
//!
//! [`Lab`] makes the namespaces and removes them when dropped, [`Server`] starts the binary and ends it when dropped;
//! names carry the process id, so that runs do not meet. What a machine cannot do is skipped by [`skip`], visibly, and
//! fails where `ANYGATE_REQUIRE_ROOT=1` says that it must be possible.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "tests own a clock")]

pub mod binaries;
pub mod http;
mod lab;
mod namespace;
mod server;
pub mod site;
mod skip;
mod tools;

pub use lab::{CLIENT_INTERFACE, Lab, Mode, SERVER_INTERFACE, SERVER_V4, SERVER_V6, Wire};
pub use namespace::Namespace;
pub use server::Server;
pub use skip::{can_run, skip};
pub use tools::{Output, install, run, wait_until};
