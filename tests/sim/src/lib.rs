//! The stack in virtual time: seeded scenarios of two hosts with a bad network, or a liar, between them.
//!
//! ```text
//!   seed ─▶ scenario ─▶ world (stacks, wire, applications) ─▶ verdict
//! ```
//!
//! `docs/SIMULATION.md` says how to use it.

#![forbid(unsafe_code)]

pub mod batch;
pub mod check;
pub mod fault;
pub mod hostile;
pub mod pattern;
pub mod play;
pub mod record;
pub mod report;
pub mod scenario;
pub mod shrink;
pub mod table;
pub mod world;

pub use scenario::Scenario;
pub use world::{Bench, World};
