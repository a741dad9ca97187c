//! One end of a ring pair as a port.

use core::sync::atomic::Ordering;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use netstack::frame::{RxChecksum, TxChecksum};
use netstack::{Frame, FramePool, Instant};

use super::RingConfig;
use super::block::Block;
use super::queue::{Receiver, Refused, Sender};
use crate::{Capabilities, Port, PortCounter, PortCounters, PortInfo, checksum, copy_frame};

/// One end of a ring pair.
pub struct RingPort {
    info: PortInfo,
    checksum_offload: bool,
    sender: Sender,
    receiver: Receiver,
    counters: PortCounters,
    pool: FramePool,
    block: Arc<Block>,
    side: usize,
}

impl RingPort {
    pub(super) fn new(block: Arc<Block>, side: usize, pool: FramePool, config: &RingConfig) -> RingPort {
        let info = PortInfo {
            kind: "ring",
            interface: format!("ring{side}"),
            queue: 0,
            mode: "shared-memory",
            zero_copy: false,
            mac: [0x02, 0, 0, 0, 1, side as u8 + 1],
            mtu: config.mtu,
        };
        RingPort {
            info,
            checksum_offload: config.checksum_offload,
            sender: Sender::new(block.clone(), side),
            receiver: Receiver::new(block.clone(), 1 - side),
            counters: PortCounters::default(),
            pool,
            block,
            side,
        }
    }

    /// Makes `frame` one that can be posted: in our pool, with the checksum that the far side will check.
    fn prepare(&mut self, frame: Frame) -> Option<Frame> {
        let mut frame = if self.pool.owns(&frame) {
            frame
        } else {
            let copy = copy_frame(&self.pool, &frame);
            if copy.is_none() {
                self.counters.bump(PortCounter::DropTxForeignFrame);
            }
            copy?
        };
        if frame.tx_checksum != TxChecksum::Complete && !self.checksum_offload && !checksum::complete(&mut frame) {
            self.counters.bump(PortCounter::DropTxInvalidChecksum);
            return None;
        }
        Some(frame)
    }
}

impl Port for RingPort {
    fn info(&self) -> &PortInfo {
        &self.info
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            rx_checksum: self.checksum_offload,
            tx_checksum: self.checksum_offload,
            ..Capabilities::default()
        }
    }

    fn pool(&self) -> &FramePool {
        &self.pool
    }

    /// An empty pool loses nothing: the frames wait in the ring, and the far side sees it full.
    fn rx_burst(&mut self, _now: Instant, out: &mut Vec<Frame>, max: usize) -> usize {
        let waiting = (self.receiver.waiting() as usize).min(max);
        if waiting == 0 {
            return 0;
        }
        if self.pool.available() < waiting {
            self.sender.reap(&self.pool);
        }
        let (mut received, mut bytes) = (0, 0);
        for _ in 0..waiting {
            match self.receiver.take(&self.pool) {
                Ok(mut frame) => {
                    if self.checksum_offload {
                        frame.rx_checksum = RxChecksum::Verified;
                    }
                    bytes += frame.len() as u64;
                    received += 1;
                    out.push(frame);
                }
                Err(Refused::Invalid) => self.counters.bump(PortCounter::DropRxInvalidDescriptor),
                Err(Refused::NoFrame) => break,
            }
        }
        self.receiver.publish();
        self.counters.add(PortCounter::RxFrames, received as u64);
        self.counters.add(PortCounter::RxBytes, bytes);
        received
    }

    fn tx_burst(&mut self, _now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        if frames.is_empty() {
            self.sender.reap(&self.pool);
            return 0;
        }
        self.sender.reap_some(&self.pool);
        let before = frames.len();
        let (mut sent, mut bytes) = (0, 0);
        while !frames.is_empty() {
            if self.sender.room(&self.pool) == 0 {
                self.counters.bump(PortCounter::TxRingFull);
                break;
            }
            let Some(frame) = frames.pop_front() else { break };
            let Some(frame) = self.prepare(frame) else { continue };
            bytes += frame.len() as u64;
            sent += 1;
            self.sender.post(frame);
        }
        self.sender.publish();
        self.counters.add(PortCounter::TxFrames, sent);
        self.counters.add(PortCounter::TxBytes, bytes);
        before - frames.len()
    }

    fn counters(&self) -> PortCounters {
        self.counters.clone()
    }

    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn prepare_sleep(&mut self) -> bool {
        self.receiver.waiting() == 0
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// False once the far end is gone.
    fn link_up(&mut self) -> bool {
        self.block.open[1 - self.side].load(Ordering::Acquire)
    }
}

impl Drop for RingPort {
    fn drop(&mut self) {
        self.sender.reap(&self.pool);
        self.block.open[self.side].store(false, Ordering::Release);
    }
}
