//! The protocol between `anygate` and the programs that manage it: the `mgmt` CLI today, anything that speaks JSON
//! tomorrow. It runs over a Unix stream socket, one JSON document a line.
//!
//! ```text
//!   client                                             server
//!   {"hello":{"protocol":1,"product":"0.1.0"}}    ──▶
//!                                                 ◀──  {"hello":{"protocol":1,"product":"0.1.0"}}
//!   {"command":"drops","arguments":{}}            ──▶
//!                                                 ◀──  {"ok":{…}}        or  {"error":{"code":…,"message":…,"hint":…}}
//!   {"command":"capture","arguments":{…}}         ──▶
//!                                                 ◀──  {"ok":{…}}, then pcapng bytes until either side ends it
//! ```
//!
//! What holds on this socket:
//!
//! - Every line has a limit ([`frame::REQUEST_LIMIT_BYTES`], [`frame::REPLY_LIMIT_BYTES`]), enforced before memory is
//!   taken.
//! - The first line in each direction is the [`Hello`]. Another protocol version is answered with
//!   [`ErrorCode::UnsupportedVersion`], and the connection ends.
//! - An unknown command or an unknown field of a request is an error, never ignored: a filter that the server does not
//!   know must not silently match everything. Unknown fields of a *reply* are ignored, so a server may add some without
//!   a new protocol version.
//! - Names of quantities carry their unit; a reply is the one type from which both the table and `--json` are printed.
//!
//! [`Client`] is the blocking client. The server lives in the data plane (`anygate::control`), which is handed the same
//! types.

#![forbid(unsafe_code)]

pub mod capture;
pub mod client;
mod command;
mod error;
pub mod frame;
mod hello;
pub mod messages;
pub mod socket;
mod units;

pub use client::{CaptureStopper, CaptureStream, Client, ClientError};
pub use command::{COMMANDS, Command, Reply, Request, encode_answer};
pub use error::{ApiError, ErrorCode};
pub use hello::Hello;
pub use messages::*;
pub use units::Mac;

/// The version of the messages. It changes when an old peer would misunderstand a new one; added fields of replies and
/// added commands do not change it.
pub const PROTOCOL_VERSION: u32 = 1;

/// The version of this build, told to the peer so that its messages can name it.
pub const PRODUCT_VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests;
