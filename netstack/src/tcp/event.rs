//! What the application sees of TCP: handles, events, errors.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

/// A connection, for as long as it lives; a later connection in the same slot has another generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConnId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl ConnId {
    /// The slot: dense, below the number of connections that ever lived at the same time.
    pub fn index(self) -> u32 {
        self.index
    }

    /// Distinguishes the connections that lived in one slot.
    pub fn generation(self) -> u32 {
        self.generation
    }
}

/// A listener.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenerId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// A set of things that happened to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Ready(u8);

impl Ready {
    /// Nothing.
    pub const NONE: Ready = Ready(0);
    /// A listener completed a handshake.
    pub const ACCEPTED: Ready = Ready(1);
    /// An active open completed.
    pub const CONNECTED: Ready = Ready(2);
    /// Received data was added.
    pub const READABLE: Ready = Ready(4);
    /// The send queue has room again after it had been filled.
    pub const WRITABLE: Ready = Ready(8);
    /// The peer will send no more: what is queued is the last.
    pub const PEER_CLOSED: Ready = Ready(16);
    /// The connection is over and its id dead; [`TcpEvent::ended`] says why.
    pub const ENDED: Ready = Ready(32);

    /// True when every member of `other` is in the set.
    #[inline]
    pub const fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when the set is empty.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bits.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

impl BitOr for Ready {
    type Output = Ready;
    #[inline]
    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl BitOrAssign for Ready {
    #[inline]
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["ACCEPTED", "CONNECTED", "READABLE", "WRITABLE", "PEER_CLOSED", "ENDED"];
        let mut first = true;
        for (bit, name) in names.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{}{name}", if first { "" } else { "|" })?;
                first = false;
            }
        }
        if first { f.write_str("NONE") } else { Ok(()) }
    }
}

/// Why a connection is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum EndReason {
    /// Both sides closed, and everything was acknowledged.
    Closed,
    /// The peer sent a reset.
    ResetByPeer,
    /// The stack gave it up: both sides had closed, but received data was left unread for too long.
    Aborted,
    /// The stack gave it up because memory was full.
    OutOfMemory,
    /// Retransmissions, probes, or the peer's FIN stayed out for too long.
    TimedOut,
    /// The peer answered no keep-alive probe.
    KeepAliveTimedOut,
    /// The peer refused the active open with a reset.
    Refused,
    /// The network said that the peer of an active open cannot be reached.
    Unreachable,
    /// Our end's address is not ours any more: its lease or lifetime is over, or somebody else has it.
    AddressLost,
}

/// Something happened to a connection. One event carries everything since the last one of that connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpEvent {
    /// Which connection.
    pub conn: ConnId,
    /// The application's token for it.
    pub token: u32,
    /// What happened.
    pub ready: Ready,
    /// Who accepted it, with [`Ready::ACCEPTED`].
    pub listener: Option<ListenerId>,
    /// Why it is over, with [`Ready::ENDED`].
    pub ended: Option<EndReason>,
}

/// A listener was not created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenError {
    /// Port 0 cannot be listened on.
    InvalidPort,
    /// Another listener has the port, on this address or on every one.
    InUse,
    /// The address is not one of the stack's.
    NotLocal,
}

/// A connection was not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectError {
    /// No local address can reach the remote one, or the families differ.
    NoSource,
    /// The remote address or port is unusable (unspecified, multicast, broadcast, port 0).
    InvalidRemote,
    /// The limit of connections is reached.
    TooManyConnections,
    /// Memory is full.
    OutOfMemory,
    /// No source port is free (on the own queue, where replies are steered).
    NoPort,
    /// The same connection exists.
    InUse,
}

/// Data was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The send queue is full; [`Ready::WRITABLE`] follows.
    Full,
    /// The connection is not (or no longer) open for sending.
    NotOpen,
    /// There is no such connection.
    NoConnection,
}

macro_rules! describe {
    ($($name:ident { $($variant:ident => $text:literal,)+ })+) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($name::$variant => $text,)+ })
            }
        }
        impl core::error::Error for $name {}
    )+ };
}

describe! {
    ListenError {
        InvalidPort => "port 0 cannot be listened on",
        InUse => "another listener has the port",
        NotLocal => "the address is not a local one",
    }
    ConnectError {
        NoSource => "no local address can reach the remote one",
        InvalidRemote => "the remote address or port cannot be connected to",
        TooManyConnections => "the limit of connections is reached",
        OutOfMemory => "memory is full",
        NoPort => "no source port is free",
        InUse => "the same connection exists already",
    }
    SendError {
        Full => "the send queue is full",
        NotOpen => "the connection is not open for sending",
        NoConnection => "there is no such connection",
    }
}
