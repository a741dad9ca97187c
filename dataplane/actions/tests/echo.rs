//! Echoes: what is told back, and that it is always JSON.

mod common;

use actions::Options;
use common::{Server, request_head};
use proptest::prelude::*;
use proto::Header;
use serde_json::Value;

fn json_of(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

#[test]
fn an_echo_tells_the_request() {
    let mut server = Server::new(&["/a/:id/*rest: *"]);
    let head =
        "POST /a//%37/x/y?q=1&r HTTP/1.1\r\nHost: example.org:80\r\nCookie: s=1\r\nX-Twice: a\r\nX-Twice: b\r\n\r\n";
    let answer = server.answer(head, "hello", true);
    let expected = "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: application/json\r\nContent-Length: 344\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n\
         {\"method\":\"POST\",\"path\":\"/a/7/x/y\",\"raw_path\":\"/a//%37/x/y\",\"query\":\"q=1&r\",\"version\":\"HTTP/1.1\",\
         \"host\":\"example.org:80\",\"peer\":\"192.0.2.7:40000\",\"params\":{\"id\":\"7\",\"rest\":\"x/y\"},\
         \"headers\":[[\"Host\",\"example.org:80\"],[\"Cookie\",\"s=1\"],[\"X-Twice\",\"a\"],[\"X-Twice\",\"b\"]],\
         \"body\":\"hello\",\"body_encoding\":\"utf-8\",\"body_bytes\":5,\"body_truncated\":false}\n";
    assert_eq!(answer, expected);
}

#[test]
fn status_and_fields_of_the_rule_are_kept() {
    let mut server = Server::new(&["/a: FORBIDDEN *", "/b: OK [Cache-Control: max-age=1] [X-A: b] *"]);
    assert!(server.get("/a").starts_with("HTTP/1.1 403 Forbidden\r\n"));
    let b = server.get("/b");
    assert!(
        b.contains("\r\nX-Content-Type-Options: nosniff\r\nCache-Control: max-age=1\r\nX-A: b\r\n")
            && !b.contains("no-store"),
        "{b}"
    );
    let head = server.answer("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", "", false);
    assert!(
        head.ends_with("\r\n\r\n") && head.contains("Connection: close") && head.contains("Content-Length: "),
        "{head}"
    );
}

#[test]
fn bodies_are_cut_at_the_limit_and_never_in_a_character() {
    let mut server = Server::with(&["/a: *"], Options { echo_body_limit: 4, ..Options::default() });
    let head = "PUT /a HTTP/1.1\r\nHost: h\r\n\r\n";
    for (body, text, encoding, truncated) in [
        ("abcd".as_bytes(), "abcd", "utf-8", false),
        (b"abcde", "abcd", "utf-8", true),
        ("abc\u{e9}".as_bytes(), "abc", "utf-8", true),
        (b"ab\xff", "YWL/", "base64", false),
        (b"abc\xc3", "YWJjww==", "base64", false),
        (b"\x00\x01\n", "\u{0}\u{1}\n", "utf-8", false),
    ] {
        let answer = server.bytes(head, body, true);
        let json = json_of(&server.text(answer));
        assert_eq!((json["body"].as_str(), json["body_encoding"].as_str()), (Some(text), Some(encoding)), "{body:?}");
        assert_eq!(
            (json["body_truncated"].as_bool(), json["body_bytes"].as_u64()),
            (Some(truncated), Some(body.len() as u64))
        );
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_comes_back_as_json(
        method in "[A-Z]{1,8}", query in proptest::option::of("\\PC{0,20}"), name in "[a-zA-Z-]{1,10}",
        value in proptest::collection::vec(any::<u8>(), 0..20), host in "\\PC{0,10}", body in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let mut server = Server::with(&["/a: *"], Options { echo_body_limit: 20, ..Options::default() });
        let headers = [Header { name: "Host", value: host.as_bytes() }, Header { name: &name, value: &value }];
        let target = query.as_ref().map_or("/a".to_owned(), |query| format!("/a?{query}"));
        let head = request_head(&method, &target, "HTTP/1.1", &headers, body.len() as u64);
        let answer = server.respond(&head, &body, true);
        let answer = server.text(answer);
        if method == "HEAD" {
            return Ok(());
        }
        let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
        prop_assert!(head.contains(&format!("Content-Length: {}", text.len())), "{}", head);
        prop_assert!(!text.trim_end().contains(char::is_control));
        let json = json_of(&answer);
        prop_assert_eq!(json["method"].as_str(), Some(method.as_str()));
        prop_assert_eq!(json["query"].as_str(), query.as_deref());
        let told = json["headers"][1][1].as_str().unwrap_or_default();
        let expected = String::from_utf8(value.clone()).unwrap_or_else(|_| value.iter().map(|&byte| char::from(byte)).collect());
        prop_assert_eq!(told, expected);
        prop_assert_eq!(json["body_bytes"].as_u64(), Some(body.len() as u64));
    }
}
