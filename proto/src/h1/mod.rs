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
//!
//! Where this is stricter than the RFCs ask, with leave: LF alone ends no line (RFC 9112 §2.2), a repeated Content-Length
//! is refused even when the values agree (§6.3), blank-led lines are refused wherever they stand (§2.2, §5.2), an
//! absolute-form target must be of `http` or `https`. Where it deviates: a forbidden trailer field is refused instead of
//! ignored (RFC 9110 §6.5.1), future address literals (`[v1.…]`) are no hosts (RFC 3986 §3.2.2), and the characters
//! `|^{}[]` and the backtick pass in targets, because browsers send them bare (RFC 3986 §2).

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
