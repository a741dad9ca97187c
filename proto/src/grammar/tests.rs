use super::*;

#[test]
fn authorities() {
    let good = [
        "a",
        "localhost:8080",
        "a.b-c_d~e",
        "10.0.0.1:1",
        "a:",
        "a:0",
        "a:65535",
        "[::1]",
        "[::1]:80",
        "[1:2:3:4:5:6:7:8]:",
        "a%20b",
        "%41:1",
        "!$&'()*+,;=",
        "[::ffff:1.2.3.4]",
    ];
    for text in good {
        assert!(is_authority(text.as_bytes()), "{text}");
    }
    let bad = [
        "",
        ":80",
        "a:65536",
        "a:000001",
        "a:8o",
        "a:-1",
        "a:80:80",
        "u@a",
        "a/b",
        "a?b",
        "a#b",
        "a b",
        "a\\b",
        "a\"",
        "<a>",
        "[::1",
        "::1",
        "[::1]80",
        "[::g]",
        "[]",
        "[fe80::1%eth0]",
        "[v1.a]",
        "a%2",
        "a%",
        "a%zz",
        "%4",
        "\u{e9}",
        "a\0",
        "a[::1]",
    ];
    for text in bad {
        assert!(!is_authority(text.as_bytes()), "{text}");
    }
}

#[test]
fn lists_and_white_space() {
    assert_eq!(trim(b" \t a b \t"), b"a b");
    assert_eq!(trim(b" \t"), b"");
    assert_eq!(list(b"a, b ,,c\t,").collect::<Vec<_>>(), [&b"a"[..], b"b", b"c"]);
    assert_eq!(list(b" , ").count(), 0);
}

#[test]
fn tokens_and_values() {
    assert!(is_token(b"X-Custom_Name.1!"));
    for text in [&b""[..], b"a b", b"a:", b"a(", b"\xc3\xa9", b"a\r"] {
        assert!(!is_token(text));
    }
    assert!(is_field_value(b"a\tb \xff~"));
    for text in [&b"a\r\nb"[..], b"\n", b"\0", b"\x7f", b"\x1b"] {
        assert!(!is_field_value(text));
    }
}
