//! The left side of a rule: `[METHOD …] /path/:param/*rest`.

use std::ops::Range;

use super::piece::{Piece, Word};
use super::{Fault, advise};
use crate::action::ActionSpec;
use crate::method::{Method, MethodSet};
use crate::path::{self, PathRefusal};
use crate::pattern::{Pattern, Segment};
use crate::{MAX_PARAMS, MAX_SEGMENTS, suggest};

/// Parses methods and path.
pub(super) fn parse(key: &Piece<'_>) -> Result<(MethodSet, Pattern), Fault> {
    let mut methods = MethodSet::EMPTY;
    let mut words = key.words(0).peekable();
    while let Some(word) = words.next() {
        if word.text.starts_with('/') {
            let pattern = parse_path(key, word.range())?;
            return match words.next() {
                None => Ok((methods, pattern)),
                Some(extra) => Err(after_path(key, extra, &word)),
            };
        }
        let method = Method::named(word.text).ok_or_else(|| not_a_method(key, word, words.peek().is_none()))?;
        if methods.contains(method) {
            return Err(advise(key.error(word.range(), format!("`{method}` is named twice")), "name each method once"));
        }
        methods = methods.union(MethodSet::of(method));
    }
    let help = if methods.is_empty() {
        "write a path, such as `/`, before the colon"
    } else {
        "write a path, such as `/`, behind the methods"
    };
    Err(advise(key.error(key.all(), "a rule without a path"), help))
}

/// A rule that reads files takes only the methods that read.
pub(super) fn check_methods_of_files(key: &Piece<'_>, methods: MethodSet, action: &ActionSpec) -> Option<Fault> {
    if !matches!(action, ActionSpec::Static { .. }) {
        return None;
    }
    let word = key
        .words(0)
        .find(|word| Method::named(word.text).is_some_and(|method| !matches!(method, Method::Get | Method::Head)))?;
    let fault = key.error(word.range(), format!("files are not served for `{}`", word.text));
    let rest: Vec<&str> =
        [Method::Get, Method::Head].into_iter().filter(|&method| methods.contains(method)).map(Method::name).collect();
    Some(advise(
        fault,
        if rest.is_empty() {
            "leave the method out: files answer GET and HEAD"
        } else {
            "files answer GET and HEAD only"
        },
    ))
}

