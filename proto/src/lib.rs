//! Protocols as state machines over bytes, sans-IO.
//!
//! ```text
//!   bytes ─▶ h1::Server::handle_bytes ─▶ Request | Body | End | Refuse        (in place: events borrow the bytes)
//!            h1::encode ◀─ the answer's status, header fields, body length
//! ```
//!
//! Nothing here does input or output, reads a clock or draws randomness: `now` is an [`Instant`] argument and the date
//! is given. The crate knows nothing of the TCP stack below it nor of the router above it. Methods come in four kinds:
//! getters, `handle_*` (something arrived), commands (the user wants something) and `poll_*` (when to wake up).

#![forbid(unsafe_code)]

pub mod date;
pub mod grammar;
pub mod h1;
pub mod message;
pub mod refusal;
pub mod status;
pub mod time;

pub use date::HttpDate;
pub use message::{BodyFraming, Header, Method, RequestHead, Target, TargetForm, Version};
pub use refusal::{Refusal, RefusalCounters};
pub use status::Status;
pub use time::Instant;
