//! One queue of a TAP interface as a port.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netstack::frame::{RxChecksum, TxChecksum};
use netstack::{Frame, FramePool, Instant};
use rustix::io::Errno;

use super::sys::Control;
use super::{TapQueue, vnet};
use crate::{Capabilities, Port, PortCounter, PortCounters, PortError, PortInfo};

/// Ethernet header and one VLAN tag.
const ETHERNET_AND_VLAN: usize = 18;

/// One queue of a TAP interface.
pub struct TapPort {
    info: PortInfo,
    fd: OwnedFd,
    control: Control,
    pool: FramePool,
    counters: PortCounters,
    up: Option<bool>,
}

impl TapPort {
    pub(super) fn new(queue: TapQueue, pool: FramePool) -> Result<TapPort, PortError> {
        let room = pool.frame_size() - pool.headroom();
        let needed = usize::from(queue.mtu) + ETHERNET_AND_VLAN;
        // One byte more, so that a frame that fills the buffer is known to be cut off.
        if needed >= room {
            let most = room.saturating_sub(ETHERNET_AND_VLAN + 1);
            return Err(PortError::operator(format!(
                "frames have room for {room} bytes, and {} has an MTU of {}",
                queue.name, queue.mtu
            ))
            .remedy(format!("sudo ip link set {} mtu {most}, or larger frames", queue.name)));
        }
        let info = PortInfo {
            kind: "tap",
            interface: queue.name,
            queue: queue.queue,
            mode: "vnet-header",
            zero_copy: false,
            mac: queue.mac,
            mtu: queue.mtu,
        };
        Ok(TapPort { info, fd: queue.fd, control: queue.control, pool, counters: PortCounters::default(), up: None })
    }

    /// Reads one frame. `Ok(None)`: the frame was lost and counted.
    fn read(&mut self) -> Result<Option<Frame>, Errno> {
        let mut header = [0; vnet::LEN];
        let Some(mut frame) = self.pool.alloc() else {
            // Take it from the kernel all the same, so that the loss is counted here and not hidden there.
            rustix::io::read(&self.fd, &mut header)?;
            self.counters.bump(PortCounter::DropRxNoFrame);
            return Ok(None);
        };
        let room = frame.tailroom();
        let buffer = frame.extend(room).unwrap_or_default();
        let read = rustix::io::readv(&self.fd, &mut [IoSliceMut::new(&mut header), IoSliceMut::new(buffer)])?;
        let length = read.saturating_sub(vnet::LEN);
        let verdict = vnet::decode(&header);
        let (Some(checksum), true) = (verdict, length < room) else {
            self.counters.bump(PortCounter::DropRxOversize);
            return Ok(None);
        };
        frame.truncate(length);
        frame.rx_checksum = checksum;
        if checksum == RxChecksum::MaybePartial {
            self.counters.bump(PortCounter::RxPartialChecksum);
        }
        self.counters.bump(PortCounter::RxFrames);
        self.counters.add(PortCounter::RxBytes, length as u64);
        Ok(Some(frame))
    }

    /// Writes one frame. False: the kernel takes no more now.
    fn write(&mut self, frame: &Frame) -> bool {
        let header = vnet::encode(frame.tx_checksum);
        match rustix::io::writev(&self.fd, &[IoSlice::new(&header), IoSlice::new(frame.data())]) {
            Ok(_) => {
                if frame.tx_checksum != TxChecksum::Complete {
                    self.counters.bump(PortCounter::TxChecksumOffloaded);
                }
                self.counters.bump(PortCounter::TxFrames);
                self.counters.add(PortCounter::TxBytes, frame.len() as u64);
            }
            Err(Errno::AGAIN | Errno::NOBUFS) => return false,
            // The kernel's end of the interface is down.
            Err(Errno::IO) => self.counters.bump(PortCounter::DropTxLinkDown),
            Err(Errno::INVAL) => self.counters.bump(PortCounter::DropTxInvalidDescriptor),
            Err(_) => self.counters.bump(PortCounter::DropTxError),
        }
        true
    }
}

impl Port for TapPort {
    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { rx_checksum: true, tx_checksum: true, ..Capabilities::default() }
    }

    fn pool(&self) -> &FramePool {
        &self.pool
    }

    fn rx_burst(&mut self, _now: Instant, out: &mut Vec<Frame>, max: usize) -> usize {
        let before = out.len();
        // Bounded by reads, not by frames received: an empty pool must not make this a loop without end.
        for _ in 0..max {
            match self.read() {
                Ok(frame) => out.extend(frame),
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(_) => {
                    self.counters.bump(PortCounter::DropRxError);
                    break;
                }
            }
        }
        out.len() - before
    }

    fn tx_burst(&mut self, _now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        let before = frames.len();
        while let Some(frame) = frames.pop_front() {
            if !self.write(&frame) {
                frames.push_front(frame);
                self.counters.bump(PortCounter::TxRingFull);
                break;
            }
        }
        before - frames.len()
    }

    fn counters(&self) -> PortCounters {
        self.counters.clone()
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.fd.as_fd())
    }

    /// The descriptor polls readable by level, so nothing needs arming and nothing can be missed.
    fn prepare_sleep(&mut self) -> bool {
        true
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn link_up(&mut self) -> bool {
        let up = self.control.is_running().unwrap_or(false);
        if self.up.replace(up).is_some_and(|before| before != up) {
            self.counters.bump(PortCounter::LinkChanges);
        }
        up
    }
}
