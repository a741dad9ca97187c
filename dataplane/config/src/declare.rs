//! The macros with which each section of the model is declared once, for the decoder, the JSON Schema and the reference
//! table of the documentation; and the bounds of values.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::decode::Context;
use crate::diagnostic::Diagnostic;
use crate::node::{Node, Value};

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
    let wrong: Diagnostic = node.error(format!("{} cannot be {}", cx.name(), node.describe()));
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
                        $(let value = value.and_then(|value| $crate::declare::in_range(value, &$range, node, cx));)?
                        if let Some(value) = value {
                            section.$field = value;
                        }
                    })+
                })?;
                $($(
                    const _: &str = stringify!($required);
                    if section.$field == <$type>::default() && !$crate::declare::given(node, stringify!($field)) {
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
                        let range: Option<String> = None $(.or(Some($crate::declare::show_range(&defaults.$field, &$range))))?;
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
            const EXPECTED: &'static str = $crate::declare::one_of!($($word),+);

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
    ($first:literal, $($rest:literal),+) => { concat!("`", $first, "`, ", $crate::declare::one_of!($($rest),+)) };
}

pub(crate) use {keywords, one_of, section};

/// Whether a section has an entry for `key`, right or wrong.
pub(crate) fn given(node: &Node, key: &str) -> bool {
    matches!(&node.value, Value::Map(entries) if entries.iter().any(|entry| entry.key.as_str() == Some(key)))
}
