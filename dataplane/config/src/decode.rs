//! From the tree to the model: what a value must be to become a field, and the macros with which each section of the
//! model is declared once for the decoder, the JSON Schema and the reference table of the documentation.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::node::{Entry, Kind, Node, Value};
use crate::suggest::nearest;
use crate::text::Text;

/// Where each key of the configuration was written, by its dotted path (`ports.0.interface`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Positions(pub BTreeMap<String, (Text, u32)>);

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
        self.positions.0.insert(self.path.join("."), (Text::new("", found.at, found.source_line), found.length));
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
        self.found.push(wrong.related(first.at, first.source_line, first.length, "first given here").help("keep one of the two"));
    }

    /// What is being decoded, for error messages.
    pub fn name(&self) -> String {
        if self.path.is_empty() { "the configuration".to_owned() } else { format!("`{}`", self.path.join(".")) }
    }

    /// Reads the entries of a section: `field` decodes one key and answers whether it knows it.
    pub fn section(&mut self, node: &Node, known: &[&str], mut field: impl FnMut(&mut Context, &str, &Node)) -> Option<()> {
        let entries = self.mapping(node)?;
        for (index, entry) in entries.iter().enumerate() {
            let name = entry.key.as_str().unwrap_or_default();
            if !known.contains(&name) {
                self.unknown_key(&entry.key, known);
                continue;
            }
            if let Some(first) = entries[..index].iter().find(|earlier| earlier.key.as_str() == Some(name)) {
                self.duplicate_key(&entry.key, &first.key);
                continue;
            }
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
            cx.error(node, format!("{name} must be {}, not {} in quotes", T::EXPECTED, node.describe()));
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
        let decoded: Vec<Option<T>> = items.iter().enumerate().map(|(index, item)| cx.at(&index.to_string(), item, |cx| T::decode(item, cx))).collect();
        decoded.into_iter().collect()
    }

    fn schema() -> Json {
        json!({ "oneOf": [T::schema(), { "type": "array", "items": T::schema() }] })
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
            Value::Scalar { text, kind } => (text == "off" && *kind != Kind::Number) || (text == "false" && *kind != Kind::Quoted),
            _ => false,
        };
        if off { Some(None) } else { T::decode(node, cx).map(Some) }
    }

    fn schema() -> Json {
        json!({ "oneOf": [T::schema(), { "enum": ["off", false, null] }] })
    }

    fn type_name() -> String {
        format!("{} or `off`", T::type_name())
    }

    fn show(&self) -> Json {
        self.as_ref().map_or_else(|| json!("off"), Key::show)
    }
}

/// A value that can be held against bounds.
pub(crate) trait Measure {
    /// What is compared: a count, bytes, microseconds.
    fn measures(&self) -> Vec<u64>;
    /// A bound in the notation of the file.
    fn bound(measure: u64) -> String;
}

macro_rules! measure_numbers {
    ($($type:ty),+) => {$(
        impl Measure for $type {
            fn measures(&self) -> Vec<u64> {
                vec![u64::from(*self)]
            }
            fn bound(measure: u64) -> String {
                measure.to_string()
            }
        }
    )+};
}
measure_numbers!(u8, u16, u32, u64);

impl Measure for Duration {
    fn measures(&self) -> Vec<u64> {
        vec![u64::try_from(self.as_micros()).unwrap_or(u64::MAX)]
    }
    fn bound(measure: u64) -> String {
        crate::units::show_duration(Duration::from_micros(measure))
    }
}

impl<T: Measure> Measure for Option<T> {
    fn measures(&self) -> Vec<u64> {
        self.iter().flat_map(Measure::measures).collect()
    }
    fn bound(measure: u64) -> String {
        T::bound(measure)
    }
}

impl<T: Measure> Measure for Vec<T> {
    fn measures(&self) -> Vec<u64> {
        self.iter().flat_map(Measure::measures).collect()
    }
    fn bound(measure: u64) -> String {
        T::bound(measure)
    }
}

/// The bounds of a field as the reference shows them.
pub(crate) fn show_range<T: Measure>(_of: &T, range: &RangeInclusive<u64>) -> String {
    format!("{} to {}", T::bound(*range.start()), T::bound(*range.end()))
}

/// Refuses a value outside its bounds.
pub(crate) fn in_range<T: Measure>(value: T, range: &RangeInclusive<u64>, node: &Node, cx: &mut Context) -> Option<T> {
    if value.measures().iter().all(|measure| range.contains(measure)) {
        return Some(value);
    }
    let wrong: Diagnostic = node.error(format!("{} is {}, outside of what is possible", cx.name(), node.describe()));
    cx.found.push(wrong.help(format!("give a value from {}", show_range(&value, range))));
    None
}

