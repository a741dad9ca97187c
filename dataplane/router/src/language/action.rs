//! The right side of a rule: what it does.
//!
//! | text | action |
//! |---|---|
//! | `*` | echo |
//! | `STATUS [Name: value] …` | fixed answer; with `*` an echo, with a target behind 301, 302, 303, 307, 308 a redirect |
//! | `-> [Name: value] target` | redirect with 302 |
//! | `http://…`, `https://…`, `unix:…` | proxy |
//! | `/…`, `./…`, `../…`, `word/` | files |

use std::ops::Range;

use super::piece::{Piece, Word};
use super::target::{self, Scope};
use super::{Fault, advise, header, trimmed};
use crate::action::{ActionSpec, HeaderLine, StaticKind};
use crate::pattern::Pattern;
use crate::status::{NotAStatus, Status};

/// Parses an action, which is not empty. `prefix` and `pattern` have the parameters that it may name.
pub(super) fn parse(value: &Piece<'_>, scope: Scope<'_>, pattern: &Pattern) -> Result<ActionSpec, Fault> {
    let text = value.text();
    let Some(first) = value.words(0).next() else { return Err(value.error(value.all(), "no action")) };
    if text == "*" {
        return Ok(ActionSpec::Echo { status: Status::OK, headers: Vec::new() });
    }
    if first.text == "->" {
        let (headers, end) = header::parse_all(value, first.range().end)?;
        return redirect(value, Status::FOUND, headers, after(value, end), scope);
    }
    if ["http://", "https://", "unix:"].iter().any(|scheme| text.starts_with(scheme)) {
        return target::parse_upstream(value, scope).map(|(upstream, path)| ActionSpec::Proxy { upstream, path });
    }
    if ["/", "./", "../"].iter().any(|start| text.starts_with(start)) {
        return files(value, pattern);
    }
    match Status::parse(first.text) {
        Ok(status) => answer(value, first, status, scope),
        // A bare `dist/`: one word, so that a slip in a status is not taken for a directory.
        Err(NotAStatus::Unknown) if first.text == text && text.ends_with('/') && !text.contains(':') => {
            files(value, pattern)
        }
        Err(why) => Err(not_an_action(value, first, why)),
    }
}

/// An action that begins with a status.
fn answer(value: &Piece<'_>, first: Word<'_>, status: Status, scope: Scope<'_>) -> Result<ActionSpec, Fault> {
    let (headers, end) = header::parse_all(value, first.range().end)?;
    let rest = after(value, end);
    if status.is_redirect() {
        return redirect(value, status, headers, rest, scope);
    }
    let text = value.text().get(rest.clone()).unwrap_or_default();
    if !text.is_empty() && status.forbids_body() {
        let fault = value.error(rest, format!("an answer with status {} has no body", status.code()));
        return Err(advise(fault, "leave the body out, or take another status, such as OK"));
    }
    Ok(match text {
        "*" => ActionSpec::Echo { status, headers },
        "" => ActionSpec::Fixed { status, headers, body: None },
        body => ActionSpec::Fixed { status, headers, body: Some(body.to_owned()) },
    })
}

/// A redirect whose target is at `rest`.
fn redirect(
    value: &Piece<'_>,
    status: Status,
    headers: Vec<HeaderLine>,
    rest: Range<usize>,
    scope: Scope<'_>,
) -> Result<ActionSpec, Fault> {
    if let Some(header) = headers.iter().find(|header| header.name.eq_ignore_ascii_case("location")) {
        return Err(advise(
            value.error(value.all(), "a redirect with a `Location` field"),
            format!("write the target behind the status: `{status} {}`", header.value),
        ));
    }
    if rest.is_empty() {
        let fault = value.error(value.all(), format!("a redirect with status {} without a target", status.code()));
        return Err(advise(fault, format!("write `{status} /path` or `{status} https://host/path`")));
    }
    let target = target::parse_location(value, rest, scope)?;
    Ok(ActionSpec::Redirect { status, headers, target })
}

