//! From the routes of a configuration to a [`Router`], with everything that is wrong or doubtful about them.

use std::sync::Arc;

use config::{Diagnostic, Diagnostics, RouteGroup, RouteText, Severity};
use hashbrown::{HashMap, HashSet};

use crate::host::{HostPattern, HostTable};
use crate::method::{Method, MethodSet};
use crate::pattern::Segment;
use crate::router::{ANY_HOST, Router, Site, server_methods};
use crate::rule::{Rule, RuleId};
use crate::trie::{Builder, Clash, Trie};
use crate::{MAX_PARAMS, MAX_SEGMENTS, language};

/// Nodes that a lookup in one site may have to visit, at most.
const MAX_STEPS: usize = 1024;

impl Router {
    /// Compiles groups of routes in order of declaration. Gives the router and what deserves a warning, or everything
    /// that was found if there is an error in it.
    pub fn compile(groups: &[RouteGroup]) -> Result<(Router, Vec<Diagnostic>), Diagnostics> {
        let mut found = Diagnostics::new();
        let mut rules: Vec<Rule> = Vec::with_capacity(groups.iter().map(|group| group.routes.len()).sum());
        for group in groups {
            parse_group(group, &mut rules, &mut found);
        }
        let router = assemble(rules, &mut found);
        if found.has_errors() { Err(found) } else { Ok((router, found.into_vec())) }
    }
}

/// Parses the routes of a group behind the rules that are there.
fn parse_group(group: &RouteGroup, rules: &mut Vec<Rule>, found: &mut Diagnostics) {
    let hosts: Arc<[HostPattern]> = parse_hosts(group, found).into();
    let prefix = language::parse_prefix(&group.prefix).unwrap_or_else(|fault| {
        let at = group.routes.first().map(RouteText::at);
        let reason = format!("prefix `{}` of the group: {}", group.prefix, fault.reason);
        let fault_here = at.map_or_else(
            || Diagnostic::about_file("", reason.as_str()),
            |at| Diagnostic::new(Severity::Error, at.clone(), "", reason.as_str()),
        );
        found.push(match fault.suggestion {
            Some(help) => fault_here.help(help),
            None => fault_here,
        });
        Vec::new()
    });
    let prefix_text: Arc<str> = group.prefix.as_str().into();
    for text in &group.routes {
        match language::parse_below(text, &prefix) {
            Err(fault) => found.push(*fault),
            Ok(route) => {
                let key = match text {
                    RouteText::Line(text) | RouteText::Pair { key: text, .. } => text,
                };
                let rule = Rule {
                    id: RuleId(rules.len() as u32),
                    pattern: route.pattern.below(&prefix),
                    at: key.at.clone(),
                    source_line: key.source_line.clone(),
                    marked: matcher_length(text),
                    hosts: hosts.clone(),
                    prefix: prefix_text.clone(),
                    congestion: group.congestion,
                    route,
                };
                check_limits(&rule, found);
                rules.push(rule);
            }
        }
    }
}

fn parse_hosts(group: &RouteGroup, found: &mut Diagnostics) -> Vec<HostPattern> {
    let mut hosts = Vec::new();
    let mut seen = HashSet::new();
    for (index, host) in group.hosts.iter().enumerate() {
        match HostPattern::parse(host) {
            Ok(host) if !seen.insert(host.clone()) => {}
            Ok(host) => hosts.push(host),
            Err((reason, help)) => {
                let at = group.host_positions.get(index).or_else(|| group.routes.first().map(RouteText::at));
                let fault = at.map_or_else(
                    || Diagnostic::about_file("", reason.as_str()),
                    |at| Diagnostic::new(Severity::Error, at.clone(), "", reason.as_str()),
                );
                found.push(fault.length(host.chars().count() as u32).help(help));
            }
        }
    }
    hosts
}

/// Characters of the matcher, up to the colon of a line.
fn matcher_length(text: &RouteText) -> u32 {
    let length = match text {
        RouteText::Line(line) => {
            let end = line
                .text
                .match_indices(':')
                .find(|(at, _)| line.text.as_bytes().get(at + 1).is_none_or(|b| b.is_ascii_whitespace()));
            end.and_then(|(at, _)| line.text.get(..at)).unwrap_or(&line.text).chars().count()
        }
        RouteText::Pair { key, .. } => key.text.chars().count(),
    };
    length as u32
}

/// What the parser checked for the route alone must also hold below its prefix.
fn check_limits(rule: &Rule, found: &mut Diagnostics) {
    let names: Vec<&str> = rule.pattern.param_names().collect();
    let repeated =
        names.iter().enumerate().find(|(index, name)| names.get(..*index).is_some_and(|before| before.contains(name)));
    if let Some((_, name)) = repeated {
        found.push(
            about(rule, Severity::Error, format!("parameter `{name}` is also in the prefix of the group"))
                .help("give one of them another name"),
        );
    }
    if rule.pattern.segments().len() > MAX_SEGMENTS {
        found.push(
            about(rule, Severity::Error, format!("more than {MAX_SEGMENTS} segments, prefix included"))
                .help("use `*rest` for what is below"),
        );
    }
    if names.len() > MAX_PARAMS {
        found.push(
            about(rule, Severity::Error, format!("more than {MAX_PARAMS} parameters, prefix included"))
                .help("use `*rest` for what is below"),
        );
    }
    // RFC 9110 §9.3.6: the target of CONNECT is an authority; it has no path.
    if rule.route.methods.contains(Method::Connect) {
        let reason = "no request reaches `CONNECT` here: its target has no path";
        found.push(about(rule, Severity::Warning, reason).help("leave `CONNECT` out"));
    }
}