/// Declares a section: a struct whose fields are its keys. Each has a line of documentation, a default and, where it
/// matters, bounds (counts, bytes or microseconds). A field marked `@required` has no default that could be served.
macro_rules! section {
    ($(#[doc = $about:literal])+ pub struct $name:ident { $($(#[doc = $doc:literal])+ $(@$required:ident)? pub $field:ident: $type:ty = $default:expr $(, $range:expr)?;)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: $type,)+ }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)+ }
            }
        }

        impl $crate::decode::Key for $name {
            fn decode(node: &$crate::node::Node, cx: &mut $crate::decode::Context) -> Option<Self> {
                let mut section = $name::default();
                cx.section(node, &[$(stringify!($field)),+], |cx, name, node| {
                    $(if name == stringify!($field) {
                        let value = <$type as $crate::decode::Key>::decode(node, cx);
                        $(let value = value.and_then(|value| $crate::decode::in_range(value, &$range, node, cx));)?
                        if let Some(value) = value {
                            section.$field = value;
                        }
                    })+
                })?;
                $($(
                    const _: &str = stringify!($required);
                    if section.$field == <$type>::default() && !$crate::decode::given(node, stringify!($field)) {
                        let what = cx.name();
                        cx.error(node, format!("{what} lacks `{}`", stringify!($field)));
                        return None;
                    }
                )?)+
                Some(section)
            }

            fn schema() -> serde_json::Value {
                let mut keys = Vec::new();
                let _defaults = $name::default();
                $(
                    let mut schema = <$type as $crate::decode::Key>::schema();
                    let doc = [$($doc.trim()),+].join(" ");
                    let required = false $(|| stringify!($required) == "required")?;
                    $crate::schema::describe(&mut schema, &doc, (!required).then(|| $crate::decode::Key::show(&_defaults.$field)));
                    keys.push((stringify!($field), schema, required));
                )+
                $crate::schema::object(keys, [$($about.trim()),+].join(" "))
            }

            fn type_name() -> String {
                "section".to_owned()
            }

            fn show(&self) -> serde_json::Value {
                serde_json::json!({ $(stringify!($field): $crate::decode::Key::show(&self.$field)),+ })
            }

            fn keys(path: &str, into: &mut Vec<$crate::decode::KeyInfo>) {
                let defaults = $name::default();
                $(
                    let path_here = format!("{path}.{}", stringify!($field));
                    let before = into.len();
                    <$type as $crate::decode::Key>::keys(&path_here, into);
                    if into.len() == before {
                        let required = false $(|| stringify!($required) == "required")?;
                        let range: Option<String> = None $(.or(Some($crate::decode::show_range(&defaults.$field, &$range))))?;
                        into.push($crate::decode::KeyInfo {
                            path: path_here,
                            type_name: <$type as $crate::decode::Key>::type_name(),
                            range,
                            default: (!required).then(|| $crate::decode::Key::show(&defaults.$field)),
                            doc: [$($doc.trim()),+].join(" "),
                        });
                    }
                )+
            }
        }
    };
}

/// Declares an enum whose variants are words of the file.
macro_rules! keywords {
    ($(#[doc = $about:literal])+ pub enum $name:ident { $($(#[doc = $doc:literal])+ $(#[$attribute:ident])? $variant:ident = $word:literal $(| $also:literal)*,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub enum $name { $($(#[doc = $doc])+ $(#[$attribute])? $variant,)+ }

        impl $name {
            /// The word that stands for it in a file.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl $crate::decode::Scalar for $name {
            const EXPECTED: &'static str = $crate::decode::one_of!($($word),+);

            fn parse(text: &str) -> Result<Self, Option<String>> {
                match text {
                    $($word $(| $also)* => Ok($name::$variant),)+
                    _ => Err($crate::suggest::nearest(text, [$($word),+]).map(|word| format!("did you mean `{word}`?"))),
                }
            }

            fn scalar_schema() -> serde_json::Value {
                let mut words: Vec<serde_json::Value> = Vec::new();
                $(
                    words.push($word.into());
                    $(if let Ok(flag) = $also.parse::<bool>() { words.push(flag.into()); })*
                )+
                serde_json::json!({ "enum": words })
            }

            fn scalar_show(&self) -> serde_json::Value {
                self.name().into()
            }

            fn scalar_name() -> String {
                [$(concat!("`", $word, "`")),+].join(", ")
            }
        }
    };
}

/// "`a`, `b` or `c`" as a constant.
macro_rules! one_of {
    ($only:literal) => { concat!("`", $only, "`") };
    ($first:literal, $last:literal) => { concat!("`", $first, "` or `", $last, "`") };
    ($first:literal, $($rest:literal),+) => { concat!("`", $first, "`, ", $crate::decode::one_of!($($rest),+)) };
}

pub(crate) use {keywords, one_of, section};

/// Whether a section has an entry for `key`, right or wrong.
pub(crate) fn given(node: &Node, key: &str) -> bool {
    matches!(&node.value, Value::Map(entries) if entries.iter().any(|entry| entry.key.as_str() == Some(key)))
}
