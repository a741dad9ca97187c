//! JSON, to the tree. serde_json reads the grammar and the strings; the raw text of each value tells where it stands, and
//! a mapping keeps its order and its duplicates.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::diagnostic::{Diagnostic, Severity};
use crate::node::{Entry, Kind, Node, Value};
use crate::source::Source;
use crate::yaml::{MAX_DEPTH, MAX_NODES};

/// Reads a JSON document.
pub(crate) fn read(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    let text = source.text().trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(Node { value: Value::Null, source: source.clone(), span: 0..0 });
    }
    let root: &RawValue = serde_json::from_str(text).map_err(|error| {
        let line = error.line().saturating_sub(1);
        let offset = source.line_start(line) + error.column().saturating_sub(1).min(source.line(line).len());
        let reason = error.to_string();
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
        source.diagnostic(Severity::Error, offset..offset + 1, format!("this is not JSON: {reason}"))
    })?;
    Reader { source, nodes: 0 }.node(root, MAX_DEPTH)
}

struct Reader<'s> {
    source: &'s Arc<Source>,
    nodes: usize,
}

impl Reader<'_> {
    /// Reads a value; `depth` levels may lie below.
    fn node(&mut self, raw: &RawValue, depth: usize) -> Result<Node, Diagnostic> {
        let text = raw.get();
        // A raw value is a part of the source, so the distance of the two is its offset.
        let start =
            (text.as_ptr() as usize).wrapping_sub(self.source.text().as_ptr() as usize).min(self.source.text().len());
        let span = start..(start + text.len()).min(self.source.text().len());
        let fail = |reason: String| self.source.diagnostic(Severity::Error, span.clone(), reason);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(fail(format!("the configuration has more than {MAX_NODES} values")));
        }
        let Some(below) = depth.checked_sub(1) else {
            return Err(fail(format!("the configuration is nested deeper than {MAX_DEPTH} levels")));
        };
        let not_json = |error: serde_json::Error| {
            let reason = error.to_string();
            fail(format!(
                "this is not JSON: {}",
                reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason)
            ))
        };
        let scalar = |text: &str, kind| Value::Scalar { text: text.to_owned(), kind };
        let value = match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).map_err(not_json)?;
                let read = |(key, value): (&RawValue, &RawValue)| {
                    Ok(Entry { key: self.node(key, depth)?, value: self.node(value, below)? })
                };
                Value::Map(members.into_iter().map(read).collect::<Result<_, Diagnostic>>()?)
            }
            Some(b'[') => {
                let Elements(elements) = serde_json::from_str(text).map_err(not_json)?;
                Value::List(elements.into_iter().map(|element| self.node(element, below)).collect::<Result<_, _>>()?)
            }
            Some(b'"') => scalar(&serde_json::from_str::<String>(text).map_err(not_json)?, Kind::Quoted),
            Some(b't' | b'f') => scalar(text, Kind::Bool),
            Some(b'n') => Value::Null,
            _ => scalar(text, Kind::Number),
        };
        Ok(Node { value, source: self.source.clone(), span })
    }
}

/// The members of an object, all of them.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);
/// The elements of an array.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Elements<'de>, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(Collect)
    }
}
