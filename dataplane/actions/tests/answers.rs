//! Answers as they go onto the wire.

mod common;

use actions::Reason;
use common::{Server, head_of};

#[test]
fn fixed_answers_have_the_type_of_their_content() {
    let mut server = Server::new(&[
        "GET POST PATCH /api/mock/rude: FORBIDDEN {\"msg\":\"GO PATCH UR MUM!\"}",
        "GET /fastest/ever/ok: OK",
        "/array: OK [1,2]",
        "/almost: OK {\"a\":",
        "/number: OK 42",
        "/page: OK <!DOCTYPE html><p>x",
        "/tag: 404 <b>none</b>",
        "/less: OK <3",
        "/own: OK [Content-Type: text/csv] [cache-control: max-age=5] a,b",
        "/gone: NO_CONTENT",
        "/reset: RESET_CONTENT",
        "/odd: 299 odd",
        "/named: OK [Server: mine]",
    ]);
    for (path, expected) in [
        (
            "/api/mock/rude",
            "HTTP/1.1 403 Forbidden\r\nDate: DATE\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n{\"msg\":\"GO PATCH UR MUM!\"}",
        ),
        ("/fastest/ever/ok", "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 0\r\n\r\n"),
        ("/array", "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n[1,2]"),
        (
            "/almost",
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n{\"a\":",
        ),
        (
            "/number",
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\n42",
        ),
        (
            "/page",
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 19\r\n\r\n<!DOCTYPE html><p>x",
        ),
        (
            "/tag",
            "HTTP/1.1 404 Not Found\r\nDate: DATE\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 11\r\n\r\n<b>none</b>",
        ),
        (
            "/less",
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\n<3",
        ),
        (
            "/own",
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/csv\r\nContent-Length: 3\r\ncache-control: max-age=5\r\n\r\na,b",
        ),
        ("/gone", "HTTP/1.1 204 No Content\r\nDate: DATE\r\n\r\n"),
        ("/reset", "HTTP/1.1 205 Reset Content\r\nDate: DATE\r\nContent-Length: 0\r\n\r\n"),
        (
            "/odd",
            "HTTP/1.1 299 \r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nodd",
        ),
        ("/named", "HTTP/1.1 200 OK\r\nDate: DATE\r\nServer: mine\r\nContent-Length: 0\r\n\r\n"),
    ] {
        assert_eq!(server.get(path), expected, "{path}");
    }
}

#[test]
fn every_variant_frames_itself() {
    let mut server = Server::new(&["/a: OK body"]);
    let with = |extra: &str, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n{extra}\r\n{body}"
        )
    };
    for (method, version, keep_alive, expected) in [
        ("GET", "HTTP/1.1", true, with("", "body")),
        ("GET", "HTTP/1.1", false, with("Connection: close\r\n", "body")),
        ("GET", "HTTP/1.0", true, with("Connection: keep-alive\r\n", "body")),
        ("GET", "HTTP/1.0", false, with("Connection: close\r\n", "body")),
        ("HEAD", "HTTP/1.1", true, with("", "")),
        ("HEAD", "HTTP/1.0", false, with("Connection: close\r\n", "")),
    ] {
        let request = format!("{method} /a {version}\r\nHost: h\r\n\r\n");
        assert_eq!(server.answer(&request, "", keep_alive), expected, "{method} {version} {keep_alive}");
    }
}

