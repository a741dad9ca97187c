//! From the tree to the model: what a value must be to become a field.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::diagnostic::Diagnostics;
use crate::node::{Entry, Kind, Node, Value};
use crate::suggest::nearest;
use crate::text::Position;

/// Where each key of the configuration was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Positions {
    /// The configuration file.
    pub file: Arc<str>,
    /// The values by their dotted paths (`ports.0.interface`).
    pub keys: BTreeMap<String, Mark>,
}

impl Default for Positions {
    fn default() -> Self {
        Positions { file: "configuration".into(), keys: BTreeMap::new() }
    }
}

/// Where a value stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    pub at: Position,
    pub source_line: Arc<str>,
    /// In characters.
    pub length: u32,
}

/// What decoding carries along: the path so far and what was found.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub found: Diagnostics,
    pub positions: Positions,
    path: Vec<String>,
}

impl Context {
    /// Runs `inside` for the value under `key`.
    pub fn at<T>(&mut self, key: &str, node: &Node, inside: impl FnOnce(&mut Context) -> T) -> T {
        self.path.push(key.to_owned());
        let found = node.error("");
        self.positions
            .keys
            .insert(self.path.join("."), Mark { at: found.at, source_line: found.source_line, length: found.length });
        let result = inside(self);
        self.path.pop();
        result
    }

    /// Notes an error about `node`.
    pub fn error(&mut self, node: &Node, reason: impl Into<String>) {
        self.found.push(node.error(reason));
    }

    /// The entries of a mapping; null counts as an empty one.
    pub fn mapping<'n>(&mut self, node: &'n Node) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            Value::Null => Some(&[]),
            _ => {
                let what = self.name();
                self.error(node, format!("{what} must be a mapping of keys to values, not {}", node.describe()));
                None
            }
        }
    }

    /// Notes a key that nobody knows.
    pub fn unknown_key(&mut self, key: &Node, known: &[&str]) {
        let written = key.as_str().unwrap_or_default();
        let wrong = key.error(format!("{} has no key {}", self.name(), key.describe()));
        self.found.push(match nearest(written, known.iter().copied()) {
            Some(word) => wrong.help(format!("did you mean `{word}`?")),
            None => wrong.help(format!("known keys: {}", known.join(", "))),
        });
    }

    /// Notes a key that stands twice in its mapping.
    pub fn duplicate_key(&mut self, key: &Node, first: &Node) {
        let first = first.error("");
        let wrong = key.error(format!("{} is given twice in {}", key.describe(), self.name()));
        self.found.push(
            wrong.related(first.at, first.source_line, first.length, "first given here").help("keep one of the two"),
        );
    }

    /// What is being decoded, for error messages.
    pub fn name(&self) -> String {
        if self.path.is_empty() { "the configuration".to_owned() } else { format!("`{}`", self.path.join(".")) }
    }

    /// Reads the entries of a section: `field` decodes one key and answers whether it knows it.
    pub fn section(
        &mut self,
        node: &Node,
        known: &[&str],
        mut field: impl FnMut(&mut Context, &str, &Node),
    ) -> Option<()> {
        let entries = self.mapping(node)?;
        let mut seen: Vec<&Node> = Vec::with_capacity(known.len());
        for entry in entries {
            let name = entry.key.as_str().unwrap_or_default();
            if !known.contains(&name) {
                self.unknown_key(&entry.key, known);
                continue;
            }
            if let Some(first) = seen.iter().find(|earlier| earlier.as_str() == Some(name)) {
                self.duplicate_key(&entry.key, first);
                continue;
            }
            seen.push(&entry.key);
            self.at(name, &entry.value, |cx| field(cx, name, &entry.value));
        }
        Some(())
    }
}

/// A value of the model: read from the tree, shown in the documentation, described by the JSON Schema.
pub(crate) trait Key: Sized {
    /// Reads it; `None` when an error was noted.
    fn decode(node: &Node, cx: &mut Context) -> Option<Self>;
    /// Its JSON Schema.
    fn schema() -> Json;
    /// What it is, in the words of the reference table.
    fn type_name() -> String;
    /// The value as it would be written in JSON.
    fn show(&self) -> Json;
    /// Its keys, when it is a section.
    fn keys(_path: &str, _into: &mut Vec<KeyInfo>) {}
}

