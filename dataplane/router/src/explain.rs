//! Why a request is answered by the rule that answers it: for `anygate explain`.
//!
//! The decision is that of [`Router::find`]; what else matches is found by holding each rule against the path, which
//! is slow and needs nothing of the trie.

use std::fmt;

use crate::host::HostPattern;
use crate::method::{Method, MethodSet};
use crate::params::Params;
use crate::path::PathRefusal;
use crate::pattern::Segment;
use crate::router::{Found, Router};
use crate::rule::Rule;

/// The outcome of one lookup, with its reasons. Prints itself for people.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The method that was asked with.
    pub method: Method,
    /// The host that was asked for.
    pub host: Option<String>,
    /// The path as it was given.
    pub path: String,
    /// Its normal form; `None` when it is refused, or `*`.
    pub normal_path: Option<String>,
    /// What the router does.
    pub found: Found,
    /// The rule that answers.
    pub rule: Option<Rule>,
    /// Its parameters and their values.
    pub params: Vec<(String, String)>,
    /// Why this outcome, in one sentence.
    pub why: String,
    /// Other rules that match the path.
    pub passed_over: Vec<Candidate>,
}

/// A rule that matches the path and was passed over.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The rule.
    pub rule: Rule,
    /// Why it does not answer.
    pub why: String,
}

