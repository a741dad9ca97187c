//! The compiled form of all patterns: flat arrays that a lookup only reads.
//!
//! - Patterns without parameters are entries of one hash table from whole paths: one hash and one comparison. A path
//!   that is literal in every segment is the most specific one there is, so this table comes first.
//! - The others form a radix trie by segment. A node's literal children are entries of one hash table shared by all
//!   nodes; its parameter child and its rest are indices; literal segments where nothing branches are compared at once.
//!
//! Where a path can go on both through a literal and through a parameter, the literal is tried first and the lookup
//! comes back if nothing below it takes the method. A lookup enters at most one literal child of each node it
//! visits, so it visits at most `steps(node) = 1 + max(steps(literal child)) + steps(parameter child)` nodes. The
//! builder computes that bound, and the compiler refuses rules that push it beyond its limit: no path, however it is
//! made, costs more.

mod build;
mod table;

pub(crate) use build::{Builder, Clash};
pub(crate) use table::Table;

use crate::method::{Method, MethodSet};
use crate::params::Params;
use crate::rule::RuleId;

/// No node, no endpoint.
const NONE: u32 = u32::MAX;

/// A place that a path can have come to.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// Every method that something at or below the node takes.
    methods: MethodSet,
    /// Literal segments that come before anything else here: where they begin and end in the texts.
    skip: (u32, u32),
    /// The child for any one segment.
    param: u32,
    /// The rules for paths that end here.
    terminal: u32,
    /// The rules for everything from here on.
    rest: u32,
    /// The number under which its literal children are found; `NONE`: it has none.
    literals: u32,
}

/// One rule of an endpoint, and those of its methods that no other rule of the endpoint takes before it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    methods: MethodSet,
    rule: RuleId,
    /// Whether no other entry of the endpoint follows.
    is_last: bool,
}

/// The trie of every site of a router.
#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Box<[Node]>,
    /// From (node, segment) to its literal child.
    literals: Table,
    /// From (site, path) to an endpoint.
    paths: Table,
    /// The segments that nodes skip.
    texts: Box<[u8]>,
    /// The entries of all endpoints; an endpoint is the index of its first one.
    entries: Box<[Entry]>,
    /// The most nodes that one lookup in one site visits.
    pub(crate) worst_case_steps: usize,
}

impl Trie {
    /// The rule for a path in normal form, in one site whose trie begins at `root`.
    #[inline]
    pub(crate) fn find(&self, site: u32, root: u32, method: Method, path: &str, params: &mut Params) -> Option<RuleId> {
        if let Some(rule) = self.find_literal(site, method, path) {
            return Some(rule);
        }
        let found = self.descend(root, method, path.as_bytes(), 1, params);
        if found.is_none() {
            params.truncate(0);
        }
        found
    }

    /// The rule whose pattern has no parameters and is this text.
    #[inline]
    pub(crate) fn find_literal(&self, site: u32, method: Method, path: &str) -> Option<RuleId> {
        let endpoint = self.paths.find(site, path.as_bytes())?;
        self.choose(endpoint, method)
    }

    /// Adds the methods of every rule of a site that matches the path.
    pub(crate) fn allowed(&self, site: u32, root: u32, path: &str) -> MethodSet {
        let literal = self.paths.find(site, path.as_bytes());
        let found = literal.map_or(MethodSet::EMPTY, |endpoint| self.methods(endpoint));
        found.union(self.allowed_below(root, path.as_bytes(), 1))
    }

    /// Looks for a rule below `node` for the segments from `at` on. Without success, values of the branches that were
    /// tried may be left behind those of the caller, who drops them. The depth of recursion is that of the trie, at
    /// most [`crate::MAX_SEGMENTS`].
    fn descend(
        &self,
        mut node: u32,
        method: Method,
        path: &[u8],
        mut at: usize,
        params: &mut Params,
    ) -> Option<RuleId> {
        loop {
            let here = self.nodes.get(node as usize)?;
            if !here.methods.contains(method) {
                return None;
            }
            at = self.skip(here, path, at)?;
            if at > path.len() {
                return self.choose(here.terminal, method);
            }
            let end = segment_end(path, at);
            let segment = path.get(at..end)?;
            let param = if segment.is_empty() { NONE } else { here.param };
            let values = params.len();
            if let Some(child) = self.literal_child(here, segment) {
                if param == NONE && here.rest == NONE {
                    (node, at) = (child, end + 1);
                    continue;
                }
                if let Some(rule) = self.descend(child, method, path, end + 1, params) {
                    return Some(rule);
                }
                params.truncate(values);
            }
            if param != NONE {
                params.push(at, end);
                if here.rest == NONE {
                    (node, at) = (param, end + 1);
                    continue;
                }
                if let Some(rule) = self.descend(param, method, path, end + 1, params) {
                    return Some(rule);
                }
                params.truncate(values);
            }
            let rule = self.choose(here.rest, method)?;
            params.push(at, path.len());
            return Some(rule);
        }
    }

    fn allowed_below(&self, node: u32, path: &[u8], at: usize) -> MethodSet {
        let Some(here) = self.nodes.get(node as usize) else { return MethodSet::EMPTY };
        let Some(at) = self.skip(here, path, at) else { return MethodSet::EMPTY };
        if at > path.len() {
            return self.methods(here.terminal);
        }
        let end = segment_end(path, at);
        let segment = path.get(at..end).unwrap_or_default();
        let mut found = self.methods(here.rest);
        if let Some(child) = self.literal_child(here, segment) {
            found = found.union(self.allowed_below(child, path, end + 1));
        }
        if !segment.is_empty() && here.param != NONE {
            found = found.union(self.allowed_below(here.param, path, end + 1));
        }
        found
    }

    #[inline]
    fn literal_child(&self, here: &Node, segment: &[u8]) -> Option<u32> {
        if here.literals == NONE { None } else { self.literals.find(here.literals, segment) }
    }

    /// Passes over the segments that a node begins with; `None`: the path has others.
    #[inline]
    fn skip(&self, here: &Node, path: &[u8], at: usize) -> Option<usize> {
        let (start, end) = here.skip;
        if start == end {
            return Some(at);
        }
        let text = self.texts.get(start as usize..end as usize)?;
        let rest = path.get(at..)?.strip_prefix(text)?;
        matches!(rest.first(), None | Some(b'/')).then_some(at + text.len() + 1)
    }

    /// The entries of an endpoint.
    #[inline]
    fn entries(&self, endpoint: u32) -> impl Iterator<Item = &Entry> {
        let mut rest = self.entries.get(endpoint as usize..).unwrap_or_default().iter();
        let mut ended = false;
        std::iter::from_fn(move || {
            let entry = rest.next().filter(|_| !ended)?;
            ended = entry.is_last;
            Some(entry)
        })
    }

    /// The rule of an endpoint that takes the method. The entries' methods are disjoint.
    #[inline]
    fn choose(&self, endpoint: u32, method: Method) -> Option<RuleId> {
        self.entries(endpoint).find(|entry| entry.methods.contains(method)).map(|entry| entry.rule)
    }

    fn methods(&self, endpoint: u32) -> MethodSet {
        self.entries(endpoint).fold(MethodSet::EMPTY, |set, entry| set.union(entry.methods))
    }
}

/// Where the segment that begins at `at` ends.
#[inline]
fn segment_end(path: &[u8], at: usize) -> usize {
    path.get(at..).and_then(|rest| rest.iter().position(|&b| b == b'/')).map_or(path.len(), |length| at + length)
}
