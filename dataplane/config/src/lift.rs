//! Takes the blocks below `routes:` out of a YAML source before the YAML parser sees them.
//!
//! A route line is not always YAML: `/a/b/c: *` holds an alias without a name, `FORBIDDEN {"msg":"…"}` a mapping behind a
//! scalar, `@`, `!`, `%` and backticks mean something else, and two equal keys are an error. So the lines of such a block
//! are read here, by indentation, and blanked in the text that goes on to the parser. Offsets stay the same.
//!
//! What YAML reads as meant is left to it: flow collections, quoted and plain scalars on the line of the key, aliases.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::lines::{Pieces, block, closing_quote, content_length, key_end, lone};
use crate::node::RouteItem;
use crate::source::Source;
use crate::text::{RouteText, Text};
use crate::yaml;

/// A YAML source without its blocks of routes.
pub(crate) struct Lifted {
    /// As long as the source, the routes replaced by spaces.
    pub text: String,
    /// The routes by the offset of their key.
    pub sections: BTreeMap<usize, Vec<RouteItem>>,
}

/// One line with content.
#[derive(Clone)]
struct Line {
    /// Bytes of the content, without indentation and comment.
    span: Range<usize>,
    /// Bytes before the content.
    indent: usize,
}

/// Takes the routes out of `source`.
pub(crate) fn lift(source: &Arc<Source>) -> Lifted {
    let lines: Vec<Option<Line>> = (0..source.line_count()).map(|index| content(source, index)).collect();
    let mut blank: Vec<Range<usize>> = Vec::new();
    let mut sections = BTreeMap::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        let Some(line) = line else { continue };
        let text = &source.text()[line.span.clone()];
        let Some(key) = routes_key(text) else {
            // The text of some other block scalar is none of ours.
            if ends_with_block_header(text) {
                index += lines[index..]
                    .iter()
                    .take_while(|below| below.as_ref().is_none_or(|below| below.indent > line.indent))
                    .count();
            }
            continue;
        };
        let value = text[key.colon + 1..].trim();
        let key_indent = line.indent + key.start;
        let belongs = |below: &Line| {
            let dash = is_list_item(&source.text()[below.span.clone()]);
            below.indent > key_indent || (value.is_empty() && below.indent == key_indent && dash)
        };
        let length = lines[index..].iter().take_while(|below| below.as_ref().is_none_or(belongs)).count();
        let below: Vec<Line> = lines[index..index + length].iter().flatten().cloned().collect();
        let (Some(first), Some(last)) = (below.first(), below.last()) else {
            continue;
        };
        let routes = if is_block_header(value) {
            below.iter().flat_map(|line| block(&source.slice(line.span.clone()))).collect()
        } else if value.is_empty() && !source.text()[first.span.clone()].starts_with(['[', '{']) {
            entries(source, &below)
        } else {
            continue;
        };
        sections.insert(line.span.start + key.start, routes);
        blank.push(line.span.start + key.colon + 1..last.span.end.max(line.span.end));
        index += length;
    }
    Lifted { text: blanked(source.text(), &blank), sections }
}

/// The content of a line, `None` when there is only white space or a comment.
fn content(source: &Source, index: usize) -> Option<Line> {
    let line = source.line(index);
    let length = content_length(line);
    let content = &line[..length];
    let indent = content.len() - content.trim_start().len();
    let start = source.line_start(index);
    (indent < length).then_some(Line { span: start + indent..start + length, indent })
}

/// `text` with spaces for all bytes of `ranges` but line ends.
fn blanked(text: &str, ranges: &[Range<usize>]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        result.push_str(&text[from..range.start]);
        for byte in text[range.clone()].bytes() {
            result.push(if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { ' ' });
        }
        from = range.end;
    }
    result.push_str(&text[from..]);
    result
}

/// Where the key `routes` and its colon stand in a line.
struct RoutesKey {
    start: usize,
    colon: usize,
}

/// Finds `routes:`, also quoted and as the first key of a list item.
fn routes_key(text: &str) -> Option<RoutesKey> {
    let mut start = 0;
    while is_list_item(&text[start..]) {
        let after = &text[start + 1..];
        start += 1 + after.len() - after.trim_start().len();
    }
    let name = ["routes", "\"routes\"", "'routes'"].into_iter().find(|name| text[start..].starts_with(name))?;
    let after = &text[start + name.len()..];
    let colon = start + name.len() + after.len() - after.trim_start().len();
    let ends =
        text.as_bytes().get(colon) == Some(&b':') && text.as_bytes().get(colon + 1).is_none_or(u8::is_ascii_whitespace);
    ends.then_some(RoutesKey { start, colon })
}

fn is_list_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ") || text.starts_with("-\t")
}

/// `|`, `>-`, `|2+`: the header of a block scalar.
fn is_block_header(text: &str) -> bool {
    text.strip_prefix(['|', '>'])
        .is_some_and(|rest| rest.len() <= 2 && rest.bytes().all(|byte| matches!(byte, b'+' | b'-' | b'1'..=b'9')))
}

