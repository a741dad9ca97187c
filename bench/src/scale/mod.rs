//! Scale over rings in memory: connections accepted a second, a million idle ones, and a flood of SYNs.
//!
//! Server and peer take turns in one thread, in virtual time. The peer keeps no state for its connections, so what the
//! process grows by is the server's; and only the time (or the instructions) of the server's turns counts, so a figure
//! is that of one core which does nothing else.

mod accept;
mod flood;
mod idle;
mod peer;
mod server;

pub use accept::{AcceptArgs, accept};
pub use flood::{FloodArgs, flood};
pub use idle::{IdleArgs, idle};

use crate::error::BenchError;
use crate::instructions;
use crate::run::machine::{Provenance, provenance};
use serde::Serialize;
use std::path::Path;

/// The request of all of these.
const REQUEST: &[u8] = b"GET /fastest/ever/ok HTTP/1.1\r\nhost: anygate.test\r\n\r\n";

/// A figure with when and where it was measured.
#[derive(Serialize)]
struct Report<T> {
    #[serde(flatten)]
    provenance: Provenance,
    #[serde(flatten)]
    figures: T,
}

/// Prints `figures`, and writes them to `folder/name` when a folder is given.
fn publish<T: Serialize>(figures: T, folder: Option<&Path>, name: &str) -> Result<(), BenchError> {
    let report = Report { provenance: provenance(), figures };
    let text = serde_json::to_string_pretty(&report).map_err(|e| BenchError::new(e.to_string()))? + "\n";
    print!("{text}");
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|e| BenchError::io("create the report folder", e))?;
        std::fs::write(folder.join(name), text).map_err(|e| BenchError::io("write the report", e))?;
    }
    Ok(())
}

/// Instructions that this very program, run with `arguments`, spends in the server's measured turns.
fn instructions_of(arguments: &[&str]) -> Option<u64> {
    let binary = std::env::current_exe().ok()?;
    instructions::collected_in(&binary, "*counted_turn*", arguments)
}

/// What callgrind looks for: a turn of the server that is to be counted.
#[inline(never)]
fn counted_turn(pair: &mut server::Pair) {
    pair.serve();
    // Not a tail call, which callgrind would take for the end of this function.
    core::hint::black_box(&pair.server_time);
}
