//! Which rule is found, by examples.

mod common;

use common::{ask, compile, group, router};

/// Asserts what each request, `METHOD path`, comes to.
fn expect(router: &router::Router, host: Option<&str>, table: &[(&str, &str, &[&str])]) {
    for (request, outcome, values) in table {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let found = ask(router, method, host, path);
        assert_eq!(
            (found.0.as_str(), found.1.iter().map(String::as_str).collect::<Vec<_>>()),
            (*outcome, values.to_vec()),
            "{request}"
        );
    }
}

#[test]
fn literals_come_before_parameters_before_the_rest() {
    let router = router(&[
        "/*rest: 200 rest",
        "/a/:x: 200 param",
        "/a/b: 200 literal",
        "/a/:x/c: 200 deep",
        "/a/b/*r: 200 below",
    ]);
    expect(
        &router,
        None,
        &[
            ("GET /a/b", "/a/b: OK literal", &[]),
            ("GET /a/z", "/a/:x: OK param", &["z"]),
            ("GET /a/z/c", "/a/:x/c: OK deep", &["z"]),
            ("GET /a/b/c", "/a/b/*r: OK below", &["c"]),
            ("GET /a/b/", "/a/b/*r: OK below", &[""]),
            ("GET /a/z/d", "/*rest: OK rest", &["a/z/d"]),
            ("GET /a/", "/*rest: OK rest", &["a/"]),
            ("GET /", "/*rest: OK rest", &[""]),
            ("GET //a//b", "/a/b: OK literal", &[]),
            ("GET /x/../a/%62", "/a/b: OK literal", &[]),
            ("GET /a/%2fb", "/a/:x: OK param", &["%2Fb"]),
            ("GET /a/\u{e9}", "/a/:x: OK param", &["%C3%A9"]),
        ],
    );
}

#[test]
fn the_lookup_comes_back_from_a_branch_that_does_not_take_the_request() {
    let router = router(&[
        "GET /a/b/c: 200 one",
        "POST /a/:x/c: 200 two",
        "DELETE /*rest: 200 three",
        "PUT /:p/:q/*r: 200 four",
    ]);
    expect(
        &router,
        None,
        &[
            ("GET /a/b/c", "GET /a/b/c: OK one", &[]),
            ("POST /a/b/c", "POST /a/:x/c: OK two", &["b"]),
            ("DELETE /a/b/c", "DELETE /*rest: OK three", &["a/b/c"]),
            ("PUT /a/b/c", "PUT /:p/:q/*r: OK four", &["a", "b", "c"]),
            ("PATCH /a/b/c", "405 GET, HEAD, POST, PUT, DELETE, OPTIONS", &[]),
            ("OPTIONS /a/b/c", "204 GET, HEAD, POST, PUT, DELETE, OPTIONS", &[]),
            ("PATCH /a", "405 DELETE, OPTIONS", &[]),
            ("OPTIONS *", "204 GET, HEAD, POST, PUT, DELETE, OPTIONS", &[]),
            ("GET *", "path_not_absolute", &[]),
        ],
    );
}

#[test]
fn a_rule_that_names_the_method_comes_before_one_that_takes_any() {
    let router = router(&[
        "/a: 200 any",
        "GET /a: 200 get",
        "HEAD /h: 200 head",
        "GET /h: 200 get",
        "POST /p: 200 post",
        "OPTIONS /p: 200 own",
    ]);
    expect(
        &router,
        None,
        &[
            ("GET /a", "GET /a: OK get", &[]),
            ("HEAD /a", "GET /a: OK get", &[]),
            ("POST /a", "/a: OK any", &[]),
            ("OPTIONS /a", "/a: OK any", &[]),
            ("BREW /a", "/a: OK any", &[]),
            ("HEAD /h", "HEAD /h: OK head", &[]),
            ("GET /h", "GET /h: OK get", &[]),
            ("HEAD /p", "405 POST, OPTIONS", &[]),
            ("BREW /p", "405 POST, OPTIONS", &[]),
            ("OPTIONS /p", "OPTIONS /p: OK own", &[]),
            ("GET /none", "404", &[]),
        ],
    );
}

#[test]
fn slashes_at_the_end_tell_paths_apart() {
    let router = router(&["/a: 200 a", "/b/: 200 b", "/c/*r: 200 c", "/d/:x: 200 d", "/: 200 root"]);
    expect(
        &router,
        None,
        &[
            ("GET /a", "/a: OK a", &[]),
            ("GET /a/", "404", &[]),
            ("GET /b", "404", &[]),
            ("GET /b/", "/b/: OK b", &[]),
            ("GET /c", "404", &[]),
            ("GET /c/", "/c/*r: OK c", &[""]),
            ("GET /d/", "404", &[]),
            ("GET /d/x/", "404", &[]),
            ("GET /", "/: OK root", &[]),
            ("GET //", "/: OK root", &[]),
        ],
    );
}

