//! Routes of AnyGate: the one-line route language, the rules that it means, and the router that finds the rule for a
//! request.
//!
//! ```text
//! config::RouteGroup ──▶ language::parse ──▶ Rule ──▶ Router::compile ──▶ Router (immutable, shared by all workers)
//!                                                                           │ find(method, host, path, &mut Params)
//!                                                                           ▼
//!                                                         Found::Rule(id) ──▶ the action with that id
//! ```
//!
//! A [`Router`] is compiled once per configuration and never changes. Each worker owns one [`Params`], which
//! [`Router::find`] fills in place: a lookup allocates nothing, takes no lock, and visits at most
//! [`Router::worst_case_steps`] nodes whatever the path, a bound that [`Router::compile`] computes and enforces.
//!
//! What the language accepts and which rule is chosen is documented for operators in `docs/ROUTES.md`.
#![forbid(unsafe_code)]

mod action;
mod compile;
mod explain;
mod host;
pub mod language;
mod method;
mod params;
mod path;
mod pattern;
mod router;
mod rule;
mod status;
mod suggest;
mod tree;
mod trie;

pub use action::{ActionSpec, HeaderLine, Place, StaticKind, Template, TemplatePart, Upstream};
pub use explain::{Candidate, Explanation};
pub use host::HostPattern;
pub use method::{Method, MethodSet};
pub use params::Params;
pub use path::PathRefusal;
pub use pattern::{Pattern, Segment};
pub use router::{Found, Router};
pub use rule::{Route, Rule, RuleId};
pub use status::Status;

/// Segments that the pattern of one rule may have.
pub const MAX_SEGMENTS: usize = 64;
/// Parameters, `*rest` included, that the pattern of one rule may have.
pub const MAX_PARAMS: usize = 16;
/// Bytes that the path of a request may have to be looked up.
pub const MAX_PATH_BYTES: usize = 32 * 1024;
