//! Echo: the request, told back as JSON.
//!
//! It shows what was sent, `Authorization` and `Cookie` included, to whoever sent it: the answer is never stored
//! (`Cache-Control: no-store`) nor taken for anything but JSON (`X-Content-Type-Options: nosniff`).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};
use proto::h1::encode::{BodyLength, ResponseHead};
use proto::{Status, Version};
use router::{Params, Rule};

use crate::answers::{DateStamp, Request};
use crate::json;
use crate::prebuilt::{Variant, encode_whole};

/// An echo rule.
#[derive(Clone, Debug)]
pub struct Echo {
    status: Status,
    headers: std::sync::Arc<[(String, Vec<u8>)]>,
    server: Option<String>,
    param_names: Vec<String>,
    body_limit: usize,
}

/// Fields of every echo, unless the rule has its own.
const DEFAULT_FIELDS: [(&str, &[u8]); 2] = [("Cache-Control", b"no-store"), ("X-Content-Type-Options", b"nosniff")];

impl Echo {
    pub(crate) fn compile(
        status: Status,
        headers: Vec<(String, Vec<u8>)>,
        rule: &Rule,
        server: Option<&str>,
        body_limit: usize,
    ) -> Echo {
        let name = |name: &str| if name.is_empty() { "*".to_owned() } else { name.to_owned() };
        Echo {
            status,
            headers: headers.into(),
            server: server.map(str::to_owned),
            param_names: rule.pattern.param_names().map(name).collect(),
            body_limit,
        }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Writes down what the head says; the body is still to come.
    pub(crate) fn begin(&self, params: &Params, request: &Request<'_>) -> EchoDraft {
        let (head, target) = (request.head, request.head.target);
        let mut out = BytesMut::with_capacity(512 + head.raw_len * 2);
        out.put_slice(b"{\"method\":");
        json::string(&mut out, head.method_token);
        out.put_slice(b",\"path\":");
        json::string(&mut out, params.path(target.path));
        out.put_slice(b",\"raw_path\":");
        json::string(&mut out, target.path);
        out.put_slice(b",\"query\":");
        optional(&mut out, target.query);
        out.put_slice(match head.version {
            Version::Http10 => b",\"version\":\"HTTP/1.0\"",
            Version::Http11 => b",\"version\":\"HTTP/1.1\"",
        });
        out.put_slice(b",\"host\":");
        optional(&mut out, head.host());
        // An address never holds what JSON escapes, and writing to memory does not fail.
        let _ = write!(out, ",\"peer\":\"{}\"", request.peer);
        out.put_slice(b",\"params\":{");
        for (index, (name, value)) in self.param_names.iter().zip(params.values(target.path)).enumerate() {
            separate(&mut out, index);
            json::string(&mut out, name);
            out.put_u8(b':');
            json::string(&mut out, value);
        }
        out.put_slice(b"},\"headers\":[");
        for (index, header) in head.headers.iter().enumerate() {
            separate(&mut out, index);
            out.put_u8(b'[');
            json::string(&mut out, header.name);
            out.put_u8(b',');
            json::bytes(&mut out, header.value);
            out.put_u8(b']');
        }
        out.put_u8(b']');
        EchoDraft {
            json: out,
            status: self.status,
            headers: self.headers.clone(),
            server: self.server.clone(),
            body: Vec::new(),
            body_bytes: 0,
            body_limit: self.body_limit,
        }
    }
}

fn separate(out: &mut BytesMut, index: usize) {
    if index > 0 {
        out.put_u8(b',');
    }
}

fn optional(out: &mut BytesMut, text: Option<&str>) {
    match text {
        Some(text) => json::string(out, text),
        None => out.put_slice(b"null"),
    }
}

/// An echo that still reads the body of its request. Holds at most the limit of it.
#[derive(Debug)]
pub struct EchoDraft {
    json: BytesMut,
    status: Status,
    headers: std::sync::Arc<[(String, Vec<u8>)]>,
    server: Option<String>,
    body: Vec<u8>,
    body_bytes: u64,
    body_limit: usize,
}

impl EchoDraft {
    /// Takes the next bytes of the body; those beyond the limit are only counted.
    pub fn push_body(&mut self, bytes: &[u8]) {
        self.body_bytes = self.body_bytes.saturating_add(bytes.len() as u64);
        let room = self.body_limit.saturating_sub(self.body.len());
        self.body.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    /// The answer, now that the body has ended.
    pub fn finish(mut self, variant: Variant, stamp: &DateStamp) -> Bytes {
        self.write_body();
        let default = DEFAULT_FIELDS
            .iter()
            .filter(|(name, _)| !self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
        let own = self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        let headers: Vec<(&str, &[u8])> =
            default.copied().chain(own.map(|(name, value)| (name.as_str(), value.as_slice()))).collect();
        let head = ResponseHead {
            status: self.status,
            version: variant.version,
            head_request: variant.head_request,
            keep_alive: variant.keep_alive,
            date: Some(&stamp.date),
            server: self.server.as_deref(),
            content_type: Some("application/json"),
            body: BodyLength::Known(self.json.len() as u64),
            headers: &headers,
        };
        encode_whole(&head, &[&self.json])
    }

    /// The body as text when it is UTF-8 (a character that the limit cut in two is left out), else in base64.
    fn write_body(&mut self) {
        let truncated = self.body_bytes > self.body.len() as u64;
        let text = match std::str::from_utf8(&self.body) {
            Ok(text) => Some(text),
            Err(error) if truncated && error.error_len().is_none() => {
                self.body.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok())
            }
            Err(_) => None,
        };
        self.json.put_slice(b",\"body\":");
        match text {
            Some(text) => json::string(&mut self.json, text),
            None => json::string(&mut self.json, &STANDARD.encode(&self.body)),
        }
        let encoding = if text.is_some() { "utf-8" } else { "base64" };
        // Writing to memory does not fail.
        let _ = writeln!(
            self.json,
            ",\"body_encoding\":\"{encoding}\",\"body_bytes\":{},\"body_truncated\":{truncated}}}",
            self.body_bytes
        );
    }
}
