//! Numbers of a connection: relative in a script, absolute on the wire; and the payload that belongs to them.

use crate::segment::{SYN, Segment, TcpOption};
use crate::wire::{self, Ends};

/// Where the numbers of a connection begin, and how far its streams are.
#[derive(Default)]
pub struct Flow {
    peer_isn: u32,
    /// Known from the stack's first SYN on.
    stack_isn: Option<u32>,
    /// The stack's first timestamp.
    stack_ts: Option<u32>,
    /// Bytes that the application queued.
    pub sent: u64,
    /// Bytes that it consumed.
    pub consumed: u64,
}

impl Flow {
    pub fn new(peer_isn: u32) -> Flow {
        Flow { peer_isn, ..Flow::default() }
    }

    /// The absolute number of ours that a script calls `relative`.
    pub fn stack_number(&self, relative: u32) -> u32 {
        relative.wrapping_add(self.stack_isn.unwrap_or(0))
    }

    /// From the script's numbers to those of the wire, and the payload.
    pub fn absolute(&self, segment: &Segment, window: u16) -> (Segment, Vec<u8>) {
        let mut absolute = segment.clone();
        absolute.seq = segment.seq.wrapping_add(self.peer_isn);
        absolute.ack = segment.ack.map(|ack| self.stack_number(ack));
        absolute.window = Some(window);
        for option in absolute.options.iter_mut().flatten() {
            match option {
                TcpOption::Sack(blocks) => {
                    for (from, to) in blocks {
                        (*from, *to) = (self.stack_number(*from), self.stack_number(*to));
                    }
                }
                TcpOption::Timestamps { ecr, .. } => *ecr = ecr.wrapping_add(self.stack_ts.unwrap_or(0)),
                _ => {}
            }
        }
        let first = u64::from(segment.seq.wrapping_sub(u32::from(segment.flags & SYN == 0)));
        let payload = (first..first + u64::from(segment.length)).map(pattern).collect();
        (absolute, payload)
    }

    /// From a frame of the stack to the script's numbers, and its payload.
    pub fn relative(&mut self, ends: &Ends, frame: &[u8]) -> Result<(Segment, Vec<u8>), String> {
        let (mut segment, payload) = wire::decode(ends, frame)?;
        if segment.flags & SYN != 0 {
            self.stack_isn.get_or_insert(segment.seq);
        }
        segment.seq = segment.seq.wrapping_sub(self.stack_isn.unwrap_or(0));
        let peer_isn = self.peer_isn;
        segment.ack = segment.ack.map(|ack| ack.wrapping_sub(peer_isn));
        for option in segment.options.iter_mut().flatten() {
            match option {
                TcpOption::Sack(blocks) => {
                    for (from, to) in blocks {
                        (*from, *to) = (from.wrapping_sub(peer_isn), to.wrapping_sub(peer_isn));
                    }
                }
                TcpOption::Timestamps { val, .. } => {
                    *val = val.wrapping_sub(*self.stack_ts.get_or_insert(*val));
                }
                _ => {}
            }
        }
        Ok((segment, payload))
    }
}

/// The byte at `position` of either stream: every run of it is different within what a window holds.
pub fn pattern(position: u64) -> u8 {
    (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}
