use super::{Method, split_authority};

#[test]
fn methods_round_trip_and_have_bits_of_their_own() {
    let mut seen = 0;
    for &method in Method::NAMED {
        assert_eq!(Method::from_bytes(method.as_str().as_bytes()), method);
        assert_eq!(Method::from_bytes(method.as_str().to_ascii_lowercase().as_bytes()), Method::Extension);
        assert_eq!(seen & method.bit(), 0);
        seen |= method.bit();
    }
    assert_eq!(seen & Method::Extension.bit(), 0);
    assert_eq!(Method::from_bytes(b"PURGE"), Method::Extension);
}

#[test]
fn authorities_are_split() {
    let table = [
        ("a", ("a", None)),
        ("a:80", ("a", Some("80"))),
        ("a:", ("a", None)),
        ("[::1]", ("[::1]", None)),
        ("[::1]:8080", ("[::1]", Some("8080"))),
        ("10.0.0.1:1", ("10.0.0.1", Some("1"))),
        ("", ("", None)),
    ];
    for (authority, expected) in table {
        assert_eq!(split_authority(authority), expected);
    }
}
