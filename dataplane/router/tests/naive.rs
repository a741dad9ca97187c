//! The router against a matcher that holds every rule against the path and sorts what matches.

mod common;

use common::{ask, compile, group};
use config::RouteGroup;
use proptest::prelude::*;
use router::{Method, MethodSet, Router, Rule, Segment};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"];
const HOSTS: [&[&str]; 4] = [&[], &["a.test"], &["*.test"], &["b.a.test", "a.test"]];

/// How a rule matches a path: the rank of each segment and the values of the parameters.
fn matching(rule: &Rule, path: &str) -> Option<(Vec<u8>, Vec<String>)> {
    let parts: Vec<&str> = path[1..].split('/').collect();
    let mut segments = rule.pattern.segments().to_vec();
    let mounts = rule.route.action.to_string().ends_with('/') && rule.route.action.kind() != "redirect";
    let ends_with_slash = matches!(segments.last(), Some(Segment::Literal(text)) if text.is_empty());
    if mounts && (ends_with_slash || parts.len() > segments.len()) {
        if ends_with_slash {
            segments.pop();
        }
        segments.push(Segment::Rest("".into()));
    }
    let (mut ranks, mut values) = (Vec::new(), Vec::new());
    for (index, segment) in segments.iter().enumerate() {
        let part = parts.get(index)?;
        match segment {
            Segment::Literal(text) if **text == **part => ranks.push(0),
            Segment::Param(_) if !part.is_empty() => {
                ranks.push(1);
                values.push((*part).to_owned());
            }
            Segment::Rest(_) => {
                ranks.push(2);
                values.push(parts[index..].join("/"));
                return Some((ranks, values));
            }
            _ => return None,
        }
    }
    (segments.len() == parts.len()).then_some((ranks, values))
}

/// The rules of each host that is asked, most specific first.
fn levels<'r>(router: &'r Router, host: Option<&str>) -> Vec<Vec<&'r Rule>> {
    let has = |rule: &Rule, name: &str| rule.hosts.iter().any(|host| host.to_string() == name);
    let host = host.unwrap_or("");
    let above: Vec<String> = host.match_indices('.').map(|(dot, _)| format!("*{}", &host[dot..])).collect();
    let named = |name: &str| router.rules().iter().filter(|rule| has(rule, name)).collect::<Vec<_>>();
    let longest = above.iter().map(|name| named(name)).find(|rules| !rules.is_empty()).unwrap_or_default();
    let any = router.rules().iter().filter(|rule| rule.hosts.is_empty()).collect();
    vec![named(host), longest, any]
}

fn naive(router: &Router, method: &str, host: Option<&str>, path: &str) -> (String, Vec<String>) {
    let method = Method::from_token(method.as_bytes());
    let mut allow = MethodSet::EMPTY;
    for rules in levels(router, host) {
        let mut found = Vec::new();
        for rule in rules {
            let Some((ranks, values)) = matching(rule, path) else { continue };
            allow = allow.union(rule.route.taken_methods());
            if rule.route.taken_methods().contains(method) {
                let named = rule.route.methods;
                let class = if named.contains(method) {
                    0
                } else if !named.is_empty() {
                    1
                } else {
                    2
                };
                found.push((ranks, class, rule.id, rule.to_string(), values));
            }
        }
        if let Some((.., rule, values)) = found.into_iter().min() {
            return (rule, values);
        }
    }
    let with_options = allow.union(MethodSet::of(Method::Options));
    let outcome = match (allow.is_empty(), method) {
        (true, _) => "404".to_owned(),
        (false, Method::Options) => format!("204 {with_options}"),
        (false, _) => format!("405 {with_options}"),
    };
    (outcome, Vec::new())
}

/// Rules over few words, so that they get in each other's way; names of parameters say their place.
fn any_line() -> impl Strategy<Value = String> {
    let methods = proptest::sample::subsequence(METHODS[..5].to_vec(), 0..3);
    let segment = prop_oneof![4 => Just("a"), 3 => Just("b"), 3 => Just(":"), 1 => Just("")];
    let action = prop_oneof![4 => Just("OK"), 1 => Just("./files/")];
    (methods, proptest::collection::vec(segment, 1..5), any::<bool>(), action).prop_map(
        |(methods, segments, rest, action)| {
            let last = segments.len() - 1;
            let mut path = String::new();
            for (index, segment) in segments.iter().enumerate() {
                match *segment {
                    ":" => path += &format!("/:p{index}"),
                    "" if index < last => path += "/c",
                    literal => path += &format!("/{literal}"),
                }
            }
            if rest {
                path = format!("{}/*r", path.trim_end_matches('/'));
            }
            let methods: String = if action == "OK" {
                methods.iter().map(|method| format!("{method} ")).collect()
            } else {
                String::new()
            };
            format!("{methods}{path}: {action}")
        },
    )
}

fn any_groups() -> impl Strategy<Value = Vec<RouteGroup>> {
    let groups = proptest::collection::vec((0..HOSTS.len(), proptest::collection::vec(any_line(), 1..12)), 1..4);
    groups.prop_map(|groups| {
        // A second rule for the same matcher and host is an error: keep the first.
        let mut seen: Vec<(&str, String)> = Vec::new();
        groups
            .iter()
            .map(|(hosts, lines)| {
                let hosts = HOSTS[*hosts];
                let lines: Vec<&String> = lines
                    .iter()
                    .filter(|line| {
                        let key = line.split(": ").next().unwrap_or_default().to_owned();
                        let names: Vec<&str> = if hosts.is_empty() { vec![""] } else { hosts.to_vec() };
                        let is_new = names.iter().all(|host| !seen.contains(&(host, key.clone())));
                        seen.extend(names.into_iter().map(|host| (host, key.clone())));
                        is_new
                    })
                    .collect();
                group(hosts, "", 1, &lines)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn finds_what_the_naive_matcher_finds(
        groups in any_groups(),
        requests in proptest::collection::vec(
            (proptest::sample::select(METHODS.to_vec()), proptest::option::of(proptest::sample::select(vec!["a.test", "b.a.test", "x.test", "other"])), "(/[abc]){0,4}/?"), 1..20),
    ) {
        let router = compile(&groups);
        for (method, host, path) in requests {
            let path = if path.is_empty() { "/" } else { &path };
            let expected = naive(&router, method, host, path);
            prop_assert_eq!(ask(&router, method, host, path), expected.clone(), "{} {:?} {}", method, host, path);
            // What is explained is what is done.
            let explained = router.explain(Method::from_token(method.as_bytes()), host, path);
            prop_assert_eq!(explained.rule.is_some(), !expected.0.starts_with(['2', '4']));
            prop_assert!(!explained.to_string().contains("it is not reached"));
        }
    }
}
