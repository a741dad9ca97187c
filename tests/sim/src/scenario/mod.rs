//! What is simulated: a path, two configurations, a load. Data only: [`Scenario::from_seed`] makes it,
//! [`crate::shrink`] makes it smaller, its `Display` says it in words, and [`crate::world`] plays it.

mod generate;
pub mod knobs;
mod words;

use std::net::IpAddr;
use std::time::Duration;

use netstack::config::{IpLimits, StackConfig};
use netstack::ip::Cidr;
use netstack::tcp::{ConnOptions, KeepAlive, ListenConfig, SynCookieMode, TcpConfig};
use port::impair::LinkConfig;
use port::sim::{EndConfig, SimConfig};

use crate::hostile::{self, Liar};

/// The side that most jobs are opened from.
pub const CLIENT: usize = 0;
/// The side that listens.
pub const SERVER: usize = 1;
/// The sides' names.
pub const NAMES: [&str; 2] = ["client", "server"];
/// Where the server listens.
pub const SERVER_PORT: u16 = 8080;

/// Connections that may wait for the rest of their handshake with Fast Open.
const FAST_OPENS: usize = 8;

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Seeds the stacks, the models of the path and the applications.
    pub seed: u64,
    /// What the path does to what each side sends.
    pub links: [LinkConfig; 2],
    /// The network between the sides.
    pub network: Network,
    /// TCP of each side.
    pub tcp: [TcpConfig; 2],
    /// The connections.
    pub jobs: Vec<Job>,
    /// Peers that lie to the server.
    pub liars: Vec<Liar>,
    /// The cable is out from here to there.
    pub unplugged: Option<(Duration, Duration)>,
    /// When the server ends its listener and makes another one.
    pub reloads: Vec<Duration>,
    /// The listener's backlog.
    pub backlog: usize,
    /// Fast Open (RFC 7413) on both sides.
    pub fast_open: bool,
    /// Virtual time within which every job must have ended.
    pub limit: Duration,
}

/// The network that both sides are on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// IPv6 instead of IPv4.
    pub ipv6: bool,
    /// 802.1Q tag.
    pub vlan: Option<u16>,
    /// IP MTU of both interfaces in bytes.
    pub mtu: u16,
    /// Receive queues of both sides, each with a worker and a stack of its own.
    pub queues: u16,
    /// The ports complete checksums.
    pub tx_checksum: bool,
    /// Frames of each worker's pool.
    pub pool_frames: usize,
}

impl Default for Network {
    fn default() -> Network {
        Network { ipv6: false, vlan: None, mtu: 1500, queues: 1, tx_checksum: false, pool_frames: 1024 }
    }
}

/// One connection: how it is opened, what is said on it, how it ends.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// When it is opened.
    pub start: Duration,
    /// By whom.
    pub open: Open,
    /// Bytes that each side sends.
    pub bytes: [u64; 2],
    /// Who speaks when.
    pub talk: Talk,
    /// How each side reads.
    pub read: [Pace; 2],
    /// How each side writes.
    pub write: [Pace; 2],
    /// This side closes only when the other one has closed.
    pub closes_last: Option<usize>,
    /// This side resets the connection when it has received or sent so many bytes.
    pub abort: Option<(usize, u64)>,
    /// What the connection has instead of its side's configuration.
    pub options: ConnOptions,
    /// Uses the client's port of an earlier job again, once that has ended on the client's side.
    pub port_of: Option<usize>,
}

/// Who opens a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// The client connects to the server's listener.
    Client,
    /// Both connect to each other at the same time (RFC 9293 §3.5, figure 7).
    Both,
}

/// Who speaks when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Talk {
    /// Both send what they have.
    Streams,
    /// So many times the client asks with its share and the server, when it has all of it, answers with its own.
    Exchanges(u32),
}

/// How fast an application reads or writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Nothing before so much time since the connection was opened.
    pub from: Duration,
    /// Bytes at a time.
    pub bytes: u64,
    /// From one time to the next.
    pub pause: Duration,
}

impl Pace {
    /// As fast as possible.
    pub const FREE: Pace = Pace { from: Duration::ZERO, bytes: u64::MAX, pause: Duration::ZERO };
}

impl Job {
    /// From the client at the start, both sides as fast as they can.
    pub fn streams(bytes: [u64; 2]) -> Job {
        Job {
            start: Duration::ZERO,
            open: Open::Client,
            bytes,
            talk: Talk::Streams,
            read: [Pace::FREE; 2],
            write: [Pace::FREE; 2],
            closes_last: None,
            abort: None,
            options: ConnOptions::default(),
            port_of: None,
        }
    }
}

