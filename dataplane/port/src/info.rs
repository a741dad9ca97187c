//! What a port is, and what it can do.

use netstack::rss::Steering;

/// What a port is; for the log, `mgmt ports` and the stack's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortInfo {
    /// `"af_xdp"`, `"tap"`, `"sim"`, `"ring"`, `"pcap"`.
    pub kind: &'static str,
    /// Name of the interface as the host knows it.
    pub interface: String,
    /// Which queue of the interface.
    pub queue: u16,
    /// How it is attached: `"native"` or `"generic"` for af_xdp, otherwise how the kind moves frames.
    pub mode: &'static str,
    /// True when the device reads and writes the pool's memory itself.
    pub zero_copy: bool,
    /// The address that the stack on this port uses.
    pub mac: [u8; 6],
    /// Largest IP packet, in bytes.
    pub mtu: u16,
}

/// What a port does for the stack.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// Received frames may come with a verdict on their checksum (see [`netstack::frame::RxChecksum`]).
    pub rx_checksum: bool,
    /// The port completes transport checksums (see [`netstack::frame::TxChecksum::Offload`]).
    pub tx_checksum: bool,
    /// Packets longer than one frame arrive (as jumbo frames in several buffers, joined by the port).
    pub multi_buffer: bool,
    /// How received frames are spread over queues, where that is known: active opens choose their port by it.
    pub steering: Option<Steering>,
    /// Most frames that one burst can carry.
    pub max_burst: usize,
}

impl Default for Capabilities {
    fn default() -> Capabilities {
        Capabilities { rx_checksum: false, tx_checksum: false, multi_buffer: false, steering: None, max_burst: 64 }
    }
}
