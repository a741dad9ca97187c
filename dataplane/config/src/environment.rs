//! Overrides from the environment: `ANYGATE_SERVER__TIMEOUTS__IDLE=30s` sets `server.timeouts.idle`.
//!
//! Two underscores divide the keys of a path; a number is the index in a list (`ANYGATE_PORTS__0__INTERFACE`). A list is
//! written with commas. Variables without two underscores are left alone unless they name a top-level key.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::load::SECTIONS;
use crate::node::{Entry, Kind, Node, Value};
use crate::source::Source;
use crate::suggest::nearest;

const PREFIX: &str = "ANYGATE_";

/// Sets in `root` what the variables say.
pub(crate) fn apply(root: &mut Node, variables: impl Iterator<Item = (String, String)>, found: &mut Diagnostics) {
    let mut ours: Vec<(String, String)> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    // The environment has no order; the result must.
    ours.sort();
    for (name, value) in ours {
        let path = name[PREFIX.len()..].to_ascii_lowercase();
        let keys: Vec<&str> = path.split("__").collect();
        let known = keys.first().is_some_and(|first| SECTIONS.contains(first));
        if !known && keys.len() == 1 {
            continue;
        }
        if let Err(wrong) = set(root, &name, &value, &keys) {
            found.push(wrong);
        }
    }
}

/// Sets one value.
fn set(root: &mut Node, name: &str, value: &str, keys: &[&str]) -> Result<(), Diagnostic> {
    // Errors about a key show the name of the variable, errors about the value show the value.
    let name_source = Source::variable(name, name);
    let value_source = Source::variable(name, value);
    let mut at = PREFIX.len();
    let mut node = root;
    for (index, key) in keys.iter().enumerate() {
        let span = at..at + key.len();
        at = span.end + 2;
        if index == 0 && !SECTIONS.contains(key) {
            let wrong = Node::scalar(&name_source, span, *key, Kind::Plain)
                .error(format!("the configuration has no key `{key}`"));
            return Err(match nearest(key, SECTIONS.iter().copied()) {
                Some(word) => wrong.help(format!("did you mean `{PREFIX}{}…`?", word.to_ascii_uppercase())),
                None => wrong.help(format!("the first key is one of {}", SECTIONS.join(", "))),
            });
        }
        node = child(node, key, Node::scalar(&name_source, span, *key, Kind::Plain))?;
    }
    *node = Node::scalar(&value_source, 0..value.len(), value, Kind::Plain);
    if value.is_empty() {
        node.value = Value::Null;
    }
    Ok(())
}

/// The value below `node` with this key or index, which is made when it is missing.
fn child<'n>(node: &'n mut Node, key: &str, written: Node) -> Result<&'n mut Node, Diagnostic> {
    if matches!(node.value, Value::Null) {
        node.value = Value::Map(Vec::new());
    }
    let describe = node.describe();
    match &mut node.value {
        Value::List(items) => {
            let count = items.len();
            let item = key.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            item.ok_or_else(|| {
                written.error(format!("`{key}` is no index of this list of {count}")).help("items are counted from 0")
            })
        }
        Value::Map(entries) => {
            let index = match entries.iter().position(|entry| entry.key.as_str() == Some(key)) {
                Some(index) => index,
                None => {
                    let value =
                        Node { value: Value::Null, source: Arc::clone(&written.source), span: written.span.clone() };
                    entries.push(Entry { key: written, value });
                    entries.len() - 1
                }
            };
            Ok(&mut entries[index].value)
        }
        _ => Err(written.error(format!("there is nothing below it to set: the file has {describe} there"))),
    }
}
