//! The header before each frame of a TAP interface with `IFF_VNET_HDR`: `struct virtio_net_hdr` of Linux, in host
//! byte order.
//!
//! ```text
//!   0       1          2         4          6            8             10
//!   | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset |
//! ```

use netstack::frame::{RxChecksum, TxChecksum};

/// Bytes of the header.
pub const LEN: usize = 10;
const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;

/// The header of a frame to be sent.
pub fn encode(checksum: TxChecksum) -> [u8; LEN] {
    let mut header = [0; LEN];
    if let TxChecksum::Offload { start, offset } = checksum {
        header[0] = NEEDS_CSUM;
        header[6..8].copy_from_slice(&start.to_ne_bytes());
        header[8..10].copy_from_slice(&offset.to_ne_bytes());
    }
    header
}

/// What the header of a received frame says of its checksum. `None`: the frame is to be segmented first, which was
/// not asked for.
pub fn decode(header: &[u8; LEN]) -> Option<RxChecksum> {
    if header[1] != 0 {
        return None;
    }
    Some(match header[0] {
        flags if flags & NEEDS_CSUM != 0 => RxChecksum::MaybePartial,
        flags if flags & DATA_VALID != 0 => RxChecksum::Verified,
        _ => RxChecksum::Unknown,
    })
}
