//! The configuration as a user sees it: every form of routes, every message, the environment, the published documents,
//! and hostile input.

mod documents;
mod environment;
mod errors;
mod forms;
mod hostile;
mod positions;
mod values;

use config::{Config, Diagnostics, Format, Loaded, RouteText, Text};

/// Parses without an environment.
fn parse(text: &str, format: Format) -> Result<Loaded, Diagnostics> {
    Config::parse("site", text, format, std::iter::empty())
}

/// Parses what must be right.
fn good(text: &str, format: Format) -> Config {
    parse(text, format).unwrap_or_else(|wrong| panic!("{wrong}\n--- in ---\n{text}")).config
}

/// A route as matcher and action, the way the route language takes a line apart: only for lines of these tests.
fn pair(route: &RouteText) -> (String, String) {
    let unquoted =
        |text: &str| text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text).to_owned();
    match route {
        RouteText::Pair { key, value } => (key.text.clone(), value.text.clone()),
        RouteText::Line(line) => {
            let (key, value) = line.text.split_once(": ").unwrap_or((&line.text, ""));
            (unquoted(key.trim()), unquoted(value.trim()))
        }
    }
}

/// The characters of the source that the position of each character of `text` points at.
fn source_of(text: &Text, source: &str) -> String {
    let lines: Vec<Vec<char>> = source.split('\n').map(|line| line.chars().collect()).collect();
    let pointed =
        |at: config::Position| lines[at.line as usize - 1].get(at.column as usize - 1).copied().unwrap_or('\n');
    text.text.char_indices().map(|(byte, _)| pointed(text.position(byte))).collect()
}
