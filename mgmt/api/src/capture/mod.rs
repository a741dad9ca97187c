//! `capture`: frames as they are on the wire, as a pcapng stream.

mod filter;
mod packet;
pub mod pcapng;

pub use filter::{CaptureFilter, FilterError};

use serde::{Deserialize, Serialize};

/// The bytes of a frame that are kept when nothing else is said: all of it, also with jumbo frames.
pub const DEFAULT_SNAPLEN_BYTES: u32 = 65_535;

/// Which way the frames go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// Only received frames.
    Receive,
    /// Only sent frames.
    Transmit,
}

impl Direction {
    /// Whether received frames are wanted.
    pub fn has_receive(self) -> bool {
        self != Direction::Transmit
    }

    /// Whether sent frames are wanted.
    pub fn has_transmit(self) -> bool {
        self != Direction::Receive
    }
}

/// Asks for frames. The first limit that is reached ends the capture; without limits it runs until either side ends it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureRequest {
    /// Only frames of this interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Only frames of this worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<u32>,
    /// Only frames that fit.
    #[serde(default, skip_serializing_if = "CaptureFilter::is_empty")]
    pub filter: CaptureFilter,
    /// The bytes kept of each frame.
    #[serde(default = "default_snaplen")]
    pub snaplen_bytes: u32,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
    /// Ends after so many frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_packets: Option<u64>,
    /// Ends before the stream would be longer than this, in bytes of pcapng; the closing figures are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Ends after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_milliseconds: Option<u64>,
}

fn default_snaplen() -> u32 {
    DEFAULT_SNAPLEN_BYTES
}

impl Default for CaptureRequest {
    fn default() -> CaptureRequest {
        CaptureRequest {
            interface: None,
            worker: None,
            filter: CaptureFilter::default(),
            snaplen_bytes: DEFAULT_SNAPLEN_BYTES,
            direction: Direction::Both,
            max_packets: None,
            max_bytes: None,
            max_milliseconds: None,
        }
    }
}

/// The capture has begun; pcapng bytes follow this line.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CaptureReply {
    /// The interfaces that frames are taken from.
    pub interfaces: Vec<String>,
    /// The bytes kept of each frame.
    pub snaplen_bytes: u32,
}
