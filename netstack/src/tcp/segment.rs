//! A TCP segment: the checked view of a received one, and the header of one to be sent.
//!
//! ```text
//!    0                   1                   2                   3      RFC 9293 §3.1
//!    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!   +-------------------------------+-------------------------------+
//!   |          source port          |       destination port        |
//!   |                        sequence number                        |
//!   |                     acknowledgment number                     |
//!   | offset|  rsrvd |C|E|U|A|P|R|S|F|            window            |
//!   |           checksum            |         urgent pointer        |
//!   |                           options ...                         |
//!   +---------------------------------------------------------------+
//! ```
//!
//! Lengths are checked once, in [`Segment::parse`]. The option layout that nearly every segment has (NOP, NOP,
//! timestamps) is recognised by one comparison. The parser is ours and not smoltcp's because that one drops the
//! fourth SACK block, and checks a length for each field that it reads.

use super::fast_open::Cookie;
use super::sack::Blocks;
use super::seq::Seq;

/// Header bytes without options.
pub(crate) const HEADER: usize = 20;
/// Position of the checksum.
pub(crate) const CHECKSUM_AT: usize = 16;
/// Header bytes at most.
pub(crate) const HEADER_MAX: usize = 60;
/// Bytes that timestamps take, padding included.
pub(crate) const TIMESTAMPS: usize = 12;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const URG: u8 = 0x20;
/// ECN echo; together with [`CWR`] on a SYN: the sender asks for ECN (RFC 3168 §6.1.1).
pub(crate) const ECE: u8 = 0x40;
/// Congestion window reduced.
pub(crate) const CWR: u8 = 0x80;

const NOP_NOP_TIMESTAMPS: u32 = 0x0101_080a;

/// A pair of timestamps (RFC 7323 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Timestamps {
    pub(crate) val: u32,
    pub(crate) ecr: u32,
}

/// What a received segment says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) flags: u8,
    /// As it stands in the header, not scaled.
    pub(crate) window: u16,
    pub(crate) header_len: usize,
    pub(crate) payload_len: u32,
    /// The packet that carried it was marked on its way (RFC 3168 §5).
    pub(crate) ce: bool,
    pub(crate) timestamps: Option<Timestamps>,
    pub(crate) sack: Blocks,
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
    /// Fast Open (RFC 7413 §4.1.1).
    pub(crate) fast_open: Option<Cookie>,
}

impl Segment {
    /// Reads header and options; `None` when the lengths do not fit. Options that make no sense are skipped: the
    /// rest of the list is not believed (RFC 9293 §3.1).
    #[inline]
    pub(crate) fn parse(data: &[u8]) -> Option<Segment> {
        let header = data.first_chunk::<HEADER>()?;
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = *header;
        let header_len = usize::from(offset >> 4) * 4;
        let options = data.get(HEADER..header_len)?;
        let mut segment = Segment {
            src_port: u16::from_be_bytes([s0, s1]),
            dst_port: u16::from_be_bytes([d0, d1]),
            seq: Seq(u32::from_be_bytes([q0, q1, q2, q3])),
            ack: Seq(u32::from_be_bytes([a0, a1, a2, a3])),
            flags,
            window: u16::from_be_bytes([w0, w1]),
            header_len,
            payload_len: (data.len() - header_len) as u32,
            ce: false,
            timestamps: None,
            sack: Blocks::default(),
            mss: None,
            window_scale: None,
            sack_permitted: false,
            fast_open: None,
        };
        match options.first_chunk::<TIMESTAMPS>() {
            // RFC 7323 appendix A: the layout that everybody sends.
            Some(usual) if options.len() == TIMESTAMPS && word(usual, 0) == NOP_NOP_TIMESTAMPS => {
                segment.timestamps = Some(Timestamps { val: word(usual, 4), ecr: word(usual, 8) });
            }
            _ if options.is_empty() => {}
            _ => segment.parse_options(options),
        }
        Some(segment)
    }

    fn parse_options(&mut self, mut rest: &[u8]) {
        while let [kind, tail @ ..] = rest {
            match (*kind, tail) {
                (0, _) => return,
                (1, _) => rest = tail,
                (kind, [length, ..]) => {
                    let Some((option, after)) = rest.split_at_checked(usize::from(*length)) else { return };
                    let Some(body) = option.get(2..) else { return };
                    self.option(kind, body);
                    rest = after;
                }
                _ => return,
            }
        }
    }

