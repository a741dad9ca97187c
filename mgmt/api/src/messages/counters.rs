//! `counters` and `drops`: everything that is counted, and of it what was lost.

use serde::{Deserialize, Serialize};

/// Asks for every counter.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountersRequest {}

/// Every counter, the ones at zero included.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CountersReply {
    /// In order of declaration, layer by layer from the port upwards.
    pub counters: Vec<CounterRow>,
}

/// Asks for every named reason for a drop, a refusal or a reset.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropsRequest {}

/// Every named reason, the ones that never happened included.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DropsReply {
    /// In order of declaration, layer by layer from the port upwards.
    pub reasons: Vec<CounterRow>,
}

/// One counter.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CounterRow {
    /// The layer that counts: `port`, `ip`, `tcp`, `http`, …
    pub layer: String,
    /// The name, unique within the layer.
    pub name: String,
    /// One line on what it means.
    pub help: String,
    /// The sum over all workers.
    pub total: u64,
    /// The value of each worker, by its number.
    pub per_worker: Vec<u64>,
}

impl CounterRow {
    /// A row whose total is the sum of `per_worker`.
    pub fn new(layer: &str, name: &str, help: &str, per_worker: Vec<u64>) -> CounterRow {
        let total = per_worker.iter().fold(0, |sum: u64, &value| sum.wrapping_add(value));
        CounterRow { layer: layer.to_owned(), name: name.to_owned(), help: help.to_owned(), total, per_worker }
    }

    /// Whether it counts something lost: its name starts with `drop_`, `refuse_` or `reset_`.
    pub fn is_loss(&self) -> bool {
        ["drop_", "refuse_", "reset_"].iter().any(|prefix| self.name.starts_with(prefix))
    }
}

impl CountersReply {
    /// The rows that count something lost.
    pub fn into_drops(self) -> DropsReply {
        DropsReply { reasons: self.counters.into_iter().filter(CounterRow::is_loss).collect() }
    }
}
