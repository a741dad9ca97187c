//! Input from someone who means harm: no panic, no explosion, order and positions kept.

use std::time::{Duration, Instant};

use config::{Config, Format, RouteText};
use proptest::prelude::*;

use crate::{good, parse, source_of};

const FORMATS: [Format; 3] = [Format::Yaml, Format::Json, Format::Toml];

#[test]
fn alias_bombs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let shown = parse(&text, Format::Yaml).unwrap_err().to_string();
    assert!(shown.contains("values, counting those that aliases repeat"), "{shown}");
    let chain: String = (1..1000).map(|level| format!("a{level}: &a{level} [*a{}]\n", level - 1)).collect();
    let shown = parse(&format!("a0: &a0 x\n{chain}"), Format::Yaml).unwrap_err().to_string();
    assert!(shown.contains("nested deeper than 32 levels"), "{shown}");
    assert!(parse("a: &a [*a]\n", Format::Yaml).is_err());
}

#[test]
fn depth_and_number_are_bounded() {
    for depth in [40, 100_000] {
        for (open, close, format) in [
            ("[", "]", Format::Yaml),
            ("[", "]", Format::Json),
            ("{\"a\":", "}", Format::Json),
            ("a = [", "]", Format::Toml),
            ("- ", "", Format::Yaml),
        ] {
            let deep = open.repeat(depth) + &close.repeat(depth);
            assert!(parse(&deep, format).is_err(), "{open} {format:?}");
            assert!(parse(&format!("{}{}", "x = ", "[".repeat(depth)), Format::Toml).is_err());
        }
    }
    let many = format!("{{\"server\": [{}1]}}", "1,".repeat(300_000));
    assert!(parse(&many, Format::Json).unwrap_err().to_string().contains("more than 200000 values"));
    assert!(parse(&many, Format::Yaml).unwrap_err().to_string().contains("more than 200000 values"));
    assert!(parse(&"x".repeat((4 << 20) + 1), Format::Yaml).unwrap_err().to_string().contains("too long"));
}

#[test]
fn large_files_take_no_more_than_linear_time() {
    let routes = 20_000;
    let block: String = (0..routes).map(|n| format!("  GET /some/path/{n}/:id: FORBIDDEN {{\"n\": {n}}}\n")).collect();
    let quoted: Vec<String> = (0..routes).map(|n| format!("\"GET /some/päth/{n}: OK {{\\\"n\\\": {n}}}\"")).collect();
    let toml: String = block.lines().map(|line| format!("  '{}',\n", line.trim())).collect();
    let cases = [
        (format!("routes:\n{block}"), Format::Yaml),
        (format!("routes: |\n{block}"), Format::Yaml),
        (format!("{{\"routes\": [{}]}}", quoted.join(",")), Format::Json),
        (format!("routes: [{}]", quoted.join(",")), Format::Yaml),
        (format!("{{\"routes\": {}}}", serde_json::Value::from(block.as_str())), Format::Json),
        (format!("routes = [\n{toml}]\n"), Format::Toml),
        (format!("routes = '''\n{block}'''\n"), Format::Toml),
    ];
    #[expect(clippy::disallowed_methods, reason = "a bound far above what is linear, and far below what is quadratic")]
    for (text, format) in cases {
        let start = Instant::now();
        assert_eq!(good(&text, format).routes.routes.len(), routes);
        let taken = start.elapsed();
        assert!(taken < Duration::from_secs(10), "{format:?} took {taken:?}: {}", &text[..60]);
    }
}

