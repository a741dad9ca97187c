//! Lines of routes: what belongs to a line, what is a comment, and where quotes end. Shared by `.routes` files, blocks of
//! lines in any format, and the mappings and lists that [`crate::lift`] takes out of YAML.

use std::ops::Range;
use std::sync::Arc;

use crate::node::RouteItem;
use crate::source::Source;
use crate::text::{RouteText, Run, Text};

/// Length of `line` without its comment and the white space before that.
///
/// YAML's rule: `#` begins a comment at the beginning of the line or after white space. One inside quotes does not: a
/// JSON body keeps its `" #"`. Quotes count when they are closed on the line; a single quote opens only where a key or
/// a value begins, so that an apostrophe in an answer's text means nothing.
pub(crate) fn content_length(line: &str) -> usize {
    let bytes = line.as_bytes();
    let mut at = 0;
    // A kind of quote that is not closed once is not closed later on the line either.
    let (mut double, mut single) = (true, true);
    while let Some(&byte) = bytes.get(at) {
        let quoted = (byte == b'"' && double) || (byte == b'\'' && single && begins_token(line, at));
        match byte {
            b'#' if at == 0 || bytes[at - 1].is_ascii_whitespace() => break,
            _ if quoted => match closing_quote(line, at) {
                Some(close) => at = close,
                None if byte == b'"' => double = false,
                None => single = false,
            },
            _ => {}
        }
        at += 1;
    }
    line.get(..at).unwrap_or(line).trim_end().len()
}

/// Whether a key or a value begins at `at`.
fn begins_token(line: &str, at: usize) -> bool {
    let before = line.get(..at).unwrap_or_default();
    let trimmed = before.trim_end();
    trimmed.is_empty() || (trimmed.len() < before.len() && trimmed.ends_with([':', '-']))
}

/// Where the quoted text that begins at `open` ends: the offset of its closing quote.
pub(crate) fn closing_quote(line: &str, open: usize) -> Option<usize> {
    let bytes = line.as_bytes();
    let quote = *bytes.get(open)?;
    let mut at = open + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 1,
            byte if byte == quote && quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// The offset of the colon that ends an unquoted key: the first one before white space or the end.
pub(crate) fn key_end(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    (0..bytes.len()).find(|&at| bytes[at] == b':' && bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace))
}

/// The routes of a text with one a line.
pub(crate) fn block(text: &Text) -> Vec<RouteItem> {
    let mut routes = Vec::new();
    let mut start = 0;
    for line in text.text.split('\n') {
        let content = line.get(..content_length(line)).unwrap_or(line);
        let lead = content.len() - content.trim_start().len();
        if lead < content.len() {
            routes.push(RouteItem::Route(RouteText::Line(text.slice(start + lead..start + content.len()))));
        }
        start += line.len() + 1;
    }
    routes
}

/// A text that stands alone: the name of a `.routes` file, one route, or a block of them.
pub(crate) fn lone(text: Text) -> Vec<RouteItem> {
    if text.text.contains('\n') {
        return block(&text);
    }
    let text = text.trim();
    if text.text.is_empty() || text.text.starts_with('#') {
        return Vec::new();
    }
    if names_file(&text.text) { vec![RouteItem::File(text)] } else { vec![RouteItem::Route(RouteText::Line(text))] }
}

/// Whether a text is the name of a file with routes.
fn names_file(text: &str) -> bool {
    text.ends_with(".routes") && !text.contains(char::is_whitespace)
}

/// A text put together from pieces of its source.
pub(crate) struct Pieces<'s> {
    source: &'s Arc<Source>,
    text: Option<Text>,
    runs: Vec<Run>,
}

impl<'s> Pieces<'s> {
    /// Nothing yet.
    pub fn new(source: &'s Arc<Source>) -> Pieces<'s> {
        Pieces { source, text: None, runs: Vec::new() }
    }

    /// Appends the bytes `span` of the source, behind `glue` when something stands before them.
    pub fn push(&mut self, span: Range<usize>, glue: char) {
        let piece = self.source.slice(span);
        match &mut self.text {
            None => self.text = Some(piece),
            Some(text) => {
                text.text.push(glue);
                self.runs.push(Run {
                    start: text.text.len(),
                    line: piece.at.line,
                    column: piece.at.column,
                    source_line: piece.source_line,
                });
                text.text.push_str(&piece.text);
            }
        }
    }

    /// The whole text; `None` when nothing was appended.
    pub fn finish(self) -> Option<Text> {
        self.text.map(|text| text.with_runs(self.runs))
    }
}
