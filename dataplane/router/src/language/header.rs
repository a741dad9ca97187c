//! Fields of an answer, in brackets behind its status: `OK [Cache-Control: no-store] [X-A: b] body`.
//!
//! The name directly behind the bracket, up to its colon, is what tells a field from a body that is a JSON array.

use super::piece::Piece;
use super::{Fault, advise};
use crate::action::HeaderLine;

/// Fields that the server writes itself, from what the message is and how the connection goes on.
const RESERVED: &[(&str, &str)] = &[
    ("connection", "the server decides on it for each connection"),
    ("content-length", "the server counts the body"),
    ("date", "the server tells the time of the answer"),
    ("keep-alive", "the server decides on it for each connection"),
    ("proxy-connection", "it belongs to no version of HTTP"),
    ("te", "it belongs to requests"),
    ("trailer", "fixed answers have no trailers"),
    ("transfer-encoding", "the server frames the body"),
    ("upgrade", "the server decides on it for each connection"),
];

/// Parses the fields at `at`; returns them and the offset of what follows.
pub(super) fn parse_all(value: &Piece<'_>, mut at: usize) -> Result<(Vec<HeaderLine>, usize), Fault> {
    let mut headers = Vec::new();
    while let Some(word) = value.words(at).next() {
        at = word.at;
        let Some(colon) = name_length(value, at) else { break };
        let (header, end) = parse(value, at, at + 1 + colon)?;
        headers.push(header);
        at = end;
    }
    Ok((headers, at))
}

/// The length of the field name in the bracket at `at`; `None`: it is none.
fn name_length(value: &Piece<'_>, at: usize) -> Option<usize> {
    let inner = value.text().get(at..)?.strip_prefix('[')?;
    let length = inner.bytes().take_while(|&b| is_token_byte(b)).count();
    (length > 0 && inner.as_bytes().get(length) == Some(&b':')).then_some(length)
}

/// Parses the field whose bracket is at `at` and whose colon at `colon`; returns it and the offset behind the bracket.
fn parse(value: &Piece<'_>, at: usize, colon: usize) -> Result<(HeaderLine, usize), Fault> {
    let name = value.text().get(at + 1..colon).unwrap_or_default();
    if let Some((_, reason)) = RESERVED.iter().find(|(reserved, _)| reserved.eq_ignore_ascii_case(name)) {
        return Err(advise(
            value.error(at + 1..colon, format!("`{name}` cannot be set by a rule: {reason}")),
            "leave it out",
        ));
    }
    let mut text = String::new();
    let mut characters = value.text().get(colon + 1..).unwrap_or_default().char_indices();
    while let Some((offset, character)) = characters.next() {
        match character {
            ']' => {
                let header = HeaderLine { name: name.to_owned(), value: text.trim_matches([' ', '\t']).to_owned() };
                return Ok((header, colon + 1 + offset + 1));
            }
            '\\' => match characters.next() {
                Some((_, escaped @ (']' | '\\'))) => text.push(escaped),
                _ => {
                    let place = colon + 1 + offset..colon + 2 + offset;
                    return Err(advise(
                        value.error(place, "a `\\` in a field value"),
                        "write `\\\\` for a backslash and `\\]` for a bracket",
                    ));
                }
            },
            // RFC 9110 §5.5: field-vchar, SP and HTAB; what lies beyond ASCII is obsolete in fields.
            ' '..='~' | '\t' => text.push(character),
            other => {
                let place = colon + 1 + offset..colon + 1 + offset + other.len_utf8();
                return Err(advise(
                    value.error(place, format!("`{}` cannot stand in a field value", other.escape_debug())),
                    "field values are visible ASCII",
                ));
            }
        }
    }
    Err(Box::new(value.error(at..at + 1, "the bracket of this field is never closed").help("write `[Name: value]`")))
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
