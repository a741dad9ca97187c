//! The client's side of one HTTP/1 connection: answers, for load generators and proxies.
//!
//! [`ResponseReader::request_sent`] tells what is asked; [`ResponseReader::handle_bytes`] then gives, for each request
//! in order, any number of [`ResponseEvent::Interim`] heads, one [`ResponseEvent::Response`], and when that has a body
//! `Body` events and `End`.

mod response;

pub use response::{ResponseError, ResponseEvent, ResponseHead, ResponseLimits, ResponseStep};

use super::body::{BodyLimits, BodyReader, Piece};
use super::fields::{Connection, Framing};
use super::head::Slots;
use super::lines::{FirstLine, Gather, Progress, Rules};
use super::{HeaderSlots, Limits, Trailers, head};
use crate::{BodyFraming, Header, Method, Refusal, Status, Version};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Head,
    Body,
    Closed,
}

#[derive(Debug)]
struct Core {
    body: BodyReader,
    /// Outstanding requests, the oldest in the lowest bit: set for HEAD, whose answer has no body.
    head_requests: u64,
    outstanding: u32,
    interims: u8,
    phase: Phase,
    keep_alive: bool,
}

/// Reads the answers on one connection.
pub struct ResponseReader {
    gather: Option<Box<Gather>>,
    core: Core,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseReader {
    /// Most requests that may be under way on one connection.
    pub const MAX_OUTSTANDING: u32 = u64::BITS;

    /// A reader for a new connection.
    pub fn new() -> ResponseReader {
        let core = Core {
            body: BodyReader::DONE,
            head_requests: 0,
            outstanding: 0,
            interims: 0,
            phase: Phase::Head,
            keep_alive: true,
        };
        ResponseReader { gather: None, core }
    }

    /// A request was sent. False, and nothing is noted, when [`ResponseReader::MAX_OUTSTANDING`] are under way already.
    #[inline]
    pub fn request_sent(&mut self, method: Method) -> bool {
        let core = &mut self.core;
        if core.outstanding == Self::MAX_OUTSTANDING {
            return false;
        }
        core.head_requests |= u64::from(method == Method::Head) << core.outstanding;
        core.outstanding += 1;
        true
    }

    /// Requests whose answers are not complete.
    #[inline]
    pub fn outstanding(&self) -> u32 {
        self.core.outstanding
    }

    /// May another request be sent on this connection?
    #[inline]
    pub fn is_reusable(&self) -> bool {
        self.core.keep_alive && self.core.phase != Phase::Closed
    }

    /// Takes the next contiguous received bytes up to the next event; to be called until it says
    /// [`ResponseEvent::NeedMore`], also when no bytes are left, because the end of an answer is an event of its own.
    #[inline]
    pub fn handle_bytes<'b>(
        &'b mut self,
        limits: &ResponseLimits,
        slots: &'b mut HeaderSlots<'b>,
        data: &'b [u8],
    ) -> ResponseStep<'b> {
        match self.core.phase {
            Phase::Head => self.read_head(limits, slots, data),
            Phase::Body => self.read_body(limits, data),
            Phase::Closed => ResponseStep { consumed: data.len(), event: ResponseEvent::NeedMore },
        }
    }

    /// The peer has ended its side and every received byte was consumed. True when that was the proper end of a
    /// body (RFC 9112 §6.3, last rule): the answer is complete.
    pub fn handle_eof(&mut self) -> Result<bool, ResponseError> {
        let core = &mut self.core;
        let phase = core::mem::replace(&mut core.phase, Phase::Closed);
        core.keep_alive = false;
        match phase {
            Phase::Body if core.body.is_until_close() => {
                core.answer_complete();
                Ok(true)
            }
            Phase::Head if core.outstanding == 0 => Ok(false),
            Phase::Closed => Ok(false),
            Phase::Head | Phase::Body => Err(ResponseError::End),
        }
    }

    /// Heads are parsed where they lie; what is incomplete or wrong goes the slow way, as in the server.
    #[inline]
    fn read_head<'b>(
        &'b mut self,
        limits: &ResponseLimits,
        slots: &'b mut HeaderSlots<'b>,
        data: &'b [u8],
    ) -> ResponseStep<'b> {
        let HeaderSlots { in_place, gathered } = slots;
        if data.is_empty() {
            return ResponseStep { consumed: 0, event: ResponseEvent::NeedMore };
        }
        if self.core.outstanding == 0 {
            return self.core.failed(data, ResponseError::Unasked);
        }
        if self.gather.as_ref().is_some_and(|gather| gather.is_complete()) {
            self.gather = None; // an interim answer's head, or the trailers of the answer before
        }
        if self.gather.is_none()
            && let Some(parsed) = parse(limits, in_place, data)
            && let Ok(event) = self.core.begin_response(limits, &parsed)
        {
            return ResponseStep { consumed: parsed.raw_len, event };
        }
        self.gather_head(limits, gathered, data)
    }

    #[cold]
    fn gather_head<'b>(
        &'b mut self,
        limits: &ResponseLimits,
        slots: &'b mut Slots<'b>,
        data: &'b [u8],
    ) -> ResponseStep<'b> {
        let rules = Rules {
            first_line: FirstLine::Status,
            first_line_bytes: limits.status_line_bytes,
            field_bytes: limits.header_bytes,
            field_count: limits.header_count.min(Limits::MAX_HEADER_COUNT),
            too_many_bytes: Refusal::HeaderBytes,
        };
        let gather = self.gather.get_or_insert_default();
        let (consumed, progress) = gather.feed(&rules, data);
        match progress {
            Progress::More => {
                return ResponseStep { consumed, event: ResponseEvent::NeedMore };
            }
            Progress::Refused(Refusal::RequestLineTooLong | Refusal::BadVersion) => {
                return self.core.failed(data, ResponseError::StatusLine);
            }
            Progress::Refused(refusal) => {
                return self.core.failed(data, ResponseError::Message(refusal));
            }
            Progress::Complete => {}
        }
        // The field lines were checked, so what does not parse is the status line.
        let parsed = parse(limits, slots, gather.bytes()).ok_or(ResponseError::StatusLine);
        match parsed.and_then(|parsed| self.core.begin_response(limits, &parsed)) {
            Ok(event) => ResponseStep { consumed, event },
            Err(error) => self.core.failed(data, error),
        }
    }

    fn read_body<'b>(&'b mut self, limits: &ResponseLimits, data: &'b [u8]) -> ResponseStep<'b> {
        let core = &mut self.core;
        if !core.body.in_trailers() {
            self.gather = None; // the head's, if it was gathered
        }
        let body_limits = BodyLimits {
            body_bytes: limits.body_bytes,
            chunk_extension_bytes: limits.chunk_extension_bytes,
            trailer_bytes: limits.trailer_bytes,
            trailer_count: limits.header_count,
        };
        let (consumed, piece) = core.body.read(&body_limits, &mut self.gather, data);
        let event = match piece {
            Piece::More => ResponseEvent::NeedMore,
            Piece::Data(length) => ResponseEvent::Body(&data[consumed - length..consumed]),
            Piece::End => {
                core.answer_complete();
                let section = self.gather.as_ref().map_or(&[][..], |gather| gather.bytes());
                ResponseEvent::End { trailers: Trailers::new(section) }
            }
            Piece::Refused(refusal) => return core.failed(data, ResponseError::Message(refusal)),
        };
        ResponseStep { consumed, event }
    }
}

