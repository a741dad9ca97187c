//! Builds the flat arrays from rules, in time linear in their segments, and says which rules get in each other's way.

use hashbrown::HashMap;

use super::{Entry, NONE, Node, Table, Trie};
use crate::method::{Method, MethodSet};
use crate::pattern::Segment;
use crate::rule::{Rule, RuleId};

/// A rule that loses methods to another one of the same shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Clash {
    /// The rule that takes them.
    pub first: RuleId,
    /// The rule that loses them.
    pub second: RuleId,
    /// What the second one loses.
    pub lost: MethodSet,
    /// Whether nothing is left to it.
    pub unreachable: bool,
}

/// A node before the arrays are flat.
#[derive(Default)]
struct Draft<'r> {
    param: Option<(u32, &'r str, RuleId)>,
    terminal: Vec<RuleId>,
    rest: Vec<RuleId>,
    literal_children: Vec<u32>,
    some_rule: RuleId,
}

impl Default for RuleId {
    fn default() -> Self {
        RuleId(u32::MAX)
    }
}

/// Collects the rules of all sites.
pub(crate) struct Builder<'r> {
    rules: &'r [Rule],
    drafts: Vec<Draft<'r>>,
    literals: HashMap<(u32, &'r str), u32>,
    paths: HashMap<(u32, String), Vec<RuleId>>,
    /// Paths in order of their first rule, so that diagnostics come in order of declaration.
    path_order: Vec<(u32, String)>,
    /// Different names for one segment: the rule that named it first, and another.
    pub(crate) renamed: Vec<(RuleId, RuleId)>,
}

impl<'r> Builder<'r> {
    pub(crate) fn new(rules: &'r [Rule]) -> Builder<'r> {
        Builder { rules, drafts: Vec::new(), literals: HashMap::new(), paths: HashMap::new(), path_order: Vec::new(), renamed: Vec::new() }
    }

    /// The root of a site's trie.
    pub(crate) fn add_site(&mut self) -> u32 {
        self.add_node(RuleId::default())
    }

    /// Puts a rule into a site.
    pub(crate) fn insert(&mut self, site: u32, root: u32, rule: &'r Rule) {
        let segments = rule.pattern.segments();
        let mounts = rule.route.action.mounts();
        if rule.pattern.is_literal() && !(mounts && matches!(segments.last(), Some(Segment::Literal(text)) if text.is_empty())) {
            let key = (site, rule.pattern.to_string());
            let list = self.paths.entry(key.clone()).or_default();
            if list.is_empty() {
                self.path_order.push(key);
            }
            list.push(rule.id);
            if !mounts {
                return;
            }
        }
        // A mounted directory at `/a/` answers below it; one at `/a` for `/a` too.
        let below = match segments.split_last() {
            Some((Segment::Literal(text), parents)) if mounts && text.is_empty() => parents,
            _ => segments,
        };
        let mut node = root;
        for segment in below {
            node = match segment {
                Segment::Literal(text) => self.literal_child(node, text, rule.id),
                Segment::Param(name) => self.param_child(node, name, rule.id),
                Segment::Rest(_) => {
                    self.draft(node).rest.push(rule.id);
                    return;
                }
            };
        }
        if mounts {
            self.draft(node).rest.push(rule.id);
        }
        if !rule.pattern.is_literal() && below.len() == segments.len() {
            self.draft(node).terminal.push(rule.id);
        }
    }

    fn add_node(&mut self, rule: RuleId) -> u32 {
        self.drafts.push(Draft { some_rule: rule, ..Draft::default() });
        self.drafts.len() as u32 - 1
    }

    fn draft(&mut self, node: u32) -> &mut Draft<'r> {
        &mut self.drafts[node as usize]
    }

    fn literal_child(&mut self, node: u32, text: &'r str, rule: RuleId) -> u32 {
        if let Some(&child) = self.literals.get(&(node, text)) {
            return child;
        }
        let child = self.add_node(rule);
        self.literals.insert((node, text), child);
        self.draft(node).literal_children.push(child);
        child
    }

    fn param_child(&mut self, node: u32, name: &'r str, rule: RuleId) -> u32 {
        if let Some((child, first_name, first)) = self.draft(node).param {
            if first_name != name {
                self.renamed.push((first, rule));
            }
            return child;
        }
        let child = self.add_node(rule);
        self.draft(node).param = Some((child, name, rule));
        child
    }

