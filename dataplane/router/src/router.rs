//! The compiled router: which rule answers a request.

use std::fmt;

use crate::explain::Explanation;
use crate::host::{HostPattern, HostTable};
use crate::method::{Method, MethodSet};
use crate::params::Params;
use crate::path::PathRefusal;
use crate::rule::{Rule, RuleId};
use crate::tree;
use crate::trie::Trie;

/// What a request comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// This rule answers it.
    Rule(RuleId),
    /// `OPTIONS` for a path whose rules do not take it, or for `*`: 204 with these methods in `Allow`
    /// (RFC 9110 §9.3.7).
    Options {
        /// What the rules take, and `OPTIONS` itself.
        allow: MethodSet,
    },
    /// Rules match, but none takes the method: 405 with these in `Allow` (RFC 9110 §15.5.6).
    MethodNotAllowed {
        /// What the rules take, and `OPTIONS`.
        allow: MethodSet,
    },
    /// No rule matches: 404.
    NotFound,
    /// The path is refused: 400 or 414.
    Refused(PathRefusal),
}

/// The rules of one virtual host.
#[derive(Debug)]
pub(crate) struct Site {
    /// Whose; `None` for the one that answers for any host.
    pub host: Option<HostPattern>,
    /// Where its trie begins.
    pub root: u32,
    /// The site to ask when this one has no rule: that of the wildcard above it, then that of any host.
    pub next: Option<u32>,
}

/// The site of the rules that answer for any host.
pub(crate) const ANY_HOST: u32 = 0;

/// Finds the rule for a request. Immutable; shared by every worker.
#[derive(Debug)]
pub struct Router {
    pub(crate) rules: Box<[Rule]>,
    pub(crate) sites: Box<[Site]>,
    pub(crate) hosts: HostTable,
    pub(crate) trie: Trie,
    /// The answer to `OPTIONS *`.
    pub(crate) server_methods: MethodSet,
}

/// Every method that some rule takes, and `OPTIONS`. A rule that takes any method says nothing about which ones make
/// sense: the usual ones are named for it.
pub(crate) fn server_methods(rules: &[Rule]) -> MethodSet {
    use Method::{Delete, Get, Head, Options, Patch, Post, Put};
    let usual = || [Get, Head, Post, Put, Patch, Delete].into_iter().collect::<MethodSet>();
    rules
        .iter()
        .map(|rule| rule.route.taken_methods())
        .fold(MethodSet::of(Options), |set, taken| set.union(if taken == MethodSet::ALL { usual() } else { taken }))
}

impl Router {
    /// Every rule, in order of declaration; a [`RuleId`] is an index.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with this number. A number of another router may give none.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.index())
    }

    /// Whether some rule is bound to a host; when none is, [`Router::find`] does not look at the host.
    #[inline]
    pub fn has_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// The most nodes that a lookup visits, whatever its path: at most three sites, each with the bound that its rules
    /// give.
    pub fn worst_case_steps(&self) -> usize {
        let sites = self.sites.iter().map(|site| self.chain(site).count()).max().unwrap_or(0);
        self.trie.worst_case_steps.saturating_mul(sites)
    }

    /// Finds the rule for a request: by host, then method, then the most specific path (a literal segment before a
    /// parameter before the rest, from left to right), then order of declaration.
    ///
    /// `host` is the authority that the request is for, with or without port; `path` is the path of the target as it was
    /// sent, without the query. Path in normal form and values of parameters are left in `params`. Allocates nothing
    /// once the storage of `params` has grown to the longest path that had to be rewritten.
    pub fn find(&self, method: Method, host: Option<&str>, path: &str, params: &mut Params) -> Found {
        let first = self.hosts.find(host).unwrap_or(ANY_HOST);
        params.clear();
        // Patterns are kept in normal form: a path that is one of them, byte by byte, need not be looked at for that, and
        // nothing comes before a rule that is literal in every segment.
        if let Some(rule) = self.trie.find_literal(first, method, path) {
            return Found::Rule(rule);
        }
        self.find_pattern(first, method, path, params)
    }

    /// As [`Router::find`], for a path that is no literal pattern of the site, or not as it came.
    fn find_pattern(&self, first: u32, method: Method, path: &str, params: &mut Params) -> Found {
        if let Err(refusal) = params.begin(path) {
            // RFC 9110 §9.3.7: `*` asks about the server as a whole.
            return match (method, path) {
                (Method::Options, "*") => Found::Options { allow: self.server_methods },
                _ => Found::Refused(refusal),
            };
        }
        let normalized = params.take_normalized();
        let found = self.find_normal(first, method, normalized.as_deref().unwrap_or(path), params);
        params.give_back(normalized);
        found
    }

    fn find_normal(&self, first: u32, method: Method, path: &str, params: &mut Params) -> Found {
        let first = self.site(first);
        let mut next = first;
        while let Some((index, site)) = next {
            if let Some(rule) = self.trie.find(index, site.root, method, path, params) {
                return Found::Rule(rule);
            }
            next = site.next.and_then(|index| self.site(index));
        }
        self.without_rule(method, first.map(|(index, _)| index), path)
    }

    /// The answer when no rule takes the request.
    #[cold]
    fn without_rule(&self, method: Method, mut site: Option<u32>, path: &str) -> Found {
        let mut allow = MethodSet::EMPTY;
        while let Some((index, here)) = site.and_then(|index| self.site(index)) {
            allow = allow.union(self.trie.allowed(index, here.root, path));
            site = here.next;
        }
        let and_options = allow.union(MethodSet::of(Method::Options));
        match (allow.is_empty(), method) {
            (true, _) => Found::NotFound,
            (false, Method::Options) => Found::Options { allow: and_options },
            (false, _) => Found::MethodNotAllowed { allow: and_options },
        }
    }

    fn site(&self, index: u32) -> Option<(u32, &Site)> {
        self.sites.get(index as usize).map(|site| (index, site))
    }

    fn chain<'a>(&'a self, site: &'a Site) -> impl Iterator<Item = &'a Site> {
        std::iter::successors(Some(site), |site| self.sites.get(site.next? as usize))
    }

    /// The hosts whose rules are asked for a request to `host`, in that order; `None` is any host.
    pub(crate) fn hosts_asked(&self, host: Option<&str>) -> Vec<Option<&HostPattern>> {
        let first = self.sites.get(self.hosts.find(host).unwrap_or(ANY_HOST) as usize);
        first.into_iter().flat_map(|site| self.chain(site)).map(|site| site.host.as_ref()).collect()
    }

    /// Writes all rules as a tree of path segments, host by host.
    pub fn print_tree(&self, out: &mut impl fmt::Write) -> fmt::Result {
        tree::print(self, out)
    }

    /// Says which rule answers a request and why, and which others were passed over.
    pub fn explain(&self, method: Method, host: Option<&str>, path: &str) -> Explanation {
        Explanation::of(self, method, host, path)
    }
}
