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
    literal_children: Vec<(u32, &'r str)>,
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
        Builder {
            rules,
            drafts: Vec::new(),
            literals: HashMap::new(),
            paths: HashMap::new(),
            path_order: Vec::new(),
            renamed: Vec::new(),
        }
    }

    /// The root of a site's trie.
    pub(crate) fn add_site(&mut self) -> u32 {
        self.add_node(RuleId::default())
    }

    /// Puts a rule into a site.
    pub(crate) fn insert(&mut self, site: u32, root: u32, rule: &'r Rule) {
        let segments = rule.pattern.segments();
        let mounts = rule.route.action.mounts();
        if rule.pattern.is_literal()
            && !(mounts && matches!(segments.last(), Some(Segment::Literal(text)) if text.is_empty()))
        {
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
        self.draft(node).literal_children.push((child, text));
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
        let mut flat = Flat { rules: self.rules, entries: Vec::new(), clashes: Vec::new() };
        let paths: Vec<u32> = self
            .path_order
            .iter()
            .map(|key| flat.endpoint(self.paths.get(key).map_or(&[][..], Vec::as_slice), false))
            .collect();
        let mut nodes: Vec<Node> = Vec::with_capacity(self.drafts.len());
        for draft in &self.drafts {
            let (terminal, rest) = (flat.endpoint(&draft.terminal, false), flat.endpoint(&draft.rest, true));
            let methods = flat.methods(terminal).union(flat.methods(rest));
            let param = draft.param.map_or(NONE, |(child, ..)| child);
            let literals = if draft.literal_children.is_empty() { NONE } else { nodes.len() as u32 };
            nodes.push(Node { methods, skip: (0, 0), param, terminal, rest, literals });
        }
        let (worst_case_steps, culprit) = self.sum_up(&mut nodes);
        let texts = self.skip_chains(&mut nodes);
        let children = self.drafts.iter().zip(0u32..).flat_map(|(draft, node)| {
            draft.literal_children.iter().map(move |(child, text)| (node, text.as_bytes(), *child))
        });
        let literals: Vec<(u32, &[u8], u32)> =
            children.filter(|(node, ..)| nodes[*node as usize].literals == *node).collect();
        let paths: Vec<(u32, &[u8], u32)> = self
            .path_order
            .iter()
            .zip(paths)
            .map(|((site, path), endpoint)| (*site, path.as_bytes(), endpoint))
            .collect();
        let trie = Trie {
            nodes: nodes.into(),
            literals: Table::build(&literals),
            paths: Table::build(&paths),
            texts: texts.into(),
            entries: flat.entries.into(),
            worst_case_steps,
        };
        (trie, flat.clashes, culprit)
    }

    /// Where a node has one literal child and nothing else, the node takes the place of the child and skips its
    /// segment. Children have larger indices than their parents, so a chain is taken up from its end.
    fn skip_chains(&self, nodes: &mut [Node]) -> Vec<u8> {
        let mut skipped: Vec<String> = vec![String::new(); nodes.len()];
        let mut texts = Vec::new();
        for (index, draft) in self.drafts.iter().enumerate().rev() {
            let node = &nodes[index];
            let [(child, text)] = draft.literal_children[..] else { continue };
            // The empty segment at the end of a path stays a child: skipping it would look like skipping nothing.
            if text.is_empty() || node.param != NONE || node.terminal != NONE || node.rest != NONE {
                continue;
            }
            let child = child as usize;
            let below = std::mem::take(&mut skipped[child]);
            skipped[index] = if below.is_empty() { text.to_owned() } else { format!("{text}/{below}") };
            // What the child has moves up; its literal children stay under its own number. Nothing leads to it any more.
            nodes[index] = nodes[child];
        }
        for (node, text) in nodes.iter_mut().zip(&skipped).filter(|(_, text)| !text.is_empty()) {
            let start = texts.len() as u32;
            texts.extend_from_slice(text.as_bytes());
            node.skip = (start, texts.len() as u32);
        }
        texts
    }

    /// Sums methods and steps up from the leaves. Children have larger indices than their parents.
    fn sum_up(&self, nodes: &mut [Node]) -> (usize, RuleId) {
        let mut steps = vec![0usize; nodes.len()];
        let (mut worst, mut culprit) = (0, RuleId::default());
        for (index, draft) in self.drafts.iter().enumerate().rev() {
            let param = draft.param.map(|(child, ..)| child as usize);
            let literal = draft.literal_children.iter().map(|&(child, _)| steps[child as usize]).max().unwrap_or(0);
            steps[index] = (1 + literal).saturating_add(param.map_or(0, |child| steps[child]));
            let children = draft.literal_children.iter().map(|&(child, _)| child as usize).chain(param);
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

/// The entries of all endpoints as they grow.
struct Flat<'r> {
    rules: &'r [Rule],
    entries: Vec<Entry>,
    clashes: Vec<Clash>,
}

impl Flat<'_> {
    fn methods(&self, endpoint: u32) -> MethodSet {
        let mut all = MethodSet::EMPTY;
        for entry in self.entries.get(endpoint as usize..).unwrap_or_default() {
            all = all.union(entry.methods);
            if entry.is_last {
                break;
            }
        }
        all
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
        // The first rule always gets something, so there is a last entry.
        if let Some(last) = self.entries.last_mut() {
            last.is_last = true;
        }
        start as u32
    }

    /// Gives a rule what it wants and is left; returns what is taken then.
    fn deal(
        &mut self,
        start: usize,
        rule: RuleId,
        wanted: MethodSet,
        taken: MethodSet,
        clash_counts: bool,
    ) -> MethodSet {
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
            self.entries.push(Entry { methods: own, rule, is_last: false });
        }
        taken.union(own)
    }
}
