use proptest::prelude::*;

use super::*;

fn normal(path: &str) -> Result<String, PathRefusal> {
    let mut out = String::new();
    normalize(path, &mut out).map(|()| out)
}

#[test]
fn equivalent_paths_are_one_text() {
    for (path, expected) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/%61/%7E%2d", "/a/~-"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%20b%c3%a9", "/a%20b%C3%A9"),
        ("/caf\u{e9}|x", "/caf%C3%A9%7Cx"),
        ("//a///b//", "/a/b/"),
        ("/a/./b/../c", "/a/c"),
        ("/a/b/.", "/a/b/"),
        ("/a/b/..", "/a/"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("/%2e%2E/x", "/x"),
        ("/a/%2e", "/a/"),
        ("/..", "/"),
        ("/a/..", "/"),
        ("/a/../..", "/"),
        ("/.well-known/acme", "/.well-known/acme"),
        ("/...", "/..."),
        ("/a/..b", "/a/..b"),
        ("/%252e%252e/", "/%252e%252e/"),
        ("/a\\..\\b", "/a%5C..%5Cb"),
        ("/a//../b", "/b"),
        ("/a;v=1/b:c@d", "/a;v=1/b:c@d"),
    ] {
        assert_eq!(normal(path).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn broken_and_dangerous_paths_are_refused_by_name() {
    for (path, expected) in [
        ("", PathRefusal::NotAbsolute),
        ("a", PathRefusal::NotAbsolute),
        ("*", PathRefusal::NotAbsolute),
        ("http://a/", PathRefusal::NotAbsolute),
        ("/%", PathRefusal::BadEscape),
        ("/%4", PathRefusal::BadEscape),
        ("/%4/1", PathRefusal::BadEscape),
        ("/%gg", PathRefusal::BadEscape),
        ("/a%00b", PathRefusal::NulByte),
        ("/a b", PathRefusal::ControlByte),
        ("/a\tb", PathRefusal::ControlByte),
        ("/a\x7f", PathRefusal::ControlByte),
        ("/a?b", PathRefusal::NotAPath),
        ("/a#b", PathRefusal::NotAPath),
    ] {
        assert_eq!(normal(path), Err(expected), "{path:?}");
    }
    assert_eq!(normal(&"/a".repeat(MAX_PATH_BYTES)), Err(PathRefusal::TooLong));
    assert_eq!(normal(&format!("/{}", "|".repeat(MAX_PATH_BYTES / 2))), Err(PathRefusal::TooLong));
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(path in "/[a-c./%2eE|\u{e9}0-9]{0,30}") {
        if let Ok(once) = normal(&path) {
            prop_assert_eq!(normal(&once), Ok(once.clone()));
            prop_assert!(!once.contains("//"));
            prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."));
            prop_assert!(once.is_ascii());
        }
    }

    #[test]
    fn the_fast_check_never_lies(path in "/?[a-c./%?# 2e]{0,12}") {
        if is_plainly_normal(&path) {
            prop_assert_eq!(normal(&path), Ok(path));
        }
    }
}
