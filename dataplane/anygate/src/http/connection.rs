//! One HTTP connection: the protocol machine and what the service is doing for it.

use super::respond::EchoInProgress;
use crate::snapshot::Snapshot;
use bytes::Bytes;
use netstack::Instant;
use netstack::tcp::ConnId;
use proto::h1;
use std::sync::Arc;

/// State of one connection. Small: 100,000 of them may sit idle.
#[derive(Debug)]
pub(super) struct HttpConn {
    pub conn: ConnId,
    pub machine: h1::Server,
    /// When its deadline is due on the wheel; the machine's own may be later, never earlier.
    pub armed_at: Option<Instant>,
    /// What outlives a turn; most requests need none of it.
    pub pending: Option<Box<Pending>>,
    /// Bytes that were queued when a slow reader was looked at last.
    pub write_mark: usize,
    /// The peer has sent its FIN.
    pub peer_closed: bool,
    /// The connection ends when its answers have left: no further request is read.
    pub closing: bool,
}

/// What a connection holds between two turns when a request could not be answered at once.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// A request whose body is being collected, with the snapshot that it began with.
    pub echo: Option<(EchoInProgress, Arc<Snapshot>)>,
    /// An answer that the send buffer had no room for.
    pub unsent: Option<Unsent>,
    /// Received bytes that wait until the answer before them has left.
    pub unread: Bytes,
}

/// An answer that waits for room.
#[derive(Debug)]
pub(super) struct Unsent {
    pub bytes: Bytes,
    pub keep: bool,
}

impl HttpConn {
    pub fn new(conn: ConnId, machine: h1::Server) -> HttpConn {
        HttpConn { conn, machine, armed_at: None, pending: None, write_mark: 0, peer_closed: false, closing: false }
    }

    /// True when no further request may be read now.
    pub fn is_blocked(&self) -> bool {
        self.closing || self.pending.as_ref().is_some_and(|pending| pending.unsent.is_some())
    }

    pub fn pending_mut(&mut self) -> &mut Pending {
        self.pending.get_or_insert_with(Box::default)
    }

    /// Frees the memory of what is no longer pending.
    pub fn settle(&mut self) {
        let done = |p: &Pending| p.echo.is_none() && p.unsent.is_none() && p.unread.is_empty();
        if self.pending.as_deref().is_some_and(done) {
            self.pending = None;
        }
    }
}