/// A file or a directory.
fn files(value: &Piece<'_>, pattern: &Pattern) -> Result<ActionSpec, Fault> {
    let root = value.text();
    if let Some((at, control)) = root.char_indices().find(|(_, c)| c.is_control()) {
        return Err(value.error(at..at + control.len_utf8(), "a control character in the path of a file"));
    }
    let mut at = 0;
    for part in root.split('/') {
        let place = at..at + part.len();
        at = place.end + 1;
        if part.starts_with([':', '*']) {
            let advice = "name the directory alone: the rest of the request's path is looked up below it";
            return Err(advise(
                value.error(place, format!("`{part}` in the path of a file: parameters are not filled in there")),
                advice,
            ));
        }
    }
    // The root of a site, or of a group, over a directory is a single-page app.
    let kind = match (root.ends_with('/'), pattern.is_root()) {
        (true, true) => StaticKind::SinglePage,
        (true, false) => StaticKind::Directory,
        (false, _) => StaticKind::File,
    };
    Ok(ActionSpec::Static { root: root.to_owned(), kind })
}

/// A text whose first word begins no action.
fn not_an_action(value: &Piece<'_>, first: Word<'_>, why: NotAStatus) -> Fault {
    let (word, place) = (first.text, first.range());
    match why {
        NotAStatus::Interim => {
            return advise(
                value.error(place, format!("`{word}` is an interim status: no answer ends with it")),
                "take a status from 200 to 599",
            );
        }
        NotAStatus::OutOfRange => {
            return advise(value.error(place, format!("`{word}` is not a status")), "statuses are 200 to 599");
        }
        NotAStatus::Unknown => {}
    }
    let upper_end = word.bytes().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_').count();
    let (status, glued) = word.split_at(upper_end);
    if !glued.is_empty() && Status::parse(status).is_ok() {
        let fault = value.error(place, format!("no space behind `{status}`"));
        return advise(
            fault,
            format!("write `{status} {}`", value.text().get(first.at + upper_end..).unwrap_or_default()),
        );
    }
    if word.starts_with(['{', '[', '"', '<']) {
        return advise(value.error(value.all(), "a body without a status"), format!("write `OK {}`", value.text()));
    }
    if let Some(scheme) = word.split("://").next().filter(|scheme| scheme.len() < word.len()) {
        let fault = value.error(place, format!("`{scheme}://` is not a scheme that can be proxied to"));
        return advise(fault, "known are `http://`, `https://` and `unix:`");
    }
    if word.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.split('/').next().is_some_and(|port| port.parse::<u16>().is_ok())
    }) {
        return advise(
            value.error(place, format!("`{word}` is a server without a scheme")),
            format!("write `http://{word}`"),
        );
    }
    if is_keyword(word) {
        let fault = value.error(place, format!("`{word}` is not an action"));
        return advise(fault, "actions have no keyword: write a status, `*`, `-> target`, a URL or a path alone");
    }
    let fault = value.error(place, format!("`{word}` is not a status"));
    match Status::suggest(word) {
        Some(near) => advise(fault, format!("did you mean `{near}`?")),
        None => advise(
            fault,
            "write a status (`OK`, `404`), `*` to echo, `-> /path` to redirect, `http://host` to proxy, or a path (`./dist/`) to serve files",
        ),
    }
}

/// Words by which other servers begin an action.
fn is_keyword(word: &str) -> bool {
    const WORDS: [&str; 13] = [
        "proxy",
        "proxy_pass",
        "reverse_proxy",
        "redirect",
        "redir",
        "return",
        "static",
        "file",
        "file_server",
        "root",
        "alias",
        "echo",
        "respond",
    ];
    WORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// What stands behind offset `at`, without white space at its ends.
fn after(value: &Piece<'_>, at: usize) -> Range<usize> {
    trimmed(value.text(), at..value.text().len())
}
