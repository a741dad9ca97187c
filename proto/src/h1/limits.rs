//! What a peer may ask for: sizes and times, all configurable.

use core::time::Duration;

/// Limits of the HTTP/1 server, enforced before memory is taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Longest request line in bytes, without its CRLF. Default 8,192 (RFC 9112 §3 wants at least 8,000).
    pub request_line_bytes: usize,
    /// Most bytes of all header lines together, with their ends and the empty line. Default 32,768.
    pub header_bytes: usize,
    /// Most header fields. Default 100; never more than [`Limits::MAX_HEADER_COUNT`].
    pub header_count: usize,
    /// Largest body in bytes, decoded. Default 1 MiB.
    pub body_bytes: u64,
    /// Most bytes of all chunk extensions of a body together, and of one line. Default 4,096.
    pub chunk_extension_bytes: u32,
    /// Most bytes of the trailer section. Default 8,192.
    pub trailer_bytes: usize,
    /// Most bytes of an unread body that are received and thrown away after the answer, to keep the connection.
    /// Default 256 KiB.
    pub drain_bytes: u64,
    /// Requests after which a connection closes; 0 is unlimited. Default 0.
    pub requests_per_connection: u32,
    /// From the first byte of a head to its last. Default 10 s.
    pub head_timeout: Duration,
    /// Longest pause inside a body, and the allowance before [`Limits::body_rate`] applies. Default 30 s.
    pub body_timeout: Duration,
    /// Slowest average rate of a body in bytes per second; 0 is any. Default 250.
    pub body_rate: u64,
    /// Longest wait for the first byte of a request, on a new connection and between requests. Default 75 s.
    pub idle_timeout: Duration,
    /// Longest time in which the peer takes none of the answer's bytes. Default 30 s.
    pub write_timeout: Duration,
}

impl Limits {
    /// Header fields for which [`HeaderSlots`](super::HeaderSlots) has room.
    pub const MAX_HEADER_COUNT: usize = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_line_bytes: 8_192,
            header_bytes: 32_768,
            header_count: 100,
            body_bytes: 1 << 20,
            chunk_extension_bytes: 4_096,
            trailer_bytes: 8_192,
            drain_bytes: 256 << 10,
            requests_per_connection: 0,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            body_rate: 250,
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
        }
    }
}
