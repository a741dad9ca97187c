//! The media type of a fixed answer's body, from the body itself.

use serde::de::IgnoredAny;

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The `Content-Type` that a body deserves: a JSON object or array, something that begins and ends as HTML does, or
/// text. JSON that is only a number, a word or a string is what any text may look like, so it is text; text that only
/// begins like JSON is text, too.
pub fn content_type(body: &str) -> &'static str {
    let trimmed = body.trim();
    if trimmed.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(trimmed).is_ok() {
        JSON
    } else if is_html(trimmed) {
        HTML
    } else {
        TEXT
    }
}

fn is_html(text: &str) -> bool {
    let starts_with = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let is_document = starts_with("<!doctype html") || starts_with("<html");
    let is_element = text.strip_prefix('<').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        && text.ends_with('>');
    is_document || is_element
}
