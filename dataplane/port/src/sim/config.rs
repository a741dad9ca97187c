//! What a simulated wire does to packets.

use core::time::Duration;

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
    /// Receive queues of each end, at least one. TCP and UDP are spread by the Toeplitz hash of addresses and ports
    /// over a table of 128 entries that names the queues in turn; everything else comes to queue 0.
    pub queues: u16,
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
        EndConfig { mtu: 1500, queues: 1, rss_key: RSS_KEY, pool_frames: 4096, tx_checksum: false }
    }
}

/// One direction.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Bits per second of the bottleneck; `None` is infinitely fast.
    pub rate_bits_per_second: Option<u64>,
    /// Bytes that may wait before the bottleneck; what does not fit is lost.
    pub buffer_bytes: usize,
    /// More waiting bytes than this mark ECN-capable packets with "congestion experienced".
    pub ecn_threshold_bytes: Option<usize>,
    /// How frames are lost.
    pub loss: Loss,
    /// Chance that a frame arrives twice, in millionths.
    pub duplicate_ppm: u32,
    /// Chance that one bit of the packet behind the Ethernet header is flipped, in millionths.
    pub corrupt_ppm: u32,
    /// Time on the way.
    pub delay: Duration,
    /// Up to this much is added to the delay of each frame, evenly spread; order is kept.
    pub jitter: Duration,
    /// Chance that a frame is held back, in millionths.
    pub reorder_ppm: u32,
    /// How long a frame is held back at most (evenly spread), so that later ones overtake it.
    pub reorder_delay: Duration,
}

impl Default for LinkConfig {
    fn default() -> LinkConfig {
        LinkConfig {
            rate_bits_per_second: None,
            buffer_bytes: 256 * 1024,
            ecn_threshold_bytes: None,
            loss: Loss::None,
            duplicate_ppm: 0,
            corrupt_ppm: 0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder_ppm: 0,
            reorder_delay: Duration::ZERO,
        }
    }
}

/// How frames are lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// Not at all.
    None,
    /// Each frame on its own, in millionths.
    Random {
        /// Chance of each frame.
        ppm: u32,
    },
    /// In bursts: the Gilbert–Elliott model, a chain of a good and a bad state that may change before each frame.
    Bursty {
        /// Chance to go from good to bad, in millionths.
        enter_ppm: u32,
        /// Chance to go from bad to good, in millionths; one million over this is the mean length of a burst.
        leave_ppm: u32,
        /// Loss in the good state, in millionths.
        good_ppm: u32,
        /// Loss in the bad state, in millionths.
        bad_ppm: u32,
    },
}
