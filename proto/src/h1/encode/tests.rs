use super::*;
use crate::Method;
use crate::h1::client::{ResponseEvent, ResponseLimits, ResponseReader};
use crate::h1::{Event, HeaderSlots, Limits, Server};
use crate::{BodyFraming, Instant};

fn head<'a>(status: u16) -> ResponseHead<'a> {
    ResponseHead {
        status: Status::new(status).expect("a status"),
        version: Version::Http11,
        head_request: false,
        keep_alive: true,
        date: None,
        server: None,
        content_type: None,
        body: BodyLength::Known(5),
        headers: &[],
    }
}

fn encode(head: &ResponseHead<'_>) -> (String, Encoded) {
    let mut out = Vec::new();
    let encoded = response_head(&mut out, head).expect("encodes");
    assert!(out.len() <= head_capacity(head));
    (String::from_utf8(out).expect("text"), encoded)
}

#[test]
fn heads_as_they_look() {
    let date = HttpDate::from_unix(784_111_777);
    let full = ResponseHead {
        date: Some(&date),
        server: Some("anygate"),
        content_type: Some("application/json"),
        headers: &[("X-A", b"1"), ("Cache-Control", b"no-store")],
        ..head(403)
    };
    assert_eq!(
        encode(&full).0,
        "HTTP/1.1 403 Forbidden\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: anygate\r\nContent-Type: application/json\r\n\
         Content-Length: 5\r\nX-A: 1\r\nCache-Control: no-store\r\n\r\n"
    );
    assert_eq!(encode(&head(599)).0, "HTTP/1.1 599 \r\nContent-Length: 5\r\n\r\n");
}

#[test]
fn framing_and_persistence() {
    use BodyLength::{Known, Unknown};
    use Version::{Http10, Http11};
    let encoded = |body, close| Encoded { body, close };
    // status, version, HEAD, keep-alive, length: fields, coding
    let table = [
        (200, Http11, false, true, Known(5), "Content-Length: 5\r\n", encoded(BodyCoding::Plain, false)),
        (200, Http11, false, true, Known(0), "Content-Length: 0\r\n", encoded(BodyCoding::Plain, false)),
        (
            200,
            Http11,
            false,
            true,
            Known(u64::MAX),
            "Content-Length: 18446744073709551615\r\n",
            encoded(BodyCoding::Plain, false),
        ),
        (
            200,
            Http11,
            false,
            false,
            Known(5),
            "Content-Length: 5\r\nConnection: close\r\n",
            encoded(BodyCoding::Plain, true),
        ),
        (
            200,
            Http10,
            false,
            true,
            Known(5),
            "Content-Length: 5\r\nConnection: keep-alive\r\n",
            encoded(BodyCoding::Plain, false),
        ),
        (
            200,
            Http10,
            false,
            false,
            Known(5),
            "Content-Length: 5\r\nConnection: close\r\n",
            encoded(BodyCoding::Plain, true),
        ),
        (200, Http11, false, true, Unknown, "Transfer-Encoding: chunked\r\n", encoded(BodyCoding::Chunked, false)),
        (200, Http10, false, true, Unknown, "Connection: close\r\n", encoded(BodyCoding::UntilClose, true)),
        (200, Http11, true, true, Known(5), "Content-Length: 5\r\n", encoded(BodyCoding::None, false)),
        (200, Http11, true, true, Unknown, "Transfer-Encoding: chunked\r\n", encoded(BodyCoding::None, false)),
        (200, Http10, true, true, Unknown, "Connection: keep-alive\r\n", encoded(BodyCoding::None, false)),
        (204, Http11, false, true, Known(5), "", encoded(BodyCoding::None, false)),
        (304, Http11, false, true, Unknown, "", encoded(BodyCoding::None, false)),
        (103, Http11, false, false, Unknown, "", encoded(BodyCoding::None, true)),
    ];
    for (status, version, head_request, keep_alive, body, fields, expected) in table {
        let head = ResponseHead { version, head_request, keep_alive, body, ..head(status) };
        let (text, encoded) = encode(&head);
        let (_, rest) = text.split_once("\r\n").expect("a line");
        assert_eq!((rest, encoded), (format!("{fields}\r\n").as_str(), expected), "{head:?}");
    }
}

