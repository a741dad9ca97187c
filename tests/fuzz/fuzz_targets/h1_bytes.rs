//! Bytes into the HTTP/1 server, whole and cut: the events are the same, the limits hold, what is accepted is well-formed.
//!
//! The first byte of an input chooses limits and when the application answers, the second where the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::h1::{Event, HeaderSlots, Limits, Server};
use proto::{BodyFraming, Instant, Refusal, RequestHead};

#[derive(PartialEq, Debug)]
enum Seen {
    Request(String),
    Body(Vec<u8>),
    End(String),
    Refuse(Refusal),
    Close(Refusal),
}

const NOW: Instant = Instant::from_nanos(1);

fuzz_target!(|input: &[u8]| {
    let [flags, cuts, bytes @ ..] = input else { return };
    let limits = limits(*flags);
    let at_head = flags & 1 == 1;
    let whole = drive(&limits, at_head, [bytes].into_iter());
    let cut = drive(&limits, at_head, pieces(bytes, *cuts));
    assert_eq!(cut, whole);
});

fn limits(flags: u8) -> Limits {
    if flags & 2 == 0 {
        return Limits::default();
    }
    Limits {
        request_line_bytes: 32,
        header_bytes: 128,
        header_count: 6,
        body_bytes: 64,
        chunk_extension_bytes: 8,
        trailer_bytes: 32,
        drain_bytes: 16,
        requests_per_connection: 5,
        ..Limits::default()
    }
}

/// Pieces of pseudo-random lengths; a seed of 0 gives single bytes.
fn pieces(mut bytes: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed).wrapping_mul(0x9e37_79b9);
    core::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = if seed == 0 { 1 } else { (state >> 24) as usize % (usize::from(seed) + 1) };
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        let done = bytes.is_empty();
        bytes = rest;
        (!done).then_some(piece)
    })
}

fn drive<'a>(limits: &Limits, at_head: bool, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut server = Server::new(NOW);
    let mut seen = Vec::new();
    for piece in pieces {
        feed(&mut server, limits, at_head, piece, &mut seen);
    }
    // Whatever the state: a deadline that is told is kept.
    if let Some(at) = server.poll_timeout(limits) {
        assert!(server.handle_timeout(at, limits).is_some());
        assert!(server.is_closed());
    }
    server.handle_eof();
    seen
}

fn feed(server: &mut Server, limits: &Limits, at_head: bool, piece: &[u8], seen: &mut Vec<Seen>) {
    let mut at = 0;
    for _ in 0..4 * piece.len() + 8 {
        let mut slots = HeaderSlots::new();
        let step = server.handle_bytes(NOW, limits, &mut slots, &piece[at..]);
        at += step.consumed;
        assert!(at <= piece.len());
        let answer = match step.event {
            Event::NeedMore => {
                assert_eq!(at, piece.len());
                return;
            }
            Event::Request(head) => {
                check_head(limits, &head);
                if head.raw_len <= at && step.consumed >= head.raw_len {
                    check_bytes(&piece[at - head.raw_len..at]);
                }
                seen.push(Seen::Request(format!("{head:?}")));
                at_head || !head.framing.has_body()
            }
            Event::Body(bytes) => {
                assert!(!bytes.is_empty());
                if let Some(Seen::Body(all)) = seen.last_mut() {
                    all.extend_from_slice(bytes);
                } else {
                    seen.push(Seen::Body(bytes.to_vec()));
                }
                let Some(Seen::Body(all)) = seen.last() else { unreachable!() };
                assert!(all.len() as u64 <= limits.body_bytes);
                false
            }
            Event::End { trailers } => {
                seen.push(Seen::End(format!("{:?}", trailers.iter().collect::<Vec<_>>())));
                true
            }
            Event::Refuse(refusal) => {
                seen.push(Seen::Refuse(refusal));
                false
            }
            Event::Close(refusal) => {
                assert!(at_head);
                seen.push(Seen::Close(refusal));
                false
            }
        };
        if answer {
            server.response_sent(NOW, limits, false);
        }
    }
    panic!("no progress");
}

fn check_head(limits: &Limits, head: &RequestHead<'_>) {
    assert!(head.headers.len() <= limits.header_count);
    assert!(head.raw_len <= limits.request_line_bytes + 2 + limits.header_bytes);
    assert!(head.target.path.starts_with('/') || head.target.path == "*");
    assert!(head.target.raw.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
    assert!(head.host().is_none_or(|host| !host.is_empty() && !host.contains(['@', '/', ' ', '\\'])));
    let count = |name: &str| head.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).count();
    assert!(count("host") <= 1);
    match head.framing {
        BodyFraming::None => assert_eq!((count("content-length"), count("transfer-encoding")), (0, 0)),
        BodyFraming::Length(length) => {
            assert_eq!((count("content-length"), count("transfer-encoding")), (1, 0));
            assert!(length <= limits.body_bytes);
        }
        BodyFraming::Chunked => {
            assert_eq!(count("content-length"), 0);
            assert!(count("transfer-encoding") > 0);
        }
    }
    for header in head.headers {
        assert!(!header.name.is_empty());
        assert!(!header.value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    }
}

/// No line of an accepted head ends otherwise than in CRLF, and none begins with white space.
fn check_bytes(head: &[u8]) {
    assert!(head.ends_with(b"\r\n\r\n"));
    for (at, byte) in head.iter().enumerate() {
        match byte {
            b'\r' => assert_eq!(head.get(at + 1), Some(&b'\n')),
            b'\n' => {
                assert_eq!(head[at - 1], b'\r');
                assert!(!matches!(head.get(at + 1), Some(b' ' | b'\t' | b':')));
            }
            0 | 0x7f => panic!("a control"),
            _ => {}
        }
    }
}
