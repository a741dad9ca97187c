//! Bytes into the reader of answers, whole and cut: the events are the same and the limits hold.
//!
//! The first byte of an input chooses the methods that were asked, the second where the rest is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::Method;
use proto::h1::HeaderSlots;
use proto::h1::client::{ResponseError, ResponseEvent, ResponseLimits, ResponseReader};

#[derive(PartialEq, Debug)]
enum Seen {
    Head(String),
    Body(Vec<u8>),
    End(String),
    Failed(ResponseError),
}

fuzz_target!(|input: &[u8]| {
    let [flags, cuts, bytes @ ..] = input else { return };
    let limits = ResponseLimits {
        status_line_bytes: 64,
        header_bytes: 256,
        header_count: 8,
        body_bytes: 1 << 20,
        trailer_bytes: 64,
        chunk_extension_bytes: 16,
        interim_count: 3,
    };
    let whole = drive(&limits, *flags, [bytes].into_iter());
    let size = usize::from(*cuts).max(1);
    let cut = drive(&limits, *flags, bytes.chunks(size));
    let failed = |seen: &[Seen]| matches!(seen.last(), Some(Seen::Failed(_)));
    assert_eq!(failed(&cut), failed(&whole));
    assert_eq!(cut, whole);
});

fn drive<'a>(limits: &ResponseLimits, flags: u8, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut reader = ResponseReader::new();
    for bit in 0..4 {
        let method = if flags >> bit & 1 == 1 { Method::Head } else { Method::Get };
        assert!(reader.request_sent(method));
    }
    let mut seen = Vec::new();
    for piece in pieces {
        feed(&mut reader, limits, piece, &mut seen);
    }
    let outstanding = reader.outstanding();
    assert!(outstanding <= 4);
    if let Ok(true) = reader.handle_eof() {
        assert_eq!(reader.outstanding(), outstanding - 1);
    }
    assert!(!reader.is_reusable());
    seen
}

fn feed(reader: &mut ResponseReader, limits: &ResponseLimits, piece: &[u8], seen: &mut Vec<Seen>) {
    let mut at = 0;
    for _ in 0..4 * piece.len() + 8 {
        let mut slots = HeaderSlots::new();
        let step = reader.handle_bytes(limits, &mut slots, &piece[at..]);
        at += step.consumed;
        assert!(at <= piece.len());
        match step.event {
            ResponseEvent::NeedMore => {
                assert_eq!(at, piece.len());
                return;
            }
            ResponseEvent::Interim(head) | ResponseEvent::Response(head) => {
                assert!(head.headers.len() <= limits.header_count);
                seen.push(Seen::Head(format!("{head:?}")));
            }
            ResponseEvent::Body(bytes) => {
                assert!(!bytes.is_empty());
                match seen.last_mut() {
                    Some(Seen::Body(all)) => all.extend_from_slice(bytes),
                    _ => seen.push(Seen::Body(bytes.to_vec())),
                }
            }
            ResponseEvent::End { trailers } => {
                seen.push(Seen::End(format!("{:?}", trailers.iter().collect::<Vec<_>>())));
            }
            ResponseEvent::Failed(error) => seen.push(Seen::Failed(error)),
        }
    }
    panic!("no progress");
}