#[test]
fn nothing_can_be_injected() {
    let table: [(&str, &[u8], EncodeError); 9] = [
        ("X", b"a\r\nSet-Cookie: b", EncodeError::FieldValue),
        ("X", b"a\nb", EncodeError::FieldValue),
        ("X", b"a\0", EncodeError::FieldValue),
        ("X\r\n", b"a", EncodeError::FieldName),
        ("X:", b"a", EncodeError::FieldName),
        ("", b"a", EncodeError::FieldName),
        ("content-length", b"3", EncodeError::ReservedField),
        ("Transfer-Encoding", b"chunked", EncodeError::ReservedField),
        ("CONNECTION", b"close", EncodeError::ReservedField),
    ];
    for (name, value, expected) in table {
        let mut out = Vec::new();
        let fields: &[(&str, &[u8])] = &[("A", b"b"), (name, value)];
        assert_eq!(response_head(&mut out, &ResponseHead { headers: fields, ..head(200) }), Err(expected));
        assert_eq!(chunked_end(&mut out, fields), Err(expected));
        assert!(out.is_empty());
    }
    let bad = "a\r\nb";
    for head in [ResponseHead { server: Some(bad), ..head(200) }, ResponseHead { content_type: Some(bad), ..head(200) }]
    {
        assert_eq!(response_head(&mut Vec::new(), &head), Err(EncodeError::FieldValue));
    }
    for (method, target, host, expected) in [
        ("GET", "/a b", "h", EncodeError::RequestLine),
        ("GET", "", "h", EncodeError::RequestLine),
        ("GET", "/\r\n", "h", EncodeError::RequestLine),
        ("G T", "/", "h", EncodeError::RequestLine),
        ("GET", "/", "h\r\n", EncodeError::FieldValue),
    ] {
        let mut out = Vec::new();
        assert_eq!(request_head(&mut out, method, target, host, RequestBody::None, &[]), Err(expected));
        assert!(out.is_empty());
    }
}

#[test]
fn every_refusal_has_an_answer() {
    for &reason in Refusal::ALL {
        let mut out = Vec::new();
        refusal(&mut out, reason, None, Some("anygate")).expect("encodes");
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with(&format!("HTTP/1.1 {}\r\n", reason.status())), "{text}");
        assert!(text.contains("\r\nConnection: close\r\n"));
        assert!(text.ends_with(&format!("\r\n\r\n{}\n", reason.help())));
    }
}

/// Status, body and number of trailer fields of the first answer in `bytes`.
fn read(method: Method, bytes: &[u8]) -> (u16, Vec<u8>, usize) {
    let mut reader = ResponseReader::new();
    reader.request_sent(method);
    let (mut status, mut body, mut at) = (0, Vec::new(), 0);
    loop {
        let mut slots = HeaderSlots::new();
        let step = reader.handle_bytes(&ResponseLimits::default(), &mut slots, &bytes[at..]);
        at += step.consumed;
        match step.event {
            ResponseEvent::Response(head) => status = head.status.code(),
            ResponseEvent::Body(bytes) => body.extend_from_slice(bytes),
            ResponseEvent::End { trailers } => {
                assert_eq!(at, bytes.len());
                return (status, body, trailers.iter().count());
            }
            ResponseEvent::Interim(_) => {}
            event => panic!("{event:?}"),
        }
    }
}

#[test]
fn answers_round_trip() {
    for status in [200, 204, 304, 404, 599] {
        for method in [Method::Get, Method::Head] {
            for body in [BodyLength::Known(5), BodyLength::Unknown] {
                let head = ResponseHead { head_request: method == Method::Head, body, ..head(status) };
                let mut out = CONTINUE.to_vec();
                let coding = response_head(&mut out, &head).expect("encodes").body;
                match coding {
                    BodyCoding::Plain => out.extend_from_slice(b"hello"),
                    BodyCoding::Chunked => {
                        for part in ["", "he", "l", "lo"] {
                            chunk_head(&mut out, part.len());
                            if !part.is_empty() {
                                out.extend_from_slice(part.as_bytes());
                                out.extend_from_slice(CHUNK_END);
                            }
                        }
                        chunked_end(&mut out, &[("X-Sum", b"1")]).expect("encodes");
                    }
                    BodyCoding::None | BodyCoding::UntilClose => {}
                }
                let expected = if coding == BodyCoding::None { "" } else { "hello" };
                let (seen, body, trailers) = read(method, &out);
                assert_eq!((seen, &body[..]), (status, expected.as_bytes()), "{head:?}");
                assert_eq!(trailers, usize::from(coding == BodyCoding::Chunked));
            }
        }
    }
}

#[test]
fn chunk_sizes() {
    for (length, expected) in
        [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (0xabc_def, "abcdef\r\n"), (usize::MAX, "ffffffffffffffff\r\n")]
    {
        let mut out = Vec::new();
        chunk_head(&mut out, length);
        assert_eq!(out, expected.as_bytes());
    }
}

#[test]
fn requests_round_trip() {
    let bodies = [
        (RequestBody::None, BodyFraming::None),
        (RequestBody::Length(7), BodyFraming::Length(7)),
        (RequestBody::Chunked, BodyFraming::Chunked),
    ];
    for (body, framing) in bodies {
        let mut out = Vec::new();
        request_head(&mut out, "PATCH", "/a?b", "h:1", body, &[("X", b"y"), ("Connection", b"close")])
            .expect("encodes");
        let now = Instant::default();
        let mut server = Server::new(now);
        let mut slots = HeaderSlots::new();
        let step = server.handle_bytes(now, &Limits::default(), &mut slots, &out);
        let Event::Request(head) = step.event else { panic!("{step:?}") };
        assert_eq!((head.method, head.target.raw, head.host()), (Method::Patch, "/a?b", Some("h:1")));
        assert_eq!((head.framing, head.keep_alive, head.header("x")), (framing, false, Some(&b"y"[..])));
    }
}
