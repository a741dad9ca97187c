//! What a matched rule does, and the answers to requests that no rule takes.
//!
//! ```text
//!   router::Rule ──▶ Actions::compile ──▶ Actions        immutable, shared by all workers
//!                                            │
//!   Found, Request ──▶ Answers::respond ─────┤           one per worker: finished answers by action, variant and second
//!                                            ▼
//!                       Response::Ready(Bytes)           head, date and body in one reference-counted piece
//!                       Response::AwaitBody(EchoDraft)   an echo that first reads the request's body
//! ```
//!
//! Fixed answers, redirects without parameters and refusals are encoded once and then only have their date renewed, at
//! most once a second: answering is a table lookup and a reference count. Whoever sends an answer holds a
//! reference until it is acknowledged; the next second's answer is then a copy, else the same memory.
//!
//! The answers are those of HTTP/1.1, as `proto::h1::encode` writes them.
#![forbid(unsafe_code)]

mod action;
mod answers;
mod content;
mod echo;
mod json;
mod prebuilt;
mod reason;
mod redirect;

pub use action::{Action, Actions, Fixed, Options};
pub use answers::{Answers, DateStamp, Request, Response};
pub use content::content_type;
pub use echo::{Echo, EchoDraft};
pub use prebuilt::Variant;
pub use reason::{Reason, ReasonCounters};
pub use redirect::Redirect;
