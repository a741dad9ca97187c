use super::*;

/// What a test sees of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Interim(u16),
    Response(u16, Option<u64>, bool),
    Body(Vec<u8>),
    End(usize),
    Failed(ResponseError),
}

fn drive(methods: &[Method], pieces: &[&[u8]]) -> (Vec<Seen>, ResponseReader) {
    let limits = ResponseLimits { interim_count: 2, header_bytes: 200, ..ResponseLimits::default() };
    let mut reader = ResponseReader::new();
    for &method in methods {
        assert!(reader.request_sent(method));
    }
    let mut seen = Vec::new();
    for piece in pieces {
        let mut at = 0;
        loop {
            let mut slots = HeaderSlots::new();
            let step = reader.handle_bytes(&limits, &mut slots, &piece[at..]);
            at += step.consumed;
            let event = match step.event {
                ResponseEvent::NeedMore => break,
                ResponseEvent::Interim(head) => Seen::Interim(head.status.code()),
                ResponseEvent::Response(head) => Seen::Response(head.status.code(), head.body_length, head.keep_alive),
                ResponseEvent::Body(bytes) => match seen.pop() {
                    Some(Seen::Body(all)) => Seen::Body([&all, bytes].concat()),
                    before => {
                        seen.extend(before);
                        Seen::Body(bytes.to_vec())
                    }
                },
                ResponseEvent::End { trailers } => Seen::End(trailers.iter().count()),
                ResponseEvent::Failed(error) => Seen::Failed(error),
            };
            seen.push(event);
        }
        assert_eq!(at, piece.len());
    }
    (seen, reader)
}

/// The events, which are the same however `bytes` are cut.
fn events(methods: &[Method], bytes: &str) -> Vec<Seen> {
    let bytes = bytes.as_bytes();
    let (whole, _) = drive(methods, &[bytes]);
    for at in 0..=bytes.len() {
        assert_eq!(drive(methods, &[&bytes[..at], &bytes[at..]]).0, whole, "cut at {at}: {}", bytes.escape_ascii());
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(drive(methods, &single).0, whole);
    whole
}

const GET: &[Method] = &[Method::Get];

#[test]
fn bodies_by_every_rule() {
    use Seen::*;
    let abc = || Body(b"abc".to_vec());
    let table: Vec<(&[Method], &str, Vec<Seen>)> = vec![
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", vec![Response(200, Some(3), true), abc(), End(0)]),
        (GET, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", vec![Response(200, Some(0), true), End(0)]),
        (GET, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", vec![Response(200, Some(0), true), End(0)]),
        (
            GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
            vec![Response(200, None, true), abc(), End(1)],
        ),
        (GET, "HTTP/1.1 200 OK\r\n\r\nabc", vec![Response(200, None, false), abc()]),
        (GET, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", vec![Response(200, Some(3), false), abc(), End(0)]),
        (GET, "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", vec![Response(204, Some(0), true), End(0)]),
        (GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", vec![Response(304, Some(0), true), End(0)]),
        (&[Method::Head], "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", vec![Response(200, Some(0), true), End(0)]),
        (
            GET,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            vec![Interim(100), Interim(103), Response(204, Some(0), true), End(0)],
        ),
        (
            &[Method::Head, Method::Get, Method::Head],
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
            vec![
                Response(200, Some(0), true),
                End(0),
                Response(200, Some(3), true),
                abc(),
                End(0),
                Response(200, Some(0), true),
                End(0),
            ],
        ),
    ];
    for (methods, bytes, expected) in table {
        assert_eq!(events(methods, bytes), expected, "{}", bytes.escape_debug());
    }
}

#[test]
fn failures() {
    use ResponseError::*;
    let table = [
        ("HTTP/2 200 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1 20 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1 600 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n", StatusLine),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", StatusLine),
        ("http/1.1 200 OK\r\n\r\n", StatusLine),
        ("HTTP/1.1 200 O\0K\r\n\r\n", StatusLine),
        ("HTTP/1.1 200 OK\n\r\n", Message(Refusal::BareLf)),
        ("HTTP/1.1 200 OK\r\nX: y\n\r\n", Message(Refusal::BareLf)),
        ("HTTP/1.1 200 OK\r\nX : y\r\n\r\n", Message(Refusal::HeaderNameSpace)),
        ("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", Message(Refusal::ObsFold)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", Message(Refusal::ContentLengthRepeated)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            Message(Refusal::LengthAndEncoding),
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Message(Refusal::EncodingNotChunked)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", Message(Refusal::ChunkSizeInvalid)),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", Switched),
        ("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n", TooManyInterim),
        ("HTTP/1.1 204 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n", Unasked),
    ];
    for (bytes, expected) in table {
        assert_eq!(events(GET, bytes).last(), Some(&Seen::Failed(expected)), "{}", bytes.escape_debug());
    }
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(200));
    assert_eq!(events(GET, &long).last(), Some(&Seen::Failed(Message(Refusal::HeaderBytes))));
}

#[test]
fn ends_of_input() {
    let table = [
        (&[][..], "", Ok(false)),
        (GET, "", Err(ResponseError::End)),
        (GET, "HTTP/1.1 200 OK\r\n", Err(ResponseError::End)),
        (GET, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", Err(ResponseError::End)),
        (GET, "HTTP/1.1 200 OK\r\n\r\nab", Ok(true)),
        (GET, "HTTP/1.1 204 x\r\n\r\n", Ok(false)),
        (GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", Err(ResponseError::End)),
    ];
    for (methods, bytes, expected) in table {
        let (_, mut reader) = drive(methods, &[bytes.as_bytes()]);
        assert_eq!(reader.handle_eof(), expected, "{bytes:?}");
        assert!(!reader.is_reusable());
    }
}

#[test]
fn close_is_the_last_answer() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (seen, reader) = drive(&[Method::Get, Method::Get], &[answer.repeat(2).as_bytes()]);
    assert_eq!(seen, [Seen::Response(200, Some(0), false), Seen::End(0)]);
    assert_eq!((reader.is_reusable(), reader.outstanding()), (false, 1));
}

#[test]
fn outstanding_requests_are_bounded() {
    let mut reader = ResponseReader::new();
    for _ in 0..ResponseReader::MAX_OUTSTANDING {
        assert!(reader.request_sent(Method::Head));
    }
    assert!(!reader.request_sent(Method::Get));
    assert_eq!(reader.outstanding(), ResponseReader::MAX_OUTSTANDING);
}
