//! Measures what 10,000 routes cost: compile time, and the time of a lookup by kind of route.
//!
//! `cargo run --release -p router --example lookup_bench`

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use config::{Position, RouteGroup, RouteText, Text};
use router::{Found, Method, Params, Router};

const ROUTES: usize = 10_000;
const LOOKUPS_PER_SAMPLE: usize = 64;
const SAMPLES: usize = 20_000;

fn main() {
    let lines: Vec<String> = (0..ROUTES).map(line).collect();
    let routes = lines.iter().zip(1..).map(|(line, number)| {
        RouteText::Line(Text::new(line.as_str(), Position::new("routes", number, 1), line.as_str()))
    });
    let groups = [RouteGroup { routes: routes.collect(), ..RouteGroup::default() }];

    let mut compile_ms: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            black_box(Router::compile(&groups)).expect("the routes compile");
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    compile_ms.sort_by(f64::total_cmp);
    println!(
        "compile {ROUTES} routes: median {:.1} ms, worst {:.1} ms",
        compile_ms[compile_ms.len() / 2],
        compile_ms[compile_ms.len() - 1]
    );

    let (router, _) = Router::compile(&groups).expect("the routes compile");
    println!("worst case of a lookup: {} nodes", router.worst_case_steps());
    for (kind, of) in [("literal", 0), ("one parameter", 1), ("two parameters", 2), ("rest", 3)] {
        measure(&router, kind, &(0..ROUTES).filter(|n| n % 4 == of).map(|n| path(n, 7)).collect::<Vec<_>>());
    }
    measure(&router, "all kinds", &(0..ROUTES).map(|n| path(n, 7)).collect::<Vec<_>>());
    measure(
        &router,
        "rewritten (%41)",
        &(0..ROUTES).map(|n| path(n, 7).replace("/v1/", "/%761//")).collect::<Vec<_>>(),
    );
    measure(&router, "not found", &(0..ROUTES).map(|n| path(n, 7).replace("/v1/", "/v2/")).collect::<Vec<_>>());
}

/// A quarter each of literal paths, paths with one and two parameters, and with a rest.
fn line(n: usize) -> String {
    match n % 4 {
        0 => format!("GET /api/v1/service{n}/health: OK"),
        1 => format!("GET /api/v1/service{n}/items/:id: OK"),
        2 => format!("/api/v1/service{n}/users/:user/posts/:post: *"),
        _ => format!("GET /api/v1/service{n}/files/*rest: OK"),
    }
}

fn path(n: usize, value: usize) -> String {
    match n % 4 {
        0 => format!("/api/v1/service{n}/health"),
        1 => format!("/api/v1/service{n}/items/{value}"),
        2 => format!("/api/v1/service{n}/users/{value}/posts/{value}"),
        _ => format!("/api/v1/service{n}/files/a/b/{value}.png"),
    }
}

/// Looks the paths up in a scattered order and prints quantiles of the mean of each sample.
fn measure(router: &Router, kind: &str, paths: &[String]) {
    let mut params = Params::new();
    let mut at = 0;
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..LOOKUPS_PER_SAMPLE {
                // A stride that is prime to the count visits every path before any comes again.
                at = (at + 7919) % paths.len();
                let found = router.find(Method::Get, Some("localhost"), &paths[at], &mut params);
                black_box(matches!(found, Found::Rule(_)));
            }
            start.elapsed().as_nanos() as f64 / LOOKUPS_PER_SAMPLE as f64
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    println!("{kind:>16}: median {:5.1} ns, p99 {:5.1} ns", samples[SAMPLES / 2], samples[SAMPLES * 99 / 100]);
}
