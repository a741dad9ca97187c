//! What the control socket needs from the process behind it.

use mgmt_api::{
    ApiError, CaptureRequest, ConnectionsReply, ConnectionsRequest, CountersReply, DrainReply, DropsReply,
    ExplainReply, ExplainRequest, NeighborsReply, PortsReply, ReloadReply, RoutesReply, StatusReply,
};
use std::time::Duration;

/// The process behind the socket. Called from several threads at once; a call may take as long as it needs, since it
/// holds up only its own session.
pub trait Backend: Send + Sync + 'static {
    /// State, configuration, workers.
    fn status(&self) -> StatusReply;

    /// Ports and queues.
    fn ports(&self) -> PortsReply;

    /// Every counter, the ones at zero included.
    fn counters(&self) -> CountersReply;

    /// Every named reason for a loss, the ones at zero included: the counters whose names say so.
    fn drops(&self) -> DropsReply {
        self.counters().into_drops()
    }

    /// Open connections that fit the request, at most `request.limit`. The limit was checked.
    fn connections(&self, request: &ConnectionsRequest) -> Result<ConnectionsReply, ApiError>;

    /// The neighbour tables of the workers.
    fn neighbors(&self) -> Result<NeighborsReply, ApiError>;

    /// The routes in force.
    fn routes(&self) -> RoutesReply;

    /// Which route would answer.
    fn explain(&self, request: &ExplainRequest) -> Result<ExplainReply, ApiError>;

    /// Reads the configuration again and puts it in force everywhere, or changes nothing and says why: one diagnostic
    /// with its position each.
    fn reload(&self) -> Result<ReloadReply, Vec<String>>;

    /// Begins to drain and returns at once.
    fn drain(&self, deadline: Duration) -> Result<DrainReply, ApiError>;

    /// Begins a capture. Its limits (packets, bytes, time) are kept by the session; interface, worker, direction,
    /// filter and snap length are kept by the source.
    fn capture(&self, request: &CaptureRequest) -> Result<Box<dyn CaptureSource>, ApiError>;

    /// Writes to the process's log what an operator wants to find there later: who changed something, who was refused.
    fn audit(&self, line: &str) {
        eprintln!("control: {line}");
    }
}

/// A running capture. Dropping it ends it: the workers stop copying.
pub trait CaptureSource: Send {
    /// The interfaces that frames are taken from.
    fn interfaces(&self) -> Vec<String>;

    /// What comes next, waiting for at most `timeout`. The first bytes are the section header and the interface
    /// descriptions, at once, also when there is no traffic.
    fn next(&mut self, timeout: Duration) -> CaptureEvent;

    /// Frames that fitted the filter but found no room on the way to this source, since its beginning.
    fn lost(&self) -> u64;
}

/// What a capture yields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CaptureEvent {
    /// Whole pcapng blocks, little-endian.
    Blocks(Vec<u8>),
    /// Nothing within the time.
    Idle,
    /// Nothing more will come.
    Ended,
}
