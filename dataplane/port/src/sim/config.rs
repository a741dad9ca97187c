//! What a simulated wire does to packets.

use crate::impair::LinkConfig;

/// Both directions of a wire and the hosts' ends of it.
#[derive(Clone, Debug, Default)]
pub struct SimConfig {
    /// From side A to side B.
    pub a_to_b: LinkConfig,
    /// From side B to side A.
    pub b_to_a: LinkConfig,
    /// The ends.
    pub ends: EndConfig,
}

impl SimConfig {
    /// The same link both ways.
    pub fn symmetric(link: LinkConfig) -> SimConfig {
        SimConfig { a_to_b: link.clone(), b_to_a: link, ends: EndConfig::default() }
    }
}

/// The ends of a wire.
#[derive(Clone, Debug)]
pub struct EndConfig {
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// Receive queues of each end, at least one. As in a NIC, TCP and UDP are spread by the Toeplitz hash of addresses
    /// and ports, other IP packets and all fragments by that of the addresses, over a table of 128 entries that names
    /// the queues in turn; what is not IP comes to queue 0.
    pub queues: u16,
    /// The ports tell how they spread. A veth does not, nor do some virtual functions.
    pub steering_known: bool,
    /// Key of that hash.
    pub rss_key: [u8; 40],
    /// Frames of the pool that [`super::pair`] makes for each end.
    pub pool_frames: usize,
    /// The ends complete transport checksums, as a NIC with that offload.
    pub tx_checksum: bool,
}

/// The key that Microsoft's specification of RSS verifies implementations with, and many drivers' default.
const RSS_KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b,
    0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
    0x01, 0xfa,
];

impl Default for EndConfig {
    fn default() -> EndConfig {
        EndConfig {
            mtu: 1500,
            queues: 1,
            steering_known: true,
            rss_key: RSS_KEY,
            pool_frames: 4096,
            tx_checksum: false,
        }
    }
}
