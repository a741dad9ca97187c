//! Positions and markers, also with tabs, wide characters and escapes.

use config::{Diagnostic, Format, Position, RouteText, Severity, Text};

use crate::{good, source_of};

#[test]
fn markers_line_up() {
    let line = "\tGET /größe/漢字: OKAY";
    let text = Text::new(line, Position::new("site.routes", 12, 1), line);
    let start = line.find("OKAY").unwrap();
    let shown = text.error(start..start + 4, "there is no status `OKAY`").help("did you mean `OK`?").to_string();
    let expected = "error: there is no status `OKAY`\n  --> site.routes:12:17\n   |\n12 |     GET /größe/漢字: OKAY\n   |                      ^^^^\n   = help: did you mean `OK`?";
    assert_eq!(shown, expected, "\n{shown}\n");
}

#[test]
fn related_places_are_shown() {
    let first = Text::new("GET /x: OK", Position::new("a.yaml", 3, 3), "  GET /x: OK");
    let second = Text::new("GET /x: NO", Position::new("a.yaml", 104, 3), "  GET /x: NO");
    let shown = second
        .warning(0..6, "this route is never reached")
        .related(first.at.clone(), first.source_line.clone(), 6, "this one is chosen")
        .to_string();
    let expected = "warning: this route is never reached\n   --> a.yaml:104:3\n    |\n104 |   GET /x: NO\n    |   ^^^^^^\n    = note: this one is chosen\n   ::: a.yaml:3:3\n    |\n  3 |   GET /x: OK\n    |   ------";
    assert_eq!(shown, expected, "\n{shown}\n");
}

#[test]
fn long_lines_are_cropped_and_control_characters_are_harmless() {
    let line = format!("{}\u{1b}[31mX\u{202e}{}", "a".repeat(5000), "b".repeat(5000));
    let text = Text::new(line.as_str(), Position::new("evil\u{7}.yaml", 1, 1), line.as_str());
    let shown = text.error(5005..5006, "no \u{1b}[2J").to_string();
    assert!(shown.len() < 600 && !shown.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{shown:?}");
    let lines: Vec<&str> = shown.lines().collect();
    let marked = lines[4].find('^').map(|byte| lines[4][..byte].chars().count()).unwrap();
    assert_eq!(lines[3].chars().nth(marked), Some('X'), "{shown}");
}

#[test]
fn escapes_and_joins_keep_positions() {
    let json = "{\"routes\": [\"GET /x: OK {\\\"msg\\\": \\\"\\u00e9\\ud83d\\ude00!\\\"}\"]}";
    let config = good(json, Format::Json);
    let RouteText::Line(line) = &config.routes.routes[0] else { panic!("a line") };
    assert_eq!(line.text, "GET /x: OK {\"msg\": \"é😀!\"}");
    assert_eq!(source_of(line, json), "GET /x: OK {\\msg\\: \\\\\\!\\}");

    let yaml = "routes:\n  GET /x: OK {\n      \"k\": 1,\n    \"l\": 2 }\n";
    let config = good(yaml, Format::Yaml);
    let RouteText::Pair { value, .. } = &config.routes.routes[0] else { panic!("a pair") };
    let at = value.position(value.text.find("\"l\"").unwrap());
    assert_eq!((at.line, at.column), (4, 5));
    let marked = value.error(value.text.find("\"k\"").unwrap()..value.text.len(), "over two lines").to_string();
    assert!(marked.contains("site:3:7") && marked.contains("^^^^^^^"), "{marked}");
}

#[test]
fn slices_keep_positions() {
    let yaml = "routes: \"GET /x: OK \\\"a\\\" \\\n   more\"\n";
    let config = good(yaml, Format::Yaml);
    let RouteText::Line(line) = &config.routes.routes[0] else { panic!("a line") };
    let more = line.slice(line.text.find("more").unwrap()..line.text.len());
    assert_eq!((more.text.as_str(), more.at.line, more.at.column), ("more", 2, 4));
    assert_eq!(line.slice(7..8).trim().text, "");
    assert_eq!(line.slice(500..900).text, "");
}

#[test]
fn values_of_the_model_know_where_they_stand() {
    let config = good("ports:\n  - kind: tap\n    interface: t0\n    addresses: [10.0.0.1/24]\n", Format::Yaml);
    let at = config.position("ports.0.addresses.0").unwrap();
    assert_eq!((at.line, at.column), (4, 17));
    assert_eq!(config.position("server.listen"), None);
    let shown = config.error_at("ports.0.interface", "there is no interface `t0`").to_string();
    assert!(shown.contains("site:3:16") && shown.contains("^^"), "{shown}");
    assert_eq!(config.error_at("server.listen", "x").at.line, 0);
    assert_eq!(config.error_at("ports.0.mtu", "x").at.line, 2, "the section stands for a key that has its default");
}

#[test]
fn diagnostics_are_bounded_and_errors_come_first() {
    let mut all = config::Diagnostics::new();
    for n in 0..100 {
        all.push(Diagnostic::new(Severity::Warning, Position::new("f", n, 1), "", "w"));
    }
    all.push(Diagnostic::about_file("f", "broken"));
    assert!(all.has_errors() && all.iter().any(Diagnostic::is_error));
    assert_eq!((all.len(), all.omitted()), (50, 51));
    assert!(all.to_string().ends_with("… and 51 more"));
}
