//! The small grammars that header fields share (RFC 9110 §5.6 and §4.2, RFC 3986 §3.2).

const fn table(extra: &[u8], with_alphanumeric: bool) -> [bool; 256] {
    let mut out = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        out[byte] = with_alphanumeric && (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < extra.len() {
        out[extra[at] as usize] = true;
        at += 1;
    }
    out
}

/// RFC 9110 §5.6.2: `tchar`.
static TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~", true);

/// RFC 3986 §3.2.2: `reg-name` without percent escapes, that is, unreserved and sub-delims.
static REG_NAME: [bool; 256] = table(b"-._~!$&'()*+,;=", true);

/// Whether all of `bytes` are in the table. Without an early end, since they nearly always are: four bytes cost one branch.
#[inline]
pub(crate) fn all_in(table: &[bool; 256], bytes: &[u8]) -> bool {
    let (quads, rest) = bytes.as_chunks::<4>();
    let within = |all: bool, &byte: &u8| all & table[usize::from(byte)];
    quads.iter().fold(true, |all, quad| quad.iter().fold(all, within)) & rest.iter().fold(true, within)
}

/// Whether `bytes` is a token: one or more `tchar`.
#[inline]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all_in(&TOKEN, bytes)
}

/// Whether `bytes` may be a field value: visible characters, spaces, tabs and bytes above 127 (RFC 9110 §5.5). CR, LF,
/// NUL and the other controls may not, which is what keeps one field from becoming two.
#[inline]
pub fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

/// `bytes` without spaces and tabs at its ends (`OWS`, RFC 9110 §5.6.3).
#[inline]
pub fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let to = bytes.iter().rposition(|byte| !blank(byte)).map_or(from, |last| last + 1);
    &bytes[from..to]
}

/// The members of a comma-separated list; empty ones are left out (RFC 9110 §5.6.1.2).
#[inline]
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// Whether `text` is `uri-host [ ":" port ]` (RFC 9110 §7.2), without user information. Empty is not.
#[inline]
pub fn is_authority(text: &[u8]) -> bool {
    if all_in(&REG_NAME, text) {
        return !text.is_empty();
    }
    match text.iter().position(|&byte| !REG_NAME[usize::from(byte)]) {
        Some(0) if text[0] == b'[' => is_literal_authority(text),
        Some(at) if text[at] == b':' => at > 0 && is_port(&text[at + 1..]),
        _ => is_escaped_authority(text),
    }
}

/// RFC 3986 §3.2.3: digits, possibly none; beyond 65,535 there is no such port.
fn is_port(digits: &[u8]) -> bool {
    if digits.len() > 5 {
        return false;
    }
    let port = digits
        .iter()
        .try_fold(0_u32, |port, &digit| digit.is_ascii_digit().then(|| port * 10 + u32::from(digit - b'0')));
    port.is_some_and(|port| port <= 65_535)
}

/// `[` IPv6 address `]` with an optional port. Zones and future versions are not for the wire.
fn is_literal_authority(text: &[u8]) -> bool {
    let Some(end) = text.iter().position(|&byte| byte == b']') else {
        return false;
    };
    let address = core::str::from_utf8(&text[1..end]).unwrap_or_default();
    let port = match &text[end + 1..] {
        [] => true,
        [b':', digits @ ..] => is_port(digits),
        _ => false,
    };
    port && address.parse::<core::net::Ipv6Addr>().is_ok()
}

/// A registered name with percent escapes, and an optional port.
fn is_escaped_authority(text: &[u8]) -> bool {
    let mut rest = text;
    loop {
        match rest {
            [] => return true,
            [b':', digits @ ..] => return is_port(digits),
            [b'%', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = tail,
            [byte, tail @ ..] if REG_NAME[usize::from(*byte)] => rest = tail,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;
