//! One TCP/UDP/IP stack per core, sans-IO.
//!
//! ```text
//!   Port::rx_burst ─▶ Stack::handle_frame ─▶ poll_event ─▶ (application: peek/consume, send, close) ─▶ poll_transmit ─▶ Port::tx_burst
//! ```
//!
//! The stack does no input or output, reads no clock and draws no randomness: `now` and a [`rng::Seed`] are arguments.
//! Work per packet is constant, whatever the number of connections, and nothing is allocated per packet in steady state.

#![deny(unsafe_code)]

mod arp;
pub mod config;
pub mod counters;
pub mod ethernet;
pub mod flows;
mod fragments;
pub mod frame;
pub mod host;
pub mod icmp;
mod icmpv6;
pub mod ip;
mod mld;
mod ndp;
pub mod neighbor;
pub mod rng;
pub mod routes;
pub mod rss;
pub mod slab;
pub mod stack;
pub mod tcp;
pub mod time;
pub mod udp;
pub mod wheel;

pub use config::{ConfigError, IpLimits, StackConfig};
pub use flows::{Claim, FlowDirectory, Flows};
pub use frame::{Frame, FramePool, RawFrame};
pub use host::{HostConfig, HostState, HostUpdate};
pub use ip::{Cidr, Ecn};
pub use neighbor::{NeighborInfo, NeighborUpdate};
pub use routes::{Route, RouteInfo};
pub use stack::Stack;
pub use time::Instant;
pub use udp::{Datagram, UdpId};
