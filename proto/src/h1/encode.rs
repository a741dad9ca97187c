//! Answers as bytes: heads, chunks, refusals, and the heads of requests. Nothing is allocated but what the output buffer
//! grows by; its owner may reserve [`head_capacity`] before.

use core::fmt;

use bytes::BufMut;

use crate::grammar;
use crate::{HttpDate, Refusal, Status, Version};

/// `100 Continue`, whole (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// What follows a chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";
/// The last chunk and an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// The last chunk, when trailer fields and an empty line follow.
const LAST_CHUNK_SIZE: &[u8] = b"0\r\n";

/// What is known of an answer's body when its head is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyLength {
    /// Length in bytes; also for the answer to HEAD, where it is what GET would have had.
    Known(u64),
    /// Not known: chunked to a 1.1 client, until close to a 1.0 client.
    Unknown,
}

/// How the body must be sent after the head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyCoding {
    /// None is sent: HEAD, 1xx, 204, 304.
    None,
    /// As it is, exactly as long as was said.
    Plain,
    /// In chunks; see [`chunk_head`].
    Chunked,
    /// As it is, and the connection is closed at its end.
    UntilClose,
}

/// An answer's head.
#[derive(Clone, Debug)]
pub struct ResponseHead<'a> {
    /// The final or interim status.
    pub status: Status,
    /// The version of the request; the answer says 1.1 in any case (RFC 9110 §2.5).
    pub version: Version,
    /// Whether the request was HEAD.
    pub head_request: bool,
    /// Whether the connection shall persist; see `Server::persistent`.
    pub keep_alive: bool,
    /// Date; a server with a clock must send it in 2xx, 3xx and 4xx (RFC 9110 §6.6.1).
    pub date: Option<&'a HttpDate>,
    /// Server, if any.
    pub server: Option<&'a str>,
    /// Content-Type, if any.
    pub content_type: Option<&'a str>,
    /// The body's length.
    pub body: BodyLength,
    /// Further fields. Content-Length, Transfer-Encoding and Connection are written here and nowhere else.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// What the head says about what follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoded {
    /// How to send the body.
    pub body: BodyCoding,
    /// Whether the connection must close after the answer; pass it to `Server::response_sent`.
    pub close: bool,
}

/// Why a head or trailer was not written; nothing of it is in the output then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// A field name that is no token.
    FieldName,
    /// A field value with CR, LF, NUL or another control.
    FieldValue,
    /// A field that frames the message.
    ReservedField,
    /// A method or target with white space or controls.
    RequestLine,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EncodeError::FieldName => "a header name is not a token",
            EncodeError::FieldValue => "a header value has a control character",
            EncodeError::ReservedField => {
                "Content-Length, Transfer-Encoding and Connection are written by the server itself"
            }
            EncodeError::RequestLine => "a request line has white space or a control character in its method or target",
        })
    }
}

impl core::error::Error for EncodeError {}

/// Bytes that are always enough for the head.
pub fn head_capacity(head: &ResponseHead<'_>) -> usize {
    const FIXED: usize = 256;
    let fields: usize = head.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    FIXED + fields + head.server.map_or(0, str::len) + head.content_type.map_or(0, str::len)
}

/// Writes the head of an answer.
pub fn response_head(out: &mut impl BufMut, head: &ResponseHead<'_>) -> Result<Encoded, EncodeError> {
    check_fields(head.headers)?;
    for value in [head.server, head.content_type].into_iter().flatten() {
        check_value(value.as_bytes())?;
    }
    let encoded = body_coding(head);

    status_line(out, head.status);
    if let Some(date) = head.date {
        out.put_slice(b"Date: ");
        out.put_slice(date.as_bytes());
        out.put_slice(b"\r\n");
    }
    if let Some(server) = head.server {
        field(out, "Server", server.as_bytes());
    }
    if let Some(content_type) = head.content_type {
        field(out, "Content-Type", content_type.as_bytes());
    }
    framing_fields(out, head, encoded.body);
    connection_field(out, head, encoded.close);
    for (name, value) in head.headers {
        field(out, name, value);
    }
    out.put_slice(b"\r\n");
    Ok(encoded)
}

fn body_coding(head: &ResponseHead<'_>) -> Encoded {
    let body = match head.body {
        // RFC 9112 §6.3: these end with their heads whatever the fields say.
        _ if head.head_request || head.status.is_bodiless() => BodyCoding::None,
        BodyLength::Known(_) => BodyCoding::Plain,
        BodyLength::Unknown if head.version == Version::Http11 => BodyCoding::Chunked,
        // RFC 9112 §7: a 1.0 client does not know chunked.
        BodyLength::Unknown => BodyCoding::UntilClose,
    };
    Encoded { body, close: !head.keep_alive || body == BodyCoding::UntilClose }
}

fn framing_fields(out: &mut impl BufMut, head: &ResponseHead<'_>, coding: BodyCoding) {
    // RFC 9110 §8.6: no Content-Length in 1xx and 204; in 304 it may be left out.
    if head.status.is_bodiless() {
        return;
    }
    match head.body {
        BodyLength::Known(length) => {
            out.put_slice(b"Content-Length: ");
            decimal(out, length);
            out.put_slice(b"\r\n");
        }
        // RFC 9112 §6.1: the answer to HEAD may say what GET's would.
        BodyLength::Unknown if coding == BodyCoding::Chunked || head.version == Version::Http11 => {
            out.put_slice(b"Transfer-Encoding: chunked\r\n");
        }
        BodyLength::Unknown => {}
    }
}

