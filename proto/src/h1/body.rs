//! Bodies by length, by chunks or until the end of the connection (RFC 9112 §6 and §7), byte by byte, so that it does
//! not matter how they were cut.
//!
//! ```text
//!   chunked-body = *( chunk-size [ ext ] CRLF chunk-data CRLF ) 1*"0" [ ext ] CRLF trailer-section CRLF
//!
//!   Size ─▶ Space ─▶ Extension ─▶ SizeLf ─▶ Data ─▶ DataCr ─▶ DataLf ─▶ Size …
//!     └───────────────────────────▲   └─ size 0 ─▶ Trailers ─▶ Done
//! ```

use super::lines::{FirstLine, Gather, Progress, Rules};
use crate::grammar;
use crate::{BodyFraming, Refusal};

/// Bounds on one body.
#[derive(Clone, Copy)]
pub(super) struct BodyLimits {
    pub body_bytes: u64,
    pub chunk_extension_bytes: u32,
    pub trailer_bytes: usize,
    pub trailer_count: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Length-delimited data.
    Length,
    /// Data until the connection ends.
    UntilClose,
    Size,
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    Done,
}

/// Reads one body.
#[derive(Clone, Debug)]
pub(super) struct BodyReader {
    /// Bytes left of the body or of the chunk; in `Size`, the digits so far.
    left: u64,
    /// Bytes of data handed out.
    received: u64,
    extension_bytes: u32,
    digits: u8,
    phase: Phase,
}

/// What the next bytes of a body are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// Everything was taken and more is needed.
    More,
    /// The last `n` of the taken bytes are data.
    Data(usize),
    /// The body is complete; its trailers, if any, are in the gathered bytes.
    End,
    Refused(Refusal),
}

/// A size of 2⁶⁴ or more cannot be written with so few digits.
const MAX_SIZE_DIGITS: u8 = 16;

impl BodyReader {
    /// A reader for a message that is complete with its head.
    pub const DONE: BodyReader = BodyReader { left: 0, received: 0, extension_bytes: 0, digits: 0, phase: Phase::Done };

    #[inline]
    pub fn new(framing: BodyFraming) -> BodyReader {
        match framing {
            BodyFraming::None | BodyFraming::Length(0) => BodyReader::DONE,
            BodyFraming::Length(left) => BodyReader { left, phase: Phase::Length, ..BodyReader::DONE },
            BodyFraming::Chunked => BodyReader { phase: Phase::Size, ..BodyReader::DONE },
        }
    }

    /// A response body that ends with the connection (RFC 9112 §6.3, last rule).
    pub fn until_close() -> BodyReader {
        BodyReader { phase: Phase::UntilClose, ..BodyReader::DONE }
    }

    pub fn is_until_close(&self) -> bool {
        self.phase == Phase::UntilClose
    }

    /// Bytes of data handed out since the start or [`BodyReader::restart_count`].
    #[inline]
    pub fn received(&self) -> u64 {
        self.received
    }

    pub fn restart_count(&mut self) {
        self.received = 0;
    }

    /// Bytes still to come, when the head said how many.
    pub fn left(&self) -> Option<u64> {
        (self.phase == Phase::Length).then_some(self.left)
    }

    /// Whether trailer lines are being gathered.
    pub fn in_trailers(&self) -> bool {
        self.phase == Phase::Trailers
    }

    /// Takes bytes up to the end of the next piece of data, and returns how many.
    pub fn read(&mut self, limits: &BodyLimits, gather: &mut Option<Box<Gather>>, data: &[u8]) -> (usize, Piece) {
        let mut used = 0;
        loop {
            let rest = &data[used..];
            if self.phase == Phase::Done {
                return (used, Piece::End);
            }
            if rest.is_empty() {
                return (used, Piece::More);
            }
            match self.phase {
                Phase::Length | Phase::Data | Phase::UntilClose => {
                    let take = self.take_data(rest.len());
                    return match self.check_received(limits) {
                        Ok(()) => (used + take, Piece::Data(take)),
                        Err(refusal) => (used, Piece::Refused(refusal)),
                    };
                }
                Phase::Trailers => {
                    let (taken, piece) = self.read_trailers(limits, gather, rest);
                    return (used + taken, piece);
                }
                _ => {
                    used += 1;
                    if let Err(refusal) = self.step(limits, rest[0]) {
                        return (used, Piece::Refused(refusal));
                    }
                }
            }
        }
    }

    fn take_data(&mut self, available: usize) -> usize {
        if self.phase == Phase::UntilClose {
            self.received = self.received.saturating_add(available as u64);
            return available;
        }
        let take = usize::try_from(self.left).map_or(available, |left| left.min(available));
        self.left -= take as u64;
        self.received = self.received.saturating_add(take as u64);
        if self.left == 0 {
            self.phase = if self.phase == Phase::Data { Phase::DataCr } else { Phase::Done };
        }
        take
    }

    fn check_received(&self, limits: &BodyLimits) -> Result<(), Refusal> {
        if self.received > limits.body_bytes { Err(Refusal::BodyBytes) } else { Ok(()) }
    }

