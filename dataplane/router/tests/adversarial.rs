//! Rules and paths that are made to be slow.

mod common;

use common::{ask, compile, group, router};
use router::{MAX_PATH_BYTES, Router};

/// Every combination of a literal and a parameter over `depth` segments, and then `end`.
fn all_combinations(depth: u32, end: &str) -> Vec<String> {
    (0..1u32 << depth)
        .map(|bits| {
            let path: String =
                (0..depth).map(|at| if bits >> at & 1 == 0 { "/a".to_owned() } else { format!("/:p{at}") }).collect();
            format!("{path}/{end}: OK {bits}")
        })
        .collect()
}

#[test]
fn rules_that_would_make_lookups_explode_are_refused() {
    let lines = all_combinations(12, "x");
    let found = Router::compile(&[group(&[], "", 1, &lines)]).expect_err("too many branches");
    let text = found.to_string();
    assert!(text.contains("one lookup could visit 12285 nodes"), "{text}");
    assert!(text.contains("the limit is 1024"), "{text}");
}

#[test]
fn the_bound_holds_where_everything_branches() {
    let router = router(&all_combinations(8, "x"));
    assert!(router.worst_case_steps() <= 1024, "{}", router.worst_case_steps());
    assert_eq!(ask(&router, "GET", None, &format!("{}/x", "/a".repeat(8))).0, format!("{}/x: OK 0", "/a".repeat(8)));
    assert_eq!(ask(&router, "GET", None, &format!("{}/y", "/a".repeat(8))).0, "404");
    assert_eq!(ask(&router, "GET", None, &format!("{}/x", "/b".repeat(8))).1, vec!["b"; 8]);
}

#[test]
fn a_plain_table_costs_its_depth() {
    let lines: Vec<String> = (0..5000).map(|n| format!("/api/v1/r{n}/:id/sub/:sub: OK {n}")).collect();
    assert_eq!(router(&lines).worst_case_steps(), 7);
}

#[test]
fn long_paths_cost_their_length_only() {
    let router = router(&["/:a/:b/:c/x: OK", "/a/*rest: OK rest"]);
    let deep = "/a".repeat(MAX_PATH_BYTES / 2);
    assert_eq!(ask(&router, "GET", None, &deep).1, [&deep[3..]]);
    let climbing = "/a/..".repeat(MAX_PATH_BYTES / 5);
    assert_eq!(ask(&router, "GET", None, &climbing).0, "404");
    assert_eq!(ask(&router, "GET", None, &"/".repeat(MAX_PATH_BYTES)).0, "404");
    assert_eq!(ask(&router, "GET", None, &"/".repeat(MAX_PATH_BYTES + 1)).0, "path_too_long");
}

#[test]
fn many_hosts_and_long_host_names() {
    let groups: Vec<_> = (0..500)
        .map(|n| group(&[&format!("*.h{n}.test"), &format!("h{n}.test")], "", n, &[format!("/: OK {n}")]))
        .collect();
    let router = compile(&groups);
    assert_eq!(ask(&router, "GET", Some("a.b.h499.test:1"), "/").0, "/: OK 499");
    assert_eq!(ask(&router, "GET", Some(&format!("{}h7.test", "a.".repeat(120))), "/").0, "/: OK 7");
    assert_eq!(ask(&router, "GET", Some(&"a.".repeat(4000)), "/").0, "404");
}
