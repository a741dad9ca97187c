//! Ports: where packets enter and leave a worker, as bursts of owned frames.
//!
//! ```text
//!            wrappers: Capture<P>  Fault<P>  Trace<P>          (each is a Port again)
//!                                 │
//!   worker ──rx_burst / tx_burst──┤
//!                                 │
//!            tap::TapPort     sim::SimPort     ring::RingPort     pcap::ReplayPort       (af_xdp: crate port-afxdp)
//! ```
//!
//! Who owns a frame when: before `rx_burst` the port (or the kernel behind it), afterwards the caller. `tx_burst`
//! takes frames from the front of the caller's queue; a frame it took returns to its pool when the wire is done with
//! it. Frames that did not fit stay in the queue. Every port has exactly one [`FramePool`], and every frame that it
//! hands out comes from there. A port belongs to one worker and one thread.
//!
//! Limits: a frame is one buffer (no chains); what does not fit a frame of the pool is dropped and counted.

#![deny(unsafe_code)]

pub mod capture;
pub mod checksum;
mod counters;
mod error;
pub mod fault;
pub mod headers;
pub mod impair;
mod info;
pub mod pcap;
pub mod sim;
pub mod tap;
#[cfg(test)]
mod testing;
pub mod trace;

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use netstack::{Frame, FramePool, Instant};

pub use counters::{PortCounter, PortCounters};
pub use error::{Blame, PortError};
pub use info::{Capabilities, PortInfo};

/// One queue pair of one interface, owned by one worker.
pub trait Port {
    /// What this port is: kind, interface, queue, address.
    fn info(&self) -> &PortInfo;

    /// What the port does for the stack.
    fn capabilities(&self) -> Capabilities;

    /// The pool that received frames come from, and that frames to be sent should come from.
    fn pool(&self) -> &FramePool;

    /// Appends up to `max` received frames to `out`; returns how many.
    fn rx_burst(&mut self, now: Instant, out: &mut Vec<Frame>, max: usize) -> usize;

    /// Takes from the front of `frames` what fits, and returns how many it took; the rest stays in order. Called
    /// with an empty queue it still collects finished frames and kicks the device when that is due.
    fn tx_burst(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> usize;

    /// What happened since the port was opened.
    fn counters(&self) -> PortCounters;

    /// A descriptor that polls readable when there may be something to receive; `None` when the port can only be
    /// polled.
    fn wait_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Arms the wake-up before the caller sleeps on [`Port::wait_fd`]. `false`: something is already there, do not
    /// sleep.
    fn prepare_sleep(&mut self) -> bool;

    /// When a port in virtual time has its next delivery; `None` for all others.
    fn poll_timeout(&self) -> Option<Instant>;

    /// True while the link carries packets.
    fn link_up(&mut self) -> bool;
}

impl<P: Port + ?Sized> Port for Box<P> {
    fn info(&self) -> &PortInfo {
        (**self).info()
    }
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
    fn pool(&self) -> &FramePool {
        (**self).pool()
    }
    fn rx_burst(&mut self, now: Instant, out: &mut Vec<Frame>, max: usize) -> usize {
        (**self).rx_burst(now, out, max)
    }
    fn tx_burst(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> usize {
        (**self).tx_burst(now, frames)
    }
    fn counters(&self) -> PortCounters {
        (**self).counters()
    }
    fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        (**self).wait_fd()
    }
    fn prepare_sleep(&mut self) -> bool {
        (**self).prepare_sleep()
    }
    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }
    fn link_up(&mut self) -> bool {
        (**self).link_up()
    }
}

/// A copy of `frame` in a fresh frame of `pool`, with what is known of its checksums. `None` when the pool is empty
/// or its frames are too small.
pub fn copy_frame(pool: &FramePool, frame: &Frame) -> Option<Frame> {
    let mut copy = pool.alloc()?;
    copy.extend(frame.len())?.copy_from_slice(frame.data());
    copy.rx_checksum = frame.rx_checksum;
    copy.tx_checksum = frame.tx_checksum;
    Some(copy)
}
