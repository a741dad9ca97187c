//! One direction of a path, as data.

use core::time::Duration;

use netstack::Instant;

/// One direction. The default is a path that changes nothing: infinitely fast, without delay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkConfig {
    /// Bits per second of the bottleneck; `None` is infinitely fast.
    pub rate_bits_per_second: Option<u64>,
    /// Bytes that may wait before the bottleneck; what does not fit is lost (drop-tail).
    pub buffer_bytes: usize,
    /// More waiting bytes than this mark ECN-capable packets with "congestion experienced".
    pub ecn_threshold_bytes: Option<usize>,
    /// How frames are lost.
    pub loss: Loss,
    /// Chance that a pure acknowledgment of TCP is lost, in millionths, on top of `loss`.
    pub ack_loss_ppm: u32,
    /// One pure acknowledgment of TCP in so many passes, on average; 0 and 1 pass all.
    pub ack_thinning: u32,
    /// Chance that a frame arrives twice, in millionths.
    pub duplicate_ppm: u32,
    /// Chance that one byte of the packet behind the Ethernet header is damaged, in millionths. The Internet checksum
    /// always finds such damage.
    pub corrupt_ppm: u32,
    /// Time on the way.
    pub delay: Duration,
    /// Up to this much is added to the delay of each frame, evenly spread; order is kept.
    pub jitter: Duration,
    /// Chance that a frame is held back for a time, in millionths.
    pub reorder_ppm: u32,
    /// How long a frame is held back at most, so that later ones overtake it.
    pub reorder_delay: Duration,
    /// Chance that a frame is held back until others have overtaken it, in millionths.
    pub displace_ppm: u32,
    /// So many frames overtake at most (evenly spread from one on); `reorder_delay` bounds the wait for them.
    pub displace_frames: u8,
    /// Frames arrive only at multiples of this time, those of one slot together, as on a shared medium; zero for none.
    pub slot: Duration,
    /// When the path carries nothing.
    pub outages: Option<Outages>,
    /// The path's own limit of packet sizes.
    pub mtu: Option<PathMtu>,
}

impl Default for LinkConfig {
    fn default() -> LinkConfig {
        LinkConfig {
            rate_bits_per_second: None,
            buffer_bytes: 256 * 1024,
            ecn_threshold_bytes: None,
            loss: Loss::None,
            ack_loss_ppm: 0,
            ack_thinning: 1,
            duplicate_ppm: 0,
            corrupt_ppm: 0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder_ppm: 0,
            reorder_delay: Duration::ZERO,
            displace_ppm: 0,
            displace_frames: 0,
            slot: Duration::ZERO,
            outages: None,
            mtu: None,
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
    /// A run of frames, whole.
    Burst {
        /// Chance of each frame to begin a run, in millionths.
        ppm: u32,
        /// Frames of a run.
        frames: u32,
    },
    /// The Gilbert–Elliott model: a chain of a good and a bad state that may change before each frame.
    GilbertElliott {
        /// Chance to go from good to bad, in millionths.
        enter_ppm: u32,
        /// Chance to go from bad to good, in millionths; one million over this is the mean length of a bad state.
        leave_ppm: u32,
        /// Loss in the good state, in millionths.
        good_ppm: u32,
        /// Loss in the bad state, in millionths.
        bad_ppm: u32,
    },
}

/// Times at which nothing is carried. What was offered before still arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outages {
    /// When the first begins.
    pub first: Instant,
    /// How long each lasts.
    pub length: Duration,
    /// From the end of one to the beginning of the next.
    pub pause: Duration,
    /// How many there are.
    pub count: u32,
}

impl Outages {
    /// True while nothing is carried.
    pub fn cover(&self, now: Instant) -> bool {
        if now < self.first {
            return false;
        }
        let since = now.saturating_since(self.first).as_nanos();
        let period = (self.length + self.pause).as_nanos().max(1);
        since / period < u128::from(self.count) && since % period < self.length.as_nanos()
    }
}

/// A limit of packet sizes somewhere on the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathMtu {
    /// Largest IP packet that passes, in bytes.
    pub bytes: u16,
    /// From when on.
    pub from: Instant,
    /// The router reports what it drops (RFC 1191, RFC 8201); `false` is a black hole.
    pub signalled: bool,
}
