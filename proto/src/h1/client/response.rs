//! What the reader of answers is given and gives: limits, heads, events, errors.

use core::fmt;

use super::super::Trailers;
use crate::{Header, Refusal, Status, Version};

/// Limits of the reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResponseLimits {
    /// Longest status line in bytes. Default 8,192.
    pub status_line_bytes: usize,
    /// Most bytes of all header lines together. Default 65,536.
    pub header_bytes: usize,
    /// Most header fields; never more than [`Limits::MAX_HEADER_COUNT`](crate::h1::Limits::MAX_HEADER_COUNT). Default 100.
    pub header_count: usize,
    /// Largest body in bytes. Default unlimited.
    pub body_bytes: u64,
    /// Most bytes of the trailer section. Default 8,192.
    pub trailer_bytes: usize,
    /// Most bytes of all chunk extensions of a body together. Default 4,096.
    pub chunk_extension_bytes: u32,
    /// Most interim answers to one request. Default 16.
    pub interim_count: u8,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        ResponseLimits {
            status_line_bytes: 8_192,
            header_bytes: 65_536,
            header_count: 100,
            body_bytes: u64::MAX,
            trailer_bytes: 8_192,
            chunk_extension_bytes: 4_096,
            interim_count: 16,
        }
    }
}

/// Why an answer cannot be read. The connection is of no more use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResponseError {
    /// The status line is not `HTTP/1.x NNN …`.
    StatusLine,
    /// What requests are refused for as well: lines, fields, framing, chunks.
    Message(Refusal),
    /// Bytes where no answer is due.
    Unasked,
    /// More interim answers than the limit.
    TooManyInterim,
    /// `101` without an Upgrade that was asked for: this reader follows no other protocol.
    Switched,
    /// The connection ended inside an answer.
    End,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResponseError::StatusLine => f.write_str("the status line is not HTTP/1.1 SP three digits SP reason"),
            ResponseError::Message(refusal) => refusal.fmt(f),
            ResponseError::Unasked => f.write_str("bytes arrived where no answer is due"),
            ResponseError::TooManyInterim => f.write_str("too many interim answers"),
            ResponseError::Switched => f.write_str("the protocol was switched unasked"),
            ResponseError::End => f.write_str("the connection ended inside an answer"),
        }
    }
}

impl core::error::Error for ResponseError {}

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'b> {
    /// The status.
    pub status: Status,
    /// The version that the message is handled as.
    pub version: Version,
    /// Every header field, in the order of arrival.
    pub headers: &'b [Header<'b>],
    /// The length of the body in bytes: `Some(0)` when there is none, `None` when only its end will tell.
    pub body_length: Option<u64>,
    /// Whether the connection persists after this answer.
    pub keep_alive: bool,
}

/// What received bytes meant.
#[derive(Debug)]
pub enum ResponseEvent<'b> {
    /// Nothing yet.
    NeedMore,
    /// 1xx: the final answer is still to come (RFC 9110 §15.2).
    Interim(ResponseHead<'b>),
    /// A final answer's head. `End` follows, after `Body` events if there are any.
    Response(ResponseHead<'b>),
    /// The next bytes of the body, in place.
    Body(&'b [u8]),
    /// The answer is complete.
    End {
        /// The trailer fields of a chunked body.
        trailers: Trailers<'b>,
    },
    /// The connection is of no more use.
    Failed(ResponseError),
}

/// What the bytes meant, and how many of them are done with.
#[derive(Debug)]
pub struct ResponseStep<'b> {
    /// Bytes at the start of the input that need not be shown again.
    pub consumed: usize,
    /// What they were.
    pub event: ResponseEvent<'b>,
}
