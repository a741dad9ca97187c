//! YAML, from the parser's events to the tree.
//!
//! Nodes, nesting and what aliases repeat are bounded, so that a file of a few lines cannot grow to gigabytes.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span};

use crate::diagnostic::{Diagnostic, Severity};
use crate::lift::{Lifted, lift};
use crate::node::{Entry, Kind, Node, RouteItem, Value};
use crate::source::Source;

/// Values in a file at most, those that aliases repeat included.
pub(crate) const MAX_NODES: usize = 200_000;
/// Depth of nesting at most.
pub(crate) const MAX_DEPTH: usize = 32;

/// Reads a YAML document.
pub(crate) fn read(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    let Lifted { text, sections } = lift(source);
    let mut tree =
        Tree { source: source.clone(), nodes: 0, copied: 0, stack: Vec::new(), anchors: HashMap::new(), root: None };
    for event in Parser::new_from_str_with_options(&text, options()) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or(text.len());
            source.diagnostic(Severity::Error, at..at + 1, format!("this is not YAML: {}", error.info()))
        })?;
        tree.event(event, span)?;
    }
    let mut root = tree.root.unwrap_or(Node { value: Value::Null, source: source.clone(), span: 0..0 });
    place(&mut root, &sections, &mut { MAX_NODES })?;
    Ok(root)
}

fn options() -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    options
}

/// The value of a quoted scalar with its quotes.
pub(crate) fn quoted_scalar(text: &str) -> Option<String> {
    let mut scalar = None;
    for event in Parser::new_from_str_with_options(text, options()) {
        match event.ok()?.0 {
            Event::Scalar(text, ..) if scalar.is_none() => scalar = Some(text.into_owned()),
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
            _ => return None,
        }
    }
    scalar
}

/// Puts the routes that were lifted out back under their keys, wherever aliases repeat them. `room`: how many may still come.
fn place(node: &mut Node, sections: &BTreeMap<usize, Vec<RouteItem>>, room: &mut usize) -> Result<(), Diagnostic> {
    match &mut node.value {
        Value::Map(entries) => {
            for entry in entries {
                let Some(routes) = sections.get(&entry.key.span.start) else {
                    place(&mut entry.value, sections, room)?;
                    continue;
                };
                let too_many = || entry.key.error(format!("the configuration has more than {MAX_NODES} routes"));
                *room = room.checked_sub(routes.len()).ok_or_else(too_many)?;
                entry.value.value = Value::Routes(routes.clone());
            }
        }
        Value::List(items) => items.iter_mut().try_for_each(|item| place(item, sections, room))?,
        Value::Null | Value::Scalar { .. } | Value::Routes(_) => {}
    }
    Ok(())
}

/// A collection that is not complete.
struct Open {
    node: Node,
    /// The key whose value comes next, in a mapping.
    key: Option<Node>,
    anchor: usize,
    depth: usize,
    nodes_before: usize,
}

/// An anchored value, how many values it holds and how deep they go.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

fn node_text_len(value: &Value) -> usize {
    if let Value::Scalar { text, .. } = value { text.len() } else { 0 }
}

struct Tree {
    source: Arc<Source>,
    /// Values that the document holds so far.
    nodes: usize,
    /// Values that were copied for anchors and aliases.
    copied: usize,
    stack: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
}

impl Tree {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let span = span.byte_range().unwrap_or_default();
        let error = |reason: &str| Err(self.source.diagnostic(Severity::Error, span.clone(), reason));
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let forced = tag.as_ref().and_then(|tag| tag.core_suffix().map(str::to_owned));
                if tag.is_some() && forced.as_deref() != Some("str") {
                    return error("tags mean nothing here")
                        .map_err(|wrong: Diagnostic| wrong.help("leave the tag out"));
                }
                let plain = style == ScalarStyle::Plain && forced.is_none();
                let kind = if plain { Kind::Plain } else { Kind::Quoted };
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Scalar { text: text.into_owned(), kind } };
                // Long texts weigh more, so that aliases cannot repeat them at will.
                let weight = 1 + node_text_len(&value) / 64;
                self.complete(Node { value, source: self.source.clone(), span }, anchor, weight, 1)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Value::List(Vec::new()), span, anchor),
            Event::MappingStart(_, anchor, _) => self.open(Value::Map(Vec::new()), span, anchor),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut open) = self.stack.pop() else {
                    return Ok(());
                };
                open.node.span.end = open.node.span.end.max(span.end);
                let nodes = self.nodes - open.nodes_before;
                self.nodes = open.nodes_before;
                self.complete(open.node, open.anchor, nodes, open.depth)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(anchored) => {
                    let (nodes, depth) = (anchored.nodes, anchored.depth);
                    self.copied += nodes;
                    self.bounded(self.copied, &span)?;
                    let node = anchored.node.clone();
                    self.complete(node, 0, nodes, depth)
                }
                None => error("this alias stands inside of the value that it names"),
            },
            Event::DocumentStart(..) if self.root.is_some() => {
                error("a configuration is one YAML document; a second one begins here")
            }
            _ => Ok(()),
        }
    }

    /// Holds `more` values against the bound.
    fn count(&mut self, more: usize, span: &Range<usize>) -> Result<(), Diagnostic> {
        self.nodes += more;
        self.bounded(self.nodes, span)
    }

    fn bounded(&self, nodes: usize, span: &Range<usize>) -> Result<(), Diagnostic> {
        if nodes <= MAX_NODES {
            return Ok(());
        }
        Err(self.source.diagnostic(
            Severity::Error,
            span.clone(),
            format!("the configuration has more than {MAX_NODES} values, counting those that aliases repeat"),
        ))
    }

    fn open(&mut self, value: Value, span: Range<usize>, anchor: usize) -> Result<(), Diagnostic> {
        let nodes_before = self.nodes;
        self.count(1, &span)?;
        self.stack.push(Open {
            node: Node { value, source: self.source.clone(), span },
            key: None,
            anchor,
            depth: 1,
            nodes_before,
        });
        Ok(())
    }

    /// Puts a complete value where it belongs.
    fn complete(&mut self, node: Node, anchor: usize, nodes: usize, depth: usize) -> Result<(), Diagnostic> {
        self.count(nodes, &node.span)?;
        if self.stack.len() + depth > MAX_DEPTH + 1 {
            return Err(node.error(format!("the configuration is nested deeper than {MAX_DEPTH} levels")));
        }
        if anchor != 0 {
            self.copied += nodes;
            self.bounded(self.copied, &node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.depth = open.depth.max(depth + 1);
        match (&mut open.node.value, open.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some(key)) => entries.push(Entry { key, value: node }),
            (_, None) => match node.value {
                Value::Scalar { .. } => open.key = Some(node),
                _ => {
                    return Err(node.error(format!("a key must be a word, not {}", node.describe())));
                }
            },
            _ => {}
        }
        Ok(())
    }
}