#[test]
fn a_directory_answers_below_its_path() {
    let router = router(&[
        "/: ./dist/",
        "/docs: ./docs/",
        "/img/: ./img/",
        "/docs/old: 410",
        "/u/:id: ./users/",
        "/f: ./file.txt",
        "GET /: 200 home",
    ]);
    expect(
        &router,
        None,
        &[
            ("GET /", "GET /: OK home", &[]),
            ("GET /app/route", "/: ./dist/", &["app/route"]),
            ("POST /app/route", "405 GET, HEAD, OPTIONS", &[]),
            ("GET /docs", "/docs: ./docs/", &[]),
            ("GET /docs/", "/docs: ./docs/", &[""]),
            ("HEAD /docs/a/b", "/docs: ./docs/", &["a/b"]),
            ("GET /docs/old", "/docs/old: GONE", &[]),
            ("GET /docsx", "/: ./dist/", &["docsx"]),
            ("GET /img", "/: ./dist/", &["img"]),
            ("GET /img/", "/img/: ./img/", &[""]),
            ("GET /img/a.png", "/img/: ./img/", &["a.png"]),
            ("GET /u/7", "/u/:id: ./users/", &["7"]),
            ("GET /u/7/pic", "/u/:id: ./users/", &["7", "pic"]),
            ("GET /f", "/f: ./file.txt", &[]),
            ("GET /f/x", "/: ./dist/", &["f/x"]),
        ],
    );
}

#[test]
fn hosts_come_first_and_fall_back_to_any_host() {
    let router = compile(&[
        group(&[], "", 1, &["/a: 200 any", "/b: 200 any", "POST /c: 200 any"]),
        group(&["example.org", "[2001:db8::1]"], "", 10, &["/a: 200 exact", "GET /c: 200 exact"]),
        group(&["*.example.org"], "", 20, &["/a: 200 below"]),
        group(&["www.example.org"], "", 30, &["/w: 200 www"]),
    ]);
    for (host, table) in [
        (Some("Example.ORG:8080"), [("/a", "/a: OK exact"), ("/b", "/b: OK any"), ("/w", "404")]),
        (Some("[2001:db8:0::1]:80"), [("/a", "/a: OK exact"), ("/b", "/b: OK any"), ("/w", "404")]),
        (Some("x.y.example.org"), [("/a", "/a: OK below"), ("/b", "/b: OK any"), ("/w", "404")]),
        (Some("www.example.org."), [("/a", "/a: OK below"), ("/b", "/b: OK any"), ("/w", "/w: OK www")]),
        (Some("other.net"), [("/a", "/a: OK any"), ("/b", "/b: OK any"), ("/w", "404")]),
        (None, [("/a", "/a: OK any"), ("/b", "/b: OK any"), ("/w", "404")]),
    ] {
        for (path, expected) in table {
            assert_eq!(ask(&router, "GET", host, path).0, expected, "{host:?} {path}");
        }
    }
    assert_eq!(ask(&router, "DELETE", Some("example.org"), "/c").0, "405 GET, HEAD, POST, OPTIONS");
}

#[test]
fn prefixes_are_put_before_the_paths_of_their_group() {
    let router = compile(&[
        group(&[], "/api", 1, &["/: 200 root", "/x/: 200 x", "/:id: 301 /y/:id"]),
        group(&[], "/t/:tenant", 10, &["/: 200 tenant", "/go/*rest: 302 /new/:tenant/*rest"]),
        group(&[], "/app", 20, &["/: ./dist/"]),
    ]);
    expect(
        &router,
        None,
        &[
            ("GET /api", "/api: OK root", &[]),
            ("GET /api/x/", "/api/x/: OK x", &[]),
            ("GET /api/7", "/api/:id: MOVED_PERMANENTLY /y/:id", &["7"]),
            ("GET /t/acme", "/t/:tenant: OK tenant", &["acme"]),
            ("GET /t/acme/go/a/b", "/t/:tenant/go/*rest: FOUND /new/:tenant/*rest", &["acme", "a/b"]),
            ("GET /app", "/app: ./dist/", &[]),
            ("GET /app/deep/link", "/app: ./dist/", &["deep/link"]),
            ("GET /api/", "404", &[]),
        ],
    );
}

#[test]
fn a_used_storage_forgets_the_last_lookup() {
    let router = router(&["/:a/:b: 200", "/x: 200"]);
    let mut params = router::Params::new();
    router.find(router::Method::Get, None, "/p//q", &mut params);
    assert_eq!(params.path("/p//q"), "/p/q");
    assert_eq!(params.values("/p//q").collect::<Vec<_>>(), ["p", "q"]);
    router.find(router::Method::Get, None, "/x", &mut params);
    assert_eq!((params.path("/x"), params.len()), ("/x", 0));
    router.find(router::Method::Get, None, "/%", &mut params);
    assert_eq!((params.path("/%"), params.value("/%", 0)), ("", None));
}
