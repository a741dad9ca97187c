//! The TCP header as the checks and the liars read it: independent of the stack's own parser.

use std::net::IpAddr;

use netstack::frame::RxChecksum;
use netstack::ip::{checksum, protocol};
use port::headers::{ETHERTYPE_IPV4, Headers};

/// FIN.
pub const FIN: u8 = 0x01;
/// SYN.
pub const SYN: u8 = 0x02;
/// RST.
pub const RST: u8 = 0x04;
/// PSH.
pub const PSH: u8 = 0x08;
/// ACK.
pub const ACK: u8 = 0x10;
/// URG.
pub const URG: u8 = 0x20;

const CHECKSUM_AT: usize = 16;

/// A TCP segment in an Ethernet frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Sender.
    pub source: (IpAddr, u16),
    /// Receiver.
    pub destination: (IpAddr, u16),
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// First sequence number.
    pub seq: u32,
    /// Acknowledgment number; meaningless without [`ACK`].
    pub ack: u32,
    /// Flags.
    pub flags: u8,
    /// Window, not scaled.
    pub window: u16,
    /// Maximum segment size option.
    pub mss: Option<u16>,
    /// Window scale option.
    pub scale: Option<u8>,
    /// Timestamps option: value and echo.
    pub timestamps: Option<(u32, u32)>,
    /// The checksum is right.
    pub intact: bool,
    /// Payload.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Reads a frame; `None` for everything that is not a whole TCP segment.
    pub fn parse(frame: &'a [u8]) -> Option<Segment<'a>> {
        let Headers { ethertype, l3, ip } = Headers::parse(frame)?;
        let ip = ip.filter(|ip| ip.protocol == protocol::TCP)?;
        let (source_port, destination_port) = ip.ports?;
        let length = usize::from(be16(frame, if ethertype == ETHERTYPE_IPV4 { l3 + 2 } else { l3 + 4 })?);
        let end = if ethertype == ETHERTYPE_IPV4 { l3 + length } else { l3 + 40 + length };
        let tcp = frame.get(ip.l4..end)?;
        let header = usize::from(*tcp.get(12)? >> 4) * 4;
        let mut segment = Segment {
            source: (ip.source, source_port),
            destination: (ip.destination, destination_port),
            hop_limit: *frame.get(if ethertype == ETHERTYPE_IPV4 { l3 + 8 } else { l3 + 7 })?,
            seq: be32(tcp, 4)?,
            ack: be32(tcp, 8)?,
            flags: *tcp.get(13)?,
            window: be16(tcp, 14)?,
            mss: None,
            scale: None,
            timestamps: None,
            intact: checksum::verify_transport(
                ip.source,
                ip.destination,
                protocol::TCP,
                tcp,
                CHECKSUM_AT,
                RxChecksum::Unknown,
            ),
            payload: tcp.get(header..)?,
        };
        segment.read_options(tcp.get(20..header)?);
        Some(segment)
    }

    fn read_options(&mut self, mut options: &[u8]) {
        while let [kind, rest @ ..] = options {
            if *kind == 1 {
                options = rest;
                continue;
            }
            let length = usize::from(rest.first().copied().unwrap_or(0));
            let Some(body) = options.get(2..length).filter(|_| *kind != 0) else { return };
            match kind {
                2 => self.mss = be16(body, 0),
                3 => self.scale = body.first().copied(),
                8 => self.timestamps = be32(body, 0).zip(be32(body, 4)),
                _ => {}
            }
            options = &options[length..];
        }
    }

    /// True when every one of `flags` is set.
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Sequence numbers that it takes.
    pub fn len(&self) -> u32 {
        self.payload.len() as u32 + u32::from(self.has(SYN)) + u32::from(self.has(FIN))
    }

    /// True when it takes none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Behind its last sequence number.
    pub fn end(&self) -> u32 {
        self.seq.wrapping_add(self.len())
    }
}

/// True when `a` comes before `b` in sequence space.
pub fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
