//! The invariants, each checked where it can be seen.
//!
//! | where | when | what |
//! |---|---|---|
//! | [`crate::world::Stream`] | at each read and event | byte streams, endings |
//! | [`wire`] | at each frame that is sent | numbers, windows, sizes, timestamps |
//! | [`stacks`] | at every so many steps | the stacks' audits, bounds of timers, windows and memory |
//! | [`ledger`] | when all is over | leaks, counters, frames |

pub mod ledger;
pub mod segment;
pub mod stacks;
pub mod wire;
