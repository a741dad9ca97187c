//! The configuration of AnyGate: one model, written as YAML, JSON or TOML, and errors that name file, line, column, reason
//! and remedy.
//!
//! ```text
//! file ─▶ yaml (after lift) | json | toml ─▶ tree of nodes with positions ◀─ environment
//!                                                  │
//!                              decode ─▶ Config ─▶ validate ─▶ Loaded
//! ```
//!
//! Every format is read into one tree, which keeps the order and the duplicates of mappings and the bytes that each value
//! was written in. The model is declared once ([`ServerConfig`] and the sections below it); decoder, JSON Schema
//! ([`schema`]) and the reference table of `docs/CONFIG.md` ([`reference_table`]) come from that declaration. Routes are
//! handed on as text with positions ([`RouteText`]); their language belongs to the `router` crate.
//!
//! Input is hostile until proven otherwise: files are at most 4 MiB, nesting and the number of values are bounded, what
//! aliases repeat is counted, and nothing in a file can cause a panic.
#![forbid(unsafe_code)]

mod address;
mod declare;
mod decode;
mod diagnostic;
mod environment;
mod json;
mod lift;
mod lines;
mod listener;
mod load;
mod model;
mod node;
mod ports;
mod reference;
mod routes;
mod schema;
mod source;
mod suggest;
mod text;
mod toml;
mod units;
mod validate;
mod yaml;

pub use address::{Cidr, ListenAddress, MacAddress};
pub use diagnostic::{Diagnostic, Diagnostics, Related, Severity};
pub use listener::Listener;
pub use load::{Format, Loaded};
pub use model::{
    Config, Congestion, Control, Cores, EcnMode, FileMode, Limits, OnMemoryExhausted, Polling, ServerConfig,
    SocketPath, SynCookies, TcpSettings, Timeouts, Workers,
};
pub use ports::{AddressGeneration, AfXdpConfig, InterfaceName, Mtu, PortConfig, Queues, Switch, TapConfig, XdpMode};
pub use reference::reference_table;
pub use schema::schema;
pub use text::{Position, RouteGroup, RouteText, Text};
pub use units::Size;