impl Scenario {
    /// The same link both ways, default configurations, no jobs.
    pub fn plain(seed: u64, link: LinkConfig) -> Scenario {
        Scenario {
            seed,
            links: [link.clone(), link],
            network: Network::default(),
            tcp: [TcpConfig::default(), TcpConfig::default()],
            jobs: Vec::new(),
            liars: Vec::new(),
            unplugged: None,
            reloads: Vec::new(),
            backlog: 4_096,
            fast_open: false,
            limit: Duration::from_secs(3600),
        }
    }

    /// The address of a side.
    pub fn address(&self, side: usize) -> IpAddr {
        let last = side as u8 + 1;
        if self.network.ipv6 {
            IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)])
        } else {
            IpAddr::from([10, 0, 0, last])
        }
    }

    /// The wire.
    pub fn sim_config(&self) -> SimConfig {
        let [a_to_b, b_to_a] = self.links.clone();
        let Network { mtu, queues, tx_checksum, pool_frames, .. } = self.network;
        SimConfig { a_to_b, b_to_a, ends: EndConfig { mtu, queues, tx_checksum, pool_frames, ..EndConfig::default() } }
    }

    /// A side's stack, but for what its port says.
    pub fn stack_config(&self, side: usize) -> Option<StackConfig> {
        let address = self.address(side);
        Some(StackConfig {
            mtu: self.network.mtu,
            vlan: self.network.vlan,
            addresses: vec![Cidr::new(address, if address.is_ipv4() { 24 } else { 64 })?],
            tx_checksum_offload: self.network.tx_checksum,
            tcp: self.tcp_config(side),
            static_neighbors: self.liars_of(side),
            limits: small_tables(),
            ..StackConfig::default()
        })
    }

    /// The server knows where the liars are: they speak no ARP.
    fn liars_of(&self, side: usize) -> Vec<(IpAddr, [u8; 6])> {
        const CLIENT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0a];
        let liars = if side == SERVER { self.liars.len() } else { 0 };
        (0..liars).map(|number| (hostile::address(self.address(CLIENT), number), CLIENT_MAC)).collect()
    }

    /// The server's listener.
    pub fn listen_config(&self) -> ListenConfig {
        let fast_open = if self.fast_open { FAST_OPENS } else { 0 };
        ListenConfig { backlog: self.backlog, fast_open, ..ListenConfig::port(SERVER_PORT) }
    }

    /// TCP of a side. Where a connection may end by a reset, that may be lost: then keep-alive finds out.
    fn tcp_config(&self, side: usize) -> TcpConfig {
        let mut tcp = self.tcp[side].clone();
        if !self.is_peaceful() {
            let probing = KeepAlive { idle: Duration::from_secs(5), interval: Duration::from_secs(2), probes: 60 };
            tcp.keep_alive.get_or_insert(probing);
        }
        tcp
    }

    /// True when an open may be refused, or come twice: the listener goes for a moment, or answers with cookies, or takes data
    /// with the SYN. A SYN cookie is good for one segment only, the first one; when a later one overtakes it, the connection
    /// is reset. A SYN with data may come again when its connection is over (RFC 7413 §2.1).
    pub fn may_refuse(&self) -> bool {
        let cookies = match self.tcp[SERVER].syn_cookies {
            SynCookieMode::Off => false,
            SynCookieMode::WhenFull => self.backlog < 4_096,
            SynCookieMode::Always => true,
        };
        cookies || self.fast_open || !self.reloads.is_empty()
    }

    /// True when memory may run out: then opens and sends are refused, and connections reset.
    pub fn is_tight(&self) -> bool {
        let usual = TcpConfig::default().memory.budget;
        self.tcp.iter().any(|tcp| tcp.memory.budget < usual)
    }

    /// True when nobody lies, aborts or refuses: every connection must end as it began, in peace.
    pub fn is_peaceful(&self) -> bool {
        self.liars.is_empty()
            && !self.may_refuse()
            && !self.is_tight()
            && self.jobs.iter().all(|job| job.abort.is_none())
    }
}

/// Two hosts on a link need small tables, and thousands of scenarios a second leave no time to lay out large ones.
fn small_tables() -> IpLimits {
    IpLimits {
        neighbors: 8,
        neighbors_incomplete: 8,
        neighbor_updates: 8,
        fragment_datagrams: 4,
        udp_datagrams: 4,
        udp_errors: 4,
        udp_sockets: 4,
        path_mtus: 8,
        ..IpLimits::default()
    }
}
