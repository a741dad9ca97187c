//! Packet files: pcapng written and read (draft-ietf-opsawg-pcapng), classic pcap read, and a port that replays one
//! file and records another.

mod reader;
mod replay;
mod writer;

pub use reader::{FormatError, Packet, read};
pub use replay::{Pace, ReplayOptions, ReplayPort};
pub use writer::Writer;

/// Which way a packet went, as seen from the machine that captured it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Received.
    Inbound,
    /// Sent.
    Outbound,
}

/// Numbers of the format.
mod format {
    pub const SECTION_HEADER: u32 = 0x0a0d_0d0a;
    pub const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
    pub const INTERFACE: u32 = 1;
    pub const SIMPLE_PACKET: u32 = 3;
    pub const ENHANCED_PACKET: u32 = 6;
    pub const LINKTYPE_ETHERNET: u16 = 1;

    pub const OPT_END: u16 = 0;
    pub const OPT_COMMENT: u16 = 1;
    pub const SHB_USERAPPL: u16 = 4;
    pub const IF_NAME: u16 = 2;
    pub const IF_TSRESOL: u16 = 9;
    pub const EPB_FLAGS: u16 = 2;

    pub const FLAGS_INBOUND: u32 = 0b01;
    pub const FLAGS_OUTBOUND: u32 = 0b10;
}

#[cfg(test)]
mod tests;