/// A head whose lines are well-formed.
struct Parsed<'b> {
    version: Version,
    code: u16,
    headers: &'b [Header<'b>],
    raw_len: usize,
}

#[inline]
fn parse<'b>(limits: &ResponseLimits, slots: &'b mut Slots<'b>, data: &'b [u8]) -> Option<Parsed<'b>> {
    // httparse skips empty lines before a status line; here there may be none (RFC 9112 §4).
    if data.first() != Some(&b'H') {
        return None;
    }
    let room = limits.header_count.min(Limits::MAX_HEADER_COUNT);
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let Ok(httparse::Status::Complete(raw_len)) =
        config.parse_response_with_uninit_headers(&mut response, data, &mut slots[..room])
    else {
        return None;
    };
    let headers: &'b [Header<'b>] = response.headers;
    let first_line = head::check_line_ends(data, raw_len, headers)?;
    if first_line > limits.status_line_bytes.saturating_add(2) || raw_len - first_line > limits.header_bytes {
        return None;
    }
    let version = if response.version? == 0 { Version::Http10 } else { Version::Http11 };
    Some(Parsed { version, code: response.code?, headers, raw_len })
}

impl Core {
    #[inline]
    fn begin_response<'b>(
        &mut self,
        limits: &ResponseLimits,
        parsed: &Parsed<'b>,
    ) -> Result<ResponseEvent<'b>, ResponseError> {
        let status = Status::new(parsed.code).ok_or(ResponseError::StatusLine)?;
        let mut framing = Framing::default();
        let mut connection = Connection::default();
        for header in parsed.headers {
            let name = header.name;
            match name.len() {
                10 if name.eq_ignore_ascii_case("connection") => connection.read(header.value),
                14 if name.eq_ignore_ascii_case("content-length") => {
                    framing.content_length(header.value).map_err(ResponseError::Message)?;
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => framing.transfer_encoding(header.value),
                _ => {}
            }
        }
        let keep_alive = connection.persists(parsed.version);
        let response = |body_length, keep_alive| ResponseHead {
            status,
            version: parsed.version,
            headers: parsed.headers,
            body_length,
            keep_alive,
        };
        if status.is_informational() {
            self.count_interim(limits, status)?;
            return Ok(ResponseEvent::Interim(response(Some(0), true)));
        }
        // RFC 9112 §6.3, in its order: bodiless answers, transfer coding, length, else until the end.
        let (length, chunked) = framing.resolve(parsed.version).map_err(ResponseError::Message)?;
        let (body, body_length) = match (length, chunked) {
            _ if status.is_bodiless() || self.head_requests & 1 == 1 => (BodyReader::DONE, Some(0)),
            (_, true) => (BodyReader::new(BodyFraming::Chunked), None),
            (Some(length), _) => (BodyReader::new(BodyFraming::Length(length)), Some(length)),
            (None, false) => (BodyReader::until_close(), None),
        };
        if body_length.is_some_and(|length| length > limits.body_bytes) {
            return Err(ResponseError::Message(Refusal::BodyBytes));
        }
        self.keep_alive = keep_alive && !body.is_until_close();
        self.body = body;
        self.phase = Phase::Body;
        Ok(ResponseEvent::Response(response(body_length, self.keep_alive)))
    }

    #[cold]
    fn count_interim(&mut self, limits: &ResponseLimits, status: Status) -> Result<(), ResponseError> {
        if status == Status::SWITCHING_PROTOCOLS {
            return Err(ResponseError::Switched);
        }
        self.interims = self.interims.saturating_add(1);
        if self.interims > limits.interim_count { Err(ResponseError::TooManyInterim) } else { Ok(()) }
    }

    #[inline]
    fn answer_complete(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.head_requests >>= 1;
        self.interims = 0;
        self.phase = if self.keep_alive { Phase::Head } else { Phase::Closed };
    }

    #[cold]
    fn failed<'b>(&mut self, data: &[u8], error: ResponseError) -> ResponseStep<'b> {
        self.phase = Phase::Closed;
        self.keep_alive = false;
        ResponseStep { consumed: data.len(), event: ResponseEvent::Failed(error) }
    }
}

#[cfg(test)]
mod tests;
