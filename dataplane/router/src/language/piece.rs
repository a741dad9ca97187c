//! A stretch of route text with the quotes of the language removed, which still knows where each byte was written.

use std::borrow::Cow;
use std::ops::Range;

use config::Text;

use super::{Fault, is_blank_char};

/// Matcher or action of a route.
pub(super) struct Piece<'a> {
    origin: &'a Text,
    text: Cow<'a, str>,
    /// Where the first byte stands in `origin`.
    start: usize,
    /// From each (offset here, offset in `origin`) on, bytes stand one after the other again.
    jumps: Vec<(usize, usize)>,
}

/// A word and where it begins in its piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'p> {
    pub at: usize,
    pub text: &'p str,
}

impl Word<'_> {
    pub fn range(&self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }
}

impl<'a> Piece<'a> {
    /// The bytes `range` of a text, as they are.
    pub fn plain(origin: &'a Text, range: Range<usize>) -> Piece<'a> {
        let text = Cow::Borrowed(origin.text.get(range.clone()).unwrap_or_default());
        Piece { origin, text, start: range.start, jumps: Vec::new() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn all(&self) -> Range<usize> {
        0..self.text.len()
    }

    /// An error that marks the bytes `range` of this piece; an empty range marks the character behind it.
    pub fn error(&self, range: Range<usize>, reason: impl Into<String>) -> Fault {
        let start = self.origin_of(range.start);
        let end = if range.is_empty() { start + 1 } else { self.origin_of(range.end) };
        Box::new(self.origin.error(start..end.max(start + 1), reason))
    }

    fn origin_of(&self, at: usize) -> usize {
        let jump = self.jumps.iter().rev().find(|(here, _)| *here <= at);
        let (here, there) = jump.copied().unwrap_or((0, self.start));
        there + (at - here)
    }

    /// The words, separated by white space, of the bytes from `from` on.
    pub fn words(&self, from: usize) -> impl Iterator<Item = Word<'_>> {
        let mut at = from;
        std::iter::from_fn(move || {
            let rest = self.text.get(at..)?;
            let start = at + rest.find(|c| !is_blank_char(c))?;
            let word = self.text.get(start..)?;
            let text = word.get(..word.find(is_blank_char).unwrap_or(word.len()))?;
            at = start + text.len();
            Some(Word { at: start, text })
        })
    }
}

/// Removes the quotes that begin at the start of `range`. Returns the piece and the offset behind the closing quote.
///
/// In double quotes `\"`, `\\`, `\/`, `\n`, `\r`, `\t` and `\uXXXX` are escapes; in single quotes `''` is one quote.
pub(super) fn unquote(origin: &Text, range: Range<usize>) -> Result<(Piece<'_>, usize), Fault> {
    let quoted = origin.text.get(range.clone()).unwrap_or_default();
    let quote = quoted.chars().next().unwrap_or('"');
    let start = range.start + 1;
    let inner = quoted.get(1..).unwrap_or_default();
    let mut piece = Piece { origin, text: Cow::Borrowed(""), start, jumps: Vec::new() };
    // Text up to the first escape is borrowed.
    let mut clean_from = 0;
    let mut at = 0;
    loop {
        let Some(found) = inner.get(at..).and_then(|rest| rest.find([quote, '\\'])) else {
            return Err(Box::new(
                origin
                    .error(range.start..range.start + 1, "the quote is never closed")
                    .help(format!("close it with `{quote}`")),
            ));
        };
        let special = at + found;
        let after = inner.get(special..).unwrap_or_default();
        let (replacement, length) = if quote == '\'' {
            if after.starts_with("''") {
                ('\'', 2)
            } else if after.starts_with('\\') {
                ('\\', 1)
            } else {
                ('\0', 0)
            }
        } else if after.starts_with('"') {
            ('\0', 0)
        } else {
            escape(after).ok_or_else(|| {
                let length = after.chars().take(2).map(char::len_utf8).sum::<usize>();
                Box::new(origin.error(start + special..start + special + length, "an escape that the route language does not know")
                    .help("in double quotes, write `\\\\` for a backslash; known are \\\" \\\\ \\/ \\n \\r \\t \\uXXXX"))
            })?
        };
        if length == 0 {
            piece.append(inner.get(clean_from..special).unwrap_or_default());
            piece.trim(start);
            return Ok((piece, start + special + 1));
        }
        at = special + length;
        if length > 1 {
            piece.append(inner.get(clean_from..special).unwrap_or_default());
            piece.text.to_mut().push(replacement);
            piece.jumps.push((piece.text.len(), start + at));
            clean_from = at;
        }
    }
}

impl<'a> Piece<'a> {
    fn append(&mut self, clean: &'a str) {
        if self.text.is_empty() && self.jumps.is_empty() {
            self.text = Cow::Borrowed(clean);
        } else {
            self.text.to_mut().push_str(clean);
        }
    }

    /// Removes white space at both ends.
    fn trim(&mut self, start: usize) {
        let kept = self.text.trim_end_matches(is_blank_char).len();
        let cut = self.text.len() - self.text.trim_start_matches(is_blank_char).len();
        let cut = cut.min(kept);
        match &mut self.text {
            Cow::Borrowed(text) => *text = text.get(cut..kept).unwrap_or_default(),
            Cow::Owned(text) => {
                text.truncate(kept);
                text.drain(..cut);
            }
        }
        self.start = start + cut;
        // White space cut from the front may have been written as escapes.
        if let Some(&(here, there)) = self.jumps.iter().rev().find(|(here, _)| *here <= cut) {
            self.start = there + (cut - here);
        }
        self.jumps.retain(|(here, _)| *here > cut);
        self.jumps.iter_mut().for_each(|(here, _)| *here -= cut);
    }
}

/// The character that the escape at the start of `text` stands for, and the bytes that it takes.
fn escape(text: &str) -> Option<(char, usize)> {
    let kind = text.chars().nth(1)?;
    Some(match kind {
        '"' | '\\' | '/' => (kind, 2),
        'n' => ('\n', 2),
        'r' => ('\r', 2),
        't' => ('\t', 2),
        'u' => {
            let digits = text.get(2..6).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            (char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 6)
        }
        _ => return None,
    })
}
