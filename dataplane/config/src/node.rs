//! The tree that every file format is read into: values with the bytes they were written in, mappings in order and
//! with their duplicates.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Source;
use crate::text::{RouteText, Text};

/// How a scalar was written, for formats that tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Without quotes where quotes mean nothing: YAML's plain style, environment variables. May be anything.
    Plain,
    /// Quoted, or a block of text: a string.
    Quoted,
    /// A number of JSON or TOML.
    Number,
    /// `true` or `false` of JSON or TOML.
    Bool,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Scalar {
        text: String,
        kind: Kind,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Routes that were taken from the source before the file format saw them.
    Routes(Vec<RouteItem>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: Node,
    pub value: Node,
}

/// A route, or a file to take routes from.
#[derive(Clone, Debug)]
pub(crate) enum RouteItem {
    Route(RouteText),
    File(Text),
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub value: Value,
    pub source: Arc<Source>,
    /// Bytes of the source, quotes included.
    pub span: Range<usize>,
}

impl Node {
    /// A scalar.
    pub fn scalar(source: &Arc<Source>, span: Range<usize>, text: impl Into<String>, kind: Kind) -> Node {
        Node { value: Value::Scalar { text: text.into(), kind }, source: source.clone(), span }
    }

    /// An error about this value.
    pub fn error(&self, reason: impl Into<String>) -> Diagnostic {
        self.source.diagnostic(Severity::Error, self.span.clone(), reason)
    }

    /// The text of a scalar.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// What it is, for error messages.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar { text, kind: Kind::Number } => format!("the number {}", crop(text)),
            Value::Scalar { text, .. } => format!("`{}`", crop(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Routes(_) => "a block of routes".to_owned(),
        }
    }

    /// The text of a scalar with the place of each character.
    pub fn text(&self) -> Option<Text> {
        let text = self.as_str()?;
        let raw = self.source.text().get(self.span.clone()).unwrap_or_default();
        let quoted = |quote: &str| raw.len() >= 2 * quote.len() && raw.starts_with(quote) && raw.ends_with(quote);
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| quoted(quote)).map_or(0, str::len);
        let mut span = self.span.start + quote..self.span.end - quote;
        // TOML: a line end right after the opening quotes is not part of the text.
        if quote == 3 {
            let inside = self.source.text().get(span.clone()).unwrap_or_default();
            span.start += if inside.starts_with("\r\n") { 2 } else { usize::from(inside.starts_with('\n')) };
        }
        let block = self.block_content(&mut span);
        Some(self.source.decoded(text.to_owned(), span, !block && quote > 0 && raw.starts_with('"')))
    }

    /// Moves `span` past the header (`|`, `>-`, …) of a YAML block scalar, if it is one.
    fn block_content(&self, span: &mut Range<usize>) -> bool {
        let raw = self.source.text().get(span.clone()).unwrap_or_default();
        if !raw.starts_with(['|', '>']) {
            return false;
        }
        span.start += raw.find('\n').map_or(raw.len(), |end| end + 1);
        let raw = self.source.text().get(span.clone()).unwrap_or_default();
        span.start += raw.len() - raw.trim_start().len();
        true
    }
}

/// Text short enough for an error message.
pub(crate) fn crop(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.chars().count() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN).chain(['…']).collect() }
}
