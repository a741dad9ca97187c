//! The slow path of heads and trailers: lines that arrive in pieces are gathered in a bounded buffer, and each is
//! checked once, when it is complete. It also says, for a head that the fast path did not like, what is wrong with it:
//! so the answer does not depend on where the peer's segments end.

use super::target;
use crate::grammar;
use crate::{Method, Refusal};

/// What the first line of the gathered section is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FirstLine {
    Request,
    Status,
    /// A trailer section has field lines only.
    Field,
}

/// Limits of one section, and what to say beyond them.
pub(super) struct Rules {
    pub first_line: FirstLine,
    /// Without the line's end.
    pub first_line_bytes: usize,
    pub field_bytes: usize,
    pub field_count: usize,
    pub too_many_bytes: Refusal,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    More,
    Complete,
    Refused(Refusal),
}

/// A section whose bytes did not come at once.
#[derive(Default)]
pub(super) struct Gather {
    bytes: Vec<u8>,
    /// Where the incomplete line begins.
    line: usize,
    /// Bytes of the first line with its end; 0 until it is complete, and for trailers.
    first_line: usize,
    fields: usize,
    complete: bool,
}

impl Gather {
    /// What was gathered; the whole section once [`Progress::Complete`] was returned.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the section is whole, and the bytes are of use only as long as its event is looked at.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Takes bytes up to the end of the section, and returns how many.
    pub fn feed(&mut self, rules: &Rules, data: &[u8]) -> (usize, Progress) {
        let mut used = 0;
        while used < data.len() {
            let rest = &data[used..];
            let end = rest.iter().position(|&byte| byte == b'\n');
            let take = end.map_or(rest.len(), |at| at + 1);
            if let Err(refusal) = self.check_room(rules, take, end.is_some()) {
                return (used, Progress::Refused(refusal));
            }
            self.bytes.extend_from_slice(&rest[..take]);
            used += take;
            if end.is_some() {
                match self.end_line(rules) {
                    Ok(false) => {}
                    Ok(true) => return (used, Progress::Complete),
                    Err(refusal) => return (used, Progress::Refused(refusal)),
                }
            }
        }
        (used, Progress::More)
    }

    fn in_first_line(&self, rules: &Rules) -> bool {
        self.first_line == 0 && rules.first_line != FirstLine::Field
    }

    /// Before `take` more bytes are taken: will they still be within the limits?
    fn check_room(&self, rules: &Rules, take: usize, line_ends: bool) -> Result<(), Refusal> {
        let total = self.bytes.len().saturating_add(take);
        let (limit, refusal) = if self.in_first_line(rules) {
            (rules.first_line_bytes.saturating_add(2), Refusal::RequestLineTooLong)
        } else {
            (rules.field_bytes.saturating_add(self.first_line), rules.too_many_bytes)
        };
        // A line that has filled its limit without an end can only be too long.
        if total > limit || (total == limit && !line_ends) { Err(refusal) } else { Ok(()) }
    }

    /// The line that began at `self.line` has its LF. True when it was the empty one that ends the section.
    fn end_line(&mut self, rules: &Rules) -> Result<bool, Refusal> {
        let in_first_line = self.in_first_line(rules);
        let from = core::mem::replace(&mut self.line, self.bytes.len());
        let line = self.bytes.get_mut(from..).unwrap_or_default();
        // RFC 9112 §2.2 lets a recipient take LF alone for a line's end; where another in the path does not, a message
        // can be hidden, so it is refused. The same section forbids CR elsewhere.
        let [line @ .., b'\r', b'\n'] = line else {
            return Err(Refusal::BareLf);
        };
        if line.contains(&b'\r') {
            return Err(Refusal::BareCr);
        }
        if in_first_line {
            match rules.first_line {
                FirstLine::Request => check_request_line(line)?,
                // The rest of it is httparse's to check.
                FirstLine::Status if !line.starts_with(b"HTTP/1.") => {
                    return Err(Refusal::BadVersion);
                }
                FirstLine::Status | FirstLine::Field => {}
            }
            self.first_line = self.bytes.len();
            return Ok(false);
        }
        if line.is_empty() {
            self.complete = true;
            return Ok(true);
        }
        self.fields += 1;
        if self.fields > rules.field_count {
            return Err(Refusal::HeaderCount);
        }
        check_field_line(line)?;
        Ok(false)
    }
}

/// RFC 9112 §3: `method SP request-target SP HTTP-version`, with single spaces. A minor version above 1 is set to 1,
/// because the message is handled as the highest minor version that is known here (RFC 9110 §2.5).
fn check_request_line(line: &mut [u8]) -> Result<(), Refusal> {
    // RFC 9113 §3.4: the preface is made so that HTTP/1 servers see a request that they must not handle.
    if line == b"PRI * HTTP/2.0" {
        return Err(Refusal::Http2Preface);
    }
    let version_at = {
        let mut parts = line.splitn(3, |&byte| byte == b' ');
        let method = parts.next().unwrap_or_default();
        let target = parts.next().unwrap_or_default();
        if method.is_empty() || target.is_empty() {
            return Err(Refusal::BadRequestLine);
        }
        if !grammar::is_token(method) {
            return Err(Refusal::BadMethod);
        }
        let text = core::str::from_utf8(target).map_err(|_| Refusal::BadTarget)?;
        let Some(version) = parts.next() else {
            return Err(without_version(target));
        };
        check_version(version)?;
        target::parse(Method::from_bytes(method), text)?;
        line.len() - version.len()
    };
    if let Some(minor) = line.get_mut(version_at + 7).filter(|minor| **minor > b'1') {
        *minor = b'1';
    }
    Ok(())
}

fn without_version(target: &[u8]) -> Refusal {
    if target.starts_with(b"/") { Refusal::Http09 } else { Refusal::BadRequestLine }
}

/// RFC 9112 §2.3: `HTTP/` DIGIT `.` DIGIT, in capitals.
fn check_version(version: &[u8]) -> Result<(), Refusal> {
    match version {
        [] => Err(Refusal::BadRequestLine),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'] => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', b'0' | b'2'..=b'9']
        | [b'H', b'T', b'T', b'P', b'/', b'0' | b'2'..=b'9', b'.', b'0'..=b'9'] => Err(Refusal::VersionNotSupported),
        _ if version.contains(&b' ') => Err(Refusal::BadRequestLine),
        _ => Err(Refusal::BadVersion),
    }
}

/// RFC 9112 §5: `field-name ":" OWS field-value OWS`, no folding (§5.2), no space before the colon (§5.1).
pub(super) fn check_field_line(line: &[u8]) -> Result<(), Refusal> {
    match line.first() {
        Some(b' ' | b'\t') => return Err(Refusal::ObsFold),
        Some(b':') => return Err(Refusal::HeaderNameEmpty),
        _ => {}
    }
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return Err(Refusal::HeaderNoColon);
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !grammar::is_token(name) {
        let only_space = grammar::is_token(grammar::trim(name));
        return Err(if only_space { Refusal::HeaderNameSpace } else { Refusal::HeaderNameInvalid });
    }
    if !grammar::is_field_value(value) {
        return Err(Refusal::HeaderValueInvalid);
    }
    Ok(())
}
