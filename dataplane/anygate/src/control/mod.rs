//! The server side of the control socket: what `mgmt` talks to.
//!
//! ```text
//!   mgmt ──▶ socket ──▶ accept thread ──▶ one small thread a session ──▶ dyn Backend ──▶ figures, mailboxes of the workers
//! ```
//!
//! No thread here ever holds anything that a worker waits for: sessions read copies, or post to a worker's mailbox and
//! wait themselves. A client that dies, hangs or reads slowly costs its own thread and nothing else; a capture whose
//! reader is slow loses frames, and the stream ends with their number.
//!
//! Who may connect is decided twice: by the mode and group of the socket file, and by the credentials that the kernel
//! attests for the peer ([`Access`]).

#![allow(clippy::disallowed_methods, reason = "control threads own a clock; nothing here runs in a worker")]

mod access;
mod backend;
mod capture;
mod peer;
mod server;
mod session;
mod socket_file;

pub use access::{Access, resolve_group};
pub use backend::{Backend, CaptureEvent, CaptureSource};
pub use peer::Peer;
pub use server::{ControlConfig, ControlError, ControlServer, DEFAULT_MAX_SESSIONS};

#[cfg(test)]
mod tests;
