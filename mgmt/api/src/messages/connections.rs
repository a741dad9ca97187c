//! `connections`: who is connected.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// How many connections are listed when nothing else is said.
pub const DEFAULT_CONNECTION_LIMIT: u32 = 1_000;

/// The most connections that one reply lists.
pub const MAX_CONNECTION_LIMIT: u32 = 100_000;

/// Asks for open connections. Conditions are joined by "and".
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionsRequest {
    /// Only connections in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TcpState>,
    /// Only connections with this peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Prefix>,
    /// Only connections to this port of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_port: Option<u16>,
    /// The most rows, at most [`MAX_CONNECTION_LIMIT`].
    #[serde(default = "default_limit")]
    pub limit: u32,
}

fn default_limit() -> u32 {
    DEFAULT_CONNECTION_LIMIT
}

impl Default for ConnectionsRequest {
    fn default() -> ConnectionsRequest {
        ConnectionsRequest { state: None, remote: None, local_port: None, limit: DEFAULT_CONNECTION_LIMIT }
    }
}

impl ConnectionsRequest {
    /// Whether a connection is asked for.
    pub fn matches(&self, state: TcpState, local: SocketAddr, remote: SocketAddr) -> bool {
        self.state.is_none_or(|wanted| wanted == state)
            && self.local_port.is_none_or(|wanted| wanted == local.port())
            && self.remote.is_none_or(|wanted| wanted.contains(remote.ip()))
    }
}

/// The connections that fit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ConnectionsReply {
    /// Open connections of all workers, whether they fit or not.
    pub open: u64,
    /// Whether the limit cut the list short.
    pub truncated: bool,
    /// The connections, in no particular order.
    pub connections: Vec<ConnectionInfo>,
}

/// One connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConnectionInfo {
    /// The worker that owns it.
    pub worker: u32,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// Its state.
    pub state: TcpState,
    /// Received and not yet taken by the application, in bytes.
    pub receive_queue_bytes: u64,
    /// Sent or to be sent, and not yet acknowledged, in bytes.
    pub send_queue_bytes: u64,
    /// The smoothed round trip; absent before the first measurement.
    #[serde(default)]
    pub rtt_microseconds: Option<u64>,
    /// The congestion controller.
    #[serde(default)]
    pub congestion: Option<String>,
    /// The congestion window.
    #[serde(default)]
    pub congestion_window_bytes: Option<u64>,
    /// Segments sent again.
    #[serde(default)]
    pub retransmits: Option<u64>,
    /// Since when it is open.
    #[serde(default)]
    pub age_milliseconds: Option<u64>,
    /// Since when nothing arrived.
    #[serde(default)]
    pub idle_milliseconds: Option<u64>,
}

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// The states of RFC 9293 §3.3.2 that a connection can be in.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum TcpState { $($(#[$doc])* #[serde(rename = $name)] $variant),+ }

        impl TcpState {
            /// Every state.
            pub const ALL: &'static [TcpState] = &[$(TcpState::$variant),+];

            /// The name, as options and tables write it.
            pub const fn name(self) -> &'static str {
                match self { $(TcpState::$variant => $name),+ }
            }
        }
    };
}

states! {
    /// We sent a SYN.
    SynSent = "syn-sent",
    /// We received a SYN and answered.
    SynReceived = "syn-received",
    /// Data flows.
    Established = "established",
    /// We sent a FIN.
    FinWait1 = "fin-wait-1",
    /// Our FIN was acknowledged; the peer may still send.
    FinWait2 = "fin-wait-2",
    /// The peer sent a FIN; we may still send.
    CloseWait = "close-wait",
    /// Both sent a FIN, ours is not yet acknowledged.
    Closing = "closing",
    /// The peer closed first; our FIN is not yet acknowledged.
    LastAck = "last-ack",
    /// Closed; late segments are still recognised.
    TimeWait = "time-wait",
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TcpState {
    type Err = String;

    fn from_str(text: &str) -> Result<TcpState, String> {
        TcpState::ALL.iter().copied().find(|state| state.name() == text).ok_or_else(|| {
            let names: Vec<&str> = TcpState::ALL.iter().map(|state| state.name()).collect();
            format!("`{text}` is not a state of TCP; states: {}", names.join(", "))
        })
    }
}

/// Addresses that start with the same bits, written `192.0.2.0/24`; a bare address is a prefix of full length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The prefix of `length` bits, when the address has as many.
    pub fn new(address: IpAddr, length: u8) -> Option<Prefix> {
        (length <= full_length(address)).then_some(Prefix { address, length })
    }

    /// Whether `address` starts with these bits. An IPv4 address is never in an IPv6 prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differing = u32::from(ours) ^ u32::from(theirs);
                differing.leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differing = u128::from(ours) ^ u128::from(theirs);
                differing.leading_zeros() >= u32::from(self.length)
            }
            _ => false,
        }
    }
}

fn full_length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == full_length(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.length)
        }
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Prefix, String> {
        let wrong = || format!("`{text}` is not an address or prefix such as 192.0.2.0/24 or 2001:db8::/32");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        Prefix::new(address, length.unwrap_or(full_length(address))).ok_or_else(wrong)
    }
}

impl Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Prefix, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