impl Explanation {
    pub(crate) fn of(router: &Router, method: Method, host: Option<&str>, path: &str) -> Explanation {
        let mut params = Params::new();
        let found = router.find(method, host, path, &mut params);
        let hosts = router.hosts_asked(host);
        let normal = Some(params.path(path).to_owned())
            .filter(|normal| normal.starts_with('/') && !matches!(found, Found::Refused(_)));
        let chosen = match found {
            Found::Rule(id) => router.rule(id),
            _ => None,
        };
        let matching = || {
            let normal = normal.as_deref();
            router.rules().iter().filter(move |rule| normal.is_some_and(|path| matches(rule, path)))
        };
        let passed_over = matching()
            .filter(|rule| chosen.is_none_or(|chosen| chosen.id != rule.id))
            .map(|rule| Candidate { rule: rule.clone(), why: why_not(rule, chosen, method, &hosts) })
            .collect::<Vec<_>>();
        let why = match (found, chosen) {
            (Found::Rule(_), Some(chosen)) => why_chosen(chosen, method, passed_over.is_empty()),
            (Found::NotFound, _) => why_not_found(router, normal.as_deref().unwrap_or(path), &hosts),
            (Found::Options { .. }, _) if path == "*" => "`*` asks what the server can do".to_owned(),
            (Found::Options { .. }, _) => "rules match the path, none takes OPTIONS: the server answers it".to_owned(),
            (Found::MethodNotAllowed { .. }, _) => format!("rules match the path, none takes {method}"),
            (Found::Refused(refusal), _) => refusal.to_string(),
            (Found::Rule(_), None) => String::new(),
        };
        let names =
            chosen.map(|rule| rule.pattern.param_names().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default();
        // The value behind the last name is what a mounted directory looks up.
        let names = names
            .into_iter()
            .map(|name| if name.is_empty() { "*".to_owned() } else { name })
            .chain(["(below)".to_owned()]);
        Explanation {
            method,
            host: host.map(str::to_owned),
            path: path.to_owned(),
            params: names.zip(params.values(path).map(str::to_owned)).collect(),
            normal_path: normal,
            found,
            rule: chosen.cloned(),
            why,
            passed_over,
        }
    }
}

/// Whether the rule's pattern, or the directory that it mounts, matches a path in normal form. Returns how many segments
/// of the pattern were matched at most.
fn depth(rule: &Rule, path: &str) -> (usize, bool) {
    let mut parts = path.strip_prefix('/').unwrap_or(path).split('/');
    let segments = rule.pattern.segments();
    let mounts = rule.route.action.mounts();
    for (index, segment) in segments.iter().enumerate() {
        let part = parts.next();
        let goes_on = match (segment, part) {
            (Segment::Rest(_), Some(_)) => return (segments.len(), true),
            // A directory mounted at `/a/` takes everything below it.
            (Segment::Literal(text), Some(_)) if mounts && text.is_empty() && index + 1 == segments.len() => {
                return (segments.len(), true);
            }
            (Segment::Literal(text), Some(part)) => **text == *part,
            (Segment::Param(_), Some(part)) => !part.is_empty(),
            (_, None) => false,
        };
        if !goes_on {
            return (index, false);
        }
    }
    (segments.len(), mounts || parts.next().is_none())
}

fn matches(rule: &Rule, path: &str) -> bool {
    depth(rule, path).1
}

/// The place of the rule's host among those that are asked; `None`: it is not asked.
fn host_rank(rule: &Rule, asked: &[Option<&HostPattern>]) -> Option<usize> {
    asked.iter().position(|host| match host {
        None => rule.hosts.is_empty(),
        Some(host) => rule.hosts.contains(host),
    })
}

fn host_text(rule: &Rule) -> String {
    if rule.hosts.is_empty() {
        "any host".to_owned()
    } else {
        rule.hosts.iter().map(HostPattern::to_string).collect::<Vec<_>>().join(", ")
    }
}

fn why_chosen(chosen: &Rule, method: Method, alone: bool) -> String {
    let named = if chosen.route.methods.contains(method) {
        format!("it names {method}")
    } else if method == Method::Head && chosen.route.methods.contains(Method::Get) {
        "HEAD is answered as GET".to_owned()
    } else if chosen.route.taken_methods() == MethodSet::ALL {
        "it takes any method".to_owned()
    } else {
        "files answer GET and HEAD".to_owned()
    };
    if alone {
        format!("the only rule that matches; {named}")
    } else {
        format!("the most specific rule that matches; {named}")
    }
}

/// Why a rule that matches the path does not answer.
fn why_not(rule: &Rule, chosen: Option<&Rule>, method: Method, hosts: &[Option<&HostPattern>]) -> String {
    let Some(rank) = host_rank(rule, hosts) else { return format!("it answers for {} only", host_text(rule)) };
    let taken = rule.route.taken_methods();
    if !taken.contains(method) {
        return format!("it takes {taken} only");
    }
    let Some(chosen) = chosen else { return "it is not reached".to_owned() };
    if host_rank(chosen, hosts).is_some_and(|chosen| chosen < rank) {
        return format!("it answers for {}, the chosen rule for {}", host_text(rule), host_text(chosen));
    }
    let pairs = rule.pattern.segments().iter().zip(chosen.pattern.segments()).enumerate();
    for (index, (own, theirs)) in pairs {
        if own.rank() > theirs.rank() {
            let kind = |segment: &Segment| match segment {
                Segment::Literal(text) => format!("the literal `{text}`"),
                Segment::Param(_) => format!("the parameter `{segment}`"),
                Segment::Rest(_) => format!("the rest `{segment}`"),
            };
            return format!("segment {} is {} here, {} in the chosen rule", index + 1, kind(own), kind(theirs));
        }
    }
    if !rule.pattern.same_shape(&chosen.pattern) {
        return "it matches as a directory, the chosen rule more specifically".to_owned();
    }
    let named = |rule: &Rule| rule.route.methods.contains(method);
    if named(chosen) && !named(rule) {
        return format!("it does not name {method}, the chosen rule does");
    }
    "it is declared after the chosen rule".to_owned()
}

/// How far the rules know the path.
fn why_not_found(router: &Router, path: &str, hosts: &[Option<&HostPattern>]) -> String {
    let asked = router.rules().iter().filter(|rule| host_rank(rule, hosts).is_some());
    let known = asked.map(|rule| depth(rule, path).0).max();
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    match known {
        None => "there is no rule for this host".to_owned(),
        Some(known) if known >= parts.len() => format!("rules lead on from {path}, none ends there"),
        Some(known) => {
            let below = parts.get(..known).unwrap_or_default().join("/");
            format!("no rule has the segment `{}` below `/{below}`", parts.get(known).unwrap_or(&""))
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("no host");
        writeln!(f, "{} {} ({host})", self.method, self.path)?;
        if let Some(normal) = self.normal_path.as_ref().filter(|normal| **normal != self.path) {
            writeln!(f, "  path    {normal}")?;
        }
        match (&self.rule, self.found) {
            (Some(rule), _) => {
                writeln!(f, "  rule    {rule}")?;
                writeln!(f, "  at      {}", rule.at)?;
                writeln!(f, "  host    {}", host_text(rule))?;
                writeln!(f, "  action  {}", rule.route.action.kind())?;
            }
            (None, Found::MethodNotAllowed { allow }) => {
                writeln!(f, "  answer  405 Method Not Allowed, Allow: {allow}")?
            }
            (None, Found::Options { allow }) => writeln!(f, "  answer  204 No Content, Allow: {allow}")?,
            (None, Found::Refused(PathRefusal::TooLong)) => {
                writeln!(f, "  answer  414 URI Too Long, {}", PathRefusal::TooLong.name())?
            }
            (None, Found::Refused(refusal)) => writeln!(f, "  answer  400 Bad Request, {}", refusal.name())?,
            (None, _) => writeln!(f, "  answer  404 Not Found")?,
        }
        for (name, value) in &self.params {
            writeln!(f, "  param   {name} = {value}")?;
        }
        write!(f, "  why     {}", self.why)?;
        for candidate in &self.passed_over {
            write!(f, "\n  passed  {} ({}): {}", candidate.rule, candidate.rule.at, candidate.why)?;
        }
        Ok(())
    }
}
