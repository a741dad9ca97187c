//! The normal form of request paths: two paths that RFC 3986 holds for equivalent are one text.
//!
//! - `%XX` of an unreserved character is decoded, other escapes get upper-case digits (RFC 3986 §6.2.2.1, §6.2.2.2).
//!   `%2F` therefore stays what it is: part of a segment, never a separator.
//! - Bytes that a path may not hold unescaped, but clients send (`|`, `"`, UTF-8), are escaped.
//! - `.` and `..` segments are removed and never lead above the root (RFC 3986 §5.2.4), also when they came as `%2e`.
//! - Runs of slashes become one, so that `//admin` cannot slip past a rule for `/admin`.
//! - What is broken or dangerous is refused by name: a bad escape, `%00`, control bytes, a fragment.
//!
//! The result holds only `/`, characters that a segment may hold (RFC 3986 §3.3) and well-formed escapes, and has
//! neither empty segments, but at the end, nor dot segments.

mod block;

use std::fmt;

use crate::MAX_PATH_BYTES;

/// Why a path is not looked up; the answer is 400, for [`PathRefusal::TooLong`] 414.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PathRefusal {
    /// It does not start with `/`.
    NotAbsolute,
    /// A `%` without two hexadecimal digits behind it.
    BadEscape,
    /// `%00`.
    NulByte,
    /// A control byte or a space.
    ControlByte,
    /// A `#` or a `?`: the path ends before them.
    NotAPath,
    /// Longer than [`MAX_PATH_BYTES`].
    TooLong,
}

impl PathRefusal {
    /// Every reason.
    pub const ALL: [PathRefusal; 6] = [
        PathRefusal::NotAbsolute,
        PathRefusal::BadEscape,
        PathRefusal::NulByte,
        PathRefusal::ControlByte,
        PathRefusal::NotAPath,
        PathRefusal::TooLong,
    ];

    /// The name for counters.
    pub const fn name(self) -> &'static str {
        match self {
            PathRefusal::NotAbsolute => "path_not_absolute",
            PathRefusal::BadEscape => "path_bad_escape",
            PathRefusal::NulByte => "path_nul_byte",
            PathRefusal::ControlByte => "path_control_byte",
            PathRefusal::NotAPath => "path_with_fragment",
            PathRefusal::TooLong => "path_too_long",
        }
    }
}

impl fmt::Display for PathRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathRefusal::NotAbsolute => "the path does not start with `/`",
            PathRefusal::BadEscape => "a `%` in the path is not followed by two hexadecimal digits",
            PathRefusal::NulByte => "the path holds %00",
            PathRefusal::ControlByte => "the path holds a control character or a space",
            PathRefusal::NotAPath => "the path holds a `#` or a `?`",
            PathRefusal::TooLong => "the path is too long",
        })
    }
}

/// What a byte of a path asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    /// Stands for itself.
    Plain,
    /// Stands for itself, and may begin a dot segment.
    Dot,
    Slash,
    Percent,
    /// Has to be escaped.
    Escaped,
    Control,
    Delimiter,
}

const CLASS: [Class; 256] = {
    let mut table = [Class::Escaped; 256];
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            // RFC 3986 §3.3: pchar = unreserved / pct-encoded / sub-delims / ":" / "@"
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => Class::Plain,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' => Class::Plain,
            b'.' => Class::Dot,
            b'/' => Class::Slash,
            b'%' => Class::Percent,
            b'?' | b'#' => Class::Delimiter,
            0..=b' ' | 0x7f => Class::Control,
            _ => Class::Escaped,
        };
        byte += 1;
    }
    table
};

/// Whether the path is in normal form already. May say no of one that is.
#[inline]
pub(crate) fn is_plainly_normal(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') || bytes.len() > MAX_PATH_BYTES {
        return false;
    }
    block::all_normal(bytes) || is_normal_by_class(bytes)
}

/// As [`is_plainly_normal`], byte by byte, of what begins with a slash.
fn is_normal_by_class(bytes: &[u8]) -> bool {
    let mut after_slash = false;
    for &byte in bytes {
        match CLASS[usize::from(byte)] {
            Class::Plain => after_slash = false,
            // The first byte of a path is a slash, so a dot segment, or an empty one, is always seen behind a slash.
            Class::Dot if !after_slash => {}
            Class::Slash if !after_slash => after_slash = true,
            _ => return false,
        }
    }
    true
}

/// Writes the normal form of `path` over `out`.
pub(crate) fn normalize(path: &str, out: &mut String) -> Result<(), PathRefusal> {
    out.clear();
    if path.len() > MAX_PATH_BYTES {
        return Err(PathRefusal::TooLong);
    }
    let below_root = path.strip_prefix('/').ok_or(PathRefusal::NotAbsolute)?;
    let mut segments = below_root.split('/').peekable();
    while let Some(segment) = segments.next() {
        let start = out.len();
        out.push('/');
        normalize_segment(segment, out)?;
        let is_last = segments.peek().is_none();
        match out.as_bytes().get(start + 1..).unwrap_or_default() {
            b"" if !is_last => out.truncate(start),
            b"." => out.truncate(if is_last { start + 1 } else { start }),
            b".." => {
                let parent = out.get(..start).and_then(|before| before.rfind('/')).unwrap_or(0);
                out.truncate(parent);
                if is_last {
                    out.push('/');
                }
            }
            _ => {}
        }
        // Escaping may triple a path.
        if out.len() > MAX_PATH_BYTES {
            return Err(PathRefusal::TooLong);
        }
    }
    Ok(())
}

/// Appends the normal form of one segment.
pub(crate) fn normalize_segment(segment: &str, out: &mut String) -> Result<(), PathRefusal> {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match CLASS[usize::from(byte)] {
            Class::Plain | Class::Dot => out.push(char::from(byte)),
            Class::Percent => {
                let (high, low) = (bytes.next().and_then(hex_value), bytes.next().and_then(hex_value));
                let (Some(high), Some(low)) = (high, low) else { return Err(PathRefusal::BadEscape) };
                match high << 4 | low {
                    0 => return Err(PathRefusal::NulByte),
                    plain if is_unreserved(plain) => out.push(char::from(plain)),
                    other => escape(other, out),
                }
            }
            Class::Escaped => escape(byte, out),
            Class::Control => return Err(PathRefusal::ControlByte),
            // A segment holds no slash.
            Class::Delimiter | Class::Slash => return Err(PathRefusal::NotAPath),
        }
    }
    Ok(())
}

/// Whether a pattern of the route language may hold the character unescaped.
pub(crate) fn may_stand_in_pattern(character: char) -> bool {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => matches!(CLASS[usize::from(byte)], Class::Plain | Class::Dot | Class::Percent),
        _ => true,
    }
}

/// RFC 3986 §2.3.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn escape(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests;
