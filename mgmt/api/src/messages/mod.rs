//! The requests and replies, one file a subject.

mod connections;
mod counters;
mod lifecycle;
mod neighbors;
mod ports;
mod routes;
mod status;

pub use crate::capture::{CaptureFilter, CaptureReply, CaptureRequest, Direction};
pub use connections::*;
pub use counters::*;
pub use lifecycle::*;
pub use neighbors::*;
pub use ports::*;
pub use routes::*;
pub use status::*;
