//! JSON strings, written straight into the answer.

use bytes::{BufMut, BytesMut};

/// Writes `text` in quotes. Quotes, backslashes and control characters (C0, DEL and C1) are escaped.
pub(crate) fn string(out: &mut BytesMut, text: &str) {
    out.put_u8(b'"');
    let mut clean_from = 0;
    for (at, character) in text.char_indices().filter(|(_, c)| matches!(c, '"' | '\\') || c.is_control()) {
        out.put_slice(text.as_bytes().get(clean_from..at).unwrap_or_default());
        escape(out, character);
        clean_from = at + character.len_utf8();
    }
    out.put_slice(text.as_bytes().get(clean_from..).unwrap_or_default());
    out.put_u8(b'"');
}

/// Writes bytes as a string: as UTF-8 when they are, else each byte as the character of its number (ISO 8859-1), so that
/// nothing is lost.
pub(crate) fn bytes(out: &mut BytesMut, value: &[u8]) {
    match std::str::from_utf8(value) {
        Ok(text) => string(out, text),
        Err(_) => {
            out.put_u8(b'"');
            for character in value.iter().map(|&byte| char::from(byte)) {
                if matches!(character, '"' | '\\') || character.is_control() {
                    escape(out, character);
                } else {
                    out.put_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
            out.put_u8(b'"');
        }
    }
}

/// RFC 8259 §7. Every character that comes here is below U+0100.
fn escape(out: &mut BytesMut, character: char) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match character {
        '"' | '\\' => out.put_slice(&[b'\\', character as u8]),
        '\n' => out.put_slice(b"\\n"),
        '\r' => out.put_slice(b"\\r"),
        '\t' => out.put_slice(b"\\t"),
        control => {
            let code = u32::from(control) as usize;
            out.put_slice(&[b'\\', b'u', b'0', b'0', DIGITS[code >> 4 & 15], DIGITS[code & 15]]);
        }
    }
}
