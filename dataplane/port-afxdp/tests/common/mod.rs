//! What the integration tests share.

pub mod answers;
pub mod net;
pub mod packets;
pub mod root;
pub mod server;
