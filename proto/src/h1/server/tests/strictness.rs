//! One row for each rule: bytes and the refusal they meet, however they are cut.

use super::*;
use Refusal::*;

fn check(table: &[(&str, Option<Refusal>)]) {
    for (bytes, expected) in table {
        assert_eq!(refusal_of(&Limits::default(), bytes.as_bytes()), *expected, "{}", bytes.escape_debug());
    }
}

/// Each row is put between a request line and Host on one side and the end of the head on the other.
fn check_fields(method: &str, version: &str, table: &[(&str, Option<Refusal>)]) {
    for (fields, expected) in table {
        let bytes = format!("{method} / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(refusal_of(&Limits::default(), bytes.as_bytes()), *expected, "{}", bytes.escape_debug());
    }
}

#[test]
fn request_lines() {
    check(&[
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("PURGE / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("GET / HTTP/1.0\r\n\r\n", None),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", None),
        ("GET / HTTP/1.9\r\nHost: a\r\n\r\n", None),
        ("GET / HTTP/1.2\r\n\r\n", Some(HostMissing)),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BadRequestLine)),
        ("\tGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BadMethod)),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BadRequestLine)),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Some(BadRequestLine)),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Some(BadRequestLine)),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Some(BadMethod)),
        ("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", Some(Http09)),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BadMethod)),
        ("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BadMethod)),
        ("GET\r\nHost: a\r\n\r\n", Some(BadRequestLine)),
        ("GET / \r\nHost: a\r\n\r\n", Some(BadRequestLine)),
        ("GET /\r\n", Some(Http09)),
        ("GET a\r\n", Some(BadRequestLine)),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Http2Preface)),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Some(VersionNotSupported)),
        ("GET / HTTP/2\r\nHost: a\r\n\r\n", Some(VersionNotSupported)),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", Some(VersionNotSupported)),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", Some(BadVersion)),
        ("GET / HTTP/1.10\r\nHost: a\r\n\r\n", Some(BadVersion)),
        ("GET / HTTP/1\r\nHost: a\r\n\r\n", Some(BadVersion)),
        ("GET / HTTP/01.1\r\nHost: a\r\n\r\n", Some(BadVersion)),
        ("GET / HTTPS/1.1\r\nHost: a\r\n\r\n", Some(BadVersion)),
        ("GET / HTTP/1,1\r\nHost: a\r\n\r\n", Some(BadVersion)),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\n", Some(BareLf)), // a TLS record where plain text is spoken
    ]);
}

#[test]
fn targets() {
    let table = [
        ("GET", "/", None),
        ("GET", "/a/b?c=d&e=%20", None),
        ("GET", "/a?b?c", None),
        ("GET", "/a|b^c`{d}[e]", None),
        ("GET", "//a/b", None),
        ("GET", "/%zz", None), // the router decides about escapes
        ("GET", "/a#b", Some(BadTarget)),
        ("GET", "/a?b#c", Some(BadTarget)),
        ("GET", "/a\\b", Some(BadTarget)),
        ("GET", "/a\"b", Some(BadTarget)),
        ("GET", "/a<b>", Some(BadTarget)),
        ("GET", "/\u{e9}", Some(BadTarget)),
        ("GET", "/a\u{7f}", Some(BadTarget)),
        ("GET", "/a\0b", Some(BadTarget)),
        ("GET", "a/b", Some(BadTarget)),
        ("GET", "*", Some(BadTarget)),
        ("OPTIONS", "*", None),
        ("OPTIONS", "**", Some(BadTarget)),
        ("GET", "http://a/b", None),
        ("GET", "HTTPS://a", None),
        ("GET", "http://a:80?x", None),
        ("GET", "http://", Some(BadTarget)),
        ("GET", "http:///b", Some(BadTarget)),
        ("GET", "http://u@a/b", Some(BadTarget)),
        ("GET", "http://u:p@a/b", Some(BadTarget)),
        ("GET", "http://a:99999/", Some(BadTarget)),
        ("GET", "ftp://a/b", Some(BadTarget)),
        ("GET", "http:/a/b", Some(BadTarget)),
        ("GET", "http://a/b#c", Some(BadTarget)),
        ("CONNECT", "a:443", Some(ConnectMethod)),
        ("GET", "a:443", Some(BadTarget)),
    ];
    for (method, target, expected) in table {
        let bytes = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(refusal_of(&Limits::default(), bytes.as_bytes()), expected, "{method} {target}");
    }
}

