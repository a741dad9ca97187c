//! What an operator may ask of the port.

use crate::services::{LocalAddress, Service};

/// Where the XDP program is attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum XdpMode {
    /// In the driver; where that fails, in the kernel's generic path (and the device says why).
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// In the generic path.
    Generic,
}

/// Who copies frames between the NIC's memory and ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CopyMode {
    /// Nobody where the driver can do without, the kernel elsewhere.
    #[default]
    Auto,
    /// The kernel.
    Copy,
    /// Nobody, or fail.
    ZeroCopy,
}

/// When packets longer than one frame are received, in several buffers that the port joins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MultiBuffer {
    /// Where they can occur: in generic mode, on virtual links, and when the MTU exceeds a frame. Elsewhere not,
    /// because most drivers have zero-copy only without it.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never: longer packets are lost in the kernel.
    Off,
}

/// Busy polling: the driver's queue is polled by the worker's system calls instead of interrupts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BusyPoll {
    /// How long one call may poll, in microseconds.
    pub microseconds: u16,
    /// Most frames that one call takes from the device.
    pub budget_frames: u16,
}

impl Default for BusyPoll {
    fn default() -> BusyPoll {
        BusyPoll { microseconds: 20, budget_frames: 64 }
    }
}

/// How to open a device.
#[derive(Clone, Debug)]
pub struct AfXdpConfig {
    /// Name of the interface, in the network namespace of the opening thread.
    pub interface: String,
    /// Queues to open, from queue 0 on. `None`: all that the interface has.
    pub queues: Option<u32>,
    /// Allows fewer queues than the interface has: what arrives on the others goes to the kernel. Right only when
    /// the NIC's indirection table spares the others.
    pub partial_queues: bool,
    /// Where the program is attached.
    pub mode: XdpMode,
    /// Who copies.
    pub copy: CopyMode,
    /// Whether packets longer than a frame are received.
    pub multi_buffer: MultiBuffer,
    /// Frames of each queue's pool.
    pub frames: u32,
    /// Entries of each of the four rings; a power of two.
    pub ring_entries: u32,
    /// Bytes before the data of a fresh transmit frame.
    pub headroom: usize,
    /// Most joined packets (of up to 64 KiB each) that one queue holds at a time.
    pub jumbo_frames: u32,
    /// Tries 2 MiB pages for the frames.
    pub huge_pages: bool,
    /// Busy polling; off by default.
    pub busy_poll: Option<BusyPoll>,
    /// The 802.1Q tag of our frames; `None`: frames without a tag.
    pub vlan: Option<u16>,
    /// Services at the start; see [`crate::AfXdpDevice::update`].
    pub services: Vec<Service>,
    /// Our addresses at the start.
    pub addresses: Vec<LocalAddress>,
    /// Most entries of the service map (a service without an address takes two).
    pub max_services: u32,
    /// Most addresses.
    pub max_addresses: u32,
}

impl AfXdpConfig {
    /// The defaults for an interface: everything automatic, nothing redirected yet.
    pub fn new(interface: impl Into<String>) -> AfXdpConfig {
        AfXdpConfig {
            interface: interface.into(),
            queues: None,
            partial_queues: false,
            mode: XdpMode::Auto,
            copy: CopyMode::Auto,
            multi_buffer: MultiBuffer::Auto,
            frames: 8192,
            ring_entries: 2048,
            headroom: 128,
            jumbo_frames: 32,
            huge_pages: true,
            busy_poll: None,
            vlan: None,
            services: Vec::new(),
            addresses: Vec::new(),
            max_services: 1024,
            max_addresses: 256,
        }
    }
}
