//! What a run should do.

use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// When requests are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pacing {
    /// The next request of a connection follows its answer.
    Closed,
    /// At this rate over all connections, whatever the server does.
    Open {
        /// Requests due per second.
        requests_per_second: u64,
    },
}

/// How connections are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reuse {
    /// All requests of a slot go over one connection.
    KeepAlive,
    /// Each request opens its own; latency counts from the SYN.
    NewEach,
}

/// One run.
#[derive(Clone, Debug)]
pub struct LoadConfig {
    /// Whom to ask.
    pub remote: SocketAddr,
    /// Source addresses, used in turn.
    pub locals: Vec<IpAddr>,
    /// Connections that carry the load.
    pub connections: usize,
    /// Connections that are opened first and then only held.
    pub idle_connections: usize,
    /// The request, as bytes on the wire.
    pub request: Bytes,
    /// When requests are sent.
    pub pacing: Pacing,
    /// How connections are used.
    pub reuse: Reuse,
    /// Load before recording begins.
    pub warm_up: Duration,
    /// How long is recorded.
    pub duration: Duration,
    /// How long the opening of all connections may take.
    pub open_deadline: Duration,
}

impl LoadConfig {
    /// A request for `target` at `host`.
    pub fn get(target: &str, host: &str, reuse: Reuse) -> Bytes {
        let close = match reuse {
            Reuse::KeepAlive => "",
            Reuse::NewEach => "Connection: close\r\n",
        };
        Bytes::from(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{close}\r\n"))
    }
}