#[test]
fn line_ends() {
    check(&[
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", Some(BareLf)),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", Some(BareLf)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", Some(BareLf)),
        ("GET / HTTP/1.1\r\nHost: a\n\n", Some(BareLf)),
        ("GET / HTTP/1.0\n\n", Some(BareLf)),
        ("GET / HTTP/1.0\n\r\n", Some(BareLf)),
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", Some(BareLf)),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", Some(BareCr)),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n", Some(BareCr)),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\r: b\r\n\r\n", Some(BareCr)),
        ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", Some(BareCr)),
        ("GET /\rHTTP/1.1\r\nHost: a\r\n\r\n", Some(BareCr)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", Some(BareCr)),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None),
        ("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(LeadingEmptyLines)),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BareLf)),
        ("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BareLf)),
        ("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BareCr)),
        ("\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Some(BareCr)),
    ]);
}

#[test]
fn field_lines() {
    check_fields(
        "GET",
        "1.1",
        &[
            ("X: y\r\n", None),
            ("X:y\r\n", None),
            ("X:\t y \t\r\n", None),
            ("X:\r\n", None),
            ("X: \r\n", None),
            ("X: a:b\tc\r\n", None),
            (": y\r\n", Some(HeaderNameEmpty)),
            ("X : y\r\n", Some(HeaderNameSpace)),
            ("X\t: y\r\n", Some(HeaderNameSpace)),
            ("X Y: y\r\n", Some(HeaderNameInvalid)),
            ("X(: y\r\n", Some(HeaderNameInvalid)),
            ("X\0: y\r\n", Some(HeaderNameInvalid)),
            ("\u{e9}: y\r\n", Some(HeaderNameInvalid)),
            ("X\r\n", Some(HeaderNoColon)),
            ("X: y\r\n z\r\n", Some(ObsFold)),
            ("X: y\r\n\tz\r\n", Some(ObsFold)),
            (" X: y\r\n", Some(ObsFold)),
            (" \r\n", Some(ObsFold)),
            ("X: a\0b\r\n", Some(HeaderValueInvalid)),
            ("X: a\u{1b}b\r\n", Some(HeaderValueInvalid)),
            ("X: a\u{7f}b\r\n", Some(HeaderValueInvalid)),
            ("X: abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\u{7f}\r\n", Some(HeaderValueInvalid)),
            ("X: \u{1}\r\n", Some(HeaderValueInvalid)),
            ("X: \u{e9}\r\n", None),
        ],
    );
    // The first header line, where a lenient parser skips white space.
    check(&[("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Some(ObsFold))]);
}

#[test]
fn hosts() {
    check(&[
        ("GET / HTTP/1.1\r\n\r\n", Some(HostMissing)),
        ("GET http://a/ HTTP/1.1\r\n\r\n", Some(HostMissing)),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nhOST: a:80\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Some(HostRepeated)),
        ("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", Some(HostRepeated)),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Some(HostRepeated)),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Some(HostInvalid)),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Some(HostInvalid)),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", Some(HostInvalid)),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Some(HostInvalid)),
        ("GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", Some(HostInvalid)),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", Some(HostInvalid)),
        ("GET / HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", Some(HostInvalid)),
        ("GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", Some(HostInvalid)),
        ("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", Some(HostInvalid)),
    ]);
}

#[test]
fn framing() {
    check_fields(
        "POST",
        "1.1",
        &[
            ("Content-Length: 0\r\n", None),
            ("Content-Length: 00\r\n", None),
            ("Content-Length:\r\n", Some(ContentLengthInvalid)),
            ("Content-Length: -1\r\n", Some(ContentLengthInvalid)),
            ("Content-Length: +1\r\n", Some(ContentLengthInvalid)),
            ("Content-Length: 1 2\r\n", Some(ContentLengthInvalid)),
            ("Content-Length: 0x1\r\n", Some(ContentLengthInvalid)),
            ("Content-Length: 1.0\r\n", Some(ContentLengthInvalid)),
            ("Content-Length: 18446744073709551616\r\n", Some(ContentLengthInvalid)),
            ("Content-Length: 18446744073709551615\r\n", Some(BodyBytes)),
            ("Content-Length: 1048577\r\n", Some(BodyBytes)),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", Some(ContentLengthRepeated)),
            ("Content-Length: 3\r\nContent-Length: 4\r\n", Some(ContentLengthRepeated)),
            ("Content-Length: 3, 3\r\n", Some(ContentLengthRepeated)),
            ("Content-Length: 3, 4\r\n", Some(ContentLengthRepeated)),
            ("Content-Length: 3, a\r\n", Some(ContentLengthInvalid)),
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", Some(LengthAndEncoding)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", Some(LengthAndEncoding)),
            ("Transfer-Encoding: gzip, chunked\r\n", Some(EncodingUnknown)),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Some(EncodingUnknown)),
            ("Transfer-Encoding: gzip\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: identity\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding:\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: chunked, gzip\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: chunked, chunked\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: xchunked\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: chunked;a=b\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: \"chunked\"\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: chun ked\r\n", Some(EncodingNotChunked)),
            ("Transfer-Encoding: CHUNKED\r\n", None),
        ],
    );
    check_fields("POST", "1.0", &[("Transfer-Encoding: chunked\r\n", Some(EncodingInHttp10))]);
    check_fields("TRACE", "1.1", &[("", None), ("Content-Length: 1\r\n", Some(TraceBody))]);
}

