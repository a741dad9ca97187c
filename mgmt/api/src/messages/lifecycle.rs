//! `reload` and `drain`.

use serde::{Deserialize, Serialize};

/// The time a drain waits when nothing else is said.
pub const DEFAULT_DRAIN_MILLISECONDS: u64 = 30_000;

/// Asks to read the configuration file again. A file that is not accepted changes nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadRequest {}

/// The new configuration is in force in every worker.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReloadReply {
    /// The generation now in force.
    pub generation: u64,
    /// The number of routes now in force.
    pub routes: u64,
    /// What was accepted but looks wrong, or needs a restart to take effect.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Asks to stop accepting, to finish what is open, and to exit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrainRequest {
    /// After this time connections still open are aborted.
    #[serde(default = "default_deadline")]
    pub deadline_milliseconds: u64,
}

fn default_deadline() -> u64 {
    DEFAULT_DRAIN_MILLISECONDS
}

impl Default for DrainRequest {
    fn default() -> DrainRequest {
        DrainRequest { deadline_milliseconds: DEFAULT_DRAIN_MILLISECONDS }
    }
}

/// Draining has begun.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DrainReply {
    /// Connections that were open when it began.
    pub connections: u64,
    /// The deadline in force: a drain that was already running keeps the earlier one.
    pub deadline_milliseconds: u64,
}
