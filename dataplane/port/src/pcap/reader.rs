//! Reads pcapng and classic pcap, of either byte order, from memory.

use core::fmt;

use super::{Direction, format};

const PCAP_MICROS: u32 = 0xa1b2_c3d4;
const PCAP_NANOS: u32 = 0xa1b2_3c4d;

/// A packet of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Interface number within its section; 0 in a classic file.
    pub interface: u32,
    /// Nanoseconds since 1970 (or whatever the file's writer counted from).
    pub at_nanos: u64,
    /// Which way it went, where the file says so.
    pub direction: Option<Direction>,
    /// Length on the wire, in bytes.
    pub original_len: u32,
    /// What was kept of it.
    pub bytes: Vec<u8>,
}

/// Why a file cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormatError {
    /// Where, in bytes from the file's start.
    pub offset: usize,
    /// What is wrong.
    pub reason: &'static str,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a readable packet file: {} at byte {}", self.reason, self.offset)
    }
}

impl std::error::Error for FormatError {}

/// All Ethernet packets of a file. Packets of other link types are refused: no port could send them.
pub fn read(file: &[u8]) -> Result<Vec<Packet>, FormatError> {
    let magic = file.first_chunk::<4>().ok_or(FormatError { offset: 0, reason: "less than four bytes" })?;
    if u32::from_le_bytes(*magic) == format::SECTION_HEADER {
        return Section::read(file);
    }
    for big_endian in [false, true] {
        let bytes = Bytes { file, big_endian };
        match bytes.u32(0)? {
            PCAP_MICROS => return classic(bytes, 1_000),
            PCAP_NANOS => return classic(bytes, 1),
            _ => {}
        }
    }
    Err(FormatError { offset: 0, reason: "neither pcapng nor pcap" })
}

/// Checked reads in the file's byte order.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    file: &'a [u8],
    big_endian: bool,
}

impl<'a> Bytes<'a> {
    fn slice(&self, at: usize, length: usize) -> Result<&'a [u8], FormatError> {
        let end = at.checked_add(length).ok_or(FormatError { offset: at, reason: "a length beyond all bounds" })?;
        self.file.get(at..end).ok_or(FormatError { offset: at, reason: "the file ends early" })
    }

    fn u16(&self, at: usize) -> Result<u16, FormatError> {
        let bytes = [self.slice(at, 2)?[0], self.slice(at, 2)?[1]];
        Ok(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Result<u32, FormatError> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.slice(at, 4)?);
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

fn classic(bytes: Bytes<'_>, nanos_per_unit: u64) -> Result<Vec<Packet>, FormatError> {
    if bytes.u32(20)? & 0x0fff_ffff != u32::from(format::LINKTYPE_ETHERNET) {
        return Err(FormatError { offset: 20, reason: "a link type that is not Ethernet" });
    }
    let (mut at, mut packets) = (24, Vec::new());
    while at < bytes.file.len() {
        let captured = bytes.u32(at + 8)?;
        let seconds = u64::from(bytes.u32(at)?) * 1_000_000_000;
        packets.push(Packet {
            interface: 0,
            at_nanos: seconds + u64::from(bytes.u32(at + 4)?) * nanos_per_unit,
            direction: None,
            original_len: bytes.u32(at + 12)?,
            bytes: bytes.slice(at + 16, captured as usize)?.to_vec(),
        });
        at += 16 + captured as usize;
    }
    Ok(packets)
}

struct Interface {
    /// Exponent of the time stamps' unit, as the option `if_tsresol` has it.
    resolution: u8,
    snaplen: u32,
}

/// The section that is being read.
struct Section<'a> {
    bytes: Bytes<'a>,
    interfaces: Vec<Interface>,
    packets: Vec<Packet>,
}

