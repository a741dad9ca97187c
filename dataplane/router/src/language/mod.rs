//! The route language: `[METHOD …] /path/:param/*rest: action`, one rule a line.
//!
//! A byte lexer walks the text once and borrows from it; what it allocates is what the rule keeps. Every token knows
//! its place in the operator's file, through the quoting of the file format and that of the language, so an error marks
//! the very token that it is about.
//!
//! `docs/ROUTES.md` is the reference; its examples are run by a test of this crate.

mod action;
mod header;
mod matcher;
mod piece;
mod target;

use std::ops::Range;

use config::{Diagnostic, RouteText, Text};

use crate::pattern::Segment;
use crate::rule::Route;
use crate::status::Status;
use piece::Piece;

/// Why a text is no route, with the token marked. Boxed: the good case should not carry its weight.
pub type Fault = Box<Diagnostic>;

/// The fault with what to write instead.
fn advise(mut fault: Fault, help: impl Into<String>) -> Fault {
    fault.suggestion = Some(help.into());
    fault
}

/// Parses one route as the configuration gives it.
pub fn parse(route: &RouteText) -> Result<Route, Fault> {
    parse_below(route, &[])
}

/// Parses a route of a group; its action may also name the parameters of the group's prefix.
pub(crate) fn parse_below(route: &RouteText, prefix: &[Segment]) -> Result<Route, Fault> {
    let (key, value) = match route {
        RouteText::Line(line) => split(line)?,
        RouteText::Pair { key, value } => (whole(key)?, whole(value)?),
    };
    let (methods, pattern) = matcher::parse(&key)?;
    if value.text().is_empty() {
        let fault = key.error(key.all(), "a rule without an action");
        return Err(advise(fault, format!("write `{}: OK`, or another action", key.text())));
    }
    let action = action::parse(&value, [prefix, pattern.segments()], &pattern)?;
    if let Some(fault) = matcher::check_methods_of_files(&key, methods, &action) {
        return Err(fault);
    }
    Ok(Route { methods, pattern, action })
}

/// Parses one line that came from no file.
pub fn parse_line(line: &str) -> Result<Route, Fault> {
    parse(&RouteText::Line(Text::plain(line)))
}

/// Parses the prefix of a group: a path without `*rest`.
pub(crate) fn parse_prefix(prefix: &str) -> Result<Vec<Segment>, Fault> {
    let text = Text::plain(prefix);
    if prefix.is_empty() || prefix == "/" {
        return Ok(Vec::new());
    }
    let piece = Piece::plain(&text, 0..prefix.len());
    let mut segments = matcher::parse_path(&piece, 0..prefix.len())?.segments().to_vec();
    if matches!(segments.last(), Some(Segment::Literal(text)) if text.is_empty()) {
        segments.pop();
    }
    match segments.last() {
        Some(Segment::Rest(name)) => Err(piece.error(piece.all(), format!("a prefix cannot end with `*{name}`"))),
        _ => Ok(segments),
    }
}

/// A text that is matcher or action alone.
fn whole(text: &Text) -> Result<Piece<'_>, Fault> {
    let range = trimmed(&text.text, 0..text.text.len());
    if !starts_with_quote(&text.text, &range) {
        return Ok(Piece::plain(text, range));
    }
    let (piece, end) = piece::unquote(text, range.clone())?;
    nothing_after_quote(text, end..range.end)?;
    Ok(piece)
}

/// Splits a line into matcher and action.
fn split(line: &Text) -> Result<(Piece<'_>, Piece<'_>), Fault> {
    let range = trimmed(&line.text, 0..line.text.len());
    let (key, colon) = if starts_with_quote(&line.text, &range) {
        let (key, end) = piece::unquote(line, range.clone())?;
        let after = trimmed(&line.text, end..range.end);
        if line.text.as_bytes().get(after.start) != Some(&b':') {
            return Err(line
                .error(
                    after.start..after.start.saturating_add(1).min(line.text.len()),
                    "no `:` after the quoted matcher",
                )
                .help("write `\"/path\": action`")
                .into());
        }
        (key, after.start)
    } else {
        let colon = separator(line, range.clone())?;
        (Piece::plain(line, trimmed(&line.text, range.start..colon)), colon)
    };
    let value = trimmed(&line.text, colon + 1..range.end);
    if !starts_with_quote(&line.text, &value) {
        return Ok((key, Piece::plain(line, value)));
    }
    let (piece, end) = piece::unquote(line, value.clone())?;
    nothing_after_quote(line, end..value.end)?;
    Ok((key, piece))
}

/// The colon between matcher and action: the first one with white space, or nothing, behind it. A colon that begins a
/// parameter has its name behind it.
fn separator(line: &Text, range: Range<usize>) -> Result<usize, Fault> {
    let bytes = line.text.as_bytes();
    let ends = |at: usize| at + 1 >= range.end || bytes.get(at + 1).is_some_and(|&b| is_blank(b));
    if let Some(colon) = range.clone().find(|&at| bytes.get(at) == Some(&b':') && ends(at)) {
        return Ok(colon);
    }
    Err(missing_separator(line, range))
}

/// Says where the colon should have been.
fn missing_separator(line: &Text, range: Range<usize>) -> Fault {
    let text = line.text.get(range.clone()).unwrap_or_default();
    let word = |token: &str| token == "*" || Status::parse(token).is_ok() || token.starts_with(['/', '.', '"', '{']);
    // `/a:OK`: the colon is there, the space is not.
    if let Some((at, action)) = text
        .match_indices(':')
        .map(|(at, _)| (at, text.get(at + 1..).unwrap_or_default()))
        .find(|(_, after)| after.split(is_blank_char).next().is_some_and(word))
    {
        let key = text.get(..at).unwrap_or_default();
        return line
            .error(range.start + at..range.start + at + 1, "no space after the colon between matcher and action")
            .help(format!("write `{key}: {action}`"))
            .into();
    }
    // `GET /a OK`: neither is.
    let mut after_path = text
        .char_indices()
        .skip_while(|(_, c)| *c != '/')
        .skip_while(|(_, c)| !is_blank_char(*c))
        .skip_while(|(_, c)| is_blank_char(*c));
    if let Some((at, _)) = after_path.next() {
        let (key, action) = text.split_at(at);
        let length = action.find(is_blank_char).unwrap_or(action.len());
        return line
            .error(range.start + at..range.start + at + length, "no `:` between matcher and action")
            .help(format!("write `{}: {action}`", key.trim_end()))
            .into();
    }
    line.error(range.clone(), "a rule without an action").help(format!("write `{text}: OK`, or another action")).into()
}

fn nothing_after_quote(text: &Text, rest: Range<usize>) -> Result<(), Fault> {
    let rest = trimmed(&text.text, rest);
    if rest.is_empty() {
        return Ok(());
    }
    Err(text.error(rest, "text after the closing quote").help("quote the whole of the action, or nothing of it").into())
}

fn starts_with_quote(text: &str, range: &Range<usize>) -> bool {
    range.start < range.end && matches!(text.as_bytes().get(range.start), Some(b'"' | b'\''))
}

/// The range without white space at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = text.get(range.clone()).unwrap_or_default();
    let kept = part.trim_start_matches(is_blank_char);
    let start = range.start + (part.len() - kept.len());
    start..start + kept.trim_end_matches(is_blank_char).len()
}

/// White space of the language.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_blank_char(character: char) -> bool {
    u8::try_from(character).is_ok_and(is_blank)
}

#[cfg(test)]
mod tests;
