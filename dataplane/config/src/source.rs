//! One input (a file, a string, the value of an environment variable) and the way from byte offsets to lines and
//! columns.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::diagnostic::{Diagnostic, Severity};
use crate::text::{Position, Run, Text};

/// Bytes between two remembered character counts: a column costs at most this much counting, also in a file that is
/// one line of a megabyte.
const STRIDE: usize = 256;

/// An input with its index of lines.
#[derive(Debug)]
pub(crate) struct Source {
    name: Arc<str>,
    text: Arc<str>,
    /// Where each line begins.
    lines: Vec<usize>,
    /// The line that was asked for last: values stand side by side on the same one.
    last_line: Mutex<(usize, Arc<str>)>,
    /// Characters before byte `k * STRIDE`.
    counts: Vec<usize>,
    /// Lists may be written as `a, b`: the value of an environment variable.
    comma_lists: bool,
}

impl Source {
    /// Indexes `text`.
    pub fn new(name: impl Into<Arc<str>>, text: &str) -> Arc<Source> {
        Arc::new(Source::index(name.into(), text, false))
    }

    /// The value of an environment variable.
    pub fn variable(name: &str, value: &str) -> Arc<Source> {
        Arc::new(Source::index(format!("environment variable {name}").into(), value, true))
    }

    fn index(name: Arc<str>, text: &str, comma_lists: bool) -> Source {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            lines.push(start);
            start += line.len();
        }
        if text.is_empty() || text.ends_with('\n') {
            lines.push(start);
        }
        let mut counts = Vec::with_capacity(text.len() / STRIDE + 1);
        let mut characters = 0;
        for (at, byte) in text.bytes().enumerate() {
            if at % STRIDE == 0 {
                counts.push(characters);
            }
            characters += usize::from(begins_character(byte));
        }
        let last_line = Mutex::new((usize::MAX, "".into()));
        Source { name, text: text.into(), lines, last_line, counts, comma_lists }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `a, b` is a list here.
    pub fn comma_lists(&self) -> bool {
        self.comma_lists
    }

    /// Index of the line that holds the byte at `offset`, from 0.
    pub fn line_index(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// Byte offset of the beginning of a line counted from 0.
    pub fn line_start(&self, index: usize) -> usize {
        self.lines.get(index).copied().unwrap_or(self.text.len())
    }

    /// The text of a line counted from 0, without its end.
    pub fn line(&self, index: usize) -> &str {
        let line = self.text.get(self.line_start(index)..self.line_start(index + 1)).unwrap_or_default();
        line.trim_end_matches(['\n', '\r'])
    }

    /// The same, to be kept.
    fn shared_line(&self, index: usize) -> Arc<str> {
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != index {
            *last = (index, self.line(index).into());
        }
        last.1.clone()
    }

    /// How many lines there are.
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// Characters before the byte at `offset`.
    fn characters_before(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let stride = (offset / STRIDE).min(self.counts.len().saturating_sub(1));
        let known = self.counts.get(stride).copied().unwrap_or(0);
        let rest = self.text.as_bytes().get(stride * STRIDE..offset).unwrap_or_default();
        known + rest.iter().filter(|&&byte| begins_character(byte)).count()
    }

    /// Line and column, both from 1, of the byte at `offset`.
    pub fn line_column(&self, offset: usize) -> (u32, u32) {
        let index = self.line_index(offset);
        let column = self.characters_before(offset)
            - self.characters_before(self.line_start(index)).min(self.characters_before(offset));
        (count(index + 1), count(column + 1))
    }

    /// The position of the byte at `offset`.
    pub fn position(&self, offset: usize) -> Position {
        let (line, column) = self.line_column(offset);
        Position { file: self.name.clone(), line, column }
    }

    /// A finding about the bytes `span`.
    pub fn diagnostic(&self, severity: Severity, span: Range<usize>, reason: impl Into<String>) -> Diagnostic {
        let line = self.line_index(span.start);
        let line_end = self.line_start(line) + self.line(line).len();
        let end = span.end.min(line_end).max(span.start);
        let length = self.characters_before(end) - self.characters_before(span.start).min(self.characters_before(end));
        Diagnostic::new(severity, self.position(span.start), self.shared_line(line), reason).length(count(length))
    }

    /// The bytes `span` as they stand, as a text with positions.
    pub fn slice(&self, span: Range<usize>) -> Text {
        let text = self.text.get(span.clone()).unwrap_or_default();
        self.decoded(text.to_owned(), span, false)
    }

    /// A text that the bytes `span` (without their quotes) stand for, with the position of each of its characters.
    /// `escapes`: a backslash in the source begins an escape.
    ///
    /// The two are walked side by side. Where they differ the source has an escape, a doubled quote, indentation or a
    /// folded line end; anything else ends the walk, which costs exactness of positions but nothing more.
    pub fn decoded(&self, text: String, span: Range<usize>, escapes: bool) -> Text {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let at = self.position(span.start);
        let line = self.shared_line(self.line_index(span.start));
        if text == raw && !raw.contains('\n') {
            return Text::new(text, at, line);
        }
        let (mut runs, mut from, mut contiguous) = (Vec::new(), 0, true);
        for (to, wanted) in text.char_indices() {
            let Some(skipped) = skip_to(&raw[from..], wanted, escapes) else {
                break;
            };
            contiguous &= skipped.before == 0;
            from += skipped.before;
            if !contiguous {
                let (line, column) = self.line_column(span.start + from);
                runs.push(Run {
                    start: to,
                    line,
                    column,
                    source_line: self.shared_line(self.line_index(span.start + from)),
                });
            }
            from += skipped.length;
            contiguous = skipped.length == wanted.len_utf8() && wanted != '\n';
        }
        Text::new(text, at, line).with_runs(runs)
    }
}

/// How the next character of a decoded text stands in its source.
struct Skipped {
    /// Bytes of indentation before it.
    before: usize,
    /// Bytes that stand for it.
    length: usize,
}

/// Finds how `wanted` is written at the beginning of `raw`.
fn skip_to(raw: &str, wanted: char, escapes: bool) -> Option<Skipped> {
    let mut before = 0;
    loop {
        let rest = raw.get(before..)?;
        let next = rest.chars().next()?;
        if escapes && next == '\\' {
            let length = escape_length(rest);
            // A backslash at the end of a line joins it to the next one.
            if matches!(rest.as_bytes().get(1), Some(b'\n' | b'\r')) {
                before += length;
                continue;
            }
            return Some(Skipped { before, length });
        }
        if next == wanted {
            let doubled = !escapes && wanted == '\'' && rest.starts_with("''");
            return Some(Skipped { before, length: if doubled { 2 } else { next.len_utf8() } });
        }
        if !next.is_whitespace() {
            return None;
        }
        if wanted == ' ' && next == '\n' {
            // A folded line end stands for the space.
            return Some(Skipped { before, length: 1 });
        }
        before += next.len_utf8();
    }
}

/// Bytes of the escape that `rest` begins with.
fn escape_length(rest: &str) -> usize {
    let length = match rest.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'U') => 10,
        Some(b'u') => {
            let high = rest.get(2..6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
            let pair = high.is_some_and(|unit| (0xd800..0xdc00).contains(&unit)) && rest.get(6..8) == Some("\\u");
            if pair { 12 } else { 6 }
        }
        Some(_) => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
        None => 1,
    };
    let mut length = length.min(rest.len());
    while !rest.is_char_boundary(length) {
        length += 1;
    }
    length
}

fn begins_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
