//! What is wrong with a configuration, said the way a compiler says it: where, the line itself with a marker, why, and
//! what to do about it.

use std::fmt;
use std::sync::Arc;

use unicode_width::UnicodeWidthChar;

use crate::text::Position;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Nothing to mend; something worth knowing.
    Note,
    /// Works, but probably not as meant.
    Warning,
    /// The configuration is refused.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// Another place that has to do with the matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Related {
    /// The place.
    pub at: Position,
    /// Its line in the file, to be shown; empty when it is not known.
    pub source_line: Arc<str>,
    /// Characters to mark.
    pub length: u32,
    /// What is there.
    pub text: String,
}

/// One finding about a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Error, warning or note.
    pub severity: Severity,
    /// The first character that it is about. Line 0: the file as a whole.
    pub at: Position,
    /// How many characters it is about; the marker ends with the line at the latest.
    pub length: u32,
    /// The line of the file at `at`; empty when there is none to show.
    pub source_line: Arc<str>,
    /// What is wrong, in one sentence without a full stop.
    pub reason: String,
    /// What to do about it.
    pub suggestion: Option<String>,
    /// Other places that have to do with it.
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// A finding that marks one character.
    pub fn new(
        severity: Severity,
        at: Position,
        source_line: impl Into<Arc<str>>,
        reason: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            severity,
            at,
            length: 1,
            source_line: source_line.into(),
            reason: reason.into(),
            suggestion: None,
            related: Vec::new(),
        }
    }

    /// An error about a file as a whole.
    pub fn about_file(file: impl Into<Arc<str>>, reason: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, Position::new(file, 0, 0), "", reason)
    }

    /// Sets how many characters are marked.
    #[must_use]
    pub fn length(mut self, characters: u32) -> Diagnostic {
        self.length = characters.max(1);
        self
    }

    /// Sets what to do about it.
    #[must_use]
    pub fn help(mut self, suggestion: impl Into<String>) -> Diagnostic {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(
        mut self,
        at: Position,
        source_line: impl Into<Arc<str>>,
        length: u32,
        text: impl Into<String>,
    ) -> Diagnostic {
        self.related.push(Related { at, source_line: source_line.into(), length: length.max(1), text: text.into() });
        self
    }

    /// Whether it refuses the configuration.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl std::error::Error for Diagnostic {}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.related.iter().map(|r| r.at.line).chain([self.at.line]).max().unwrap_or(0);
        let gutter = widest.to_string().len();
        write!(f, "{}: {}", self.severity, printable(&self.reason))?;
        excerpt(f, gutter, "-->", &self.at, &self.source_line, self.length, '^')?;
        for related in &self.related {
            write!(f, "\n{:gutter$} = note: {}", "", printable(&related.text))?;
            excerpt(f, gutter, ":::", &related.at, &related.source_line, related.length, '-')?;
        }
        if let Some(help) = &self.suggestion {
            write!(f, "\n{:gutter$} = help: {}", "", printable(help))?;
        }
        Ok(())
    }
}

/// Characters of a long line that are shown around the marker.
const EXCERPT_CHARACTERS: usize = 120;

/// Prints the place, the line and the marker below it.
fn excerpt(
    f: &mut fmt::Formatter<'_>,
    gutter: usize,
    arrow: &str,
    at: &Position,
    line: &str,
    length: u32,
    mark: char,
) -> fmt::Result {
    if at.line == 0 {
        return write!(f, "\n{:gutter$}{arrow} {}", "", printable(&at.file));
    }
    write!(f, "\n{:gutter$}{arrow} {}:{}:{}", "", printable(&at.file), at.line, at.column)?;
    if line.is_empty() {
        return Ok(());
    }
    let before = at.column.saturating_sub(1) as usize;
    let long = line.chars().nth(EXCERPT_CHARACTERS).is_some();
    let first = if long { before.saturating_sub(EXCERPT_CHARACTERS / 2) } else { 0 };
    let (mut shown, mut blank, mut marked) = (String::new(), 0, 0);
    if first > 0 {
        shown.push('…');
        blank += 1;
    }
    for (index, character) in line.chars().enumerate().skip(first) {
        if index - first >= EXCERPT_CHARACTERS {
            shown.push('…');
            break;
        }
        let width = push_printable(&mut shown, character);
        if index < before {
            blank += width;
        } else if index - before < length as usize {
            marked += width;
        }
    }
    let shown = shown.trim_end();
    let marker = mark.to_string().repeat(marked.max(1));
    write!(f, "\n{:gutter$} |\n{:>gutter$} | {shown}\n{:gutter$} | {:blank$}{marker}", "", at.line, "", "")
}

/// Text whose control characters cannot play tricks on a terminal.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' {
            shown.push('\n')
        } else {
            push_printable(&mut shown, character);
        }
    }
    shown
}

/// Appends a character, tabs as four spaces and control or direction-changing characters as `�`; returns how many
/// columns of a terminal it takes.
fn push_printable(shown: &mut String, character: char) -> usize {
    let changes_direction =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match character {
        '\t' => {
            shown.push_str("    ");
            4
        }
        _ if character.is_control() || changes_direction => {
            shown.push('\u{fffd}');
            1
        }
        _ => {
            shown.push(character);
            character.width().unwrap_or(1)
        }
    }
}

/// Diagnostics in the order in which they were found. Their number is bounded: what a broken file says a thousand
/// times is counted, not kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    omitted: usize,
    errors: usize,
}

impl Diagnostics {
    /// How many are kept.
    pub const MAX_KEPT: usize = 50;

    /// None yet.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.is_error() {
            self.errors += 1;
        }
        if self.list.len() < Self::MAX_KEPT {
            self.list.push(diagnostic);
            return;
        }
        // The first error must not be lost behind warnings.
        let replaceable = self.list.iter().rposition(|kept| !kept.is_error()).filter(|_| diagnostic.is_error());
        if let Some(index) = replaceable {
            self.list.remove(index);
            self.list.push(diagnostic);
        }
        self.omitted += 1;
    }

    /// The ones that are kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// How many were kept.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many were found beyond the ones that are kept.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Whether the configuration is refused.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// The ones that are kept, as a list.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.list
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        let mut all = Diagnostics::new();
        all.push(diagnostic);
        all
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, found: I) {
        found.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(found: I) -> Diagnostics {
        let mut all = Diagnostics::new();
        all.extend(found);
        all
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        if self.omitted > 0 {
            write!(f, "\n\n… and {} more", self.omitted)?;
        }
        Ok(())
    }
}