    /// The flat arrays, the clashes in them, and a rule on the costliest way through them.
    pub(crate) fn finish(self) -> (Trie, Vec<Clash>, RuleId) {
        let mut flat = Flat { rules: self.rules, endpoints: Vec::new(), entries: Vec::new(), clashes: Vec::new() };
        let paths: Vec<u32> = self.path_order.iter().map(|key| flat.endpoint(self.paths.get(key).map_or(&[][..], Vec::as_slice), false)).collect();
        let mut nodes: Vec<Node> = Vec::with_capacity(self.drafts.len());
        for draft in &self.drafts {
            let (terminal, rest) = (flat.endpoint(&draft.terminal, false), flat.endpoint(&draft.rest, true));
            let methods = [terminal, rest].iter().fold(MethodSet::EMPTY, |set, &endpoint| set.union(flat.methods(endpoint)));
            let param = draft.param.map_or(NONE, |(child, ..)| child);
            nodes.push(Node { methods, param, terminal, rest, has_literals: !draft.literal_children.is_empty() });
        }
        let (worst_case_steps, culprit) = self.sum_up(&mut nodes);
        let literals: Vec<(u32, &[u8], u32)> = self.literals.iter().map(|(&(node, text), &child)| (node, text.as_bytes(), child)).collect();
        let paths: Vec<(u32, &[u8], u32)> = self.path_order.iter().zip(paths).map(|((site, path), endpoint)| (*site, path.as_bytes(), endpoint)).collect();
        let trie = Trie {
            nodes: nodes.into(),
            literals: Table::build(&literals),
            paths: Table::build(&paths),
            endpoints: flat.endpoints.into(),
            entries: flat.entries.into(),
            worst_case_steps,
        };
        (trie, flat.clashes, culprit)
    }

    /// Sums methods and steps up from the leaves. Children have larger indices than their parents.
    fn sum_up(&self, nodes: &mut [Node]) -> (usize, RuleId) {
        let mut steps = vec![0usize; nodes.len()];
        let (mut worst, mut culprit) = (0, RuleId::default());
        for (index, draft) in self.drafts.iter().enumerate().rev() {
            let param = draft.param.map(|(child, ..)| child as usize);
            let literal = draft.literal_children.iter().map(|&child| steps[child as usize]).max().unwrap_or(0);
            steps[index] = (1 + literal).saturating_add(param.map_or(0, |child| steps[child]));
            let children = draft.literal_children.iter().map(|&child| child as usize).chain(param);
            let methods = children.fold(nodes[index].methods, |set, child| set.union(nodes[child].methods));
            nodes[index].methods = methods;
            // The last one found is nearest to the root; a rule below it that branches says where to look.
            if steps[index] >= worst {
                worst = steps[index];
                if draft.some_rule != RuleId::default() {
                    culprit = draft.some_rule;
                }
            }
        }
        (worst, culprit)
    }
}

/// Endpoints and entries as they grow.
struct Flat<'r> {
    rules: &'r [Rule],
    endpoints: Vec<(u32, u32)>,
    entries: Vec<Entry>,
    clashes: Vec<Clash>,
}

impl Flat<'_> {
    fn methods(&self, endpoint: u32) -> MethodSet {
        let range = self.endpoints.get(endpoint as usize).map_or(0..0, |&(start, end)| start as usize..end as usize);
        self.entries[range].iter().fold(MethodSet::EMPTY, |set, entry| set.union(entry.methods))
    }

    /// Deals the methods out among rules of one shape: first to rules that name them, then `HEAD` to the rule that has
    /// `GET`, then to rules that name none; within each in order of declaration.
    fn endpoint(&mut self, rules: &[RuleId], is_rest: bool) -> u32 {
        if rules.is_empty() {
            return NONE;
        }
        let all = self.rules;
        let rule = |id: &RuleId| &all[id.index()];
        let start = self.entries.len();
        let mut taken = MethodSet::EMPTY;
        for id in rules.iter().filter(|id| !rule(id).route.methods.is_empty()) {
            taken = self.deal(start, *id, rule(id).route.methods, taken, true);
        }
        if !taken.contains(Method::Head)
            && let Some(entry) = self.entries[start..].iter_mut().find(|entry| entry.methods.contains(Method::Get))
        {
            entry.methods = entry.methods.union(MethodSet::of(Method::Head));
            taken = taken.union(MethodSet::of(Method::Head));
        }
        for id in rules.iter().filter(|id| rule(id).route.methods.is_empty()) {
            // A directory that loses its own path, but not what is below it, loses little.
            let counts = is_rest || !rule(id).route.action.mounts();
            taken = self.deal(start, *id, rule(id).route.taken_methods(), taken, counts);
        }
        self.endpoints.push((start as u32, self.entries.len() as u32));
        self.endpoints.len() as u32 - 1
    }

    /// Gives a rule what it wants and is left; returns what is taken then.
    fn deal(&mut self, start: usize, rule: RuleId, wanted: MethodSet, taken: MethodSet, clash_counts: bool) -> MethodSet {
        let (own, lost) = (wanted.without(taken), wanted.intersection(taken));
        let names_its_methods = !self.rules[rule.index()].route.methods.is_empty();
        // That rules which name a method come first is not a clash, unless nothing is left.
        let clashes = !lost.is_empty() && (names_its_methods || own.is_empty());
        if clashes && clash_counts {
            let first = self.entries[start..].iter().find(|entry| !entry.methods.intersection(lost).is_empty());
            if let Some(first) = first.map(|entry| entry.rule) {
                self.clashes.push(Clash { first, second: rule, lost, unreachable: own.is_empty() });
            }
        }
        if !own.is_empty() {
            self.entries.push(Entry { methods: own, rule });
        }
        taken.union(own)
    }
}