    /// One byte of chunk framing.
    fn step(&mut self, limits: &BodyLimits, byte: u8) -> Result<(), Refusal> {
        match (self.phase, byte) {
            // RFC 9112 §7.1: 1*HEXDIG. A sign, `0x` or a leading space is none of these.
            (Phase::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.size_digit(byte)?,
            (Phase::Size | Phase::Space, b';') if self.digits > 0 => self.count_extension(limits, Phase::Extension)?,
            (Phase::Size | Phase::Extension, b'\r') if self.digits > 0 => self.phase = Phase::SizeLf,
            // §7.1.1: blanks may stand before the semicolon of an extension, and only there.
            (Phase::Size | Phase::Space, b' ' | b'\t') if self.digits > 0 => {
                self.count_extension(limits, Phase::Space)?;
            }
            (Phase::Size | Phase::Extension, b'\n') => return Err(Refusal::BareLf),
            (Phase::Size | Phase::Space, _) => return Err(Refusal::ChunkSizeInvalid),
            // §7.1.1: extensions that are not understood are ignored; they are counted all the same.
            (Phase::Extension, b'\t' | b' '..=b'~' | 0x80..) => self.count_extension(limits, Phase::Extension)?,
            (Phase::Extension, _) => return Err(Refusal::ChunkExtensionInvalid),
            (Phase::SizeLf, b'\n') => self.start_chunk(limits)?,
            (Phase::SizeLf, _) => return Err(Refusal::BareCr),
            (Phase::DataCr, b'\r') => self.phase = Phase::DataLf,
            (Phase::DataLf, b'\n') => {
                (self.phase, self.digits) = (Phase::Size, 0);
            }
            (Phase::DataCr | Phase::DataLf, _) => return Err(Refusal::ChunkEndMissing),
            (Phase::Length | Phase::UntilClose | Phase::Data | Phase::Trailers | Phase::Done, _) => {}
        }
        Ok(())
    }

    fn size_digit(&mut self, digit: u8) -> Result<(), Refusal> {
        if self.digits == MAX_SIZE_DIGITS {
            return Err(Refusal::ChunkSizeTooLong);
        }
        self.digits += 1;
        let value = char::from(digit).to_digit(16).unwrap_or(0);
        self.left = (self.left << 4) | u64::from(value);
        Ok(())
    }

    fn count_extension(&mut self, limits: &BodyLimits, next: Phase) -> Result<(), Refusal> {
        self.phase = next;
        self.extension_bytes = self.extension_bytes.saturating_add(1);
        if self.extension_bytes > limits.chunk_extension_bytes { Err(Refusal::ChunkExtensionBytes) } else { Ok(()) }
    }

    fn start_chunk(&mut self, limits: &BodyLimits) -> Result<(), Refusal> {
        if self.left > limits.body_bytes.saturating_sub(self.received) {
            return Err(Refusal::BodyBytes);
        }
        self.phase = if self.left == 0 { Phase::Trailers } else { Phase::Data };
        Ok(())
    }

    /// RFC 9112 §7.1.2. Nearly always there are none, and then nothing is gathered.
    fn read_trailers(&mut self, limits: &BodyLimits, gather: &mut Option<Box<Gather>>, data: &[u8]) -> (usize, Piece) {
        if gather.is_none() && data.starts_with(b"\r\n") {
            self.phase = Phase::Done;
            return (2, Piece::End);
        }
        let rules = Rules {
            first_line: FirstLine::Field,
            first_line_bytes: 0,
            field_bytes: limits.trailer_bytes,
            field_count: limits.trailer_count,
            too_many_bytes: Refusal::TrailerBytes,
        };
        let gather = gather.get_or_insert_default();
        let (used, progress) = gather.feed(&rules, data);
        let piece = match progress {
            Progress::More => Piece::More,
            Progress::Refused(refusal) => Piece::Refused(refusal),
            Progress::Complete if Trailers::new(gather.bytes()).iter().any(|(name, _)| is_forbidden(name)) => {
                Piece::Refused(Refusal::TrailerForbidden)
            }
            Progress::Complete => {
                self.phase = Phase::Done;
                Piece::End
            }
        };
        (used, piece)
    }
}

/// RFC 9110 §6.5.1: no framing, routing, authentication, request modifiers, response controls or content format in
/// trailers. Dropping them silently would hide an attack; no correct client sends them.
fn is_forbidden(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "max-forwards",
        "pragma",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}

/// The trailer fields of a chunked body, checked line by line.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Trailers<'b> {
    section: &'b [u8],
}

impl<'b> Trailers<'b> {
    pub(super) fn new(section: &'b [u8]) -> Trailers<'b> {
        Trailers { section }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Names and values in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'b> {
        self.section.split(|&byte| byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let value = line.get(colon + 1..)?;
            let name = core::str::from_utf8(line.get(..colon)?).ok()?;
            Some((name, grammar::trim(value.strip_suffix(b"\r").unwrap_or(value))))
        })
    }
}
