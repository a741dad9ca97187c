//! Request targets (RFC 9112 §3.2): which form, which characters, where the query begins.

use crate::grammar;
use crate::{Method, Refusal, Target, TargetForm};

const PLAIN: u8 = 0;
const QUERY: u8 = 1;
const BAD: u8 = 2;

/// What each byte may do in a target. RFC 3986 §2 leaves out more than this table does: browsers send `|`, `^`, `` ` ``,
/// `{`, `}`, `[` and `]` bare (WHATWG URL), so those pass. A fragment (`#`), a backslash, quotes and angle brackets are
/// sent by no correct client and are read differently by different parsers.
static CLASS: [u8; 256] = {
    let mut out = [BAD; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        out[byte as usize] = match byte {
            b'?' => QUERY,
            b'#' | b'\\' | b'"' | b'<' | b'>' => BAD,
            _ => PLAIN,
        };
        byte += 1;
    }
    out
};

/// The bytes that nothing needs to be done about.
static IS_PLAIN: [bool; 256] = {
    let mut out = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        out[byte] = CLASS[byte] == PLAIN;
        byte += 1;
    }
    out
};

/// Splits a target; the second value is the authority of an absolute form.
#[inline]
pub(super) fn parse(method: Method, raw: &str) -> Result<(Target<'_>, Option<&str>), Refusal> {
    // RFC 9110 §9.3.6: an origin server that is no tunnel end need not implement CONNECT.
    if method == Method::Connect {
        return Err(Refusal::ConnectMethod);
    }
    if raw.as_bytes().first() == Some(&b'/') {
        let (path, query) = split_query(raw)?;
        return Ok((Target { raw, form: TargetForm::Origin, path, query }, None));
    }
    // RFC 9112 §3.2.4: the asterisk form is for OPTIONS.
    if raw == "*" && method == Method::Options {
        return Ok((Target { raw, form: TargetForm::Asterisk, path: raw, query: None }, None));
    }
    parse_absolute(method, raw)
}

#[inline]
fn split_query(text: &str) -> Result<(&str, Option<&str>), Refusal> {
    let bytes = text.as_bytes();
    if grammar::all_in(&IS_PLAIN, bytes) {
        return Ok((text, None));
    }
    let Some(at) = bytes.iter().position(|&byte| CLASS[usize::from(byte)] != PLAIN) else {
        return Ok((text, None));
    };
    let ok =
        CLASS[usize::from(bytes[at])] == QUERY && bytes[at + 1..].iter().all(|&byte| CLASS[usize::from(byte)] != BAD);
    // `at` is the place of an ASCII question mark, hence a character boundary on both sides.
    match text.split_at_checked(at) {
        Some((path, query)) if ok => Ok((path, query.get(1..))),
        _ => Err(Refusal::BadTarget),
    }
}

/// RFC 9112 §3.2.2: a server must accept the absolute form.
#[cold]
fn parse_absolute(method: Method, raw: &str) -> Result<(Target<'_>, Option<&str>), Refusal> {
    let (scheme, rest) = raw.split_once("://").ok_or(Refusal::BadTarget)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(Refusal::BadTarget);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // RFC 9110 §4.2.1: an empty host is invalid; §4.2.4: so is user information.
    if !grammar::is_authority(authority.as_bytes()) {
        return Err(Refusal::BadTarget);
    }
    let (path, query) = split_query(tail)?;
    // RFC 9112 §3.2.4: OPTIONS for an absolute URI without path and query stands for `*`; else (§3.2.1) it is `/`.
    let path = match path {
        "" if method == Method::Options && query.is_none() => "*",
        "" => "/",
        path => path,
    };
    Ok((Target { raw, form: TargetForm::Absolute, path, query }, Some(authority)))
}
