//! What one stack is told at its start, and what it refuses.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use crate::flows::Flows;
use crate::host::HostConfig;
use crate::ip::Cidr;
use crate::routes::Route;
use crate::rss::Steering;
use crate::tcp::TcpConfig;

/// The configuration of one stack. Every worker of a port gets the same one.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// MAC address of the interface.
    pub mac: [u8; 6],
    /// IP MTU of the interface in bytes.
    pub mtu: u16,
    /// Our addresses with the prefixes that are on link. An IPv6 link-local address is added.
    pub addresses: Vec<Cidr>,
    /// Routes beyond the on-link prefixes; a gateway is a route to `0.0.0.0/0` or `::/0`. Of several gateways of one
    /// family, the first that answers is used.
    pub routes: Vec<Route>,
    /// 802.1Q VLAN identifier of every frame in and out; `None` for untagged.
    pub vlan: Option<u16>,
    /// True when ARP and NDP for our addresses are ours to do. False when the kernel on the same NIC owns them:
    /// the stack then never sends either and replies to the MAC address that a packet came from.
    pub answer_arp: bool,
    /// Send gratuitous ARP, unsolicited neighbour advertisements and an MLDv2 report at the start (when `answer_arp`).
    pub announce: bool,
    /// True when echo requests are ours to answer.
    pub answer_echo: bool,
    /// The port computes TCP and UDP checksums of frames that ask for it.
    pub tx_checksum_offload: bool,
    /// Neighbours that are known from the start and never asked for.
    pub static_neighbors: Vec<(IpAddr, [u8; 6])>,
    /// What the host finds out by itself: whether its addresses are its alone, and which others it has.
    pub host: HostConfig,
    /// TCP's limits, times and features.
    pub tcp: TcpConfig,
    /// How the port spreads flows over queues, when that is known: active opens then choose source ports whose replies
    /// come to this queue.
    pub steering: Option<Steering>,
    /// This worker's view of the directory of flows, where several workers share an interface: packets of other workers'
    /// flows then leave by [`Stack::poll_foreign`](crate::Stack::poll_foreign) and are not answered with resets.
    pub flows: Option<Flows>,
    /// Bounds on memory and on answers that strangers can provoke.
    pub limits: IpLimits,
}

impl Default for StackConfig {
    fn default() -> Self {
        StackConfig {
            mac: [0x02, 0, 0, 0, 0, 1],
            mtu: 1500,
            addresses: Vec::new(),
            routes: Vec::new(),
            vlan: None,
            answer_arp: true,
            announce: true,
            answer_echo: true,
            tx_checksum_offload: false,
            static_neighbors: Vec::new(),
            host: HostConfig::default(),
            tcp: TcpConfig::default(),
            steering: None,
            flows: None,
            limits: IpLimits::default(),
        }
    }
}

/// Bounds of the IP layers; each is enforced before memory is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpLimits {
    /// Neighbours remembered.
    pub neighbors: usize,
    /// Neighbours being asked for at once (RFC 6583).
    pub neighbors_incomplete: usize,
    /// Packets that wait for one neighbour.
    pub neighbor_pending: usize,
    /// Neighbour updates kept for the other workers.
    pub neighbor_updates: usize,
    /// Frames waiting for the port, connections' and datagrams'.
    pub tx_frames: usize,
    /// Frames waiting for the port, ARP, NDP and ICMP.
    pub tx_control_frames: usize,
    /// Unfinished datagrams.
    pub fragment_datagrams: usize,
    /// Unfinished datagrams of one source.
    pub fragment_datagrams_per_source: usize,
    /// Fragments of one datagram.
    pub fragment_parts: usize,
    /// Bytes of receive frames that all fragments together may hold.
    pub fragment_bytes: usize,
    /// Whole datagrams, put together and not yet consumed, at once (64 KiB each, taken when first needed).
    pub reassembled_datagrams: usize,
    /// Received datagrams waiting for the application.
    pub udp_datagrams: usize,
    /// ICMP errors for UDP sockets waiting for the application.
    pub udp_errors: usize,
    /// UDP sockets.
    pub udp_sockets: usize,
    /// Path MTUs remembered.
    pub path_mtus: usize,
    /// ICMP errors sent a second, and at once.
    pub icmp_errors_per_second: u32,
    /// Burst of ICMP errors.
    pub icmp_errors_burst: u32,
    /// Echo replies sent a second.
    pub echo_replies_per_second: u32,
    /// Burst of echo replies.
    pub echo_replies_burst: u32,
}

impl Default for IpLimits {
    fn default() -> Self {
        IpLimits {
            neighbors: 1024,
            neighbors_incomplete: 128,
            neighbor_pending: 3,
            neighbor_updates: 256,
            tx_frames: 4096,
            tx_control_frames: 256,
            fragment_datagrams: 256,
            fragment_datagrams_per_source: 16,
            fragment_parts: 64,
            fragment_bytes: 1 << 20,
            reassembled_datagrams: 8,
            udp_datagrams: 1024,
            udp_errors: 64,
            udp_sockets: 1024,
            path_mtus: 1024,
            icmp_errors_per_second: 1000,
            icmp_errors_burst: 50,
            echo_replies_per_second: 10_000,
            echo_replies_burst: 1000,
        }
    }
}