fn assemble(rules: Vec<Rule>, found: &mut Diagnostics) -> Router {
    let (sites, hosts, trie) = link(&rules, found);
    Router { server_methods: server_methods(&rules), rules: rules.into(), sites: sites.into(), hosts, trie }
}

/// Builds sites, trie and tables; adds what the rules have against each other.
fn link(rules: &[Rule], found: &mut Diagnostics) -> (Vec<Site>, HostTable, Trie) {
    let mut builder = Builder::new(rules);
    let mut sites = vec![Site { host: None, root: builder.add_site(), next: None }];
    let mut by_host: HashMap<&HostPattern, u32> = HashMap::new();
    for rule in rules {
        if rule.hosts.is_empty() {
            builder.insert(ANY_HOST, sites[ANY_HOST as usize].root, rule);
        }
        for host in rule.hosts.iter() {
            let index = *by_host.entry(host).or_insert_with(|| {
                sites.push(Site { host: Some(host.clone()), root: builder.add_site(), next: None });
                sites.len() as u32 - 1
            });
            builder.insert(index, sites[index as usize].root, rule);
        }
    }
    let hosts = HostTable::build(by_host.iter().map(|(host, index)| (*host, *index)));
    for (index, site) in sites.iter_mut().enumerate().skip(1) {
        let above = match &site.host {
            Some(HostPattern::Exact(name)) => hosts.find_suffix(name.as_bytes()),
            _ => None,
        };
        site.next = above.filter(|&above| above as usize != index).or(Some(ANY_HOST));
    }
    let renamed = std::mem::take(&mut builder.renamed);
    let (trie, clashes, culprit) = builder.finish();
    report_clashes(&clashes, rules, found);
    report_renamed(&renamed, rules, found);
    if trie.worst_case_steps > MAX_STEPS {
        let reason = format!(
            "literals and parameters branch at so many segments that one lookup could visit {} nodes",
            trie.worst_case_steps
        );
        let help = format!(
            "the limit is {MAX_STEPS}: give the paths below one of them a literal segment of their own, or use `*rest`"
        );
        let fault = rules.get(culprit.index()).map_or_else(
            || Diagnostic::about_file("", reason.as_str()),
            |rule| about(rule, Severity::Error, reason.as_str()),
        );
        found.push(fault.help(help));
    }
    (sites, hosts, trie)
}

/// A finding that marks the matcher of a rule.
fn about(rule: &Rule, severity: Severity, reason: impl Into<String>) -> Diagnostic {
    Diagnostic::new(severity, rule.at.clone(), rule.source_line.clone(), reason).length(rule.marked)
}

fn also(diagnostic: Diagnostic, rule: &Rule, text: &str) -> Diagnostic {
    diagnostic.related(rule.at.clone(), rule.source_line.clone(), rule.marked, text)
}

fn report_clashes(clashes: &[Clash], rules: &[Rule], found: &mut Diagnostics) {
    let mut clashes = clashes.to_vec();
    clashes.sort_by_key(|clash| clash.second);
    // A rule for several hosts clashes in each of them: once is enough.
    let mut told: HashSet<(RuleId, RuleId)> = HashSet::new();
    for clash in clashes {
        let (Some(first), Some(second)) = (rules.get(clash.first.index()), rules.get(clash.second.index())) else {
            continue;
        };
        if told.insert((clash.first, clash.second)) {
            found.push(clash_diagnostic(&clash, first, second));
        }
    }
}

fn clash_diagnostic(clash: &Clash, first: &Rule, second: &Rule) -> Diagnostic {
    let same_methods = first.route.taken_methods() == second.route.taken_methods();
    if clash.unreachable
        && same_methods
        && first.pattern.same_shape(&second.pattern)
        && first.route.methods == second.route.methods
    {
        let diagnostic = about(second, Severity::Error, format!("a second rule for `{}`", matcher(second)));
        return also(diagnostic, first, "the first one is here").help("remove one of them");
    }
    let lost = if clash.lost == MethodSet::ALL { "every method".to_owned() } else { clash.lost.to_string() };
    if clash.unreachable {
        let diagnostic = about(second, Severity::Warning, format!("`{}` is never chosen", matcher(second)));
        return also(diagnostic, first, "this rule comes before it and takes its methods")
            .help("remove it, or name methods that are left");
    }
    let diagnostic = about(second, Severity::Warning, format!("`{}` is never chosen for {lost}", matcher(second)));
    also(diagnostic, first, "this rule comes before it and takes them").help(format!("leave {lost} out here"))
}

fn matcher(rule: &Rule) -> String {
    let methods: String = rule.route.methods.iter().map(|method| format!("{method} ")).collect();
    format!("{methods}{}", rule.pattern)
}

fn report_renamed(renamed: &[(RuleId, RuleId)], rules: &[Rule], found: &mut Diagnostics) {
    let mut told: HashSet<RuleId> = HashSet::new();
    for &(first, second) in renamed {
        let (Some(first), Some(second)) = (rules.get(first.index()), rules.get(second.index())) else { continue };
        if !told.insert(second.id) {
            continue;
        }
        let (ours, theirs) = different_names(second, first);
        let diagnostic = about(second, Severity::Note, format!("`:{ours}` is called `:{theirs}` in another rule"));
        found.push(also(diagnostic, first, "that rule is here"));
    }
}

/// The first names that two rules have for the same segment.
fn different_names<'a>(one: &'a Rule, other: &'a Rule) -> (&'a str, &'a str) {
    let pairs = one.pattern.segments().iter().zip(other.pattern.segments());
    pairs
        .filter_map(|pair| match pair {
            (Segment::Param(a), Segment::Param(b)) if a != b => Some((&**a, &**b)),
            _ => None,
        })
        .next()
        .unwrap_or_default()
}
