//! Pipelines, persistence, bodies, 100-continue, draining, ends.

use super::*;
use crate::{TargetForm, Version};

fn lines(seen: &[Seen]) -> Vec<String> {
    seen.iter()
        .map(|seen| match seen {
            Seen::Request { line, .. } => line.replace(" Http11", "").replace(" Http10", ""),
            Seen::Body(bytes) => format!("body {}", bytes.escape_ascii()),
            Seen::End(trailers) if trailers.is_empty() => "end".into(),
            Seen::End(trailers) => format!("end {trailers:?}"),
            Seen::Refuse(refusal) => refusal.name().into(),
            Seen::Close(refusal) => format!("close {}", refusal.name()),
            Seen::After(after) => format!("{after:?}"),
        })
        .collect()
}

/// Parses one complete head and hands it to `look`.
fn with_head(bytes: &[u8], look: impl FnOnce(&RequestHead<'_>)) {
    let mut server = Server::new(NOW);
    let mut slots = HeaderSlots::new();
    let step = server.handle_bytes(NOW, &Limits::default(), &mut slots, bytes);
    let Event::Request(head) = step.event else { panic!("{step:?}") };
    assert_eq!(head.raw_len, step.consumed);
    look(&head);
}

#[test]
fn a_head_in_full() {
    let bytes = b"PATCH /a/b?c=d HTTP/1.1\r\nHost: example.org:8080\r\nX-A: 1\r\nx-a:  2 \r\n\r\nrest";
    with_head(bytes, |head| {
        assert_eq!((head.method, head.method_token), (Method::Patch, "PATCH"));
        assert_eq!((head.target.raw, head.target.form), ("/a/b?c=d", TargetForm::Origin));
        assert_eq!((head.target.path, head.target.query), ("/a/b", Some("c=d")));
        assert_eq!((head.host(), head.host_name()), (Some("example.org:8080"), Some("example.org")));
        assert_eq!(head.version, Version::Http11);
        assert_eq!(head.header("X-a"), Some(&b"1"[..]));
        assert_eq!(head.headers[2].value, b"2");
        assert_eq!(head.header("y"), None);
        assert_eq!(head.raw_len, bytes.len() - 4);
        assert!(head.keep_alive && !head.expect_continue && head.upgrade.is_none());
    });
}

#[test]
fn absolute_form_wins_over_host() {
    let table = [
        ("http://b:81/c?d", "b:81", "/c", Some("d")),
        ("http://b", "b", "/", None),
        ("http://b?d", "b", "/", Some("d")),
        ("HTTP://[::1]/", "[::1]", "/", None),
    ];
    for (target, host, path, query) in table {
        with_head(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), |head| {
            assert_eq!((head.host(), head.target.path, head.target.query), (Some(host), path, query));
            assert_eq!(head.target.form, TargetForm::Absolute);
        });
    }
    with_head(b"OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", |head| assert_eq!(head.target.path, "*"));
    with_head(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", |head| assert_eq!(head.target.form, TargetForm::Asterisk));
}

#[test]
fn persistence() {
    let table = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Keep-Alive, CLOSE\r\n", false),
        ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: x, keep-alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ];
    for (version, fields, expected) in table {
        with_head(format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n").as_bytes(), |head| {
            assert_eq!(head.keep_alive, expected, "{version} {fields}");
        });
    }
}

#[test]
fn an_answer_before_the_body_may_end_the_connection() {
    let table = [
        ("Content-Length: 262144\r\n", true),
        ("Content-Length: 262145\r\n", false), // more than is thrown away
        ("Transfer-Encoding: chunked\r\n", true),
        ("Expect: 100-continue\r\nContent-Length: 1\r\n", false),
    ];
    for (fields, expected) in table {
        with_head(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes(), |head| {
            assert_eq!(head.keep_alive, expected, "{fields}");
        });
    }
}

#[test]
fn upgrade_is_told_when_connection_names_it() {
    let table = [
        ("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", Some("websocket")),
        ("1.1", "Upgrade: websocket\r\n", None),
        ("1.1", "Connection: upgrade\r\n", None),
        ("1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n", None),
    ];
    for (version, fields, expected) in table {
        with_head(format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n").as_bytes(), |head| {
            assert_eq!(head.upgrade, expected, "{fields}");
        });
    }
}

#[test]
fn a_pipeline_in_order() {
    let bytes = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
                  POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\nX: y\r\n\r\n\r\n\
                  GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n";
    let expected =
        ["GET /1", "POST /2", "body abc", "end", "POST /3", "body def", "end [(\"X\", [121])]", "GET /4", "Close"];
    assert_eq!(lines(&drive(bytes)), expected);
}

#[test]
fn the_next_request_waits_for_the_answer() {
    let limits = Limits::default();
    let bytes = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut server = Server::new(NOW);
    let mut slots = HeaderSlots::new();
    let first = server.handle_bytes(NOW, &limits, &mut slots, bytes).consumed;
    assert!(!server.wants_next() && !server.wants_bytes());
    let mut slots = HeaderSlots::new();
    let step = server.handle_bytes(NOW, &limits, &mut slots, &bytes[first..]);
    assert!(step.consumed == 0 && matches!(step.event, Event::NeedMore));
    assert_eq!(server.response_sent(NOW, &limits, false), After::KeepAlive);
    assert!(server.wants_next());
    let mut slots = HeaderSlots::new();
    let step = server.handle_bytes(NOW, &limits, &mut slots, &bytes[first..]);
    assert!(matches!(step.event, Event::Request(head) if head.target.path == "/2"));
    assert_eq!(server.requests(), 2);
}