/// The most addresses of one stack.
pub const MAX_ADDRESSES: usize = 256;
/// The most routes of one stack.
pub const MAX_ROUTES: usize = 256;
/// The smallest MTU: IPv6's minimum (RFC 8200 §5).
pub const MIN_MTU: u16 = 1280;

/// Why a [`StackConfig`] is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// The MAC address is zero or a multicast address.
    Mac,
    /// The MTU is below [`MIN_MTU`].
    MtuTooSmall(u16),
    /// Frames of the pool cannot hold a packet of the MTU; the largest that fits is given.
    MtuExceedsFrames(u16, usize),
    /// Frames of the pool have less than 128 bytes of headroom.
    PoolHeadroom(usize),
    /// The VLAN identifier is not in 1 to 4094.
    Vlan(u16),
    /// The address cannot be an interface's own.
    Address(Cidr),
    /// The address is given twice.
    DuplicateAddress(IpAddr),
    /// More than [`MAX_ADDRESSES`] addresses or [`MAX_ROUTES`] routes.
    TooMany,
    /// The route's gateway is not on link, is our own, or is of another family than the destination.
    Gateway(Route),
    /// The neighbour is not on link, or its MAC address cannot be.
    Neighbor(IpAddr),
    /// Router advertisements and leases need ARP and NDP to be ours (`answer_arp`).
    HostNeedsArp,
    /// A limit that must be at least one is zero.
    ZeroLimit(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Mac => f.write_str("the MAC address must be a unicast address"),
            ConfigError::MtuTooSmall(mtu) => write!(f, "an MTU of {mtu} is below {MIN_MTU}, the least for IPv6"),
            ConfigError::MtuExceedsFrames(mtu, most) => {
                write!(f, "an MTU of {mtu} does not fit the frames; use at most {most} or larger frames")
            }
            ConfigError::PoolHeadroom(bytes) => write!(f, "frames have {bytes} bytes of headroom; 128 are needed"),
            ConfigError::Vlan(id) => write!(f, "VLAN {id} is not in 1 to 4094"),
            ConfigError::Address(cidr) => write!(f, "{cidr} cannot be the address of an interface"),
            ConfigError::DuplicateAddress(address) => write!(f, "{address} is given twice"),
            ConfigError::TooMany => write!(f, "more than {MAX_ADDRESSES} addresses or {MAX_ROUTES} routes"),
            ConfigError::Gateway(route) => {
                write!(f, "the gateway of the route to {} via {} must be a neighbour on link", route.dest, route.via)
            }
            ConfigError::Neighbor(address) => write!(f, "{address} cannot be a neighbour: it is not on link"),
            ConfigError::HostNeedsArp => f.write_str("SLAAC and DHCP need ARP and NDP to be answered here"),
            ConfigError::ZeroLimit(name) => write!(f, "the limit {name} must be at least 1"),
        }
    }
}

impl core::error::Error for ConfigError {}

impl StackConfig {
    /// Checks everything that does not depend on the other entries' meaning: MAC, VLAN, MTU, limits, addresses.
    pub(crate) fn check(&self, frame_size: usize, headroom: usize) -> Result<(), ConfigError> {
        if self.mac == [0; 6] || self.mac[0] & 1 != 0 {
            return Err(ConfigError::Mac);
        }
        if let Some(id) = self.vlan
            && !(1..=4094).contains(&id)
        {
            return Err(ConfigError::Vlan(id));
        }
        if self.mtu < MIN_MTU {
            return Err(ConfigError::MtuTooSmall(self.mtu));
        }
        if headroom < crate::ip::egress::MIN_HEADROOM {
            return Err(ConfigError::PoolHeadroom(headroom));
        }
        // A frame we fill holds headroom, and behind it at most one packet less its own IP header.
        let most = frame_size.saturating_sub(headroom);
        if usize::from(self.mtu) > most {
            return Err(ConfigError::MtuExceedsFrames(self.mtu, most));
        }
        if self.addresses.len() > MAX_ADDRESSES || self.routes.len() > MAX_ROUTES {
            return Err(ConfigError::TooMany);
        }
        if !self.answer_arp && (self.host.slaac || self.host.dhcp.is_some()) {
            return Err(ConfigError::HostNeedsArp);
        }
        self.limits.check()
    }
}

impl IpLimits {
    fn check(&self) -> Result<(), ConfigError> {
        let needed = [
            ("neighbors", self.neighbors),
            ("neighbors_incomplete", self.neighbors_incomplete),
            ("neighbor_pending", self.neighbor_pending),
            ("tx_frames", self.tx_frames),
            ("tx_control_frames", self.tx_control_frames),
            ("udp_datagrams", self.udp_datagrams),
        ];
        match needed.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(ConfigError::ZeroLimit(name)),
            None => Ok(()),
        }
    }
}

/// The link-local address that RFC 4291 appendix A derives from a MAC address (modified EUI-64).
pub fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}