fn connection_field(out: &mut impl BufMut, head: &ResponseHead<'_>, close: bool) {
    if head.status.is_informational() {
        return;
    }
    // RFC 9112 §9.3: 1.1 persists unless close is said; 1.0 persists only when both sides say keep-alive (§C.2.2).
    if close {
        out.put_slice(b"Connection: close\r\n");
    } else if head.version == Version::Http10 {
        out.put_slice(b"Connection: keep-alive\r\n");
    }
}

/// RFC 9112 §4: `HTTP-version SP status-code SP [ reason-phrase ]`.
fn status_line(out: &mut impl BufMut, status: Status) {
    if let Some(line) = status.line() {
        out.put_slice(line.as_bytes());
    } else {
        out.put_slice(b"HTTP/1.1 ");
        decimal(out, u64::from(status.code()));
        out.put_slice(b" \r\n");
    }
}

fn field(out: &mut impl BufMut, name: &str, value: &[u8]) {
    out.put_slice(name.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value);
    out.put_slice(b"\r\n");
}

fn check_fields(fields: &[(&str, &[u8])]) -> Result<(), EncodeError> {
    for (name, value) in fields {
        if !grammar::is_token(name.as_bytes()) {
            return Err(EncodeError::FieldName);
        }
        let reserved = match name.len() {
            10 => name.eq_ignore_ascii_case("connection"),
            14 => name.eq_ignore_ascii_case("content-length"),
            17 => name.eq_ignore_ascii_case("transfer-encoding"),
            _ => false,
        };
        if reserved {
            return Err(EncodeError::ReservedField);
        }
        check_value(value)?;
    }
    Ok(())
}

fn check_value(value: &[u8]) -> Result<(), EncodeError> {
    if grammar::is_field_value(value) { Ok(()) } else { Err(EncodeError::FieldValue) }
}

/// A whole answer to a refused request: its status, the reason as text, and `Connection: close`.
pub fn refusal(
    out: &mut impl BufMut,
    refusal: Refusal,
    date: Option<&HttpDate>,
    server: Option<&str>,
) -> Result<(), EncodeError> {
    let text = refusal.help();
    let head = ResponseHead {
        status: refusal.status(),
        version: Version::Http11,
        head_request: false,
        keep_alive: false,
        date,
        server,
        content_type: Some("text/plain; charset=utf-8"),
        body: BodyLength::Known(text.len() as u64 + 1),
        headers: &[],
    };
    response_head(out, &head)?;
    out.put_slice(text.as_bytes());
    out.put_slice(b"\n");
    Ok(())
}

/// The line before a chunk's `length` bytes of data, which [`CHUNK_END`] follows. Nothing is written for a length of 0,
/// which would end the body.
pub fn chunk_head(out: &mut impl BufMut, length: usize) {
    if length == 0 {
        return;
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 2 * size_of::<usize>()];
    let mut from = text.len();
    let mut left = length;
    while left != 0 && from > 0 {
        from -= 1;
        text[from] = DIGITS[left & 15];
        left >>= 4;
    }
    out.put_slice(&text[from..]);
    out.put_slice(b"\r\n");
}

/// The end of a chunked body with trailer fields.
pub fn chunked_end(out: &mut impl BufMut, trailers: &[(&str, &[u8])]) -> Result<(), EncodeError> {
    check_fields(trailers)?;
    out.put_slice(LAST_CHUNK_SIZE);
    for (name, value) in trailers {
        field(out, name, value);
    }
    out.put_slice(b"\r\n");
    Ok(())
}

/// A request's body as its head announces it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestBody {
    /// None, and no framing field.
    None,
    /// Content-Length, in bytes.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// Writes the head of a request. Fields other than Host and framing are in `headers`; Connection may be among them.
pub fn request_head(
    out: &mut impl BufMut,
    method: &str,
    target: &str,
    host: &str,
    body: RequestBody,
    headers: &[(&str, &[u8])],
) -> Result<(), EncodeError> {
    let visible = !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic());
    if !grammar::is_token(method.as_bytes()) || !visible {
        return Err(EncodeError::RequestLine);
    }
    check_value(host.as_bytes())?;
    for (name, value) in headers {
        if !name.eq_ignore_ascii_case("connection") {
            check_fields(&[(name, value)])?;
        }
        check_value(value)?;
    }
    out.put_slice(method.as_bytes());
    out.put_slice(b" ");
    out.put_slice(target.as_bytes());
    out.put_slice(b" HTTP/1.1\r\n");
    field(out, "Host", host.as_bytes()); // RFC 9110 §7.2: preferably first
    match body {
        RequestBody::None => {}
        RequestBody::Length(length) => {
            out.put_slice(b"Content-Length: ");
            decimal(out, length);
            out.put_slice(b"\r\n");
        }
        RequestBody::Chunked => out.put_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    for (name, value) in headers {
        field(out, name, value);
    }
    out.put_slice(b"\r\n");
    Ok(())
}

fn decimal(out: &mut impl BufMut, mut value: u64) {
    let mut text = [0; 20]; // digits of u64::MAX
    let mut from = text.len();
    loop {
        from -= 1;
        text[from] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 || from == 0 {
            break;
        }
    }
    out.put_slice(&text[from..]);
}

#[cfg(test)]
mod tests;
