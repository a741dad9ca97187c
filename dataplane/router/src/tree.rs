//! All rules as a tree of path segments: for `anygate routes`.

use std::collections::BTreeMap;
use std::fmt;

use crate::method::{Method, MethodSet};
use crate::pattern::Segment;
use crate::router::Router;
use crate::rule::Rule;

/// A segment, with the rules that end there and the segments below.
#[derive(Default)]
struct Branch<'r> {
    rules: Vec<&'r Rule>,
    /// Keyed by rank and text, so that they come in order of choice.
    below: BTreeMap<(u8, String), Branch<'r>>,
}

impl<'r> Branch<'r> {
    fn insert(&mut self, rule: &'r Rule) {
        let branch = rule.pattern.segments().iter().fold(self, |branch, segment| {
            let text = match segment {
                Segment::Literal(text) if text.is_empty() => String::new(),
                // Rules for the same place belong together, whatever they call it.
                Segment::Param(_) => ":".to_owned(),
                Segment::Rest(_) => "*".to_owned(),
                segment => segment.to_string(),
            };
            branch.below.entry((segment.rank(), text)).or_default()
        });
        branch.rules.push(rule);
    }
}

/// Writes the rules of each host.
pub(crate) fn print(router: &Router, out: &mut impl fmt::Write) -> fmt::Result {
    for (index, site) in router.sites.iter().enumerate() {
        let rules = router.rules.iter().filter(|rule| match &site.host {
            None => rule.hosts.is_empty(),
            Some(host) => rule.hosts.contains(host),
        });
        let mut root = Branch::default();
        rules.for_each(|rule| root.insert(rule));
        if root.below.is_empty() {
            continue;
        }
        if index > 0 {
            writeln!(out)?;
        }
        match &site.host {
            None => writeln!(out, "any host")?,
            Some(host) => writeln!(out, "{host}")?,
        }
        let mut lines = Vec::new();
        collect(&root, "", &mut lines);
        let width = lines.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0);
        let methods_width =
            lines.iter().filter_map(|(_, rule)| rule.map(|rule| methods(rule).len())).max().unwrap_or(0);
        for (text, rule) in &lines {
            match rule {
                None => writeln!(out, "{text}")?,
                Some(rule) => writeln!(out, "{text:width$}  {:methods_width$}  {}", methods(rule), describe(rule))?,
            }
        }
    }
    Ok(())
}

/// A line for each rule, and one for each segment without a rule of its own.
fn collect<'r>(branch: &Branch<'r>, indent: &str, lines: &mut Vec<(String, Option<&'r Rule>)>) {
    let last = branch.below.len().saturating_sub(1);
    for (index, ((_, text), child)) in branch.below.iter().enumerate() {
        let (elbow, bar) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let name = |rule: Option<&Rule>, depth: usize| {
            let own = rule.and_then(|rule| rule.pattern.segments().get(depth)).map(Segment::to_string);
            own.unwrap_or_else(|| text.clone())
        };
        let depth = indent.chars().count() / 3;
        if child.rules.is_empty() {
            let shown = first_name(child, depth).unwrap_or_else(|| text.clone());
            lines.push((format!("{indent}{elbow}/{shown}"), None));
        }
        for (nth, rule) in child.rules.iter().enumerate() {
            let lead = if nth == 0 {
                format!("{indent}{elbow}/{}", name(Some(rule), depth))
            } else {
                format!("{indent}{bar}")
            };
            lines.push((lead, Some(rule)));
        }
        collect(child, &format!("{indent}{bar}"), lines);
    }
}

/// What the first rule below a branch calls the segment at `depth`.
fn first_name(branch: &Branch<'_>, depth: usize) -> Option<String> {
    let rule = branch.rules.first().copied().or_else(|| first_rule(branch))?;
    rule.pattern.segments().get(depth).map(Segment::to_string)
}

fn first_rule<'r>(branch: &Branch<'r>) -> Option<&'r Rule> {
    branch.below.values().find_map(|child| child.rules.first().copied().or_else(|| first_rule(child)))
}

/// The methods that a rule takes, as the language has them.
fn methods(rule: &Rule) -> String {
    match rule.route.taken_methods() {
        MethodSet::ALL => "any".to_owned(),
        // To take GET is to take HEAD; a static rule that names no method takes them.
        taken if rule.route.methods.is_empty() => taken.without(MethodSet::of(Method::Head)).to_string(),
        _ => rule.route.methods.iter().map(Method::name).collect::<Vec<_>>().join(" "),
    }
}

/// Action and place of a rule.
fn describe(rule: &Rule) -> String {
    let action = shorten(&rule.route.action.to_string());
    let below = if rule.route.action.mounts() { " for this path and all below" } else { "" };
    format!("{}: {action}{below}  ({})", rule.route.action.kind(), rule.at)
}

/// One line of at most 60 characters.
fn shorten(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= 60 { clean } else { clean.chars().take(59).chain(['…']).collect() }
}
