//! Text that knows where it was written, through quoting, escapes and line joins of the file that held it.
//!
//! The route compiler works on [`Text`]s; a byte offset inside one is turned back into the place in the operator's
//! file with [`Text::position`], so that a marker points at the right character whether the route stood in a YAML
//! mapping, a JSON string with escapes or a TOML array.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Congestion;

/// A place in a configuration file (or in the value of an environment variable).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Position {
    /// The file as the operator named it.
    pub file: Arc<str>,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
}

impl Position {
    /// A position from its parts.
    pub fn new(file: impl Into<Arc<str>>, line: u32, column: u32) -> Position {
        Position { file: file.into(), line, column }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// From `start` bytes into a text on, its characters stand one after the other in the file, beginning here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub start: usize,
    pub line: u32,
    pub column: u32,
    pub source_line: Arc<str>,
}

/// A piece of the configuration with the position of its first character.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// The text after the quoting of the file format was removed.
    pub text: String,
    /// Where its first character stands.
    pub at: Position,
    /// The whole line of the file that its first character stands on.
    pub source_line: Arc<str>,
    /// Where the text stops being contiguous in the file; sorted by `start`; empty for plain text.
    runs: Arc<[Run]>,
}

impl Text {
    /// A text that is contiguous in its file.
    pub fn new(text: impl Into<String>, at: Position, source_line: impl Into<Arc<str>>) -> Text {
        Text { text: text.into(), at, source_line: source_line.into(), runs: Arc::from([]) }
    }

    /// A text that came from no file: the first line of a file called `<text>`.
    pub fn plain(text: &str) -> Text {
        Text::new(text, Position::new("<text>", 1, 1), text)
    }

    pub(crate) fn with_runs(mut self, runs: Vec<Run>) -> Text {
        self.runs = runs.into();
        self
    }

    /// The run that the character at `byte` belongs to, when it is not the first one.
    fn run(&self, byte: usize) -> Option<&Run> {
        let after = self.runs.partition_point(|run| run.start <= byte);
        after.checked_sub(1).and_then(|index| self.runs.get(index))
    }

    /// Where the character at `byte` of [`Text::text`] stands in the file. An offset past the end gives the place
    /// just behind the last character.
    pub fn position(&self, byte: usize) -> Position {
        let (start, line, column) =
            self.run(byte).map_or((0, self.at.line, self.at.column), |run| (run.start, run.line, run.column));
        let before = self.text.get(start..floor(&self.text, byte)).unwrap_or_default();
        let characters = before.chars().count();
        Position {
            file: self.at.file.clone(),
            line,
            column: column.saturating_add(u32::try_from(characters).unwrap_or(u32::MAX)),
        }
    }

    /// The line of the file that the character at `byte` stands on.
    pub fn source_line_at(&self, byte: usize) -> Arc<str> {
        self.run(byte).map_or_else(|| self.source_line.clone(), |run| run.source_line.clone())
    }

    /// A diagnostic that marks the bytes `range` of this text.
    pub fn diagnostic(&self, severity: Severity, range: Range<usize>, reason: impl Into<String>) -> Diagnostic {
        let at = self.position(range.start);
        let length = match range.end.checked_sub(1).filter(|&last| last >= range.start) {
            Some(last) => {
                let last = self.position(last);
                if last.line == at.line { last.column.saturating_sub(at.column).saturating_add(1) } else { u32::MAX }
            }
            None => 1,
        };
        Diagnostic::new(severity, at, self.source_line_at(range.start), reason).length(length)
    }

    /// An error that marks the bytes `range` of this text.
    pub fn error(&self, range: Range<usize>, reason: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Error, range, reason)
    }

    /// A warning that marks the bytes `range` of this text.
    pub fn warning(&self, range: Range<usize>, reason: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Warning, range, reason)
    }

    /// The part of this text at `range`, with its positions. Offsets off a character boundary or past the end are
    /// moved back to one that fits.
    pub fn slice(&self, range: Range<usize>) -> Text {
        let start = floor(&self.text, range.start);
        let end = floor(&self.text, range.end).max(start);
        let inside =
            self.runs.partition_point(|run| run.start <= start)..self.runs.partition_point(|run| run.start < end);
        let runs = self.runs.get(inside).unwrap_or_default().iter();
        let runs: Vec<Run> = runs.map(|run| Run { start: run.start - start, ..run.clone() }).collect();
        Text {
            text: self.text.get(start..end).unwrap_or_default().to_owned(),
            at: self.position(start),
            source_line: self.source_line_at(start),
            runs: runs.into(),
        }
    }

    /// This text without white space at its ends.
    pub fn trim(&self) -> Text {
        let kept = self.text.trim_start();
        let start = self.text.len() - kept.len();
        self.slice(start..start + kept.trim_end().len())
    }
}

/// The last character boundary at or before `byte`.
fn floor(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// One route as the configuration gives it. The route language (`router`) takes it from here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RouteText {
    /// A whole line, `GET /x: OK`, quotes included; comments are gone.
    Line(Text),
    /// Matcher and action that the file format already told apart: `GET /x` and `OK`. Quotes of the file format
    /// are gone.
    Pair {
        /// What to match: `[METHOD …] /path`.
        key: Text,
        /// What to do: the action.
        value: Text,
    },
}

impl RouteText {
    /// Where the route begins.
    pub fn at(&self) -> &Position {
        match self {
            RouteText::Line(text) | RouteText::Pair { key: text, .. } => &text.at,
        }
    }
}

/// Routes that share hosts and a path prefix, in the order of their declaration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RouteGroup {
    /// Virtual hosts that the routes answer for; empty: any host.
    pub hosts: Vec<String>,
    /// Where each of `hosts` was written, in the same order.
    pub host_positions: Vec<Position>,
    /// Congestion controller of connections on which one of the routes answered; `None`: they keep the one that they have.
    pub congestion: Option<Congestion>,
    /// Put before each path of the group; empty or starting with `/`, without a slash at its end.
    pub prefix: String,
    /// The routes, in order of declaration.
    pub routes: Vec<RouteText>,
}