impl Section<'_> {
    fn read(file: &[u8]) -> Result<Vec<Packet>, FormatError> {
        let mut section = Section { bytes: Bytes { file, big_endian: false }, interfaces: vec![], packets: vec![] };
        let mut at = 0;
        while at < file.len() {
            let block_type = section.bytes.u32(at)?;
            if block_type == format::SECTION_HEADER {
                section.begin(at)?;
            }
            let length = section.bytes.u32(at + 4)? as usize;
            if length < 12 || !length.is_multiple_of(4) {
                return Err(FormatError { offset: at + 4, reason: "an impossible block length" });
            }
            let end = at.saturating_add(length);
            section.bytes.slice(at, length)?;
            match block_type {
                format::INTERFACE => section.interface(at + 8, end - 4)?,
                format::ENHANCED_PACKET => section.enhanced_packet(at + 8, end - 4)?,
                format::SIMPLE_PACKET => section.simple_packet(at + 8, end - 4)?,
                // Readers skip what they do not know.
                _ => {}
            }
            at = end;
        }
        Ok(section.packets)
    }

    fn begin(&mut self, at: usize) -> Result<(), FormatError> {
        self.bytes.big_endian = false;
        if self.bytes.u32(at + 8)? != format::BYTE_ORDER_MAGIC {
            self.bytes.big_endian = true;
            if self.bytes.u32(at + 8)? != format::BYTE_ORDER_MAGIC {
                return Err(FormatError { offset: at + 8, reason: "a section without byte order" });
            }
        }
        if self.bytes.u16(at + 12)? != 1 {
            return Err(FormatError { offset: at + 12, reason: "a version that is not 1" });
        }
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&mut self, at: usize, end: usize) -> Result<(), FormatError> {
        if self.bytes.u16(at)? != format::LINKTYPE_ETHERNET {
            return Err(FormatError { offset: at, reason: "a link type that is not Ethernet" });
        }
        let mut interface = Interface { resolution: 6, snaplen: self.bytes.u32(at + 4)? };
        self.options(at + 8, end, |code, value| {
            if let (format::IF_TSRESOL, [resolution]) = (code, value) {
                interface.resolution = *resolution;
            }
        })?;
        self.interfaces.push(interface);
        Ok(())
    }

    fn enhanced_packet(&mut self, at: usize, end: usize) -> Result<(), FormatError> {
        let interface = self.bytes.u32(at)?;
        let Some(&Interface { resolution, .. }) = self.interfaces.get(interface as usize) else {
            return Err(FormatError { offset: at, reason: "a packet of an interface that was not described" });
        };
        let units = u64::from(self.bytes.u32(at + 4)?) << 32 | u64::from(self.bytes.u32(at + 8)?);
        let captured = self.bytes.u32(at + 12)? as usize;
        let bytes = self.bytes.slice(at + 20, captured)?.to_vec();
        let options = at + 20 + captured.next_multiple_of(4);
        if options > end {
            return Err(FormatError { offset: at + 12, reason: "a packet longer than its block" });
        }
        let (mut direction, big_endian) = (None, self.bytes.big_endian);
        self.options(options, end, |code, value| {
            if let (format::EPB_FLAGS, &[a, b, c, d]) = (code, value) {
                let flags = if big_endian { [d, c, b, a] } else { [a, b, c, d] };
                direction = match u32::from_le_bytes(flags) & 0b11 {
                    format::FLAGS_INBOUND => Some(Direction::Inbound),
                    format::FLAGS_OUTBOUND => Some(Direction::Outbound),
                    _ => None,
                };
            }
        })?;
        let original_len = self.bytes.u32(at + 16)?;
        self.packets.push(Packet { interface, at_nanos: nanos(units, resolution), direction, original_len, bytes });
        Ok(())
    }

    fn simple_packet(&mut self, at: usize, end: usize) -> Result<(), FormatError> {
        let Some(interface) = self.interfaces.first() else {
            return Err(FormatError { offset: at, reason: "a packet before any interface" });
        };
        let original_len = self.bytes.u32(at)?;
        let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
        let captured = (original_len.min(snaplen) as usize).min(end.saturating_sub(at + 4));
        let bytes = self.bytes.slice(at + 4, captured)?.to_vec();
        self.packets.push(Packet { interface: 0, at_nanos: 0, direction: None, original_len, bytes });
        Ok(())
    }

    fn options(&self, mut at: usize, end: usize, mut each: impl FnMut(u16, &[u8])) -> Result<(), FormatError> {
        while at + 4 <= end {
            let (code, length) = (self.bytes.u16(at)?, usize::from(self.bytes.u16(at + 2)?));
            if code == format::OPT_END {
                break;
            }
            if at + 4 + length > end {
                return Err(FormatError { offset: at, reason: "an option longer than its block" });
            }
            each(code, self.bytes.slice(at + 4, length)?);
            at += 4 + length.next_multiple_of(4);
        }
        Ok(())
    }
}

/// `units` of 10^-resolution seconds, or of 2^-n seconds with the top bit of `resolution` set, in nanoseconds.
fn nanos(units: u64, resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let nanos = if resolution & 0x80 != 0 {
        (u128::from(units) * 1_000_000_000).checked_shr(exponent).unwrap_or(0)
    } else if exponent <= 9 {
        u128::from(units) * 10u128.pow(9 - exponent)
    } else {
        10u128.checked_pow(exponent - 9).map_or(0, |divisor| u128::from(units) / divisor)
    };
    u64::try_from(nanos).unwrap_or(u64::MAX)
}
