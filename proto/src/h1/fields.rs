//! What the header fields of a request mean for the connection: host, framing, persistence, expectations. One pass.

use crate::grammar;
use crate::{BodyFraming, Header, Method, Refusal, Version};

/// What one pass over the header fields gives.
pub(super) struct Meaning<'b> {
    pub authority: Option<&'b [u8]>,
    pub framing: BodyFraming,
    pub keep_alive: bool,
    pub expect_continue: bool,
    pub upgrade: Option<&'b str>,
}

/// Message framing as the fields tell it so far, for requests and responses.
#[derive(Default)]
pub(super) struct Framing {
    length: Option<u64>,
    encoded: bool,
    chunked: bool,
    unknown_coding: bool,
    after_chunked: bool,
}

impl Framing {
    /// A Content-Length field (RFC 9110 §8.6). RFC 9112 §6.3 would let a repeated identical value pass; refusing every
    /// repetition, also as a list in one field, leaves nothing to disagree about.
    pub fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::ContentLengthRepeated);
        }
        self.length = Some(decimal(value).ok_or_else(|| {
            let repeated = value.contains(&b',') && grammar::list(value).all(|member| decimal(member).is_some());
            if repeated { Refusal::ContentLengthRepeated } else { Refusal::ContentLengthInvalid }
        })?);
        Ok(())
    }

    /// A Transfer-Encoding field (RFC 9112 §6.1); several are one list.
    pub fn transfer_encoding(&mut self, value: &[u8]) {
        self.encoded = true;
        for coding in grammar::list(value) {
            self.after_chunked |= self.chunked;
            if coding.eq_ignore_ascii_case(b"chunked") {
                self.chunked = true;
            } else {
                self.unknown_coding = true;
            }
        }
    }

    /// The length and whether the body is chunked; at most one of the two (RFC 9112 §6.3).
    #[inline]
    pub fn resolve(&self, version: Version) -> Result<(Option<u64>, bool), Refusal> {
        if !self.encoded {
            return Ok((self.length, false));
        }
        if version == Version::Http10 {
            // §6.1: treat the message as if its framing were faulty.
            return Err(Refusal::EncodingInHttp10);
        }
        if self.length.is_some() {
            // §6.1: a server may reject both in one message; together they are the classic way of smuggling.
            return Err(Refusal::LengthAndEncoding);
        }
        if !self.chunked || self.after_chunked {
            // §6.3: chunked must be the last, and (§6.1) must not be applied twice.
            return Err(Refusal::EncodingNotChunked);
        }
        if self.unknown_coding {
            // §6.1: 501 for a coding that is not understood.
            return Err(Refusal::EncodingUnknown);
        }
        Ok((None, true))
    }
}

/// `1*DIGIT` below 2⁶⁴: no sign, no space, nothing else.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The options of Connection fields (RFC 9110 §7.6.1).
#[derive(Default)]
pub(super) struct Connection {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

impl Connection {
    /// A Connection field.
    pub fn read(&mut self, value: &[u8]) {
        for option in grammar::list(value) {
            match option.len() {
                5 => self.close |= option.eq_ignore_ascii_case(b"close"),
                10 => self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive"),
                7 => self.upgrade |= option.eq_ignore_ascii_case(b"upgrade"),
                _ => {}
            }
        }
    }

    /// RFC 9112 §9.3: close wins; 1.1 persists; 1.0 persists when it asks for it.
    #[inline]
    pub fn persists(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

/// Every request has this one.
#[inline]
fn is_host(name: &str) -> bool {
    matches!(name.as_bytes(), [b'H' | b'h', b'o' | b'O', b's' | b'S', b't' | b'T'])
}

/// Reads the fields of a request. `authority` is that of an absolute-form target.
#[inline]
pub(super) fn read<'b>(
    headers: &[Header<'b>],
    method: Method,
    version: Version,
    authority: Option<&'b str>,
) -> Result<Meaning<'b>, Refusal> {
    let mut host: Option<&'b [u8]> = None;
    let mut host_repeated = false;
    let mut framing = Framing::default();
    let mut connection = Connection::default();
    let mut upgrade = None;
    let mut expected = false;

    // Length first: few names share one, and most fields of a request are none of these.
    for header in headers {
        let name = header.name;
        match name.len() {
            // RFC 9112 §3.2: more than one Host is 400.
            4 if is_host(name) => host_repeated |= host.replace(header.value).is_some(),
            6 if name.eq_ignore_ascii_case("expect") => {
                expected = true;
                // RFC 9110 §10.1.1: the only expectation there is.
                if !grammar::list(header.value).all(|member| member.eq_ignore_ascii_case(b"100-continue")) {
                    return Err(Refusal::ExpectUnknown);
                }
            }
            7 if name.eq_ignore_ascii_case("upgrade") => upgrade = upgrade.or(Some(header.value)),
            10 if name.eq_ignore_ascii_case("connection") => connection.read(header.value),
            14 if name.eq_ignore_ascii_case("content-length") => framing.content_length(header.value)?,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => framing.transfer_encoding(header.value),
            _ => {}
        }
    }

    if host_repeated {
        return Err(Refusal::HostRepeated);
    }
    let framing = match framing.resolve(version)? {
        (_, true) => BodyFraming::Chunked,
        (Some(length), false) => BodyFraming::Length(length),
        (None, false) => BodyFraming::None,
    };
    // RFC 9110 §9.3.8: a client must not send content in TRACE.
    if method == Method::Trace && framing.has_body() {
        return Err(Refusal::TraceBody);
    }
    let host = read_host(host, version)?;
    let current = version == Version::Http11;
    Ok(Meaning {
        authority: authority.map(str::as_bytes).or(host),
        framing,
        keep_alive: connection.persists(version),
        // RFC 9110 §10.1.1: ignored in HTTP/1.0, and without content there is nothing to wait for.
        expect_continue: expected && current && framing.has_body(),
        // RFC 9110 §7.8: ignored in HTTP/1.0 and when Connection does not name it.
        upgrade: upgrade.filter(|_| connection.upgrade && current).and_then(|value| core::str::from_utf8(value).ok()),
    })
}

/// RFC 9112 §3.2: Host must be there in 1.1, valid in both versions; §3.2.2: an absolute form's authority replaces it.
#[inline]
fn read_host(value: Option<&[u8]>, version: Version) -> Result<Option<&[u8]>, Refusal> {
    match value {
        None if version == Version::Http11 => Err(Refusal::HostMissing),
        // RFC 9110 §7.2: an empty value says that the target has no authority.
        None | Some(b"") => Ok(None),
        Some(value) if grammar::is_authority(value) => Ok(Some(value)),
        Some(_) => Err(Refusal::HostInvalid),
    }
}
