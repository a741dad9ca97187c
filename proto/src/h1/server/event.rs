//! What the server machine tells its caller.

use super::super::Trailers;
use crate::{Refusal, RequestHead};

/// What the bytes meant, and how many of them are done with.
#[derive(Debug)]
pub struct Step<'b> {
    /// Bytes at the start of the input that need not be shown again.
    pub consumed: usize,
    /// What they were.
    pub event: Event<'b>,
}

/// What received bytes meant.
#[derive(Debug)]
pub enum Event<'b> {
    /// Nothing yet, or nothing now: the answer to the present request must be complete first.
    NeedMore,
    /// A request. When [`has_body`](crate::BodyFraming::has_body) is false it is complete; else `Body` events and `End` follow.
    Request(RequestHead<'b>),
    /// The next bytes of the body, in place.
    Body(&'b [u8]),
    /// The body is complete.
    End {
        /// The trailer fields of a chunked body.
        trailers: Trailers<'b>,
    },
    /// Answer with the refusal's status if no answer has begun, then close. Later bytes are thrown away.
    Refuse(Refusal),
    /// Close without an answer: the request was answered, and the rest of its body is faulty or too large.
    Close(Refusal),
}

/// What follows when an answer is complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// The next request may come, and may be here already.
    KeepAlive,
    /// As `KeepAlive`, after the unread body was received and thrown away, which `handle_bytes` does.
    DrainBody,
    /// Close once the answer is delivered.
    Close,
}

/// What follows when the peer has ended its side and everything received was consumed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndOfInput {
    /// Nothing is under way: close.
    Close,
    /// A request is complete and its answer is still due: answer, then close.
    CloseAfterAnswer,
    /// A message was cut off: count it, answer if no answer has begun, close.
    Refuse(Refusal),
}

/// Which deadline passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timeout {
    /// No request came: close.
    CloseIdle,
    /// Head or body came too slowly: answer 408 if no answer has begun, then close.
    Answer408(Refusal),
    /// The rest of an answered request's body came too slowly: close.
    CloseSlowBody,
    /// The peer takes no bytes of the answer: reset, for nothing more can be told.
    CloseSlowWrite,
}
