//! Runs `docs/ROUTES.md`: each block of rules compiles without a warning, and the requests behind it come to what the page
//! says.

mod common;

use common::{ask, group};
use router::{Method, Router};

const PAGE: &str = include_str!("../../../docs/ROUTES.md");

/// The fenced blocks with their kind, in order.
fn blocks() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut parts = PAGE.split("```").skip(1).step_by(2);
    parts
        .by_ref()
        .map(|block| {
            let mut lines = block.lines();
            (lines.next().unwrap_or_default(), lines.filter(|line| !line.is_empty()).collect())
        })
        .collect()
}

#[test]
fn every_example_does_what_the_page_says() {
    let (mut rules, mut requests) = (0, 0);
    let mut router: Option<Router> = None;
    for (kind, lines) in blocks() {
        match kind {
            "routes" => {
                let (compiled, warnings) =
                    Router::compile(&[group(&[], "", 1, &lines)]).unwrap_or_else(|found| panic!("{found}"));
                let unexpected: Vec<String> = warnings.iter().map(ToString::to_string).collect();
                assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
                rules += lines.len();
                router = Some(compiled);
            }
            "requests" => {
                let router = router.as_ref().expect("rules before requests");
                lines.iter().for_each(|line| check(router, line));
                requests += lines.len();
            }
            other => panic!("a block of kind `{other}`"),
        }
    }
    assert!(rules > 50 && requests > 40, "{rules} rules, {requests} requests");
}

/// `METHOD path => outcome`, then behind two spaces the values of parameters, or a remark.
fn check(router: &Router, line: &str) {
    let (request, expected) = line.split_once("=>").expect("an arrow");
    let (method, path) = request.trim().split_once(' ').expect("a method and a path");
    let expected = expected.trim_start();
    let (outcome, values) = expected.split_once("  ").unwrap_or((expected, ""));
    let outcome = outcome.replace('"', "");
    let found = ask(router, method, None, path.trim()).0;
    assert_eq!(found.replace('"', ""), outcome, "{line}");
    let explained = router.explain(Method::from_token(method.as_bytes()), None, path.trim());
    let told: Vec<String> = explained.params.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    assert!(!values.contains('=') || told.join(", ").trim() == values.trim(), "{line}: {told:?}");
}
