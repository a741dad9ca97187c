//! The reference table of `docs/CONFIG.md`, from the declaration of the model.

use std::fmt::Write as _;

use crate::decode::{Key as _, KeyInfo};
use crate::model::ServerConfig;
use crate::ports::kinds;

/// Every key with its type, bounds, default and meaning, as Markdown.
pub fn reference_table() -> String {
    let mut server = Vec::new();
    ServerConfig::keys("server", &mut server);
    let mut text = String::new();
    heading(&mut text, "`server`");
    rows(&mut text, &server);
    for (kind, keys) in kinds() {
        heading(&mut text, &format!("`ports` with `kind: {kind}`"));
        rows(&mut text, &keys);
    }
    text
}

fn heading(text: &mut String, title: &str) {
    let gap = if text.is_empty() { "" } else { "\n" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{gap}### {title}\n\n| key | type | default | meaning |\n|---|---|---|---|");
}

fn rows(text: &mut String, keys: &[KeyInfo]) {
    for key in keys {
        let range = key.range.as_ref().map(|range| format!(", {range}")).unwrap_or_default();
        let default = match &key.default {
            None => "required".to_owned(),
            Some(serde_json::Value::String(word)) => format!("`{word}`"),
            Some(value) => format!("`{value}`"),
        };
        let _ = writeln!(text, "| `{}` | {}{range} | {default} | {} |", key.path, key.type_name, key.doc);
    }
}
