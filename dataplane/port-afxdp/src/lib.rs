//! The AF_XDP port: packets between NIC queues and user space beside the kernel's own stack, without libbpf or libxdp.
//!
//! ```text
//!                     ┌ ours ─▶ XSKMAP ─▶ receive ring of the queue's socket ─▶ AfXdpPort::rx_burst ─▶ the stack
//!   NIC ─▶ XDP program┤                   fill ring       ◀─ free frames ◀──────────────┐ (frame dropped)
//!                     └ XDP_PASS ─▶ kernel                                              │
//!   NIC ◀──────────────────────────────── transmit ring   ◀─ AfXdpPort::tx_burst ◀── FramePool
//!                                         completion ring ─▶ back to the pool ─────────▶┘
//! ```
//!
//! [`AfXdpDevice::open`] loads and attaches the program once for an interface, and gives one [`QueueBuilder`] a queue.
//! A builder is sent to its worker, which turns it into an [`AfXdpPort`]: one socket, one UMEM, one [`netstack::FramePool`].
//! What is redirected changes at run time with [`AfXdpDevice::update`], without detaching.
//!
//! Who owns a frame when: one on the fill or receive ring belongs to the kernel; `rx_burst` makes it the caller's;
//! one that `tx_burst` took belongs to the kernel until it comes back on the completion ring.
//!
//! Nothing is pinned: program, maps and sockets live as long as their descriptors, so they are gone with the process,
//! also after `kill -9`.
//!
//! Limits: frames are at most one page; longer received packets are joined by copying (see [`MultiBuffer`]), longer
//! sent ones are refused. The kernel has no checksum or segmentation offload for AF_XDP that every driver has, so none
//! is used. Linux 5.10 or later; 5.18 for packets in several buffers under the program, 6.6 to receive them.

mod bpf;
mod config;
mod device;
mod index;
mod insn;
mod join;
mod link;
mod port;
mod profile;
mod program;
mod ring;
mod rss;
mod services;
mod socket;
mod sys;
mod umem;

pub use bpf::AttachMode;
pub use config::{AfXdpConfig, BusyPoll, CopyMode, MultiBuffer, XdpMode};
pub use device::{AfXdpDevice, QueueBuilder};
pub use link::LinkFacts;
pub use port::AfXdpPort;
pub use services::{LocalAddress, Protocol, Service};