#[test]
fn unread_bodies_are_drained_or_end_the_connection() {
    let limits = Limits { drain_bytes: 5, ..Limits::default() };
    let drain = |head: &str| {
        let bytes = format!("POST /1 HTTP/1.1\r\nHost: a\r\n{head}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
        let whole = drive_with(&limits, Answers::AtHead, &[bytes.as_bytes()]);
        let single: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
        assert_eq!(drive_with(&limits, Answers::AtHead, &single), whole);
        lines(&whole)
    };
    assert_eq!(drain("Content-Length: 5\r\n\r\nabcde"), ["POST /1", "GET /2"]);
    assert_eq!(drain("Content-Length: 6\r\n\r\nabcdef"), ["POST /1", "Close"]);
    assert_eq!(drain("Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nX: y\r\n\r\n"), ["POST /1", "GET /2"]);
    assert_eq!(
        drain("Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n"),
        ["POST /1", "close refuse_drain_bytes"]
    );
    assert_eq!(
        drain("Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"),
        ["POST /1", "close refuse_chunk_end_missing"]
    );
    // The client waits for 100: whether the body comes cannot be known.
    assert_eq!(drain("Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"), ["POST /1", "Close"]);
}

#[test]
fn continue_is_needed_until_sent_or_the_body_comes() {
    let limits = Limits::default();
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let start = || {
        let mut server = Server::new(NOW);
        let mut slots = HeaderSlots::new();
        let step = server.handle_bytes(NOW, &limits, &mut slots, head);
        assert!(matches!(step.event, Event::Request(head) if head.expect_continue));
        server
    };
    let mut server = start();
    assert!(server.continue_needed() && !server.persistent(&limits));
    server.continue_sent();
    assert!(!server.continue_needed() && server.persistent(&limits));

    let mut server = start();
    let mut slots = HeaderSlots::new();
    server.handle_bytes(NOW, &limits, &mut slots, b"a");
    assert!(!server.continue_needed() && server.persistent(&limits));

    // RFC 9110 §10.1.1: not for 1.0, and not without a body.
    for (version, length) in [("1.0", 3), ("1.1", 0)] {
        let text =
            format!("POST / HTTP/{version}\r\nExpect: 100-continue\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        with_head(text.as_bytes(), |head| assert!(!head.expect_continue));
    }
}

#[test]
fn requests_per_connection() {
    let limits = Limits { requests_per_connection: 2, ..Limits::default() };
    let bytes = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
    assert_eq!(lines(&drive_with(&limits, Answers::AtEnd, &[&bytes])), ["GET /1", "GET /1", "Close"]);
}

#[test]
fn ends_of_input() {
    let limits = Limits::default();
    let table: [(&str, bool, EndOfInput); 7] = [
        ("", true, EndOfInput::Close),
        ("\r\n", true, EndOfInput::Close),
        ("GET / HTTP/1.0\r\n\r\n", false, EndOfInput::CloseAfterAnswer),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, EndOfInput::Close),
        ("GET / HT", true, EndOfInput::Refuse(Refusal::EndInHead)),
        ("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\na", false, EndOfInput::Refuse(Refusal::EndInBody)),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            false,
            EndOfInput::Refuse(Refusal::EndInBody),
        ),
    ];
    for (bytes, answer, expected) in table {
        let mut server = Server::new(NOW);
        let mut at = 0;
        loop {
            let mut slots = HeaderSlots::new();
            let step = server.handle_bytes(NOW, &limits, &mut slots, &bytes.as_bytes()[at..]);
            at += step.consumed;
            match step.event {
                Event::NeedMore => break,
                Event::Request(_) if answer => drop(server.response_sent(NOW, &limits, false)),
                _ => {}
            }
        }
        assert_eq!(server.handle_eof(), expected, "{bytes:?}");
        if expected == EndOfInput::CloseAfterAnswer {
            assert!(!server.persistent(&limits));
            assert_eq!(server.response_sent(NOW, &limits, false), After::Close);
        }
        assert!(server.is_closed());
    }
}

#[test]
fn after_a_refusal_everything_is_thrown_away() {
    let limits = Limits::default();
    let mut server = Server::new(NOW);
    let mut slots = HeaderSlots::new();
    let step = server.handle_bytes(NOW, &limits, &mut slots, b"BAD\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert!(matches!(step.event, Event::Refuse(Refusal::BadRequestLine)));
    let mut slots = HeaderSlots::new();
    let step = server.handle_bytes(NOW, &limits, &mut slots, b"GET / HTTP/1.0\r\n\r\n");
    assert!(step.consumed == 18 && matches!(step.event, Event::NeedMore));
    assert_eq!(server.response_sent(NOW, &limits, false), After::Close);
    assert_eq!(server.handle_eof(), EndOfInput::Close);
}
