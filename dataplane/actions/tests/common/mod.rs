//! Router and actions without a network: requests as text in, answers as text out.
#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::Arc;

use actions::{Actions, Answers, DateStamp, Options, Request, Response, Variant};
use bytes::Bytes;
use config::{Position, RouteGroup, RouteText, Text};
use proto::{BodyFraming, Header, RequestHead, Target, TargetForm, Version};
use router::{Method, Params, Router};

pub struct Server {
    pub router: Router,
    pub answers: Answers,
    pub params: Params,
    pub second: u64,
}

impl Server {
    pub fn new(lines: &[impl AsRef<str>]) -> Server {
        Server::with(lines, Options::default())
    }

    pub fn with(lines: &[impl AsRef<str>], options: Options) -> Server {
        let routes = lines.iter().zip(1..).map(|(line, number)| {
            RouteText::Line(Text::new(line.as_ref(), Position::new("routes", number, 1), line.as_ref()))
        });
        let group = RouteGroup { routes: routes.collect(), ..RouteGroup::default() };
        let (router, _) = Router::compile(&[group]).unwrap_or_else(|found| panic!("{found}"));
        let answers = Answers::new(Arc::new(Actions::compile(&router, options)));
        Server { router, answers, params: Params::new(), second: 784_111_777 }
    }

    pub fn stamp(&self) -> DateStamp {
        DateStamp::from_unix(self.second)
    }

    /// The answer to a request head and a body, which comes in pieces of three bytes.
    pub fn bytes(&mut self, head: &str, body: &[u8], keep_alive: bool) -> Bytes {
        let mut lines = head.trim_end().split("\r\n");
        let words: Vec<&str> = lines.next().expect("a request line").split(' ').collect();
        let headers: Vec<Header<'_>> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| Header { name, value: value.as_bytes() })
            .collect();
        let head =
            request_head(words[0], words[1], words.get(2).copied().unwrap_or("HTTP/1.1"), &headers, body.len() as u64);
        self.respond(&head, body, keep_alive)
    }

    pub fn respond(&mut self, head: &RequestHead<'_>, body: &[u8], keep_alive: bool) -> Bytes {
        let method = Method::from_token(head.method_token.as_bytes());
        let found = self.router.find(method, head.host(), head.target.path, &mut self.params);
        let peer = "192.0.2.7:40000".parse().expect("an address");
        let stamp = self.stamp();
        match self.answers.respond(found, &self.params, &Request { head, peer }, keep_alive, &stamp) {
            Response::Ready(answer) => answer,
            Response::AwaitBody(mut draft) => {
                body.chunks(3).for_each(|piece| draft.push_body(piece));
                draft.finish(Variant::of(head, keep_alive), &stamp)
            }
        }
    }

    pub fn raw(&mut self, head: &str) -> Bytes {
        self.bytes(head, b"", true)
    }

    /// The answer as text, the date replaced by `DATE`.
    pub fn answer(&mut self, head: &str, body: &str, keep_alive: bool) -> String {
        let answer = self.bytes(head, body.as_bytes(), keep_alive);
        self.text(answer)
    }

    pub fn get(&mut self, target: &str) -> String {
        self.answer(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"), "", true)
    }

    pub fn text(&self, answer: Bytes) -> String {
        let date = self.stamp().date;
        let date = std::str::from_utf8(date.as_bytes()).expect("ASCII");
        String::from_utf8(answer.to_vec()).expect("UTF-8").replace(date, "DATE")
    }
}

/// A head as the parser of the protocol gives it.
pub fn request_head<'b>(
    method: &'b str,
    target: &'b str,
    version: &str,
    headers: &'b [Header<'b>],
    body: u64,
) -> RequestHead<'b> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let authority = headers.iter().find(|header| header.name == "Host").map(|header| header.value);
    RequestHead {
        method: proto::Method::from_bytes(method.as_bytes()),
        method_token: method,
        target: Target { raw: target, form: TargetForm::Origin, path, query },
        version: if version == "HTTP/1.0" { Version::Http10 } else { Version::Http11 },
        authority,
        headers,
        framing: if body == 0 { BodyFraming::None } else { BodyFraming::Length(body) },
        keep_alive: true,
        expect_continue: false,
        upgrade: None,
        raw_len: 64,
    }
}

pub fn head_of(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).split("\r\n\r\n").next().unwrap_or_default().to_owned()
}
