//! Answers that are the same but for their date: encoded once, then only renewed.

use bytes::{BufMut, Bytes, BytesMut};
use proto::h1::encode::{self, BodyCoding, BodyLength, ResponseHead};
use proto::{HttpDate, RequestHead, Status, Version};

/// What the wire form of an answer depends on besides the answer itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variant {
    /// The version of the request.
    pub version: Version,
    /// Whether the connection persists after the answer.
    pub keep_alive: bool,
    /// Whether the request was `HEAD`.
    pub head_request: bool,
}

impl Variant {
    /// How many there are.
    pub(crate) const COUNT: usize = 8;

    /// The variant for a request; `keep_alive`: whether the connection persists after the answer.
    #[inline]
    pub fn of(head: &RequestHead<'_>, keep_alive: bool) -> Variant {
        Variant { version: head.version, keep_alive, head_request: head.method == proto::Method::Head }
    }

    #[inline]
    pub(crate) fn index(self) -> usize {
        usize::from(self.version == Version::Http10)
            | usize::from(self.keep_alive) << 1
            | usize::from(self.head_request) << 2
    }
}

/// An answer without its date.
#[derive(Clone, Debug)]
pub(crate) struct Prebuilt {
    pub status: Status,
    pub server: Option<String>,
    pub content_type: Option<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Bytes,
}

/// Sent should an answer turn out not to be encodable; the configuration was checked, so it never is.
const UNENCODABLE: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What stands before the date.
const DATE_FIELD: &[u8] = b"\r\nDate: ";

impl Prebuilt {
    /// A line of text.
    pub fn text(status: Status, text: &str, server: Option<&str>) -> Prebuilt {
        Prebuilt {
            status,
            server: server.map(str::to_owned),
            content_type: Some("text/plain; charset=utf-8".to_owned()),
            headers: Vec::new(),
            body: Bytes::from(format!("{text}\n")),
        }
    }

    /// Head, date and body in one piece.
    pub fn encode(&self, variant: Variant, date: &HttpDate) -> Bytes {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let head = ResponseHead {
            status: self.status,
            version: variant.version,
            head_request: variant.head_request,
            keep_alive: variant.keep_alive,
            date: Some(date),
            server: self.server.as_deref(),
            content_type: self.content_type.as_deref(),
            body: BodyLength::Known(self.body.len() as u64),
            headers: &headers,
        };
        encode_whole(&head, &[&self.body])
    }
}

/// An answer with a body in pieces, whose sum is the length that the head says.
pub(crate) fn encode_whole(head: &ResponseHead<'_>, body: &[&[u8]]) -> Bytes {
    let body_len: usize = body.iter().map(|piece| piece.len()).sum();
    let mut out = BytesMut::with_capacity(encode::head_capacity(head) + body_len);
    match encode::response_head(&mut out, head) {
        Err(_) => return Bytes::from_static(UNENCODABLE),
        Ok(encoded) if encoded.body == BodyCoding::None => {}
        Ok(_) => body.iter().for_each(|piece| out.put_slice(piece)),
    }
    out.freeze()
}

/// The last finished form of one answer in one variant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    /// The second that its date says.
    second: u64,
    /// Empty until the answer is first used.
    bytes: Bytes,
}

impl Slot {
    /// The answer with the date of `second`.
    #[inline]
    pub fn answer(&mut self, prebuilt: &Prebuilt, variant: Variant, second: u64, date: &HttpDate) -> Bytes {
        if self.second != second || self.bytes.is_empty() {
            self.renew(prebuilt, variant, second, date);
        }
        self.bytes.clone()
    }

    /// Writes a new date over the old one: in place when nobody else holds the answer, else in a copy.
    #[cold]
    fn renew(&mut self, prebuilt: &Prebuilt, variant: Variant, second: u64, date: &HttpDate) {
        let old = std::mem::take(&mut self.bytes);
        self.second = second;
        self.bytes = match date_range(&old) {
            None => prebuilt.encode(variant, date),
            Some(range) => {
                let mut bytes = old.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                if let Some(place) = bytes.get_mut(range) {
                    place.copy_from_slice(date.as_bytes());
                }
                bytes.freeze()
            }
        };
        // The first clone of fresh bytes allocates their reference count: do it now, not under the first request.
        drop(self.bytes.clone());
    }
}

/// Where the date of a finished answer stands. The encoder writes it directly behind the status line.
fn date_range(answer: &[u8]) -> Option<std::ops::Range<usize>> {
    let line_end = answer.windows(2).position(|pair| pair == b"\r\n")?;
    let start = line_end + DATE_FIELD.len();
    let has_date = answer.get(line_end..start) == Some(DATE_FIELD) && answer.len() >= start + HttpDate::LEN;
    has_date.then_some(start..start + HttpDate::LEN)
}
