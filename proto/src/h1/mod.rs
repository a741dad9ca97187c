//! HTTP/1.0 and 1.1 (RFC 9112) as machines over bytes.
//!
//! ```text
//!   received bytes ──▶ Server::handle_bytes ──▶ Request ─▶ Body … ─▶ End        one request at a time, answers in order
//!                            │   ▲                  │
//!              Refuse, Close ◀   └─ response_sent ◀─┴─ encode::response_head + body (the caller queues them)
//! ```
//!
//! Strict by intent: whatever another parser could read in two ways is refused with a named reason, answered and the
//! connection closed. [`client::ResponseReader`] is the mirror image for load generators and proxies.

mod body;
pub mod client;
mod deadlines;
pub mod encode;
mod fields;
mod head;
mod limits;
mod lines;
pub mod server;
mod target;

pub use body::Trailers;
pub use client::ResponseReader;
pub use head::HeaderSlots;
pub use limits::Limits;
pub use server::{After, EndOfInput, Event, Server, Step, Timeout};
