//! Two hosts with a bad network between them, in virtual time, from seeds.
//!
//! Each seed chooses a path (delay, jitter, rate, loss, reordering, duplication, corruption), features of TCP and a load,
//! and must end with every byte right and a clean ledger. A failure prints the seed and the command that replays it,
//! and leaves a pcapng file of what both sides sent.
//!
//! `SIM_SEEDS=n` plays n seeds instead of the default; `SIM_SEED=n` plays only that one, and always writes the file.

mod application;
mod ledger;
mod network;
mod scenario;
mod throughput;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;

use port::pcap::{Direction, Writer};
use port::sim::{Fate, Side};

use network::Network;
use scenario::Scenario;

const DEFAULT_SEEDS: u64 = 300;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn play(seed: u64, record: Option<&PathBuf>) -> Result<String, String> {
    let scenario = Scenario::from_seed(seed);
    let run = || {
        let mut network = Network::new(&scenario)?;
        let recording = record.map(|path| observe(&network, path)).transpose()?;
        let result = network.run().and_then(|()| ledger::check(&mut network, &scenario));
        drop(recording);
        result.map_err(|reason| format!("{reason}\n{}", network.progress()))
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("panicked (see above)".into()))
}

type Recording = Rc<RefCell<Writer<std::fs::File>>>;

/// Writes everything that both sides send to a file; what the wire did to it stands in a comment.
fn observe(network: &Network, path: &PathBuf) -> Result<Recording, String> {
    let new = || {
        let mut writer = Writer::new(std::fs::File::create(path)?, "AnyGate two_stacks")?;
        writer.add_interface("client", 0)?;
        Ok(writer)
    };
    let writer = Rc::new(RefCell::new(new().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))?));
    let shared = writer.clone();
    network.wire().observe(move |event| {
        let direction = if event.from == Side::A { Direction::Outbound } else { Direction::Inbound };
        let comment = match event.fate {
            Fate::Carried(at) => format!("arrives at {at:?}"),
            fate => format!("{fate:?}"),
        };
        let (length, at) = (event.bytes.len() as u32, event.at.as_nanos());
        // A recording that fails must not hide the failure that is recorded.
        let _ = shared.borrow_mut().packet_with_comment(0, at, Some(direction), length, event.bytes, &comment);
    });
    Ok(writer)
}

fn recording_of(seed: u64) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("two-stacks-{seed}.pcapng"))
}

#[test]
fn every_byte_arrives_and_nothing_is_left() {
    let only = number("SIM_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("SIM_SEEDS").unwrap_or(DEFAULT_SEEDS),
    };
    let mut failures = Vec::new();
    for seed in seeds {
        let file = recording_of(seed);
        match play(seed, only.map(|_| &file)) {
            Ok(summary) if only.is_some() => println!("seed {seed}: {summary}\npackets: {}", file.display()),
            Ok(_) => {}
            Err(reason) => {
                let _ = play(seed, Some(&file));
                let packets = file.display();
                failures.push(format!("seed {seed}: {reason}\n  replay:  make sim SEED={seed}\n  packets: {packets}"));
                if failures.len() == 3 {
                    break;
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn a_seed_replays_exactly() {
    assert_eq!(play(7, None), play(7, None));
}
