//! The six lines that always work as written, in every form and format.

use std::fs;

use config::{Config, Format, RouteText};

use crate::{good, pair, parse, source_of};

/// The oath, as a customer writes it.
const OATH: &str = r#"
"/": "/dist/"
"/ping": "http://auth/ping"
GET POST PATCH /api/mock/rude: FORBIDDEN {"msg":"GO PATCH UR MUM!"}
GET /fastest/ever/ok: OK
/a/b/c: *
/a/b/c-forbidden: FORBIDDEN *
"#;

/// What it means.
const MEANING: [(&str, &str); 6] = [
    ("/", "/dist/"),
    ("/ping", "http://auth/ping"),
    ("GET POST PATCH /api/mock/rude", r#"FORBIDDEN {"msg":"GO PATCH UR MUM!"}"#),
    ("GET /fastest/ever/ok", "OK"),
    ("/a/b/c", "*"),
    ("/a/b/c-forbidden", "FORBIDDEN *"),
];

fn holds(text: &str, format: Format) {
    let config = good(text, format);
    let found: Vec<(String, String)> = config.routes.routes.iter().map(pair).collect();
    let expected: Vec<(String, String)> =
        MEANING.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    assert_eq!(found, expected, "in {format:?}\n{text}");
    // Every character points at itself, but for escapes, which are where their backslash is.
    for route in &config.routes.routes {
        let texts = match route {
            RouteText::Line(line) => vec![line],
            RouteText::Pair { key, value } => vec![key, value],
        };
        for part in texts {
            let pointed = source_of(part, text);
            let same = part
                .text
                .chars()
                .zip(pointed.chars())
                .all(|(own, there)| own == there || (there == '\\' && own == '"'));
            assert!(
                same && part.text.chars().count() == pointed.chars().count(),
                "{:?} points at {pointed:?} in\n{text}",
                part.text
            );
        }
    }
}

fn indented(prefix: &str, quote: impl Fn(&str) -> String) -> String {
    OATH.lines().filter(|line| !line.is_empty()).map(|line| format!("{prefix}{}\n", quote(line))).collect()
}

fn as_is(line: &str) -> String {
    line.to_owned()
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn yaml_mapping_unquoted() {
    holds(&format!("routes:\n{}", indented("  ", as_is)), Format::Yaml);
    holds(
        &format!(
            "server: {{}}\n\"routes\":   # all of them\n\n  # the app\n{}\n# end\nports: []\n",
            indented("      ", as_is)
        ),
        Format::Yaml,
    );
}

#[test]
fn yaml_mapping_quoted() {
    let quoted = |quote: fn(&str) -> String| {
        MEANING.iter().map(|(key, value)| format!("  {}: {}\n", quote(key), quote(value))).collect::<String>()
    };
    holds(&format!("routes:\n{}", quoted(json_string)), Format::Yaml);
    holds(&format!("routes:\n{}", quoted(|text| format!("'{text}'"))), Format::Yaml);
}

#[test]
fn yaml_blocks() {
    for header in ["|", ">", "|-", "|+", ">2", "| # lines"] {
        holds(&format!("routes: {header}\n{}", indented("  ", as_is)), Format::Yaml);
    }
    holds(&format!("routes: |\n{}\nserver:\n  listen: ':80'\n", indented("    ", as_is)), Format::Yaml);
}

#[test]
fn yaml_lists() {
    holds(&format!("routes:\n{}", indented("  - ", as_is)), Format::Yaml);
    holds(&format!("routes:\n{}server: {{}}\n", indented("- ", as_is)), Format::Yaml);
    holds(&format!("routes:\n{}", indented("  -   ", |line| format!("'{line}'"))), Format::Yaml);
    holds(&format!("routes:\n{}", indented("  - ", json_string)), Format::Yaml);
    holds(&format!("routes:\n  - |\n{}", indented("    ", as_is)), Format::Yaml);
    let flow = MEANING
        .iter()
        .map(|(key, value)| format!("{}: {}", json_string(key), json_string(value)))
        .collect::<Vec<_>>()
        .join(", ");
    holds(&format!("routes: {{ {flow} }}"), Format::Yaml);
    holds(&format!("routes:\n  {{ {flow} }}"), Format::Yaml);
    let flow = OATH.lines().filter(|line| !line.is_empty()).map(json_string).collect::<Vec<_>>().join(",\n    ");
    holds(&format!("routes: [\n    {flow}\n  ]\n"), Format::Yaml);
}

#[test]
fn json_forms() {
    let members = MEANING
        .iter()
        .map(|(key, value)| format!("{}:\t{}", json_string(key), json_string(value)))
        .collect::<Vec<_>>()
        .join(",\n  ");
    holds(&format!("{{\"routes\": {{\n  {members} }} }}"), Format::Json);
    let items = OATH.lines().filter(|line| !line.is_empty()).map(json_string).collect::<Vec<_>>().join(", ");
    holds(&format!("{{\"routes\": [{items}]}}"), Format::Json);
    holds(&format!("{{\"routes\": {}}}", json_string(OATH)), Format::Json);
    let objects = MEANING
        .iter()
        .map(|(key, value)| format!("{{{}: {}}}", json_string(key), json_string(value)))
        .collect::<Vec<_>>()
        .join(", ");
    holds(&format!("{{\"routes\": [{objects}]}}"), Format::Json);
}

#[test]
fn toml_forms() {
    let table = MEANING
        .iter()
        .map(|(key, value)| format!("{} = {}\n", json_string(key), json_string(value)))
        .collect::<String>();
    holds(&format!("[server]\nlisten = ':80'\n\n[routes]\n{table}"), Format::Toml);
    let table = MEANING.iter().map(|(key, value)| format!("'{key}' = '{value}'\n")).collect::<String>();
    holds(&format!("[routes]\n{table}"), Format::Toml);
    let items = OATH.lines().filter(|line| !line.is_empty()).map(|line| format!("  '{line}',\n")).collect::<String>();
    holds(&format!("routes = [\n{items}]\n"), Format::Toml);
    holds(&format!("routes = '''{OATH}'''\n"), Format::Toml);
    holds(&format!("routes = \"\"\"{OATH}\"\"\"\n"), Format::Toml);
}

#[test]
fn routes_files() {
    let folder = std::env::temp_dir().join(format!("anygate-config-forms-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("site.routes"), OATH).unwrap();
    let forms = [
        ("one.yaml", "routes: site.routes\n"),
        ("list.yaml", "routes:\n  - site.routes\n"),
        ("quoted.yaml", "routes: [\"site.routes\"]\n"),
        ("one.json", "{\"routes\": \"site.routes\"}"),
        ("list.json", "{\"routes\": [\"site.routes\"]}"),
        ("one.toml", "routes = 'site.routes'\n"),
    ];
    for (name, text) in forms {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        let loaded = Config::load(&path, std::iter::empty()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let found: Vec<(String, String)> = loaded.config.routes.routes.iter().map(pair).collect();
        assert!(found.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(MEANING), "{name}: {found:?}");
        assert_eq!(loaded.files, [path, folder.join("site.routes")]);
        let at = loaded.config.routes.routes[2].at();
        assert_eq!((at.file.as_ref(), at.line, at.column), (folder.join("site.routes").to_str().unwrap(), 4, 1));
    }
    fs::write(folder.join("missing.yaml"), "routes: [other.routes, \"GET /: OK\"]\n").unwrap();
    let wrong = Config::load(&folder.join("missing.yaml"), std::iter::empty()).unwrap_err().to_string();
    assert!(
        wrong.contains("missing.yaml:1:10") && wrong.contains("other.routes` cannot be used: cannot open it"),
        "{wrong}"
    );
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_string_names_no_file_from_memory() {
    let wrong = parse("routes: site.routes", Format::Yaml).unwrap_err();
    assert!(wrong.to_string().contains("a file of routes cannot be named here"));
}

#[test]
fn duplicates_reach_the_router() {
    let yaml = "routes:\n  GET /x: OK\n  GET /x: FORBIDDEN\n";
    let json = "{\"routes\": {\"GET /x\": \"OK\", \"GET /x\": \"FORBIDDEN\"}}";
    let flow = "routes: {\"GET /x\": OK, \"GET /x\": FORBIDDEN}";
    for (text, format) in [(yaml, Format::Yaml), (json, Format::Json), (flow, Format::Yaml)] {
        let actions: Vec<String> = good(text, format).routes.routes.iter().map(|route| pair(route).1).collect();
        assert_eq!(actions, ["OK", "FORBIDDEN"], "{text}");
    }
}

#[test]
fn lines_that_mean_something_else_to_yaml() {
    for action in [
        "@admin",
        "!deny",
        "%x",
        "`cmd`",
        "*",
        "&x",
        "[1, 2]",
        "{\"msg\": \"a: b # c\"}",
        "OK {\"a\": [1, \"}\"]}",
        "? what",
        "- x",
        "it's # 5",
    ] {
        let text = format!("routes:\n  /x: {action}\n");
        let expected = if action == "it's # 5" { "it's" } else { action };
        assert_eq!(
            good(&text, Format::Yaml).routes.routes.iter().map(pair).collect::<Vec<_>>(),
            [("/x".to_owned(), expected.to_owned())]
        );
        let text = format!("routes:\n  - GET /x: {action}   # why\nserver: {{}}\n");
        assert_eq!(
            good(&text, Format::Yaml).routes.routes.iter().map(pair).collect::<Vec<_>>(),
            [("GET /x".to_owned(), expected.to_owned())]
        );
    }
}

#[test]
fn values_over_several_lines() {
    let text = "routes:\n  GET /a: |\n    OK {\n      \"a\": 1\n    }\n  GET /b:\n    FORBIDDEN *\n  GET /c: OK {\n    \"x\": 1\n  }\n  /d: OK {\n  /e: *\n";
    let found: Vec<(String, String)> = good(text, Format::Yaml).routes.routes.iter().map(pair).collect();
    let expected = [
        ("GET /a", "OK {\n\"a\": 1\n}"),
        ("GET /b", "FORBIDDEN *"),
        ("GET /c", "OK { \"x\": 1 }"),
        ("/d", "OK {"),
        ("/e", "*"),
    ];
    assert!(found.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected), "{found:#?}");
}

#[test]
fn groups() {
    let text = "groups:\n  - hosts: [Example.org, '*.example.org']\n    prefix: /api/\n    routes:\n      GET /x: *\n      /y: FORBIDDEN *\n  - host: b.example\n    routes:\n    - /z: @\n  - routes: |\n      GET /q: OK\n";
    let config = good(text, Format::Yaml);
    let seen: Vec<(Vec<String>, &str, usize)> =
        config.groups.iter().map(|group| (group.hosts.clone(), group.prefix.as_str(), group.routes.len())).collect();
    assert_eq!(
        seen,
        [
            (vec!["example.org".into(), "*.example.org".into()], "/api", 2),
            (vec!["b.example".into()], "", 1),
            (vec![], "", 1)
        ]
    );
    assert_eq!(config.route_groups().count(), 4);
    assert_eq!((config.groups[0].host_positions[1].line, config.groups[0].host_positions[1].column), (2, 26));
}

#[test]
fn other_block_scalars_are_left_alone() {
    let text = "server:\n  server_header: |-\n    routes:\n      /a: *\nroutes:\n  /b: *\n";
    let wrong = parse(text, Format::Yaml).unwrap_err().to_string();
    assert!(wrong.contains("server_header` must be 1 to 256 printable"), "{wrong}");
}

#[test]
fn aliases_repeat_lifted_routes() {
    let text = "groups:\n  - &first\n    host: a.example\n    routes:\n      GET /x: OK\n  - *first\n";
    let config = good(text, Format::Yaml);
    assert_eq!(config.groups.iter().map(|group| group.routes.len()).collect::<Vec<_>>(), [1, 1]);
}
