//! Where the peer's segments end changes nothing.

use proptest::prelude::*;

use super::*;

const PIPELINE: &[u8] = b"\r\nGET /1?q HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\nPOST /2 HTTP/1.1\r\nHost: b:1\r\nContent-Length: 7\r\n\r\n\
    \r\nGET /POST /3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: c\r\n\r\n4;x=\"y\"\r\nwiki\r\nA\r\n0123456789\r\n0\r\n\
    X-Sum: 1\r\nY:2\r\n\r\nGET /4 HTTP/1.7\r\nHost: d\r\n\r\nHEAD http://e/5 HTTP/1.1\r\nHost: f\r\nConnection: close\r\n\r\n";

#[test]
fn a_pipeline_cut_at_every_byte() {
    let limits = Limits::default();
    for answers in [Answers::AtEnd, Answers::AtHead] {
        let whole = drive_with(&limits, answers, &[PIPELINE]);
        assert_eq!(whole.iter().filter(|seen| matches!(seen, Seen::Request { .. })).count(), 5);
        for first in 0..=PIPELINE.len() {
            for second in (first..=PIPELINE.len()).step_by(7) {
                let pieces = [&PIPELINE[..first], &PIPELINE[first..second], &PIPELINE[second..]];
                assert_eq!(drive_with(&limits, answers, &pieces), whole, "{first} {second}");
            }
        }
        let single: Vec<&[u8]> = PIPELINE.chunks(1).collect();
        assert_eq!(drive_with(&limits, answers, &single), whole);
    }
}

/// Fragments that make requests, and requests that are nearly right.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let texts: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\n",
        b"POST /a HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\n",
        b"Host: a\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"X: y\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"0\r\nX: y\r\n\r\n",
        b"1;e\r\nx\r\n",
        b"\n",
        b"\r",
        b" ",
        b":",
        b"\0",
        b"GET",
        b" HTTP/1.1",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    prop_oneof![
        8 => prop::sample::select(texts).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

fn cut(bytes: &[u8], mut cuts: Vec<usize>) -> Vec<&[u8]> {
    cuts.iter_mut().for_each(|cut| *cut %= bytes.len() + 1);
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts {
        pieces.push(&bytes[from..cut]);
        from = cut;
    }
    pieces.push(&bytes[from..]);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn random_bytes_cut_at_random(
        fragments in prop::collection::vec(fragment(), 1..12),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        at_head: bool,
    ) {
        let bytes = fragments.concat();
        let limits = Limits { body_bytes: 64, drain_bytes: 8, header_bytes: 96, request_line_bytes: 24, header_count: 5, ..Limits::default() };
        let answers = if at_head { Answers::AtHead } else { Answers::AtEnd };
        let whole = drive_with(&limits, answers, &[&bytes]);
        prop_assert_eq!(drive_with(&limits, answers, &cut(&bytes, cuts)), whole);
    }
}