#[test]
fn traps_for_quadratic_work() {
    let n = 60_000;
    let lines = |line: &str| format!("routes:\n{}", line.repeat(n));
    let stairs: String = (0..2000).map(|depth| format!("{}/x: {{\n", " ".repeat(depth + 1))).collect();
    let texts = [
        lines("  /d: OK {\n"),
        lines("  /d: \"\n"),
        lines("  - '\n"),
        lines("  -\n"),
        lines("  /d:\n"),
        format!("routes:\n{stairs}"),
        format!("routes:\n  /d: OK {}\n", "\\\"".repeat(n)),
        format!("routes:\n  /d: OK {}\n", ": '".repeat(n)),
        format!("routes: |\n  {}\n", "- ".repeat(n)),
        format!("routes:\n  {}\n", "- ".repeat(n)),
        format!("server:\n  listen: [{}]\n", "':80', ".repeat(n)),
        format!("server:\n  cores: [{}]\n", "0-4095, ".repeat(20_000)),
        format!("groups:\n  - hosts: [{}]\n", (0..n).map(|n| format!("h{n}, ")).collect::<String>()),
        format!("server:\n{}  workers: 1\n{}", "  x: 1\n".repeat(50_000), "  workers: 1\n".repeat(50_000)),
        format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(n)),
        format!(
            "a: {}[{}]{}\n",
            (0..30).map(|n| format!("[&a{n} ")).collect::<String>(),
            "x, ".repeat(50_000),
            "]".repeat(30)
        ),
        format!("server:\n  cores: '{}'\n", "0-4095,".repeat(n)),
        "\n".repeat(1 << 20),
    ];
    #[expect(clippy::disallowed_methods, reason = "a bound far above what is linear, and far below what is quadratic")]
    for text in &texts {
        let start = Instant::now();
        if let Err(wrong) = parse(text, Format::Yaml) {
            let _ = wrong.to_string();
        }
        let taken = start.elapsed();
        assert!(taken < Duration::from_secs(10), "took {taken:?}: {}", text.chars().take(80).collect::<String>());
    }
}

/// Pieces that mean something to one of the formats or to the route lifter.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "routes:",
            "routes: |",
            "- routes:",
            "\n",
            "\n  ",
            "\n    ",
            "\n- ",
            "server:",
            "ports:",
            "groups:",
            ": ",
            "- ",
            "\"",
            "'",
            "{",
            "}",
            "[",
            "]",
            "#",
            " #",
            "*",
            "&a ",
            "*a",
            "|",
            ">",
            "\\",
            "\t",
            "\r\n",
            ",",
            "=",
            "[[",
            "]]",
            "\"\"\"",
            "'''",
            "GET /x: OK",
            "/a/b/c: *",
            "é",
            "漢",
            "\u{0}",
            "\u{feff}",
            "---\n",
            "? ",
            "!!str ",
            "kind: tap",
            "interface: t0",
            "\\u",
            "\\ud83d",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,8}",
        any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_cause_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        for format in FORMATS {
            if let Err(wrong) = parse(&text, format) { let _ = wrong.to_string(); }
        }
    }

    #[test]
    fn any_mixture_causes_no_panic(parts in prop::collection::vec(fragment(), 0..40), name in "ANYGATE_[A-Z0-9_]{0,20}") {
        let text = parts.concat();
        for format in FORMATS {
            let variables = std::iter::once((name.clone(), text.clone()));
            match Config::parse("f", &text, format, variables) {
                Err(wrong) => { let _ = wrong.to_string(); }
                Ok(loaded) => loaded.warnings.iter().for_each(|warning| { let _ = warning.to_string(); }),
            }
        }
    }

    #[test]
    fn order_and_positions_hold(paths in prop::collection::vec("/[a-zé漢:*]{1,6}", 1..20), indent in 1..6usize, list in any::<bool>()) {
        let mut text = "routes:\n".to_owned();
        for (n, path) in paths.iter().enumerate() {
            let path = path.trim_end_matches(':');
            text.push_str(&format!("{}{}GET {path}: FORBIDDEN {{\"n\": {n}}} # {n}\n\n", " ".repeat(indent), if list { "- " } else { "" }));
        }
        let config = good(&text, Format::Yaml);
        prop_assert_eq!(config.routes.routes.len(), paths.len());
        for (n, route) in config.routes.routes.iter().enumerate() {
            let RouteText::Pair { key, value } = route else { panic!("a pair") };
            let path = paths[n].trim_end_matches(':');
            prop_assert_eq!(&key.text, &format!("GET {path}"));
            prop_assert_eq!(&value.text, &format!("FORBIDDEN {{\"n\": {n}}}"));
            prop_assert_eq!(&source_of(key, &text), &key.text);
            prop_assert_eq!(&source_of(value, &text), &value.text);
        }
    }
}