fn ends_with_block_header(text: &str) -> bool {
    let word = text.rsplit([' ', '\t']).next().unwrap_or_default();
    is_block_header(word) && text[..text.len() - word.len()].trim_end().ends_with([':', '-'])
}

/// Reads the lines below `routes:` as entries of a mapping or items of a list.
fn entries(source: &Arc<Source>, lines: &[Line]) -> Vec<RouteItem> {
    let mut routes = Vec::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        let mut entry = line.clone();
        // The dash of a list item, and of lists in lists.
        while is_list_item(&source.text()[entry.span.clone()]) {
            let after = &source.text()[entry.span.start + 1..entry.span.end];
            let step = 1 + after.len() - after.trim_start().len();
            entry = Line { span: entry.span.start + step..entry.span.end, indent: entry.indent + step };
        }
        let text = &source.text()[entry.span.clone()];
        let deeper = lines[index..].iter().take_while(|below| below.indent > line.indent).count();
        if text.is_empty() {
            // A dash alone: its content stands in the lines below.
            continue;
        }
        if is_block_header(text) {
            routes.extend(lines[index..index + deeper].iter().flat_map(|line| block(&source.slice(line.span.clone()))));
            index += deeper;
            continue;
        }
        let (route, used) = entry_route(source, &entry, &lines[index..index + deeper], &lines[index..]);
        routes.extend(route);
        index += used;
    }
    routes
}

/// Reads one entry; also how many of the lines below it belong to it.
fn entry_route(source: &Arc<Source>, entry: &Line, deeper: &[Line], below: &[Line]) -> (Vec<RouteItem>, usize) {
    let text = &source.text()[entry.span.clone()];
    let start = entry.span.start;
    let (key, colon) = match quoted(source, &entry.span) {
        Some((whole, end)) if end == entry.span.end => return (lone(whole), 0),
        Some((key, end)) => {
            let rest = &source.text()[end..entry.span.end];
            match key_end(rest.trim_start()) {
                Some(0) => (key, end + rest.len() - rest.trim_start().len()),
                _ => return (lone(source.slice(entry.span.clone())), 0),
            }
        }
        None => match key_end(text) {
            Some(colon) => (source.slice(start..start + colon).trim(), start + colon),
            None => return (lone(source.slice(entry.span.clone())), 0),
        },
    };
    let after = &source.text()[colon + 1..entry.span.end];
    let value = colon + 1 + after.len() - after.trim_start().len()..entry.span.end;
    let value_text = &source.text()[value.clone()];
    let (value, used) = if value_text.is_empty() {
        (joined(source, None, deeper, ' '), deeper.len())
    } else if is_block_header(value_text) {
        (joined(source, None, deeper, if value_text.starts_with('|') { '\n' } else { ' ' }), deeper.len())
    } else if let Some((value, end)) = quoted(source, &value)
        && end == entry.span.end
    {
        (Some(value), 0)
    } else {
        let more = lines_until_closed(source, value_text, below, entry.indent);
        (joined(source, Some(value), &below[..more], ' '), more)
    };
    // A route without an action is the router's to refuse; it is shown the place behind the colon.
    let value = value.unwrap_or_else(|| source.slice(entry.span.end..entry.span.end));
    (vec![RouteItem::Route(RouteText::Pair { key, value })], used)
}

/// The quoted text that `span` begins with, and where it ends.
fn quoted(source: &Arc<Source>, span: &Range<usize>) -> Option<(Text, usize)> {
    let text = &source.text()[span.clone()];
    if !text.starts_with(['"', '\'']) {
        return None;
    }
    let close = closing_quote(text, 0)?;
    let decoded = yaml::quoted_scalar(&text[..=close])?;
    let inside = span.start + 1..span.start + close;
    Some((source.decoded(decoded, inside, text.starts_with('"')), span.start + close + 1))
}

/// The pieces of a value that goes on in the lines below.
fn joined(source: &Arc<Source>, first: Option<Range<usize>>, lines: &[Line], glue: char) -> Option<Text> {
    let mut pieces = Pieces::new(source);
    first.into_iter().chain(lines.iter().map(|line| line.span.clone())).for_each(|span| pieces.push(span, glue));
    pieces.finish()
}

/// How many lines below a value are needed until its braces and brackets are closed: a JSON body in several lines.
fn lines_until_closed(source: &Source, value: &str, below: &[Line], indent: usize) -> usize {
    let mut open = open_brackets(value);
    let mut used = 0;
    while let Some(line) = below.get(used).filter(|_| open > 0) {
        let text = &source.text()[line.span.clone()];
        // What stands below the key at its own indentation is the next route, or the end of the body.
        if line.indent < indent || (line.indent == indent && !text.starts_with(['}', ']'])) {
            break;
        }
        open += open_brackets(text);
        used += 1;
    }
    // Never closed: a brace in a text, not a body.
    if open > 0 { 0 } else { used }
}

/// Brackets and braces opened less those closed, outside of quotes.
fn open_brackets(text: &str) -> i64 {
    let (mut open, mut at, mut quotes) = (0, 0, true);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            b'"' if quotes => match closing_quote(text, at) {
                Some(close) => at = close,
                None => quotes = false,
            },
            _ => {}
        }
        at += 1;
    }
    open
}