/// A word that is neither a method nor begins a path.
fn not_a_method(key: &Piece<'_>, word: Word<'_>, is_last: bool) -> Fault {
    let upper = word.text.to_ascii_uppercase();
    let fault = |reason: String| key.error(word.range(), reason);
    if word.text.contains(',') && word.text.split(',').all(|part| part.is_empty() || Method::named(part).is_some()) {
        return advise(
            fault("methods with commas between them".to_owned()),
            format!("write `{}`", word.text.replace(',', " ").trim()),
        );
    }
    if matches!(upper.as_str(), "ANY" | "ALL" | "*") {
        return advise(
            fault(format!("`{}` is not a method", word.text)),
            "leave the methods out: the rule then takes every one",
        );
    }
    if Method::named(&upper).is_some() {
        return advise(
            fault(format!("`{}` is not a method: methods are case-sensitive", word.text)),
            format!("write `{upper}`"),
        );
    }
    if is_last {
        let help = if word.text.contains("://") {
            "write the path alone; hosts are named by the group".to_owned()
        } else {
            format!("write `/{}`", word.text)
        };
        return advise(fault(format!("the path `{}` does not start with `/`", word.text)), help);
    }
    let near = suggest::nearest(&upper, Method::NAMED.iter().map(|method| method.name()));
    let help = near.map_or_else(
        || "known are GET, POST, PUT, PATCH, DELETE and the others of the IANA registry".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    advise(fault(format!("`{}` is not a method", word.text)), help)
}

/// A word behind the path.
fn after_path(key: &Piece<'_>, extra: Word<'_>, path: &Word<'_>) -> Fault {
    let help = if Method::named(extra.text).is_some() {
        "write the methods before the path".to_owned()
    } else {
        format!("a space in a path is written `%20`: `{}%20{}`", path.text, extra.text)
    };
    advise(key.error(extra.range(), format!("`{}` after the path", extra.text)), help)
}

/// Parses the path at `range`, which starts with `/`.
pub(super) fn parse_path(key: &Piece<'_>, range: Range<usize>) -> Result<Pattern, Fault> {
    let text = key.text().get(range.clone()).unwrap_or_default();
    let Some(below_root) = text.strip_prefix('/') else {
        return Err(advise(
            key.error(range, format!("the path `{text}` does not start with `/`")),
            format!("write `/{text}`"),
        ));
    };
    let mut segments: Vec<Segment> = Vec::new();
    let mut at = range.start + 1;
    let mut rest: Option<Range<usize>> = None;
    for (index, part) in below_root.split('/').enumerate() {
        let place = at..at + part.len();
        at = place.end + 1;
        if let Some(rest) = rest {
            let name = key.text().get(rest.clone()).unwrap_or_default();
            return Err(advise(
                key.error(rest, format!("`{name}` is not the last segment")),
                "it takes the whole rest of the path: put it last, or use `:name` for one segment",
            ));
        }
        let is_last = place.end == range.end;
        if part.is_empty() && !is_last {
            return Err(advise(
                key.error(place.start - 1..place.start + 1, "an empty segment"),
                "write one slash: runs of slashes in requests count as one",
            ));
        }
        if index >= MAX_SEGMENTS {
            return Err(advise(
                key.error(place, format!("more than {MAX_SEGMENTS} segments")),
                "use `*rest` for what is below",
            ));
        }
        let segment = segment(key, part, place.clone(), &segments)?;
        rest = matches!(segment, Segment::Rest(_)).then_some(place);
        segments.push(segment);
    }
    Ok(Pattern::new(segments))
}

/// Parses one segment; `before` are the ones to its left.
fn segment(key: &Piece<'_>, part: &str, place: Range<usize>, before: &[Segment]) -> Result<Segment, Fault> {
    let (is_rest, name) = match (part.strip_prefix(':'), part.strip_prefix('*')) {
        (Some(name), _) => (false, name),
        (None, Some(name)) => (true, name),
        (None, None) => return literal(key, part, place).map(Segment::Literal),
    };
    let sigil = if is_rest { '*' } else { ':' };
    if name.is_empty() && !is_rest {
        return Err(advise(key.error(place, "a parameter without a name"), "write `:name`, or `%3A` for a colon"));
    }
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        && !name.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if !is_name {
        let fault = key.error(place.start + 1..place.end, format!("`{name}` is not a name for a parameter"));
        return Err(advise(
            fault,
            format!("`{sigil}` and letters, digits, `_` and `-`, a letter first; the parameter is the whole segment"),
        ));
    }
    let mut names = before.iter().filter_map(|segment| match segment {
        Segment::Param(name) | Segment::Rest(name) => Some(&**name),
        Segment::Literal(_) => None,
    });
    let count = names.clone().count();
    if names.any(|known| known == name) {
        return Err(advise(
            key.error(place, format!("two parameters called `{name}`")),
            format!("give one of them another name, such as `{sigil}{name}2`"),
        ));
    }
    if count >= MAX_PARAMS {
        return Err(advise(
            key.error(place, format!("more than {MAX_PARAMS} parameters")),
            "use `*rest` for what is below",
        ));
    }
    Ok(if is_rest { Segment::Rest(name.into()) } else { Segment::Param(name.into()) })
}

/// A literal segment in normal form.
fn literal(key: &Piece<'_>, part: &str, place: Range<usize>) -> Result<Box<str>, Fault> {
    if let Some((at, character)) = part.char_indices().find(|(_, c)| !path::may_stand_in_pattern(*c) || *c == '*') {
        return Err(bad_character(key, part, place.start + at, character));
    }
    let mut normal = String::with_capacity(part.len());
    path::normalize_segment(part, &mut normal).map_err(|refusal| {
        let (reason, help) = match refusal {
            PathRefusal::NulByte => ("`%00` in a path", "leave it out: requests with it are refused"),
            _ => ("a `%` that is not followed by two hexadecimal digits", "write `%25` for a percent sign"),
        };
        advise(key.error(place.clone(), reason), help)
    })?;
    if normal == "." || normal == ".." {
        return Err(advise(
            key.error(place, format!("a `{normal}` segment")),
            "write the path that it leads to: requests are resolved before they are matched",
        ));
    }
    Ok(normal.into())
}

/// A character that a path does not hold as it is.
fn bad_character(key: &Piece<'_>, part: &str, at: usize, character: char) -> Fault {
    let place = at..at + character.len_utf8();
    let name = part.trim_start_matches(['{', '<']).trim_end_matches(['}', '>']);
    let braced = (part.starts_with('{') && part.ends_with('}')) || (part.starts_with('<') && part.ends_with('>'));
    let (reason, help) = match character {
        '{' | '<' if braced && name.starts_with('*') => {
            (format!("`{part}` is not how parameters are written"), format!("write `{name}`"))
        }
        '{' | '<' if braced => (format!("`{part}` is not how parameters are written"), format!("write `:{name}`")),
        '*' => (
            "a `*` inside a segment".to_owned(),
            "`*rest` is a segment of its own, the last one; write `%2A` for the character".to_owned(),
        ),
        '?' => {
            ("a query in a path: rules match paths only".to_owned(), "leave out what stands behind the `?`".to_owned())
        }
        '#' => (
            "a fragment in a path: clients never send it".to_owned(),
            "leave out what stands behind the `#`".to_owned(),
        ),
        other => (format!("`{other}` cannot stand in a path"), format!("write `%{:02X}`", u32::from(other))),
    };
    advise(key.error(place, reason), help)
}
