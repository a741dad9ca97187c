//! Lines into the route language: what parses prints as text that parses to the same, and the router that is compiled
//! from all lines finds a rule within its bound.

#![no_main]

use config::{RouteGroup, RouteText, Text};
use libfuzzer_sys::fuzz_target;
use router::{Found, Method, Params, Router, language};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = core::str::from_utf8(input) else { return };
    let (routes, requests) = text.split_once('\0').unwrap_or((text, "/a/b/c"));
    for line in routes.lines() {
        round_trip(line);
    }
    let group = RouteGroup {
        hosts: Vec::new(),
        host_positions: Vec::new(),
        congestion: None,
        prefix: String::new(),
        routes: routes.lines().map(|line| RouteText::Line(Text::plain(line))).collect(),
    };
    let Ok((router, _)) = Router::compile(&[group]) else { return };
    let mut params = Params::default();
    for path in requests.lines() {
        if let Found::Rule(id) = router.find(Method::Get, Some("a"), path, &mut params) {
            assert!(router.rule(id).is_some());
        }
        let _ = router.explain(Method::Post, None, path).to_string();
    }
});

fn round_trip(line: &str) {
    match language::parse_line(line) {
        Ok(route) => {
            let printed = route.to_string();
            let again = language::parse_line(&printed);
            assert_eq!(again.as_ref().ok(), Some(&route), "{printed:?}");
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}
