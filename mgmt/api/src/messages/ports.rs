//! `ports`: where packets come from.

use crate::Mac;
use serde::{Deserialize, Serialize};

/// Asks for the ports.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortsRequest {}

/// The ports.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PortsReply {
    /// One row a port, in the order of the configuration.
    pub ports: Vec<PortStatus>,
}

/// One port: an interface taken by one of the kinds.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PortStatus {
    /// `af_xdp`, `tap`, `sim`.
    pub kind: String,
    /// The interface.
    pub interface: String,
    /// How it was attached: `native` or `generic` for AF_XDP; empty where there is no such choice.
    #[serde(default)]
    pub mode: String,
    /// Whether the device writes into our memory.
    #[serde(default)]
    pub zero_copy: bool,
    /// The link address we answer as.
    pub mac: Mac,
    /// The largest IP packet, in bytes.
    pub mtu_bytes: u32,
    /// Whether the link is up.
    pub link_up: bool,
    /// Addresses with prefix lengths that are ours, in use or not.
    pub addresses: Vec<String>,
    /// What is known of each address.
    #[serde(default)]
    pub address_states: Vec<AddressStatus>,
    /// The default routers.
    #[serde(default)]
    pub routers: Vec<RouterStatus>,
    /// State of the DHCP client, as RFC 2131 names it; empty where there is none.
    #[serde(default)]
    pub dhcp: String,
    /// One row a queue.
    pub queues: Vec<QueueStatus>,
}

/// One address of a port.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AddressStatus {
    /// The address with its prefix length.
    pub address: String,
    /// `static`, `link-local`, `slaac`, `dhcp`.
    pub origin: String,
    /// `tentative`, `preferred`, `deprecated`, `duplicate`.
    pub state: String,
    /// How long new connections leave from it; absent: for ever.
    #[serde(default)]
    pub preferred_seconds: Option<u64>,
    /// How long it is ours; absent: for ever.
    #[serde(default)]
    pub valid_seconds: Option<u64>,
}

/// One default router of a port.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RouterStatus {
    /// Its address.
    pub address: String,
    /// `static`, `advertised`, `dhcp`.
    pub origin: String,
    /// `low`, `medium`, `high`.
    pub preference: String,
    /// `used`, `standby`, `silent` (it does not answer).
    pub state: String,
    /// How long it will be there; absent: for ever.
    #[serde(default)]
    pub lifetime_seconds: Option<u64>,
}

/// One queue of a port.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Its number.
    pub queue: u32,
    /// The worker that serves it.
    pub worker: u32,
    /// Frames received.
    pub rx_frames: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Frames sent.
    pub tx_frames: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Frames that the port lost or refused, all reasons; `drops` names them.
    pub dropped_frames: u64,
}
