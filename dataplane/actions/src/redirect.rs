//! Redirects: the `Location` is built from the rule's template and the parameters of the request.
//!
//! What a client sends can change the path, query and fragment of a target, never its scheme and host: values come
//! from the normalised path, which holds only characters that a segment may hold and escapes (so neither CR nor LF, `?`,
//! `#` or `\`), and no two slashes are ever put side by side, so a path never becomes `//host`.

use bytes::Bytes;
use proto::Status;
use proto::h1::encode::{BodyLength, ResponseHead};
use router::{Params, Pattern, Place, Template, TemplatePart};

use crate::answers::{DateStamp, Request};
use crate::prebuilt::{Prebuilt, Variant, encode_whole};

/// A redirect.
#[derive(Clone, Debug)]
pub struct Redirect {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The same for every request.
    Literal(Prebuilt),
    Template {
        prebuilt: Prebuilt,
        parts: Vec<Part>,
    },
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    Param { index: usize, place: Place },
    RequestQuery,
}

impl Redirect {
    pub(crate) fn compile(
        status: Status,
        headers: Vec<(String, Vec<u8>)>,
        target: &Template,
        pattern: &Pattern,
        server: Option<&str>,
    ) -> Redirect {
        let mut prebuilt =
            Prebuilt { status, server: server.map(str::to_owned), content_type: None, headers, body: Bytes::new() };
        if let Some(location) = target.as_literal() {
            prebuilt.headers.push(("Location".to_owned(), location.as_bytes().to_vec()));
            return Redirect { kind: Kind::Literal(prebuilt) };
        }
        let parts = target.parts.iter().map(|part| match part {
            TemplatePart::Literal(text) => Part::Literal(text.clone()),
            // The parser refuses names that the pattern does not have; an index past the end has no value.
            TemplatePart::Param { name, place, .. } => {
                Part::Param { index: pattern.param_index(name).unwrap_or(usize::MAX), place: *place }
            }
            TemplatePart::RequestQuery => Part::RequestQuery,
        });
        Redirect { kind: Kind::Template { prebuilt, parts: parts.collect() } }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> Status {
        match &self.kind {
            Kind::Literal(prebuilt) | Kind::Template { prebuilt, .. } => prebuilt.status,
        }
    }

    /// The answer, if it is the same for every request.
    pub(crate) fn as_prebuilt(&self) -> Option<&Prebuilt> {
        match &self.kind {
            Kind::Literal(prebuilt) => Some(prebuilt),
            Kind::Template { .. } => None,
        }
    }

    /// The `Location` for a request.
    pub fn location(&self, params: &Params, raw_path: &str, query: Option<&str>) -> String {
        let mut out = String::new();
        match &self.kind {
            Kind::Literal(prebuilt) => {
                let location = prebuilt.headers.last().map(|(_, value)| String::from_utf8_lossy(value));
                out.push_str(&location.unwrap_or_default());
            }
            Kind::Template { parts, .. } => {
                for part in parts {
                    match part {
                        Part::Literal(text) => push_path(&mut out, text),
                        Part::Param { index, place: Place::Path } => {
                            push_path(&mut out, params.value(raw_path, *index).unwrap_or_default())
                        }
                        Part::Param { index, place: Place::Query } => {
                            push_query_value(&mut out, params.value(raw_path, *index).unwrap_or_default())
                        }
                        Part::RequestQuery => push_query(&mut out, query),
                    }
                }
            }
        }
        out
    }

    /// The answer to a request.
    pub(crate) fn answer(&self, params: &Params, request: &Request<'_>, variant: Variant, stamp: &DateStamp) -> Bytes {
        let prebuilt = match &self.kind {
            Kind::Literal(prebuilt) => return prebuilt.encode(variant, &stamp.date),
            Kind::Template { prebuilt, .. } => prebuilt,
        };
        let location = self.location(params, request.head.target.path, request.head.target.query);
        let fixed = prebuilt.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let headers: Vec<(&str, &[u8])> = fixed.chain([("Location", location.as_bytes())]).collect();
        let head = ResponseHead {
            status: prebuilt.status,
            version: variant.version,
            head_request: variant.head_request,
            keep_alive: variant.keep_alive,
            date: Some(&stamp.date),
            server: prebuilt.server.as_deref(),
            content_type: None,
            body: BodyLength::Known(0),
            headers: &headers,
        };
        encode_whole(&head, &[])
    }
}

/// Appends a part of the target. An empty rest between two slashes leaves one.
fn push_path(out: &mut String, text: &str) {
    // The two slashes of `https://` are in one literal, and a literal that begins with a slash follows a value or nothing.
    let text = if out.ends_with('/') { text.strip_prefix('/').unwrap_or(text) } else { text };
    out.push_str(text);
}

/// Appends a value behind `=`: what would end or split it is escaped; escapes stay.
fn push_query_value(out: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%') {
            out.push(char::from(byte));
        } else {
            push_escaped(out, byte);
        }
    }
}

/// Appends the query of the request. RFC 3986 §3.4: pchar, `/` and `?`; the rest is escaped.
fn push_query(out: &mut String, query: Option<&str>) {
    let Some(query) = query else { return };
    out.push('?');
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(&byte) {
            out.push(char::from(byte));
        } else {
            push_escaped(out, byte);
        }
    }
}

fn push_escaped(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}
