//! `neighbors`: who answers on the link (ARP and NDP).

use crate::Mac;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Asks for the neighbours.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighborsRequest {}

/// The neighbours.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct NeighborsReply {
    /// One row for each worker that knows the neighbour.
    pub neighbors: Vec<NeighborInfo>,
}

/// What one worker knows of one neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NeighborInfo {
    /// The worker.
    pub worker: u32,
    /// The interface the neighbour is on.
    pub interface: String,
    /// Its address.
    pub address: IpAddr,
    /// Its link address; absent while it is being asked for.
    #[serde(default)]
    pub mac: Option<Mac>,
    /// The state, as the table of neighbours names it (`reachable`, `stale`, `incomplete`, …).
    pub state: String,
    /// Since when it was last confirmed.
    #[serde(default)]
    pub age_milliseconds: Option<u64>,
}
