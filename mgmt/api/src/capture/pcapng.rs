//! As much of pcapng (draft-ietf-opsawg-pcapng) as the two ends of a capture need: telling blocks apart, counting
//! frames, and the block that says how many were lost. Little-endian sections only, which is what `anygate` writes.

/// The block that starts a section.
pub const SECTION_HEADER: u32 = 0x0a0d_0d0a;
/// The block that describes an interface.
pub const INTERFACE_DESCRIPTION: u32 = 1;
/// The block that holds a frame.
pub const ENHANCED_PACKET: u32 = 6;
/// The block that holds figures of an interface.
pub const INTERFACE_STATISTICS: u32 = 5;

/// Type and total length.
const HEADER_BYTES: usize = 8;
/// Type, length, and length again at the end.
const SMALLEST_BLOCK_BYTES: usize = 12;
/// The longest statistics block that is looked into.
const STATISTICS_LIMIT_BYTES: usize = 512;

const OPTION_END: u16 = 0;
const OPTION_IF_RECEIVED: u16 = 4;
const OPTION_IF_DROPPED: u16 = 5;

/// One whole block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block<'a> {
    /// What it is.
    pub kind: u32,
    /// All of it, header included.
    pub bytes: &'a [u8],
}

impl Block<'_> {
    /// The interface and the raw time stamp of a frame, when it is one.
    pub fn packet_stamp(&self) -> Option<(u32, [u8; 8])> {
        if self.kind != ENHANCED_PACKET {
            return None;
        }
        let interface = u32_at(self.bytes, HEADER_BYTES)?;
        let stamp = self.bytes.get(HEADER_BYTES + 4..)?.first_chunk::<8>()?;
        Some((interface, *stamp))
    }
}

/// The whole blocks at the start of `bytes`. It ends at a block that is not whole or has an impossible length.
pub fn blocks(bytes: &[u8]) -> impl Iterator<Item = Block<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let kind = u32_at(rest, 0)?;
        let length = usize::try_from(u32_at(rest, 4)?).ok()?;
        if length < SMALLEST_BLOCK_BYTES {
            return None;
        }
        let (block, following) = rest.split_at_checked(length)?;
        rest = following;
        Some(Block { kind, bytes: block })
    })
}

/// A statistics block: `received` frames passed the filter of `interface`, `lost` of them did not reach the reader.
/// `stamp` is the raw time stamp of the last frame, which has the resolution of its interface.
pub fn statistics(interface: u32, stamp: [u8; 8], received: u64, lost: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(64);
    body.extend_from_slice(&interface.to_le_bytes());
    body.extend_from_slice(&stamp);
    for (option, value) in [(OPTION_IF_RECEIVED, received), (OPTION_IF_DROPPED, lost)] {
        body.extend_from_slice(&option.to_le_bytes());
        body.extend_from_slice(&8u16.to_le_bytes());
        body.extend_from_slice(&value.to_le_bytes());
    }
    body.extend_from_slice(&[0; 4]);
    let length = (body.len() + SMALLEST_BLOCK_BYTES) as u32;
    let mut block = Vec::with_capacity(body.len() + SMALLEST_BLOCK_BYTES);
    block.extend_from_slice(&INTERFACE_STATISTICS.to_le_bytes());
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(&body);
    block.extend_from_slice(&length.to_le_bytes());
    block
}

/// Counts what passes by in a stream, however it is cut into pieces. It keeps a few bytes, never a frame.
#[derive(Debug, Default)]
pub struct Meter {
    /// The start of the block that is passing: its header, or all of a statistics block.
    head: Vec<u8>,
    /// Bytes of the block still to pass without being kept.
    skip: usize,
    /// Set when the stream is no pcapng; nothing is counted any more.
    broken: bool,
    packets: u64,
    bytes: u64,
    lost: u64,
}

impl Meter {
    /// Frames seen.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of the stream.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Frames that the writer says it lost.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Looks at the next piece of the stream.
    pub fn feed(&mut self, mut piece: &[u8]) {
        self.bytes += piece.len() as u64;
        while !piece.is_empty() && !self.broken {
            let passing = self.skip.min(piece.len());
            self.skip -= passing;
            piece = &piece[passing..];
            while self.skip == 0 && !self.broken {
                let Some((&byte, rest)) = piece.split_first() else { break };
                self.head.push(byte);
                piece = rest;
                self.look_at_head();
            }
        }
    }

    fn look_at_head(&mut self) {
        let (Some(kind), Some(length)) = (u32_at(&self.head, 0), u32_at(&self.head, 4)) else { return };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length < SMALLEST_BLOCK_BYTES {
            self.broken = true;
            return;
        }
        if kind == INTERFACE_STATISTICS && length <= STATISTICS_LIMIT_BYTES {
            if self.head.len() < length {
                return;
            }
            self.lost = self.lost.saturating_add(dropped(&self.head));
        } else {
            self.packets += u64::from(kind == ENHANCED_PACKET);
            self.skip = length - self.head.len();
        }
        self.head.clear();
    }
}

/// The value of `isb_ifdrop` of a statistics block; 0 when it has none.
fn dropped(block: &[u8]) -> u64 {
    let mut options = block.get(HEADER_BYTES + 12..block.len().saturating_sub(4)).unwrap_or_default();
    while let (Some(code), Some(length)) = (u16_at(options, 0), u16_at(options, 2)) {
        if code == OPTION_END {
            break;
        }
        let value = options.get(4..).unwrap_or_default();
        if code == OPTION_IF_DROPPED
            && let Some(value) = value.first_chunk::<8>()
        {
            return u64::from_le_bytes(*value);
        }
        options = value.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
    }
    0
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}
