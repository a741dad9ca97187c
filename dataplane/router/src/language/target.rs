//! Targets of redirects and proxies: absolute URLs and paths, with places for parameters.

use std::ops::Range;

use super::piece::Piece;
use super::{Fault, advise};
use crate::action::{Place, Template, TemplatePart, Upstream};
use crate::pattern::Segment;
use crate::{path, suggest};

/// The parameters that a target may name.
pub(super) type Scope<'s> = [&'s [Segment]; 2];

/// Parses the `Location` of a redirect: a path, or an `http` or `https` URL.
pub(super) fn parse_location(value: &Piece<'_>, range: Range<usize>, scope: Scope<'_>) -> Result<Template, Fault> {
    let text = text(value, &range);
    one_word(value, &range)?;
    if text.starts_with("//") {
        return Err(advise(
            value.error(range.start..range.start + 2, "a target that begins with two slashes names another host"),
            format!("write `https:{text}`, or one slash for a path"),
        ));
    }
    if text.starts_with('/') {
        return parse_template(value, range, scope);
    }
    match authority(value, &range)? {
        None if text.contains(':') => Err(advise(
            value.error(range, format!("`{text}` is not a target")),
            "write a path that begins with `/`, or a whole URL with `http://` or `https://`",
        )),
        None => Err(advise(
            value.error(range, format!("`{text}` is not a target")),
            format!("write a path, `/{text}`, or a whole URL, `https://{text}`"),
        )),
        Some((scheme, authority)) => {
            let after = authority.end..range.end;
            let mut template = parse_template(value, after, scope)?;
            let origin = format!("{scheme}{}", text_of(value, authority));
            match template.parts.first_mut() {
                Some(TemplatePart::Literal(first)) => first.insert_str(0, &origin),
                _ => template.parts.insert(0, TemplatePart::Literal(origin)),
            }
            Ok(template)
        }
    }
}

/// Parses the server of a proxy rule and the path to ask it for.
pub(super) fn parse_upstream(value: &Piece<'_>, scope: Scope<'_>) -> Result<(Upstream, Option<Template>), Fault> {
    let range = value.all();
    one_word(value, &range)?;
    let (upstream, after) = match value.text().strip_prefix("unix:") {
        Some(socket) => unix_socket(value, socket)?,
        None => match authority(value, &range)? {
            Some((scheme, authority)) => {
                let after = authority.end;
                (Upstream::Http { tls: scheme == "https://", authority: text_of(value, authority).to_owned() }, after)
            }
            None => return Err(value.error(range, "not a URL")),
        },
    };
    if after == range.end {
        return Ok((upstream, None));
    }
    if let Some(hash) = value.text().get(after..).and_then(|path| path.find('#')) {
        return Err(advise(
            value.error(after + hash..range.end, "a fragment in the URL of a server"),
            "leave it out: fragments are never sent",
        ));
    }
    parse_template(value, after..range.end, scope).map(|path| (upstream, Some(path)))
}

/// `unix:/run/app.sock` or `unix:/run/app.sock:/path`.
fn unix_socket(value: &Piece<'_>, socket: &str) -> Result<(Upstream, usize), Fault> {
    let start = "unix:".len();
    if !socket.starts_with('/') {
        return Err(advise(
            value.error(start..value.all().end, "the path of a Unix socket is not absolute"),
            "write `unix:/run/app.sock`",
        ));
    }
    let path = socket.trim_start_matches('/');
    let length = path.find(":/").unwrap_or(path.len());
    let name = path.get(..length).unwrap_or_default();
    if name.is_empty() {
        return Err(advise(
            value.error(start..value.all().end, "a Unix socket without a name"),
            "write `unix:/run/app.sock`",
        ));
    }
    let end = start + (socket.len() - path.len()) + length;
    let after = if end == value.all().end { end } else { end + 1 };
    Ok((Upstream::Unix { socket: format!("/{name}") }, after))
}

/// The scheme of an absolute URL and the range of its authority. `None`: it is none.
fn authority(value: &Piece<'_>, range: &Range<usize>) -> Result<Option<(&'static str, Range<usize>)>, Fault> {
    let text = text(value, range);
    let Some(scheme) = ["http://", "https://"].into_iter().find(|scheme| text.starts_with(scheme)) else {
        return Ok(None);
    };
    let start = range.start + scheme.len();
    let rest = value.text().get(start..range.end).unwrap_or_default();
    let length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, name) = (start..start + length, rest.get(..length).unwrap_or_default());
    let wrong = |reason: String, advice: &str| Err(advise(value.error(place.clone(), reason), advice));
    if name.contains('@') {
        return wrong(
            "user and password in a URL".to_owned(),
            "leave them out: they would be shown to everyone who reads the configuration",
        );
    }
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (name, None),
    };
    if host.is_empty() {
        return wrong(
            "a URL without a host".to_owned(),
            "write `http://name:port/path`; parameters stand in the path only",
        );
    }
    if port.is_some_and(|port| {
        !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().map_or(true, |port| port == 0)
    }) {
        return wrong(format!("`{}` is not a port", port.unwrap_or_default()), "a port is a number from 1 to 65535");
    }
    let is_address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    let is_name = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !is_address && !is_name {
        return wrong(
            format!("`{host}` is not a host"),
            "write `http://name:port/path`; parameters stand in the path only",
        );
    }
    Ok(Some((scheme, place)))
}

