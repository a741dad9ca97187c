//! What the router's tests share.
#![allow(dead_code, reason = "each test file uses a part")]

use config::{Position, RouteGroup, RouteText, Text};
use router::{Found, Method, Params, Router};

/// Lines as a file called `routes` gives them, from line `first` on.
pub fn group(hosts: &[&str], prefix: &str, first: u32, lines: &[impl AsRef<str>]) -> RouteGroup {
    let routes = lines.iter().zip(first..).map(|(line, number)| {
        let line = line.as_ref();
        RouteText::Line(Text::new(line, Position::new("routes", number, 1), line))
    });
    RouteGroup {
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        host_positions: Vec::new(),
        congestion: None,
        prefix: prefix.to_owned(),
        routes: routes.collect(),
    }
}

/// A router of one group for any host, which must compile.
pub fn router(lines: &[impl AsRef<str>]) -> Router {
    compile(&[group(&[], "", 1, lines)])
}

/// A router that must compile.
pub fn compile(groups: &[RouteGroup]) -> Router {
    match Router::compile(groups) {
        Ok((router, _)) => router,
        Err(found) => panic!("{found}"),
    }
}

/// What a request comes to, as text: the rule, or the name of the outcome; and the values of the parameters.
pub fn ask(router: &Router, method: &str, host: Option<&str>, path: &str) -> (String, Vec<String>) {
    let mut params = Params::new();
    let found = router.find(Method::from_token(method.as_bytes()), host, path, &mut params);
    let outcome = match found {
        Found::Rule(id) => router.rule(id).expect("a rule").to_string(),
        Found::Options { allow } => format!("204 {allow}"),
        Found::MethodNotAllowed { allow } => format!("405 {allow}"),
        Found::NotFound => "404".to_owned(),
        Found::Refused(refusal) => refusal.name().to_owned(),
    };
    (outcome, params.values(path).map(str::to_owned).collect())
}
