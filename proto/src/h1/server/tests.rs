//! A driver that plays the application, and the tests by theme.

mod deadlines;
mod flow;
mod splits;
mod strictness;
mod transitions;

use super::*;
use crate::{BodyFraming, Method, RequestHead};

/// What a test sees of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Request { line: String, host: Option<String>, framing: BodyFraming, keep_alive: bool, headers: usize },
    Body(Vec<u8>),
    End(Vec<(String, Vec<u8>)>),
    Refuse(Refusal),
    Close(Refusal),
    After(After),
}

/// When the application answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answers {
    /// When the request is complete.
    AtEnd,
    /// As soon as the head is here, whatever body follows.
    AtHead,
}

const NOW: Instant = Instant::from_nanos(1);

/// Feeds pieces and collects events; adjoining body pieces are one.
fn drive_with(limits: &Limits, answers: Answers, pieces: &[&[u8]]) -> Vec<Seen> {
    let mut server = Server::new(NOW);
    let mut seen = Vec::new();
    for piece in pieces {
        feed(&mut server, limits, answers, piece, &mut seen);
    }
    seen
}

fn feed(server: &mut Server, limits: &Limits, answers: Answers, piece: &[u8], seen: &mut Vec<Seen>) {
    let mut at = 0;
    loop {
        let mut slots = HeaderSlots::new();
        let step = server.handle_bytes(NOW, limits, &mut slots, &piece[at..]);
        at += step.consumed;
        let answered = match step.event {
            Event::NeedMore => {
                assert_eq!(at, piece.len(), "bytes are left although the application waits for none");
                return;
            }
            Event::Request(head) => {
                seen.push(see_request(&head));
                !head.framing.has_body() || answers == Answers::AtHead
            }
            Event::Body(bytes) => {
                assert!(!bytes.is_empty());
                match seen.last_mut() {
                    Some(Seen::Body(all)) => all.extend_from_slice(bytes),
                    _ => seen.push(Seen::Body(bytes.to_vec())),
                }
                false
            }
            Event::End { trailers } => {
                seen.push(Seen::End(trailers.iter().map(|(name, value)| (name.into(), value.to_vec())).collect()));
                true
            }
            Event::Refuse(refusal) => {
                seen.push(Seen::Refuse(refusal));
                assert!(server.is_closed());
                false
            }
            Event::Close(refusal) => {
                seen.push(Seen::Close(refusal));
                assert!(server.is_closed());
                false
            }
        };
        if answered {
            let persistent = server.persistent(limits);
            let after = server.response_sent(NOW, limits, false);
            assert_eq!(persistent, after != After::Close);
            if after == After::Close {
                seen.push(Seen::After(after));
            }
        }
    }
}

fn see_request(head: &RequestHead<'_>) -> Seen {
    assert_eq!(Method::from_bytes(head.method_token.as_bytes()), head.method);
    Seen::Request {
        line: format!("{} {} {:?}", head.method_token, head.target.raw, head.version),
        host: head.host().map(str::to_owned),
        framing: head.framing,
        keep_alive: head.keep_alive,
        headers: head.headers.len(),
    }
}

fn drive(bytes: &[u8]) -> Vec<Seen> {
    drive_with(&Limits::default(), Answers::AtEnd, &[bytes])
}

/// The refusal that `bytes` end in, and that they end in however they are cut in two or into single bytes.
fn refusal_of(limits: &Limits, bytes: &[u8]) -> Option<Refusal> {
    let whole = drive_with(limits, Answers::AtEnd, &[bytes]);
    for at in 0..=bytes.len() {
        let cut = drive_with(limits, Answers::AtEnd, &[&bytes[..at], &bytes[at..]]);
        assert_eq!(cut, whole, "cut at {at}: {}", bytes.escape_ascii());
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(drive_with(limits, Answers::AtEnd, &single), whole, "byte by byte: {}", bytes.escape_ascii());
    whole.iter().find_map(|seen| match seen {
        Seen::Refuse(refusal) => Some(*refusal),
        _ => None,
    })
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Server>() <= 96, "{} bytes", size_of::<Server>());
}