    fn option(&mut self, kind: u8, body: &[u8]) {
        match (kind, body) {
            (2, &[high, low]) => self.mss = Some(u16::from_be_bytes([high, low])),
            // RFC 7323 §2.3: a shift count above 14 is used as 14.
            (3, &[shift]) => self.window_scale = Some(shift.min(14)),
            (4, []) => self.sack_permitted = true,
            (5, blocks) if blocks.len() % 8 == 0 => {
                for block in blocks.chunks_exact(8) {
                    self.sack.push((Seq(word(block, 0)), Seq(word(block, 4))));
                }
            }
            (8, pair) if pair.len() == 8 => {
                self.timestamps = Some(Timestamps { val: word(pair, 0), ecr: word(pair, 4) });
            }
            (34, body) => self.fast_open = Cookie::from_body(body),
            // RFC 9293 §3.1 (MUST-6): what is not implemented is ignored.
            _ => {}
        }
    }

    /// Sequence numbers that the segment takes: payload, SYN and FIN (RFC 9293 §3.4, SEG.LEN).
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.payload_len + u32::from(self.flags & SYN != 0) + u32::from(self.flags & FIN != 0)
    }

    #[inline]
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// RFC 3168 §6.1.1: an ECN-setup SYN has both bits, an ECN-setup SYN-ACK only ECE. (Both on a SYN-ACK are what a
    /// host sends that reflects reserved bits.)
    #[inline]
    pub(crate) fn is_ecn_setup(&self) -> bool {
        let asked = if self.has(ACK) { ECE } else { ECE | CWR };
        self.has(SYN) && self.flags & (ECE | CWR) == asked
    }
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
        _ => 0,
    }
}

/// The header of a segment to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Header {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) timestamps: Option<Timestamps>,
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
    /// Fast Open (RFC 7413 §4.1.1).
    pub(crate) fast_open: Option<Cookie>,
    pub(crate) sack: Blocks,
}

impl Header {
    /// Bytes of header and options.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let mut len = HEADER;
        if self.timestamps.is_some() {
            len += TIMESTAMPS;
        }
        if self.flags & SYN != 0 {
            len += 4 * usize::from(self.mss.is_some())
                + 4 * usize::from(self.window_scale.is_some())
                + 4 * usize::from(self.sack_permitted)
                + self.fast_open.map_or(0, |cookie| (2 + cookie.body().len()).next_multiple_of(4));
        }
        if !self.sack.is_empty() {
            len += 4 + 8 * usize::from(self.sack.count);
        }
        len.min(HEADER_MAX)
    }

    /// Writes the header into exactly [`Header::len`] bytes, with a checksum field of zero.
    #[inline]
    pub(crate) fn emit(&self, out: &mut [u8]) {
        let header_len = out.len();
        let Some((fixed, options)) = out.split_first_chunk_mut::<HEADER>() else { return };
        fixed[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        fixed[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        fixed[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        fixed[8..12].copy_from_slice(&self.ack.0.to_be_bytes());
        fixed[12] = (header_len as u8 / 4) << 4;
        fixed[13] = self.flags;
        fixed[14..16].copy_from_slice(&self.window.to_be_bytes());
        fixed[16..20].fill(0);
        let mut rest = options;
        if let Some(timestamps) = self.timestamps
            && let Some((out, behind)) = core::mem::take(&mut rest).split_first_chunk_mut::<TIMESTAMPS>()
        {
            out[..4].copy_from_slice(&NOP_NOP_TIMESTAMPS.to_be_bytes());
            out[4..8].copy_from_slice(&timestamps.val.to_be_bytes());
            out[8..].copy_from_slice(&timestamps.ecr.to_be_bytes());
            rest = behind;
        }
        if !rest.is_empty() {
            self.emit_rare_options(rest);
        }
    }

    /// What only handshakes and acknowledgments of gaps carry.
    #[cold]
    fn emit_rare_options(&self, out: &mut [u8]) {
        let mut writer = OptionWriter { rest: out };
        if self.flags & SYN != 0 {
            self.emit_handshake_options(&mut writer);
        }
        if !self.sack.is_empty() {
            writer.put(&[1, 1, 5, 2 + 8 * self.sack.count]);
            for block in self.sack.as_slice() {
                writer.put(&block.0.0.to_be_bytes());
                writer.put(&block.1.0.to_be_bytes());
            }
        }
    }

    fn emit_handshake_options(&self, writer: &mut OptionWriter<'_>) {
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            writer.put(&[2, 4, high, low]);
        }
        if let Some(shift) = self.window_scale {
            writer.put(&[1, 3, 3, shift]);
        }
        if self.sack_permitted {
            writer.put(&[1, 1, 4, 2]);
        }
        if let Some(cookie) = self.fast_open {
            let len = 2 + cookie.body().len();
            writer.put(&[1, 1, 1][..len.next_multiple_of(4) - len]);
            writer.put(&[34, len as u8]);
            writer.put(cookie.body());
        }
    }
}

struct OptionWriter<'a> {
    rest: &'a mut [u8],
}

impl OptionWriter<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        if let Some((here, after)) = rest.split_at_mut_checked(bytes.len()) {
            here.copy_from_slice(bytes);
            self.rest = after;
        }
    }
}

#[cfg(test)]
#[path = "tests/segment.rs"]
mod tests;