#[test]
fn the_date_is_renewed_each_second_and_old_answers_stay_as_they_are() {
    let mut server = Server::new(&["/a: OK body"]);
    server.second = 784_111_777;
    let first = server.raw("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head_of(&first).contains("Date: Sun, 06 Nov 1994 08:49:37 GMT"));
    let same = server.raw("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(first.as_ptr(), same.as_ptr(), "one piece of memory for a second");
    server.second += 1;
    // `first` and `same` are still being sent.
    let later = server.raw("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head_of(&later).contains("08:49:38") && head_of(&first).contains("08:49:37"));
    let place = later.as_ptr();
    drop(later);
    server.second += 1;
    let renewed = server.raw("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(head_of(&renewed).contains("08:49:39") && renewed.ends_with(b"body"));
    assert_eq!(renewed.as_ptr(), place, "nobody held it: the date was written in place");
}

#[test]
fn refusals_are_short_and_say_why() {
    let mut server = Server::new(&["POST /a: OK", "/s: ./dist/", "/p: http://up", "PUT /a: OK"]);
    for (request, expected) in [
        (
            "GET /none",
            "HTTP/1.1 404 Not Found\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 40\r\n\r\nnot found: no rule matches this path\n",
        ),
        (
            "GET /a",
            "HTTP/1.1 405 Method Not Allowed\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 61\r\nAllow: POST, PUT, OPTIONS\r\n\r\nmethod not allowed: see the Allow field for those that are\n",
        ),
        ("OPTIONS /a", "HTTP/1.1 204 No Content\r\nDate: DATE\r\nAllow: POST, PUT, OPTIONS\r\n\r\n"),
        (
            "GET /s/x",
            "HTTP/1.1 501 Not Implemented\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 60\r\n\r\nstatic_not_served: this server does not serve files yet\n",
        ),
        (
            "GET /p",
            "HTTP/1.1 501 Not Implemented\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 52\r\n\r\nproxy_not_served: this server does not proxy yet\n",
        ),
        (
            "GET /%00",
            "HTTP/1.1 400 Bad Request\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 36\r\n\r\nbad request: the path holds %00\n",
        ),
    ] {
        // Twice: made, and found again.
        for _ in 0..2 {
            let answer = server.answer(&format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"), "", true);
            let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
            let expected = expected.split_once("\r\n\r\n").expect("a head");
            let length = format!("Content-Length: {}", body.len());
            assert_eq!(body, expected.1, "{request}");
            assert!(body.is_empty() || head.contains(&length), "{head}");
            let without_length = |head: &str| {
                head.lines().filter(|line| !line.starts_with("Content-Length")).collect::<Vec<_>>().join("\n")
            };
            assert_eq!(without_length(head), without_length(expected.0), "{request}");
        }
    }
}

#[test]
fn many_different_allow_answers_are_bounded_and_right() {
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY", "PURGE"];
    let lines: Vec<String> = (1..1u32 << methods.len())
        .map(|bits| {
            let named: Vec<&str> =
                methods.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, method)| *method).collect();
            format!("{} /m{bits}: OK", named.join(" "))
        })
        .collect();
    let mut server = Server::new(&lines);
    for _ in 0..2 {
        for bits in 1..1u32 << methods.len() {
            let answer = server.answer(&format!("TRACE /m{bits} HTTP/1.1\r\nHost: h\r\n\r\n"), "", true);
            let allow = answer.lines().find_map(|line| line.strip_prefix("Allow: ")).expect("Allow");
            let named = methods.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
            let missing: Vec<_> = named.filter(|(_, method)| !allow.split(", ").any(|own| own == **method)).collect();
            assert!(missing.is_empty(), "{allow} for {bits:b}");
        }
    }
}

#[test]
fn messages_that_could_not_be_understood_get_their_answer() {
    let mut server = Server::new(&["/a: OK"]);
    for refusal in proto::Refusal::ALL {
        let stamp = server.stamp();
        let answer = server.answers.refuse_message(*refusal, &stamp);
        let answer = server.text(answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {}", refusal.status().code())), "{answer}");
        assert!(
            answer.contains("Connection: close\r\n") && answer.ends_with(&format!("{}\n", refusal.help())),
            "{answer}"
        );
    }
    let names: std::collections::HashSet<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
}

#[test]
fn redirects_fill_in_what_the_path_has() {
    let mut server = Server::new(&[
        "/here: 301 https://example.org/there",
        "/there: -> [Cache-Control: no-store] /here",
        "/u/:id/*rest: 308 /v2/:id/*rest?*",
        "/q/:id: 302 https://h/s?q=:id#f",
        "/all/*rest: 302 /*rest",
        "/mid/*rest: 302 /*rest/x",
        "/bare/*: 302 https://h/*",
    ]);
    for (target, location) in [
        ("/here", "https://example.org/there"),
        ("/there", "/here"),
        ("/u/7/a/b?x=1&y=%20", "/v2/7/a/b?x=1&y=%20"),
        ("/u/7/", "/v2/7/"),
        ("/u/a%20b/%0d%0aSet-Cookie:x?a\"b", "/v2/a%20b/%0D%0ASet-Cookie:x?a%22b"),
        ("/q/a&b=c;d", "https://h/s?q=a%26b%3Dc%3Bd#f"),
        ("/q/%26", "https://h/s?q=%26#f"),
        // None of these may leave the site: no `//host`, no `/\host`.
        ("/all//evil.example", "/evil.example"),
        ("/all/%2F%2Fevil.example", "/%2F%2Fevil.example"),
        ("/all/\\evil.example", "/%5Cevil.example"),
        ("/all/..//evil.example", ""),
        ("/all/", "/"),
        ("/mid/", "/x"),
        ("/mid/evil.example", "/evil.example/x"),
        ("/bare/@evil.example", "https://h/@evil.example"),
    ] {
        let answer = server.get(target);
        let found = answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default();
        assert_eq!(found, location, "{target}");
        assert!(location.is_empty() || answer.contains("\r\nContent-Length: 0\r\n"), "{answer}");
    }
    assert!(server.get("/there").contains("Cache-Control: no-store\r\n"));
}
