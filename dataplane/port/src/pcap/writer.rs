//! Writes pcapng: one section, an interface block a port, an enhanced packet block a packet.
//!
//! ```text
//!   +------------+--------------+-------- body --------+--------------+
//!   | block type | block length | fields ▸ options     | block length |    each multiple of 4 bytes, little-endian
//!   +------------+--------------+----------------------+--------------+
//! ```

use std::io::{self, Write};

use super::{Direction, format};

/// Writes one pcapng section with nanosecond time stamps.
pub struct Writer<W> {
    out: W,
    block: Vec<u8>,
    interfaces: u32,
}

impl<W: Write> Writer<W> {
    /// Begins the section in `out`; `application` is what tools show as the program that wrote it.
    pub fn new(out: W, application: &str) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, block: Vec::new(), interfaces: 0 };
        writer.begin(format::SECTION_HEADER);
        writer.u32(format::BYTE_ORDER_MAGIC);
        writer.u16(1);
        writer.u16(0);
        // The section's length is not known: it may be a pipe.
        writer.block.extend(u64::MAX.to_le_bytes());
        writer.option(format::SHB_USERAPPL, application.as_bytes());
        writer.option(format::OPT_END, &[]);
        writer.end()?;
        Ok(writer)
    }

    /// Adds an Ethernet interface; returns its number. `snaplen` is the most bytes kept of a packet, 0 for all;
    /// tcpdump reads a file only when all its interfaces have the same.
    pub fn add_interface(&mut self, name: &str, snaplen: u32) -> io::Result<u32> {
        self.begin(format::INTERFACE);
        self.u16(format::LINKTYPE_ETHERNET);
        self.u16(0);
        self.u32(snaplen);
        self.option(format::IF_NAME, name.as_bytes());
        // Time stamps count 10⁻⁹ seconds.
        self.option(format::IF_TSRESOL, &[9]);
        self.option(format::OPT_END, &[]);
        self.end()?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Adds a packet of `interface` at `unix_nanos` (nanoseconds since 1970): `bytes` is what was kept of
    /// `original_len` bytes.
    pub fn packet(
        &mut self,
        interface: u32,
        unix_nanos: u64,
        direction: Option<Direction>,
        original_len: u32,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.packet_with_comment(interface, unix_nanos, direction, original_len, bytes, "")
    }

    /// As [`Writer::packet`], with a comment that tools show beside it.
    pub fn packet_with_comment(
        &mut self,
        interface: u32,
        unix_nanos: u64,
        direction: Option<Direction>,
        original_len: u32,
        bytes: &[u8],
        comment: &str,
    ) -> io::Result<()> {
        let captured = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a packet of over 4 GiB"))?;
        self.begin(format::ENHANCED_PACKET);
        self.u32(interface);
        self.u32((unix_nanos >> 32) as u32);
        self.u32(unix_nanos as u32);
        self.u32(captured);
        self.u32(original_len.max(captured));
        self.padded(bytes);
        let flags = match direction {
            Some(Direction::Inbound) => format::FLAGS_INBOUND,
            Some(Direction::Outbound) => format::FLAGS_OUTBOUND,
            None => 0,
        };
        if flags != 0 {
            self.option(format::EPB_FLAGS, &flags.to_le_bytes());
        }
        if !comment.is_empty() {
            self.option(format::OPT_COMMENT, comment.as_bytes());
        }
        if flags != 0 || !comment.is_empty() {
            self.option(format::OPT_END, &[]);
        }
        self.end()
    }

    /// Passes what is buffered below on to its reader.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer below.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn begin(&mut self, block_type: u32) {
        self.block.clear();
        self.u32(block_type);
        self.u32(0);
    }

    fn end(&mut self) -> io::Result<()> {
        let length = (self.block.len() + 4) as u32;
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.u32(length);
        self.out.write_all(&self.block)
    }

    fn u16(&mut self, value: u16) {
        self.block.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.block.extend(value.to_le_bytes());
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.block.extend(bytes);
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// Options hold at most 65,535 bytes; longer text is cut.
    fn option(&mut self, code: u16, value: &[u8]) {
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.u16(code);
        self.u16(value.len() as u16);
        self.padded(value);
    }
}
