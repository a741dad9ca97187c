//! What the compiler says about rules that get in each other's way, the tree and the explanations: as plain files.
//! `UPDATE_SNAPSHOTS=1` writes them anew.

mod common;

use common::{compile, group};
use config::RouteGroup;
use router::{Method, Router};

fn snapshot(name: &str, seen: &str) {
    let file = format!("{}/tests/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, seen).expect("the snapshot is written");
    }
    let expected = std::fs::read_to_string(&file).expect("the snapshot is there");
    for (seen, expected) in seen.lines().zip(expected.lines()) {
        assert_eq!(seen, expected, "{name}");
    }
    assert_eq!(seen.len(), expected.len(), "{name}");
}

#[test]
fn errors_show_both_places() {
    let found = Router::compile(&[
        group(
            &[],
            "",
            1,
            &["GET /a: OK", "/b/:x: OK", "GET /a: OK again", "/b/:y: OK", "/c: nope", "/d: ./d/", "/d: ./e/"],
        ),
        group(&["a:80", "b\u{fc}.example"], "/p/*rest", 20, &["/x: OK"]),
        group(&[], "/t/:id", 30, &["/u/:id: OK"]),
    ]);
    snapshot("errors", &found.expect_err("errors").to_string());
}

#[test]
fn warnings_show_both_places() {
    let (_, warnings) = Router::compile(&[
        group(
            &[],
            "",
            1,
            &[
                "GET POST /a: OK",
                "POST PUT /a: OK",
                "PUT /a: OK",
                "/b/:id: OK",
                "/b/:name/x: OK",
                "CONNECT /c: OK",
                "GET /f: OK",
                "/f: ./f.txt",
            ],
        ),
        group(&["one.test", "two.test"], "", 20, &["GET /x: OK", "GET HEAD /x: OK"]),
    ])
    .expect("no error");
    let text: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    snapshot("warnings", &(text.join("\n\n") + "\n"));
}

#[test]
fn rules_that_only_look_alike_are_not_reported() {
    for lines in [
        vec!["/a: OK", "GET /a: OK"],
        vec!["GET /a: OK", "HEAD /a: OK"],
        vec!["/: ./dist/", "GET /: OK"],
        vec!["/docs: ./docs/", "GET /docs: OK"],
        vec!["/a/:x: OK", "/a/*rest: OK", "/a/b: OK", "/a/: OK"],
    ] {
        let found = Router::compile(&[group(&[], "", 1, &lines)]);
        assert!(matches!(&found, Ok((_, warnings)) if warnings.is_empty()), "{lines:?}: {found:?}");
    }
}

fn shop() -> Vec<RouteGroup> {
    vec![
        group(
            &[],
            "",
            1,
            &[
                "\"/\": \"/dist/\"",
                "\"/ping\": \"http://auth/ping\"",
                "GET POST PATCH /api/mock/rude: FORBIDDEN {\"msg\":\"GO PATCH UR MUM!\"}",
                "GET /fastest/ever/ok: OK",
                "/a/b/c: *",
                "/a/b/c-forbidden: FORBIDDEN *",
                "/a/:x/c: 200 by parameter",
                "GET /users/:id: OK",
                "DELETE /users/:user: NO_CONTENT",
                "/old/*rest: 301 /new/*rest",
            ],
        ),
        group(&["shop.example"], "/cart", 20, &["POST /: CREATED", "GET /: OK []"]),
    ]
}

#[test]
fn the_tree() {
    let mut text = String::new();
    compile(&shop()).print_tree(&mut text).expect("a string");
    snapshot("tree", &text);
}

#[test]
fn explanations() {
    let router = compile(&shop());
    let asked = [
        ("GET", "localhost", "/a/b/c"),
        ("GET", "localhost", "/a/x/c"),
        ("HEAD", "localhost", "/users/7"),
        ("PUT", "localhost", "/users/7"),
        ("OPTIONS", "localhost", "/users/7"),
        ("GET", "localhost", "/any/page"),
        ("GET", "localhost", "/old//a/./b"),
        ("POST", "shop.example:8080", "/cart"),
        ("POST", "localhost", "/cart"),
        ("POST", "localhost", "/a%2"),
        ("DELETE", "localhost", "/old"),
        ("OPTIONS", "localhost", "*"),
    ];
    let text: Vec<String> = asked
        .map(|(method, host, path)| router.explain(Method::from_token(method.as_bytes()), Some(host), path).to_string())
        .to_vec();
    let nothing = compile(&[group(&[], "", 1, &["/a/b: OK"])]);
    let missing = ["/a", "/a/c", "/a/b/c", "/x"].map(|path| nothing.explain(Method::Get, None, path).to_string());
    snapshot("explain", &(text.into_iter().chain(missing).collect::<Vec<_>>().join("\n\n") + "\n"));
}
