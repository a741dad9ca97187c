//! The intermediate form: what one line of the route language means, and where it stands.

use std::fmt;
use std::sync::Arc;

use config::{Congestion, Position};

use crate::action::ActionSpec;
use crate::host::HostPattern;
use crate::method::MethodSet;
use crate::pattern::Pattern;

/// The number of a rule: its place in order of declaration, which is also that of its action.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuleId(pub(crate) u32);

impl RuleId {
    /// The place in [`crate::Router::rules`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One line of the route language, parsed. Prints itself as that line in its canonical form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The methods that the line names; empty: it names none and takes every one.
    pub methods: MethodSet,
    /// The paths that it matches.
    pub pattern: Pattern,
    /// What it does.
    pub action: ActionSpec,
}

impl Route {
    /// The methods that the rule answers. Files are only ever read, so a static rule that names no method takes
    /// `GET`; to take `GET` is to take `HEAD` (RFC 9110 §9.3.2).
    pub fn taken_methods(&self) -> MethodSet {
        use crate::method::Method::{Get, Head};
        let named = match (&self.action, self.methods.is_empty()) {
            (ActionSpec::Static { .. }, true) => MethodSet::of(Get),
            (_, true) => MethodSet::ALL,
            (_, false) => self.methods,
        };
        if named.contains(Get) { named.union(MethodSet::of(Head)) } else { named }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.methods, &self.pattern, &self.action)
    }
}

/// A route in its place: group, hosts, position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its number.
    pub id: RuleId,
    /// The route as written, without the prefix of its group.
    pub route: Route,
    /// The paths that it matches, prefix included.
    pub pattern: Pattern,
    /// The virtual hosts that it answers for; empty: any host.
    pub hosts: Arc<[HostPattern]>,
    /// The prefix of its group, empty when it has none.
    pub prefix: Arc<str>,
    /// The congestion controller that its group names.
    pub congestion: Option<Congestion>,
    /// Where it is written.
    pub at: Position,
    /// The line it is written on.
    pub source_line: Arc<str>,
    /// Characters of its matcher, for markers.
    pub marked: u32,
}

/// The rule in the route language, prefix included.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.route.methods, &self.pattern, &self.route.action)
    }
}

fn print(f: &mut fmt::Formatter<'_>, methods: MethodSet, pattern: &Pattern, action: &ActionSpec) -> fmt::Result {
    for method in methods.iter() {
        write!(f, "{} ", method.name())?;
    }
    write!(f, "{pattern}: ")?;
    let action = action.to_string();
    let plain = !action.starts_with(['"', '\'']) && !action.contains(char::is_control);
    if plain { f.write_str(&action) } else { quoted(f, &action) }
}

/// In double quotes, with the escapes that the parser takes back.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            control if control.is_control() => write!(f, "\\u{:04x}", u32::from(control))?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}
