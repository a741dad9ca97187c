//! Two ends and a wire between them.

use crate::{Namespace, can_run};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How an XDP program is attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// By the driver.
    Native,
    /// By the kernel, behind the driver.
    Generic,
}

/// What AnyGate is attached to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wire {
    /// One end of a veth pair, taken with AF_XDP.
    AfXdp {
        /// How the program is attached.
        mode: Mode,
        /// Queues of both ends.
        queues: u32,
    },
    /// A tap interface that AnyGate makes; the kernel is at its other end.
    Tap,
    /// The same, and AnyGate acquires its addresses: by DHCP and from router advertisements.
    TapAcquiring {
        /// Queues of the tap, each with a worker.
        queues: u32,
    },
}

impl Wire {
    /// Every wire that the answers are tested on.
    pub const ALL: [Wire; 5] = [
        Wire::AfXdp { mode: Mode::Native, queues: 1 },
        Wire::AfXdp { mode: Mode::Native, queues: 2 },
        Wire::AfXdp { mode: Mode::Generic, queues: 1 },
        Wire::AfXdp { mode: Mode::Generic, queues: 2 },
        Wire::Tap,
    ];

    /// The one for tests where the wire does not matter.
    pub const USUAL: Wire = Wire::AfXdp { mode: Mode::Native, queues: 1 };
}

/// AnyGate's interface.
pub const SERVER_INTERFACE: &str = "ag0";
/// The peer's interface.
pub const CLIENT_INTERFACE: &str = "peer0";
/// AnyGate's IPv4 address.
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// AnyGate's IPv6 address.
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);

/// The two ends, the wire, and a folder for files; all removed when dropped.
#[derive(Debug)]
pub struct Lab {
    wire: Wire,
    client: Arc<Namespace>,
    server: Arc<Namespace>,
    folder: PathBuf,
}

impl Lab {
    /// Builds it; `None` when this machine cannot, which was said.
    pub fn new(wire: Wire) -> Option<Lab> {
        Lab::with_programs(wire, &[])
    }

    /// The same for a test that runs these programs too.
    pub fn with_programs(wire: Wire, programs: &[&str]) -> Option<Lab> {
        let needed: Vec<&str> = ["ip", "ethtool"].iter().chain(programs).copied().collect();
        if !can_run(&needed) {
            return None;
        }
        let client = Arc::new(Namespace::new());
        let server = match wire {
            Wire::AfXdp { queues, .. } => {
                let server = Arc::new(Namespace::new());
                connect(&client, &server, queues);
                server
            }
            Wire::Tap | Wire::TapAcquiring { .. } => Arc::clone(&client),
        };
        Some(Lab { wire, client, server, folder: make_folder() })
    }

    /// The wire.
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// Where the peers run.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// Where AnyGate runs.
    pub fn server(&self) -> &Namespace {
        &self.server
    }

    /// A path in the lab's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// AnyGate's addresses with a port, IPv4 and IPv6.
    pub fn addresses(&self, port: u16) -> [SocketAddr; 2] {
        [SocketAddr::new(IpAddr::V4(SERVER_V4), port), SocketAddr::new(IpAddr::V6(SERVER_V6), port)]
    }

    /// The `ports` section of a configuration for this wire.
    pub fn ports(&self) -> String {
        match self.wire {
            Wire::AfXdp { mode, .. } => {
                let mode = if mode == Mode::Native { "native" } else { "generic" };
                format!("ports:\n  - kind: af_xdp\n    interface: {SERVER_INTERFACE}\n    mode: {mode}\n")
            }
            Wire::Tap => format!(
                "ports:\n  - kind: tap\n    interface: {SERVER_INTERFACE}\n    \
                 addresses: [{SERVER_V4}/24, \"{SERVER_V6}/64\"]\n    \
                 duplicate_address_detection: false\n    host_addresses: [10.77.0.2/24, \"fd77::2/64\"]\n"
            ),
            Wire::TapAcquiring { queues } => format!(
                "ports:\n  - kind: tap\n    interface: {SERVER_INTERFACE}\n    queues: {queues}\n    \
                 dhcp4: true\n    slaac: true\n    host_addresses: [10.77.0.2/24, \"fd77::2/64\"]\n"
            ),
        }
    }

    /// What `ip` says of AnyGate's interface, from its own namespace.
    pub fn link(&self) -> String {
        self.server().sh(&format!("ip -details link show dev {SERVER_INTERFACE}"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A veth pair as AF_XDP wants it: as many queues on both ends, no checksums left to hardware that is not there.
fn connect(client: &Namespace, server: &Namespace, queues: u32) {
    let numbers = format!("numrxqueues {queues} numtxqueues {queues}");
    client.sh(&format!(
        "ip link add {CLIENT_INTERFACE} {numbers} type veth peer name {SERVER_INTERFACE} {numbers} netns {}\n\
         ethtool -K {CLIENT_INTERFACE} tx off > /dev/null\n\
         ip addr add 10.77.0.2/24 dev {CLIENT_INTERFACE}\n\
         ip addr add fd77::2/64 dev {CLIENT_INTERFACE}\n\
         ip link set {CLIENT_INTERFACE} up",
        server.name()
    ));
    server.sh(&format!(
        "ethtool -K {SERVER_INTERFACE} tx off > /dev/null\n\
         ip addr add {SERVER_V4}/24 dev {SERVER_INTERFACE}\n\
         ip addr add {SERVER_V6}/64 dev {SERVER_INTERFACE}\n\
         ip link set {SERVER_INTERFACE} up"
    ));
}

fn make_folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("anygate-e2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = Path::new(&std::env::temp_dir()).join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}
