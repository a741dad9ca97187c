//! `status`: is it well.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Asks for the state of the process.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRequest {}

/// What the process is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// Ports and workers are being set up.
    #[default]
    Starting,
    /// Requests are answered.
    Serving,
    /// Nothing new is accepted; what is open is finished.
    Draining,
    /// The workers have ended.
    Stopped,
}

/// The state of the process.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct StatusReply {
    /// Name and version of the program.
    pub product: String,
    /// Its process.
    pub pid: u32,
    /// What it is doing.
    pub state: ServiceState,
    /// Since when it runs.
    pub uptime_seconds: u64,
    /// The configuration in force.
    pub configuration: ConfigurationStatus,
    /// Where requests are accepted.
    pub listeners: Vec<SocketAddr>,
    /// Open connections of all workers.
    pub connections: u64,
    /// Requests answered since the start, all workers.
    pub requests: u64,
    /// One row a worker.
    pub workers: Vec<WorkerStatus>,
    /// What an operator should know, in sentences; empty when all is well.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The configuration in force.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ConfigurationStatus {
    /// The file it was read from.
    pub file: String,
    /// Counts successful loads; 1 is the load at the start.
    pub generation: u64,
    /// The number of routes.
    pub routes: u64,
    /// Why the last reload was refused; absent when it was not.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// One worker: one core, one queue of each port.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its number.
    pub worker: u32,
    /// The core it is pinned to.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// The interface it serves.
    pub interface: String,
    /// The queue of that interface.
    pub queue: u32,
    /// Open connections.
    pub connections: u64,
    /// Requests answered since the start.
    pub requests: u64,
    /// Frames of its pool.
    pub pool_frames: u64,
    /// Free frames of its pool now.
    pub pool_free_frames: u64,
    /// The fewest free frames there have been.
    pub pool_low_water_frames: u64,
    /// Bytes that its TCP connections hold, control blocks included.
    #[serde(default)]
    pub memory_bytes: u64,
    /// Bytes that received data occupies.
    #[serde(default)]
    pub memory_received_bytes: u64,
    /// Bytes queued for sending.
    #[serde(default)]
    pub memory_queued_bytes: u64,
    /// Memory is short: buffers do not grow, windows are clamped.
    #[serde(default)]
    pub memory_pressure: bool,
    /// Turns of the run loop that found work, since the start.
    #[serde(default)]
    pub busy_turns: u64,
    /// Turns of the run loop, since the start.
    #[serde(default)]
    pub turns: u64,
    /// Times it slept for want of work, since the start.
    #[serde(default)]
    pub sleeps: u64,
    /// Packets of other workers' flows that came to its queue and were handed to them, since the start.
    #[serde(default)]
    pub packets_handed_over: u64,
    /// Packets of its flows that came to other workers' queues, since the start.
    #[serde(default)]
    pub packets_taken_over: u64,
}
