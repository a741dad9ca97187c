//! Why a packet did not leave.

use core::fmt;

/// Why a packet was not sent. It is counted already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EgressError {
    /// No route to the destination, or it is an address of our own.
    NoRoute,
    /// The next hop's MAC address is unknown and not ours to ask for, or the neighbour table is full.
    NoNeighbor,
    /// The packet exceeds the interface's MTU.
    TooBig,
    /// The transmit queue is full.
    QueueFull,
    /// The frame has no room for the headers.
    Headroom,
    /// The pool has no frame.
    NoFrame,
}

impl fmt::Display for EgressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EgressError::NoRoute => "no route to the destination",
            EgressError::NoNeighbor => "the next hop's link address is unknown",
            EgressError::TooBig => "the packet exceeds the MTU",
            EgressError::QueueFull => "the transmit queue is full",
            EgressError::Headroom => "the frame has no room for the headers",
            EgressError::NoFrame => "the frame pool is empty",
        })
    }
}

impl core::error::Error for EgressError {}
