//! TOML, to the tree. Tables are put back into the order in which their keys were written.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostics, Severity};
use crate::node::{Entry, Kind, Node, Value};
use crate::source::Source;
use crate::yaml::MAX_NODES;

/// Reads a TOML document. Nesting is bounded by the parser (80 levels).
pub(crate) fn read(source: &Arc<Source>) -> Result<Node, Diagnostics> {
    let (table, mut errors) = DeTable::parse_recoverable(source.text());
    let mut wrong = Diagnostics::new();
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    for error in errors {
        let span = error.span().unwrap_or_default();
        let diagnostic = source.diagnostic(Severity::Error, span, format!("this is not TOML: {}", error.message()));
        let duplicate = error.message().contains("duplicate");
        wrong.push(if duplicate {
            diagnostic.help("TOML allows a key once; give such routes as a list of strings or a block of lines")
        } else {
            diagnostic
        });
    }
    if wrong.has_errors() {
        return Err(wrong);
    }
    let mut nodes = 0;
    let root = Node { value: table_value(source, table.get_ref(), &mut nodes), source: source.clone(), span: 0..0 };
    if nodes > MAX_NODES {
        return Err(root.error(format!("the configuration has more than {MAX_NODES} values")).into());
    }
    Ok(root)
}

fn table_value(source: &Arc<Source>, table: &DeTable<'_>, nodes: &mut usize) -> Value {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| {
            let raw = source.text().get(key.span()).unwrap_or_default();
            let kind = if raw.starts_with(['"', '\'']) { Kind::Quoted } else { Kind::Plain };
            Entry {
                key: Node::scalar(source, key.span(), key.get_ref().as_ref(), kind),
                value: node(source, value, nodes),
            }
        })
        .collect();
    entries.sort_by_key(|entry| entry.key.span.start);
    Value::Map(entries)
}

fn node(source: &Arc<Source>, value: &Spanned<DeValue<'_>>, nodes: &mut usize) -> Node {
    *nodes += 1;
    let scalar = |text: String, kind| Value::Scalar { text, kind };
    let read = match value.get_ref() {
        DeValue::String(text) => scalar(text.to_string(), Kind::Quoted),
        DeValue::Integer(number) => {
            let value = i128::from_str_radix(number.as_str(), number.radix());
            scalar(value.map_or_else(|_| number.as_str().to_owned(), |value| value.to_string()), Kind::Number)
        }
        DeValue::Float(number) => scalar(number.as_str().to_owned(), Kind::Number),
        DeValue::Boolean(flag) => scalar(flag.to_string(), Kind::Bool),
        DeValue::Datetime(time) => scalar(time.to_string(), Kind::Quoted),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(source, item, nodes)).collect()),
        DeValue::Table(table) => table_value(source, table, nodes),
    };
    Node { value: read, source: source.clone(), span: value.span() }
}
