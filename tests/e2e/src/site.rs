//! The site that the tests ask, and what it must answer.

use crate::http::Response;
use serde_json::Value;

/// The routes of the specification that are answered at once, and two more to wait and upload with.
pub const ROUTES: &str = r#"routes:
  GET POST PATCH /api/mock/rude: FORBIDDEN {"msg":"GO PATCH UR MUM!"}
  GET /fastest/ever/ok: OK
  /a/b/c: *
  /a/b/c-forbidden: FORBIDDEN *
"#;

/// One request and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The method.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// The body that is sent.
    pub body: &'static str,
    /// The status that must come.
    pub status: u16,
    /// What the body must be.
    pub answer: Answer,
}

/// What a body must be.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Not looked at.
    Any,
    /// JSON, exactly these bytes.
    Json(&'static str),
    /// The request told back.
    Echo,
}

const fn case(method: &'static str, path: &'static str, body: &'static str, status: u16, answer: Answer) -> Case {
    Case { method, path, body, status, answer }
}

const RUDE: Answer = Answer::Json(r#"{"msg":"GO PATCH UR MUM!"}"#);

/// The requests of the specification.
pub const CASES: [Case; 8] = [
    case("GET", "/fastest/ever/ok", "", 200, Answer::Any),
    case("GET", "/api/mock/rude", "", 403, RUDE),
    case("POST", "/api/mock/rude", "x=1", 403, RUDE),
    case("PATCH", "/api/mock/rude", "{}", 403, RUDE),
    case("GET", "/a/b/c", "", 200, Answer::Echo),
    case("POST", "/a/b/c", "hello", 200, Answer::Echo),
    case("GET", "/a/b/c-forbidden", "", 403, Answer::Echo),
    case("GET", "/nowhere", "", 404, Answer::Any),
];

impl Case {
    /// The request as bytes.
    pub fn request(&self) -> Vec<u8> {
        let length =
            if self.body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", self.body.len()) };
        let Case { method, path, body, .. } = self;
        format!("{method} {path} HTTP/1.1\r\nHost: lab\r\n{length}\r\n{body}").into_bytes()
    }

    /// Panics unless the answer is right.
    pub fn check(&self, response: &Response) {
        self.check_parts(response.status, response.header("content-type"), &response.body);
    }

    /// The same for an answer that another program read.
    pub fn check_parts(&self, status: u16, content_type: Option<&str>, body: &[u8]) {
        let text = String::from_utf8_lossy(body);
        assert_eq!(status, self.status, "{self:?}: {text}");
        if matches!(self.answer, Answer::Any) {
            return;
        }
        assert!(content_type.is_some_and(|kind| kind.starts_with("application/json")), "{self:?}: {content_type:?}");
        match self.answer {
            Answer::Any => {}
            Answer::Json(expected) => assert_eq!(text, expected, "{self:?}"),
            Answer::Echo => {
                let told: Value = serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {text}"));
                assert_eq!(told["method"], self.method, "{text}");
                assert_eq!(told["path"], self.path, "{text}");
                assert!(self.body.is_empty() || text.contains(self.body), "{self:?}: {text}");
            }
        }
    }
}