/// Parses path, query and fragment of a target.
fn parse_template(value: &Piece<'_>, range: Range<usize>, scope: Scope<'_>) -> Result<Template, Fault> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut place = Place::Path;
    let mut at = range.start;
    let mut before = '\0';
    while let Some(character) = value.text().get(at..range.end).and_then(|rest| rest.chars().next()) {
        let rest = value.text().get(at..range.end).unwrap_or_default();
        if rest == "?*" && place == Place::Path {
            push_literal(&mut parts, &mut literal);
            parts.push(TemplatePart::RequestQuery);
            break;
        }
        let opens = match place {
            Place::Path => before == '/',
            Place::Query => before == '=',
        };
        if let Some(name) = parameter_name(rest).filter(|_| opens) {
            let end = at + 1 + name.len();
            let is_rest = character == '*';
            check_name(value, at..end, name, is_rest, scope)?;
            push_literal(&mut parts, &mut literal);
            parts.push(TemplatePart::Param { name: name.to_owned(), place, rest: is_rest });
            (at, before) = (end, '\0');
            continue;
        }
        if matches!(character, '?' | '#') {
            place = Place::Query;
        }
        let length = push_character(value, at, rest, character, &mut literal)?;
        (at, before) = (at + length, character);
    }
    push_literal(&mut parts, &mut literal);
    Ok(Template { parts })
}

fn push_literal(parts: &mut Vec<TemplatePart>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(TemplatePart::Literal(std::mem::take(literal)));
    }
}

/// The name behind the `:` or `*` at the start of `rest`.
fn parameter_name(rest: &str) -> Option<&str> {
    let name = rest.strip_prefix([':', '*'])?;
    let name =
        name.get(..name.bytes().take_while(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count())?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (is_name || (name.is_empty() && rest.starts_with('*'))).then_some(name)
}

/// Holds a parameter of a target against those of the path.
fn check_name(
    value: &Piece<'_>,
    place: Range<usize>,
    name: &str,
    is_rest: bool,
    scope: Scope<'_>,
) -> Result<(), Fault> {
    let known = || scope.into_iter().flatten().filter(|segment| !matches!(segment, Segment::Literal(_)));
    let found = known().find(|segment| matches!(segment, Segment::Param(own) | Segment::Rest(own) if **own == *name));
    match found {
        Some(segment) if matches!(segment, Segment::Rest(_)) == is_rest => Ok(()),
        Some(segment) => Err(advise(
            value.error(place.clone(), format!("`{}` is not how the path has it", text_of(value, place))),
            format!("write `{segment}`"),
        )),
        None => {
            let fault = value.error(place.clone(), format!("the path has no `{}`", text_of(value, place)));
            let names: Vec<String> = known().map(Segment::to_string).collect();
            let near = suggest::nearest(name, names.iter().filter_map(|name| name.get(1..)));
            let advice =
                match (near.and_then(|near| names.iter().find(|name| name.get(1..) == Some(near))), names.is_empty()) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, true) => "name a segment of the path: `/:name`, or `/*rest` at its end".to_owned(),
                    (None, false) => format!("the path has {}", names.join(", ")),
                };
            Err(advise(fault, advice))
        }
    }
}

/// Takes one character, or escape, of a URL as it is, or escapes it; returns the bytes that it took.
fn push_character(
    value: &Piece<'_>,
    at: usize,
    rest: &str,
    character: char,
    literal: &mut String,
) -> Result<usize, Fault> {
    if character == '%' {
        let escape = rest.get(..3).filter(|escape| escape.bytes().skip(1).all(|b| b.is_ascii_hexdigit()));
        let Some(escape) = escape else {
            return Err(advise(
                value.error(at..at + 1, "a `%` that is not followed by two hexadecimal digits"),
                "write `%25` for a percent sign",
            ));
        };
        literal.push_str(escape);
        return Ok(3);
    }
    if matches!(character, '{' | '}' | '<' | '>' | '$') && !matches!(rest.chars().nth(1), None | Some('=' | '&')) {
        let advice = "write `:name` for the parameter of that name, or escape the character with `%`";
        return Err(advise(value.error(at..at + 1, format!("`{character}` in a target")), advice));
    }
    if character.is_ascii() && (path::is_unreserved(character as u8) || ":/?#[]@!&'()*+,;=".contains(character)) {
        literal.push(character);
    } else {
        let mut bytes = [0; 4];
        for byte in character.encode_utf8(&mut bytes).bytes() {
            literal.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(character.len_utf8())
}

/// A target has no white space and no control characters.
fn one_word(value: &Piece<'_>, range: &Range<usize>) -> Result<(), Fault> {
    let text = text(value, range);
    match text.char_indices().find(|(_, c)| c.is_whitespace() || c.is_control()) {
        None => Ok(()),
        Some((at, _)) => {
            let extra = text.get(at..).unwrap_or_default().trim_start();
            let start = range.end - extra.len();
            Err(advise(
                value.error(start..range.end, "text behind the target"),
                "leave it out; a space in a target is written `%20`",
            ))
        }
    }
}

fn text<'p>(value: &'p Piece<'_>, range: &Range<usize>) -> &'p str {
    text_of(value, range.clone())
}

fn text_of<'p>(value: &'p Piece<'_>, range: Range<usize>) -> &'p str {
    value.text().get(range).unwrap_or_default()
}
