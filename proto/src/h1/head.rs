//! The fast path of request heads: parsed where they lie, without a copy, when the whole head is in one piece.

use core::mem::MaybeUninit;

use super::{Limits, fields, target};
use crate::{Header, Method, Refusal, RequestHead, Version};

/// Room for the header fields of one head. Not initialised, so making a new one for each call costs nothing; it
/// belongs on the stack of the caller, for as long as the event is looked at.
pub struct HeaderSlots<'b> {
    pub(super) in_place: Slots<'b>,
    pub(super) gathered: Slots<'b>,
}

pub(super) type Slots<'b> = [MaybeUninit<Header<'b>>; Limits::MAX_HEADER_COUNT];

impl HeaderSlots<'_> {
    /// Empty slots.
    #[inline(always)]
    pub const fn new() -> Self {
        HeaderSlots {
            in_place: [const { MaybeUninit::uninit() }; Limits::MAX_HEADER_COUNT],
            gathered: [const { MaybeUninit::uninit() }; Limits::MAX_HEADER_COUNT],
        }
    }
}

impl Default for HeaderSlots<'_> {
    #[inline(always)]
    fn default() -> Self {
        Self::new()
    }
}

/// Parses the head at the start of `data`. `None` stands for whatever needs a closer look: the head is incomplete or
/// malformed in its lines.
#[inline]
pub(super) fn parse<'b>(
    limits: &Limits,
    slots: &'b mut Slots<'b>,
    data: &'b [u8],
) -> Option<Result<RequestHead<'b>, Refusal>> {
    let room = limits.header_count.min(Limits::MAX_HEADER_COUNT);
    let mut request = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(raw_len)) = request.parse_with_uninit_headers(data, &mut slots[..room]) else {
        return None;
    };
    let headers: &'b [Header<'b>] = request.headers;
    let (method_token, raw_target) = (request.method?, request.path?);
    let version = if request.version? == 0 { Version::Http10 } else { Version::Http11 };
    let first_line = check_line_ends(data, raw_len, headers)?;
    if first_line > limits.request_line_bytes.saturating_add(2) || raw_len - first_line > limits.header_bytes {
        return None;
    }
    Some(interpret(method_token, raw_target, version, headers, raw_len))
}

/// httparse takes LF alone for a line's end; here every line must end in CRLF (see `lines`). Each name begins its line,
/// and httparse's slices lie inside `data`, so the line ends are found without another search. Returns the length of
/// the first line with its end.
#[inline]
pub(super) fn check_line_ends(data: &[u8], raw_len: usize, headers: &[Header<'_>]) -> Option<usize> {
    let head = data.get(..raw_len)?;
    if !head.ends_with(b"\r\n\r\n") {
        return None;
    }
    let base = data.as_ptr().addr();
    let mut first_line = raw_len - 2;
    for header in headers.iter().rev() {
        first_line = header.name.as_ptr().addr().wrapping_sub(base);
        if head.get(first_line.wrapping_sub(2)..first_line)? != b"\r\n" {
            return None;
        }
    }
    Some(first_line)
}

/// What a head of well-formed lines means.
#[inline]
fn interpret<'b>(
    method_token: &'b str,
    raw_target: &'b str,
    version: Version,
    headers: &'b [Header<'b>],
    raw_len: usize,
) -> Result<RequestHead<'b>, Refusal> {
    let method = Method::from_bytes(method_token.as_bytes());
    let (target, authority) = target::parse(method, raw_target)?;
    let meaning = fields::read(headers, method, version, authority)?;
    Ok(RequestHead {
        method,
        method_token,
        target,
        version,
        authority: meaning.authority,
        headers,
        framing: meaning.framing,
        keep_alive: meaning.keep_alive,
        expect_continue: meaning.expect_continue,
        upgrade: meaning.upgrade,
        raw_len,
    })
}
