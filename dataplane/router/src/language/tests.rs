use std::fmt::Write as _;

use config::{Position, RouteText, Text};
use proptest::prelude::*;

use super::*;
use crate::{ActionSpec, HeaderLine, Method, MethodSet, Place, StaticKind, Template, TemplatePart, Upstream};

fn route(line: &str) -> Route {
    parse_line(line).unwrap_or_else(|fault| panic!("{line}\n{fault}"))
}

fn methods(methods: &[Method]) -> MethodSet {
    methods.iter().copied().collect()
}

/// The six lines that always work as written, each with what it means.
#[test]
fn the_oath() {
    let any = MethodSet::EMPTY;
    let app = ActionSpec::Static { root: "/dist/".to_owned(), kind: StaticKind::SinglePage };
    let auth = Upstream::Http { tls: false, authority: "auth".to_owned() };
    let ping = Template { parts: vec![TemplatePart::Literal("/ping".to_owned())] };
    let status = |code| Status::new(code).expect("a status");
    let fixed = |code, body: Option<&str>| ActionSpec::Fixed {
        status: status(code),
        headers: Vec::new(),
        body: body.map(str::to_owned),
    };
    let echo = |code| ActionSpec::Echo { status: status(code), headers: Vec::new() };
    let rude = methods(&[Method::Get, Method::Post, Method::Patch]);
    for (key, value, expected_methods, path, action) in [
        (r#""/""#, r#""/dist/""#, any, "/", app),
        (r#""/ping""#, r#""http://auth/ping""#, any, "/ping", ActionSpec::Proxy { upstream: auth, path: Some(ping) }),
        (
            "GET POST PATCH /api/mock/rude",
            r#"FORBIDDEN {"msg":"GO PATCH UR MUM!"}"#,
            rude,
            "/api/mock/rude",
            fixed(403, Some(r#"{"msg":"GO PATCH UR MUM!"}"#)),
        ),
        ("GET /fastest/ever/ok", "OK", methods(&[Method::Get]), "/fastest/ever/ok", fixed(200, None)),
        ("/a/b/c", "*", any, "/a/b/c", echo(200)),
        ("/a/b/c-forbidden", "FORBIDDEN *", any, "/a/b/c-forbidden", echo(403)),
    ] {
        let unquoted = |text: &str| Text::plain(text.trim_matches('"'));
        let as_line = parse_line(&format!("{key}: {value}")).expect("a route");
        let as_pair = parse(&RouteText::Pair { key: unquoted(key), value: unquoted(value) }).expect("a route");
        let as_quoted_pair =
            parse(&RouteText::Pair { key: Text::plain(key), value: Text::plain(value) }).expect("a route");
        for route in [as_line, as_pair, as_quoted_pair] {
            assert_eq!(
                (route.methods, route.pattern.to_string().as_str(), &route.action),
                (expected_methods, path, &action)
            );
        }
    }
}

#[test]
fn lines_and_their_canonical_form() {
    for (line, canonical) in [
        ("/: OK", "/: OK"),
        ("  GET   POST\t/a  :  OK  ", "GET POST /a: OK"),
        ("POST GET /a: OK", "GET POST /a: OK"),
        ("/a: 200", "/a: OK"),
        ("/a: 299 odd", "/a: 299 odd"),
        ("/a: 404 no such thing", "/a: NOT_FOUND no such thing"),
        ("/a: 413", "/a: CONTENT_TOO_LARGE"),
        ("/a: PAYLOAD_TOO_LARGE", "/a: CONTENT_TOO_LARGE"),
        ("/a: OK [1,2,3]", "/a: OK [1,2,3]"),
        ("/a: OK [\"x: y\"]", "/a: OK [\"x: y\"]"),
        ("/a: OK [Cache-Control: no-store] body", "/a: OK [Cache-Control: no-store] body"),
        ("/a: OK [A:b][C:  d ]", "/a: OK [A: b] [C: d]"),
        ("/a: OK [ETag: \"x\\]\\\\\"]", "/a: OK [ETag: \"x\\]\\\\\"]"),
        ("/a: OK *", "/a: *"),
        ("/a: OK [X: y] *", "/a: OK [X: y] *"),
        ("/a: OK https://not.a/redirect", "/a: OK https://not.a/redirect"),
        ("/a: 301 /b", "/a: MOVED_PERMANENTLY /b"),
        ("/a: -> /b", "/a: FOUND /b"),
        ("/a: -> [X: y] /b", "/a: FOUND [X: y] /b"),
        (
            "/a: 308 [Cache-Control: no-store] https://h:8443?x",
            "/a: PERMANENT_REDIRECT [Cache-Control: no-store] https://h:8443?x",
        ),
        ("/u/:id/*rest: 302 /v/:id.html/*rest?*", "/u/:id/*rest: FOUND /v/:id.html/*rest?*"),
        ("/u/:id: 302 /v?id=:id&x=é", "/u/:id: FOUND /v?id=:id&x=%C3%A9"),
        ("/old/*: 301 /new/*", "/old/*: MOVED_PERMANENTLY /new/*"),
        ("/%61/%7e/a%2fb/é/", "/a/~/a%2Fb/%C3%A9/: OK"),
        ("/x: ./public/", "/x: ./public/"),
        ("/x: dist/", "/x: dist/"),
        ("/x: ../up/file.txt", "/x: ../up/file.txt"),
        ("/x: /srv/my files/", "/x: /srv/my files/"),
        ("/x: https://[::1]:8443", "/x: https://[::1]:8443"),
        ("/x/:a: http://up:81/y/:a?q=:a", "/x/:a: http://up:81/y/:a?q=:a"),
        ("/x: unix:/run/app.sock", "/x: unix:/run/app.sock"),
        ("/x: unix:///run/app.sock:/y", "/x: unix:/run/app.sock:/y"),
        ("'/a': 'OK it''s'", "/a: OK it's"),
        (r#""GET /a" : "OK {\"a\":\"\\n\"}""#, r#"GET /a: OK {"a":"\n"}"#),
        (r#"/a: "OK two\nlines""#, r#"/a: "OK two\nlines""#),
        (r#"/a: " \n OK \u0041 ""#, "/a: OK A"),
        ("PURGE PROPFIND VERSION-CONTROL /a: OK", "PURGE PROPFIND VERSION-CONTROL /a: OK"),
        ("/a:b: OK", "/a:b: OK"),
        ("/:id: OK", "/:id: OK"),
        ("/:id/x:y: OK 1: 2", "/:id/x:y: OK 1: 2"),
    ] {
        let line = if line.contains(": ") || line.contains("' :") { line.to_owned() } else { format!("{line}: OK") };
        let parsed = route(&line);
        assert_eq!(parsed.to_string(), canonical, "{line}");
        assert_eq!(route(canonical), parsed, "{line}");
    }
}

#[test]
fn parts_of_a_target_know_where_they_are_put() {
    let ActionSpec::Redirect { target, .. } = route("/:a/*b: 301 https://h/x/:a/*b?q=:a#f=*b").action else {
        panic!("a redirect")
    };
    let param = |name: &str, place, rest| TemplatePart::Param { name: name.to_owned(), place, rest };
    let text = |text: &str| TemplatePart::Literal(text.to_owned());
    assert_eq!(
        target.parts,
        [
            text("https://h/x/"),
            param("a", Place::Path, false),
            text("/"),
            param("b", Place::Path, true),
            text("?q="),
            param("a", Place::Query, false),
            text("#f="),
            param("b", Place::Query, true),
        ]
    );
}

#[test]
fn a_multi_line_value_keeps_its_lines() {
    let value = Text::new("OK one\ntwo\n", Position::new("r.yaml", 3, 5), "  OK one");
    let route = parse(&RouteText::Pair { key: Text::plain("/a"), value }).expect("a route");
    assert!(matches!(route.action, ActionSpec::Fixed { body: Some(body), .. } if body == "one\ntwo"));
}

/// Every error of the language, as an operator sees it. `UPDATE_SNAPSHOTS=1` writes the file anew.
#[test]
fn errors_mark_the_token_and_say_what_to_write() {
    let lines = include_str!("tests/errors.routes");
    let mut seen = String::new();
    for line in lines.lines() {
        match parse_line(line) {
            Ok(route) => panic!("`{line}` is accepted: {route}"),
            Err(fault) => writeln!(seen, "{fault}\n").expect("a string"),
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/language/tests/errors.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(file, &seen).expect("the snapshot is written");
    }
    let expected = std::fs::read_to_string(file).expect("the snapshot is there");
    for (seen, expected) in seen.lines().zip(expected.lines()) {
        assert_eq!(seen, expected);
    }
    assert_eq!(seen.len(), expected.len());
}

#[test]
fn a_marker_behind_escapes_is_exact() {
    let line = r#"/é: "OK [X: \u0041\"] [Date: x]""#;
    let fault = parse_line(line).expect_err("a reserved field");
    let column = line.chars().position(|c| c == 'D').expect("a D") as u32 + 1;
    assert_eq!((fault.at.column, fault.length), (column, 4));
}

/// Any rule that the language can express.
fn any_route() -> impl Strategy<Value = Route> {
    (any_methods(), any_path(), any_action()).prop_filter_map("a rule", |(methods, path, action)| {
        let named: String = methods.iter().map(|method: &Method| format!("{method} ")).collect();
        let mut fill = String::new();
        for parameter in ["/:id", "/*rest", "/*"] {
            if path.ends_with(parameter) || path.contains(&format!("{parameter}/")) {
                fill.push_str(parameter);
            }
        }
        parse_line(&format!("{named}{path}: {}", action.replace("FILL", &fill))).ok()
    })
}

fn any_methods() -> impl Strategy<Value = Vec<Method>> {
    proptest::sample::subsequence(Method::NAMED.to_vec(), 0..4)
}

fn any_path() -> impl Strategy<Value = String> {
    let segments = proptest::collection::vec(
        prop_oneof![3 => "[a-z0-9.:;=@~-]{1,6}".boxed(), 1 => "%2[a-f1-5]\u{e9}?".boxed()],
        0..4,
    );
    let ends = proptest::sample::select(vec!["", "/", "/:id", "/:id/*rest", "/*", "/*rest"]);
    (segments, ends).prop_map(|(segments, end)| format!("/{}{end}", segments.join("/")).replace("//", "/"))
}

fn any_action() -> impl Strategy<Value = String> {
    let status = proptest::sample::select(vec!["OK", "404", "NO_CONTENT", "299", "FORBIDDEN", "503"]);
    let redirect = proptest::sample::select(vec!["301", "FOUND", "->", "308"]);
    let headers = proptest::sample::select(vec!["", " [A: b]", " [ETag: \"\\]\\\\\"] [B-c:]"]);
    let body = prop_oneof![Just("*".to_owned()), "[ -~\u{e9}]{0,20}", Just("{\"a\": [1, \"]\"]}".to_owned())];
    prop_oneof![
        (status, headers, body).prop_map(|(status, headers, body)| format!("{status}{headers} {body}")),
        (redirect, "[a-z/\u{e9}?=&.-]{0,12}").prop_map(|(status, tail)| format!("{status} /xFILL/{tail}")),
        "[a-z ./-]{1,10}".prop_map(|path| format!("./{path}")),
        ("[a-z]{1,5}", 1u16.., "[a-z/]{0,6}")
            .prop_map(|(host, port, tail)| format!("https://{host}:{port}FILL/{tail}")),
        "[a-z/]{1,9}".prop_map(|path| format!("unix:/{path}:/x")),
    ]
}

proptest! {
    #[test]
    fn a_printed_rule_parses_to_itself(route in any_route()) {
        let printed = route.to_string();
        let again = parse_line(&printed).map_err(|fault| TestCaseError::fail(format!("{printed}\n{fault}")))?;
        prop_assert_eq!(again, route);
    }

    #[test]
    fn no_text_makes_the_parser_panic(line in "\\PC{0,40}", key in "[GE T/:*a%\"'{\\\\]{0,12}", value in "[OK 301/:*\\[\\]\\\\\"'a?%#{é\n]{0,16}") {
        for route in [
            RouteText::Line(Text::plain(&line)),
            RouteText::Line(Text::plain(&format!("{key}: {value}"))),
            RouteText::Pair { key: Text::plain(&key), value: Text::plain(&value) },
        ] {
            match parse(&route) {
                Ok(route) => prop_assert_eq!(parse_line(&route.to_string()).expect("a printed rule"), route),
                Err(fault) => prop_assert!(!fault.reason.is_empty()),
            }
        }
    }
}

#[test]
fn header_lines_are_kept_as_written() {
    let ActionSpec::Fixed { headers, .. } = route("/a: OK [X-A: 1; q=\"b\"] [x-b:]").action else { panic!("fixed") };
    let line = |name: &str, value: &str| HeaderLine { name: name.to_owned(), value: value.to_owned() };
    assert_eq!(headers, [line("X-A", "1; q=\"b\""), line("x-b", "")]);
}