#[test]
fn expectations() {
    check_fields(
        "POST",
        "1.1",
        &[
            ("Expect: 100-continue\r\n", None),
            ("Expect: 100-Continue\r\nContent-Length: 0\r\n", None),
            ("Expect: 200-ok\r\n", Some(ExpectUnknown)),
            ("Expect: 100-continue, x\r\n", Some(ExpectUnknown)),
        ],
    );
}

#[test]
fn chunks() {
    let table = [
        ("0\r\n\r\n", None),
        ("000\r\n\r\n", None),
        ("3\r\nabc\r\n0\r\n\r\n", None),
        ("a\r\n0123456789\r\n0\r\n\r\n", None),
        ("A\r\n0123456789\r\n0\r\n\r\n", None),
        ("0000000000000003\r\nabc\r\n0\r\n\r\n", None),
        ("3;ext\r\nabc\r\n0;a=\"b c\"\r\n\r\n", None),
        ("3 ;ext\r\nabc\r\n0\t;x\r\n\r\n", None),
        ("00000000000000003\r\nabc\r\n0\r\n\r\n", Some(ChunkSizeTooLong)),
        ("ffffffffffffffff\r\n", Some(BodyBytes)),
        ("100001\r\n", Some(BodyBytes)),
        ("-1\r\n", Some(ChunkSizeInvalid)),
        ("+3\r\nabc\r\n", Some(ChunkSizeInvalid)),
        ("0x3\r\nabc\r\n", Some(ChunkSizeInvalid)),
        (" 3\r\nabc\r\n", Some(ChunkSizeInvalid)),
        ("3 \r\nabc\r\n", Some(ChunkSizeInvalid)),
        ("3 4\r\nabc\r\n", Some(ChunkSizeInvalid)),
        ("3_0\r\nabc\r\n", Some(ChunkSizeInvalid)),
        ("g\r\n", Some(ChunkSizeInvalid)),
        (";x\r\n", Some(ChunkSizeInvalid)),
        ("\r\n", Some(ChunkSizeInvalid)),
        ("3\nabc\r\n", Some(BareLf)),
        ("\n", Some(BareLf)),
        ("3\rabc\r\n", Some(BareCr)),
        ("3;x\nabc\r\n", Some(BareLf)),
        ("3;x\ry\nabc\r\n", Some(BareCr)),
        ("3;x\0\r\nabc\r\n", Some(ChunkExtensionInvalid)),
        ("3\r\nabcd\r\n", Some(ChunkEndMissing)),
        ("3\r\nabc0\r\n\r\n", Some(ChunkEndMissing)),
        ("3\r\nabc\n0\r\n\r\n", Some(ChunkEndMissing)),
        ("3\r\nabc\r0\r\n\r\n", Some(ChunkEndMissing)),
        ("0\r\nX-Sum: 1\r\n\r\n", None),
        ("0\r\nX-Sum: 1\r\nY: 2\r\n\r\n", None),
        ("0\r\nContent-Length: 1\r\n\r\n", Some(TrailerForbidden)),
        ("0\r\nhost: b\r\n\r\n", Some(TrailerForbidden)),
        ("0\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Some(TrailerForbidden)),
        ("0\r\nAuthorization: x\r\n\r\n", Some(TrailerForbidden)),
        ("0\r\nX : 1\r\n\r\n", Some(HeaderNameSpace)),
        ("0\r\nX: 1\r\n y\r\n\r\n", Some(ObsFold)),
        ("0\r\nX: 1\n\r\n", Some(BareLf)),
        ("0\r\n\n", Some(BareLf)),
        ("0\r\n\rx\n", Some(BareLf)),
        ("0\r\nX\r\n\r\n", Some(HeaderNoColon)),
    ];
    for (body, expected) in table {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_eq!(refusal_of(&Limits::default(), bytes.as_bytes()), expected, "{}", body.escape_debug());
    }
}

#[test]
fn limits_are_exact() {
    let limits = Limits {
        request_line_bytes: 20,
        header_bytes: 30,
        header_count: 2,
        body_bytes: 8,
        chunk_extension_bytes: 6,
        trailer_bytes: 12,
        ..Limits::default()
    };
    let chunked = |body: &str| format!("POST / HTTP/1.1\r\nTransfer-Encoding:chunked\r\nHost:\r\n\r\n{body}");
    let roomy = Limits { header_bytes: 1000, ..limits.clone() };
    let table: Vec<(&Limits, String, Option<Refusal>)> = vec![
        (&limits, "GET /aaaaaa HTTP/1.0\r\n\r\n".into(), None), // 20 bytes
        (&limits, "GET /aaaaaaa HTTP/1.0\r\n\r\n".into(), Some(RequestLineTooLong)),
        (&limits, "G".repeat(22), Some(RequestLineTooLong)),
        (&limits, "G".repeat(21), None),
        (&limits, format!("GET / HTTP/1.0\r\nX:{}\r\n\r\n", "y".repeat(24)), None), // 2 + 24 + 2 + 2
        (&limits, format!("GET / HTTP/1.0\r\nX:{}\r\n\r\n", "y".repeat(25)), Some(HeaderBytes)),
        (&limits, format!("GET / HTTP/1.0\r\nX:{}", "y".repeat(40)), Some(HeaderBytes)),
        (&limits, "GET / HTTP/1.0\r\nA:\r\nB:\r\n\r\n".into(), None),
        (&limits, "GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\n\r\n".into(), Some(HeaderCount)),
        (&limits, "POST / HTTP/1.0\r\nContent-Length:8\r\n\r\n12345678".into(), None),
        (&limits, "POST / HTTP/1.0\r\nContent-Length:9\r\n\r\n".into(), Some(BodyBytes)),
        (&roomy, chunked("4\r\n1234\r\n4\r\n1234\r\n0\r\n\r\n"), None),
        (&roomy, chunked("4\r\n1234\r\n5\r\n12345\r\n0\r\n\r\n"), Some(BodyBytes)),
        (&roomy, chunked("1;12\r\nx\r\n0;12\r\n\r\n"), None),
        (&roomy, chunked("1;12\r\nx\r\n0;123\r\n\r\n"), Some(ChunkExtensionBytes)),
        (&roomy, chunked("0\r\nA: 12345\r\n\r\n"), None), // 10 + 2
        (&roomy, chunked("0\r\nA: 123456\r\n\r\n"), Some(TrailerBytes)),
        (&roomy, chunked("0\r\nA:\r\nB:\r\n\r\n"), None),
    ];
    for (limits, bytes, expected) in table {
        assert_eq!(refusal_of(limits, bytes.as_bytes()), expected, "{}", bytes.escape_debug());
    }
}

#[test]
fn the_most_header_fields() {
    let limits = Limits { header_count: 1000, ..Limits::default() };
    let head = |count| format!("GET / HTTP/1.0\r\n{}\r\n", "A:\r\n".repeat(count));
    assert_eq!(refusal_of(&limits, head(Limits::MAX_HEADER_COUNT).as_bytes()), None);
    assert_eq!(refusal_of(&limits, head(Limits::MAX_HEADER_COUNT + 1).as_bytes()), Some(HeaderCount));
}

#[test]
fn names_and_statuses_of_refusals() {
    let mut names = std::collections::HashSet::new();
    for refusal in Refusal::ALL {
        assert!(names.insert(refusal.name()), "{}", refusal.name());
        assert!(refusal.name().starts_with("refuse_"));
        assert!(!refusal.status().reason().is_empty());
        assert!((400..600).contains(&refusal.status().code()));
    }
}
