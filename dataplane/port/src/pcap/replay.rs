//! A port whose receive side is a packet file and whose transmit side is recorded to another.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use netstack::{Frame, FramePool, Instant};

use super::{Direction, Packet, Writer};
use crate::{Capabilities, Port, PortCounter, PortCounters, PortInfo, checksum};

/// When replayed packets arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// With the distances of the file; the first one when the port is first polled.
    Recorded,
    /// As fast as they are taken.
    Unpaced,
}

/// How a file is replayed.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// When packets arrive.
    pub pace: Pace,
    /// Replay the packets that the capturing machine had sent, too (a file without directions is replayed whole).
    pub outbound: bool,
    /// Address of the stack on this port.
    pub mac: [u8; 6],
    /// Largest IP packet, in bytes.
    pub mtu: u16,
}

impl Default for ReplayOptions {
    fn default() -> ReplayOptions {
        ReplayOptions { pace: Pace::Recorded, outbound: false, mac: [0x02, 0, 0, 0, 0, 0x0a], mtu: 1500 }
    }
}

/// Replays packets, and records what is sent.
pub struct ReplayPort {
    info: PortInfo,
    pace: Pace,
    packets: VecDeque<Packet>,
    /// The time of the first packet in the file and in the replay.
    start: Option<(u64, Instant)>,
    record: Option<Writer<Box<dyn Write>>>,
    pool: FramePool,
    counters: PortCounters,
}

impl ReplayPort {
    /// Replays `packets` (from [`super::read`]) into frames of `pool`.
    pub fn new(packets: Vec<Packet>, pool: FramePool, options: &ReplayOptions) -> ReplayPort {
        let wanted = |packet: &Packet| options.outbound || packet.direction != Some(Direction::Outbound);
        let info = PortInfo {
            kind: "pcap",
            interface: "replay".into(),
            queue: 0,
            mode: "replay",
            zero_copy: false,
            mac: options.mac,
            mtu: options.mtu,
        };
        ReplayPort {
            info,
            pace: options.pace,
            packets: packets.into_iter().filter(wanted).collect(),
            start: None,
            record: None,
            pool,
            counters: PortCounters::default(),
        }
    }

    /// Records both directions to `out` as pcapng from now on; times are those that the port is given.
    pub fn record_to(&mut self, out: Box<dyn Write>) -> io::Result<()> {
        let mut writer = Writer::new(out, "AnyGate")?;
        writer.add_interface(&self.info.interface, 0)?;
        self.record = Some(writer);
        Ok(())
    }

    /// Packets still to come.
    pub fn remaining(&self) -> usize {
        self.packets.len()
    }

    fn due(&self) -> Option<Instant> {
        let next = self.packets.front()?;
        Some(match (self.pace, self.start) {
            (Pace::Recorded, Some((file, replay))) => replay.plus_nanos(next.at_nanos.saturating_sub(file)),
            _ => Instant::ZERO,
        })
    }

    fn receive(&mut self, packet: &Packet) -> Option<Frame> {
        let Some(mut frame) = self.pool.alloc() else {
            self.counters.bump(PortCounter::DropRxNoFrame);
            return None;
        };
        let Some(room) = frame.extend(packet.bytes.len()) else {
            self.counters.bump(PortCounter::DropRxOversize);
            return None;
        };
        room.copy_from_slice(&packet.bytes);
        self.counters.bump(PortCounter::RxFrames);
        self.counters.add(PortCounter::RxBytes, packet.bytes.len() as u64);
        Some(frame)
    }

    /// Writes one packet to the recording; a recording that fails ends, and the failure is counted.
    fn record(&mut self, now: Instant, direction: Direction, bytes: &[u8]) {
        let Some(writer) = &mut self.record else { return };
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if writer.packet(0, now.as_nanos(), Some(direction), length, bytes).is_err() {
            self.record = None;
            self.counters.bump(PortCounter::CaptureLost);
        }
    }
}

impl Port for ReplayPort {
    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn pool(&self) -> &FramePool {
        &self.pool
    }

    fn rx_burst(&mut self, now: Instant, out: &mut Vec<Frame>, max: usize) -> usize {
        if let (None, Some(first)) = (self.start, self.packets.front()) {
            self.start = Some((first.at_nanos, now));
        }
        let before = out.len();
        while out.len() - before < max && self.due().is_some_and(|due| due <= now) {
            let Some(packet) = self.packets.pop_front() else { break };
            if let Some(frame) = self.receive(&packet) {
                self.record(now, Direction::Inbound, frame.data());
                out.push(frame);
            }
        }
        out.len() - before
    }

    fn tx_burst(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        let taken = frames.len();
        for mut frame in frames.drain(..) {
            if !checksum::complete(&mut frame) {
                self.counters.bump(PortCounter::DropTxInvalidChecksum);
                continue;
            }
            self.counters.bump(PortCounter::TxFrames);
            self.counters.add(PortCounter::TxBytes, frame.len() as u64);
            self.record(now, Direction::Outbound, frame.data());
        }
        taken
    }

    fn counters(&self) -> PortCounters {
        self.counters.clone()
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn prepare_sleep(&mut self) -> bool {
        true
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due()
    }

    /// True while there is something left to replay.
    fn link_up(&mut self) -> bool {
        !self.packets.is_empty()
    }
}

impl Drop for ReplayPort {
    fn drop(&mut self) {
        if let Some(writer) = &mut self.record {
            // Nobody is left to tell; what was flushed before stays readable.
            let _ = writer.flush();
        }
    }
}
