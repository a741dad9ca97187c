//! What a rule does, as written; the `actions` crate compiles it into answers.

use std::fmt;

use crate::status::Status;

/// The action of a rule. Prints itself in the route language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ActionSpec {
    /// Always the same answer.
    Fixed {
        /// Its status.
        status: Status,
        /// Fields added to its head, or put in place of the default ones.
        headers: Vec<HeaderLine>,
        /// Its content; `None` where the rule gives none.
        body: Option<String>,
    },
    /// The request, told back as JSON.
    Echo {
        /// The status of the answer.
        status: Status,
        /// Fields added to its head.
        headers: Vec<HeaderLine>,
    },
    /// Sends the client elsewhere.
    Redirect {
        /// One of 301, 302, 303, 307 and 308.
        status: Status,
        /// Fields added to its head.
        headers: Vec<HeaderLine>,
        /// The `Location`.
        target: Template,
    },
    /// Files below a directory, or one file.
    Static {
        /// The path as written.
        root: String,
        /// What the path stands for.
        kind: StaticKind,
    },
    /// Hands the request to another server.
    Proxy {
        /// Which server.
        upstream: Upstream,
        /// The path to ask for; `None`: the path of the request.
        path: Option<Template>,
    },
}

impl ActionSpec {
    /// One word for its kind, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            ActionSpec::Fixed { .. } => "fixed",
            ActionSpec::Echo { .. } => "echo",
            ActionSpec::Redirect { .. } => "redirect",
            ActionSpec::Static { kind: StaticKind::File, .. } => "file",
            ActionSpec::Static { kind: StaticKind::Directory, .. } => "directory",
            ActionSpec::Static { kind: StaticKind::SinglePage, .. } => "single-page app",
            ActionSpec::Proxy { .. } => "proxy",
        }
    }

    /// Whether the rule also answers for every path below its own.
    pub(crate) fn mounts(&self) -> bool {
        matches!(self, ActionSpec::Static { kind: StaticKind::Directory | StaticKind::SinglePage, .. })
    }
}

/// One field of a head, checked against RFC 9110 §5.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HeaderLine {
    /// A token, as written.
    pub name: String,
    /// Visible characters, spaces and tabs, without white space at its ends.
    pub value: String,
}

/// What a static path stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StaticKind {
    /// One file.
    File,
    /// A directory; the rule answers for every path below its own.
    Directory,
    /// A directory at `/` whose index page answers for every path that is no file (history fallback).
    SinglePage,
}

/// The server that a proxy rule talks to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Upstream {
    /// By name or address.
    Http {
        /// `https` rather than `http`.
        tls: bool,
        /// Host and, if written, port.
        authority: String,
    },
    /// A Unix socket of the host.
    Unix {
        /// Its path.
        socket: String,
    },
}

/// In which part of a target a value is put, which decides how it is escaped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// Before any `?` or `#`.
    Path,
    /// Behind it.
    Query,
}

/// A part of a [`Template`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TemplatePart {
    /// Text, already escaped.
    Literal(String),
    /// The value of a parameter.
    Param {
        /// Its name in the rule's pattern; empty for a `*` without a name.
        name: String,
        /// Where it is put.
        place: Place,
        /// Whether it is the rest, written with `*`.
        rest: bool,
    },
    /// `?*`: the query of the request with its `?`, if it has one.
    RequestQuery,
}

/// A target with places for parameters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Template {
    /// Its parts, in order.
    pub parts: Vec<TemplatePart>,
}

impl Template {
    /// The text, if it has no places to fill.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [TemplatePart::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            TemplatePart::Literal(text) => f.write_str(text),
            TemplatePart::Param { name, rest, .. } => write!(f, "{}{name}", if *rest { '*' } else { ':' }),
            TemplatePart::RequestQuery => f.write_str("?*"),
        })
    }
}

impl fmt::Display for HeaderLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace(']', "\\]");
        write!(f, "[{}: {value}]", self.name)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Upstream::Http { tls, authority } => write!(f, "http{}://{authority}", if *tls { "s" } else { "" }),
            Upstream::Unix { socket } => write!(f, "unix:{socket}"),
        }
    }
}

impl fmt::Display for ActionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActionSpec::Fixed { status, headers, body } => {
                head(f, *status, headers)?;
                body.as_ref().map_or(Ok(()), |body| write!(f, " {body}"))
            }
            ActionSpec::Echo { status: Status::OK, headers } if headers.is_empty() => f.write_str("*"),
            ActionSpec::Echo { status, headers } => {
                head(f, *status, headers)?;
                f.write_str(" *")
            }
            ActionSpec::Redirect { status, headers, target } => {
                head(f, *status, headers)?;
                write!(f, " {target}")
            }
            ActionSpec::Static { root, .. } => f.write_str(root),
            ActionSpec::Proxy { upstream, path: None } => write!(f, "{upstream}"),
            ActionSpec::Proxy { upstream: upstream @ Upstream::Unix { .. }, path: Some(path) } => {
                write!(f, "{upstream}:{path}")
            }
            ActionSpec::Proxy { upstream, path: Some(path) } => write!(f, "{upstream}{path}"),
        }
    }
}

/// The status and the fields of an answer.
fn head(f: &mut fmt::Formatter<'_>, status: Status, headers: &[HeaderLine]) -> fmt::Result {
    write!(f, "{status}")?;
    headers.iter().try_for_each(|header| write!(f, " {header}"))
}
