//! What the integration tests share.

pub mod answers;
pub mod net;
#[allow(dead_code, reason = "shared with the tests of the program's verdicts")]
pub mod packets;
pub mod root;
pub mod server;