/// One row of the reference table.
#[derive(Clone, Debug)]
pub(crate) struct KeyInfo {
    pub path: String,
    pub type_name: String,
    pub range: Option<String>,
    /// `None`: the key must be given.
    pub default: Option<Json>,
    pub doc: String,
}

/// A value that is one word in the file.
pub(crate) trait Scalar: Sized {
    /// What is expected, to stand after "must be".
    const EXPECTED: &'static str;
    /// Reads it; the error says what is wrong, when there is more to say than what was expected.
    fn parse(text: &str) -> Result<Self, Option<String>>;
    /// Whether a scalar of this kind can be one.
    fn accepts(_kind: Kind) -> bool {
        true
    }
    /// JSON Schema.
    fn scalar_schema() -> Json;
    /// As JSON.
    fn scalar_show(&self) -> Json;
    /// Name in the reference.
    fn scalar_name() -> String;
}

impl<T: Scalar> Key for T {
    fn decode(node: &Node, cx: &mut Context) -> Option<T> {
        let Value::Scalar { text, kind } = &node.value else {
            let name = cx.name();
            cx.error(node, format!("{name} must be {}, not {}", T::EXPECTED, node.describe()));
            return None;
        };
        if !T::accepts(*kind) {
            let name = cx.name();
            let quotes = if *kind == Kind::Quoted { " in quotes" } else { "" };
            cx.error(node, format!("{name} must be {}, not {}{quotes}", T::EXPECTED, node.describe()));
            return None;
        }
        T::parse(text)
            .map_err(|why| {
                let wrong = node.error(format!("{} must be {}, not {}", cx.name(), T::EXPECTED, node.describe()));
                cx.found.push(match why {
                    Some(why) => wrong.help(why),
                    None => wrong,
                });
            })
            .ok()
    }

    fn schema() -> Json {
        T::scalar_schema()
    }

    fn type_name() -> String {
        T::scalar_name()
    }

    fn show(&self) -> Json {
        self.scalar_show()
    }
}

/// Items of a list of the model at most.
const MAX_ITEMS: usize = 1024;

impl<T: Key> Key for Vec<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Vec<T>> {
        let parts;
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            Value::Scalar { text, .. } if node.source.comma_lists() => {
                parts = split_commas(node, text);
                &parts
            }
            Value::Null => &[],
            _ => std::slice::from_ref(node),
        };
        if items.len() > MAX_ITEMS {
            cx.error(node, format!("{} has {} items, more than {MAX_ITEMS}", cx.name(), items.len()));
            return None;
        }
        let decoded: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| cx.at(&index.to_string(), item, |cx| T::decode(item, cx)))
            .collect();
        decoded.into_iter().collect()
    }

    fn schema() -> Json {
        json!({ "anyOf": [T::schema(), { "type": "array", "items": T::schema() }] })
    }

    fn type_name() -> String {
        format!("list of {}", T::type_name())
    }

    fn show(&self) -> Json {
        self.iter().map(Key::show).collect()
    }
}

/// The value of an environment variable taken apart at its commas.
fn split_commas(node: &Node, text: &str) -> Vec<Node> {
    let mut start = node.span.start;
    let mut parts = Vec::new();
    for part in text.split(',') {
        let lead = part.len() - part.trim_start().len();
        let word = part.trim();
        if !word.is_empty() {
            parts.push(Node::scalar(&node.source, start + lead..start + lead + word.len(), word, Kind::Plain));
        }
        start += part.len() + 1;
    }
    parts
}

impl<T: Key> Key for Option<T> {
    fn decode(node: &Node, cx: &mut Context) -> Option<Option<T>> {
        let off = match &node.value {
            Value::Null => true,
            Value::Scalar { text, kind } => {
                (text == "off" && *kind != Kind::Number) || (text == "false" && *kind != Kind::Quoted)
            }
            _ => false,
        };
        if off { Some(None) } else { T::decode(node, cx).map(Some) }
    }

    fn schema() -> Json {
        json!({ "anyOf": [T::schema(), { "enum": ["off", false, null] }] })
    }

    fn type_name() -> String {
        format!("{} or `off`", T::type_name())
    }

    fn show(&self) -> Json {
        self.as_ref().map_or_else(|| json!("off"), Key::show)
    }
}
