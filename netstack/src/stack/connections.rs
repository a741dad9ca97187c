//! The TCP side of the facade: commands, events, observation.

use core::net::SocketAddr;

use bytes::Bytes;

use super::Stack;
use crate::tcp::{
    CongestionKind, ConnId, ConnInfo, ConnOptions, ConnectConfig, ConnectError, Ctx, ListenConfig, ListenError,
    ListenerId, RecvChunk, SendError, TcpCounters, TcpEvent,
};
use crate::time::Instant;

impl Stack {
    /// The next thing that happened to a connection, in the order in which they happened; what happens to one
    /// connection before it is polled comes as one event.
    #[inline]
    pub fn poll_event(&mut self) -> Option<TcpEvent> {
        self.tcp.poll_event()
    }

    /// Begins to accept connections.
    pub fn listen(&mut self, config: ListenConfig) -> Result<ListenerId, ListenError> {
        self.tcp.listen(&self.egress, config)
    }

    /// Ends a listener: established connections stay, half-open ones are dropped, later SYNs are reset.
    pub fn unlisten(&mut self, listener: ListenerId) {
        self.tcp.unlisten(listener);
    }

    /// Changes the options of connections that a listener accepts from now on.
    pub fn set_listen_options(&mut self, listener: ListenerId, options: ConnOptions) {
        self.tcp.set_listen_options(listener, options);
    }

    /// Opens a connection; [`Ready::CONNECTED`](crate::tcp::Ready::CONNECTED) or the end follows as an event.
    pub fn connect(&mut self, now: Instant, config: ConnectConfig) -> Result<ConnId, ConnectError> {
        self.tcp.connect(&mut Ctx { now, egress: &mut self.egress }, config)
    }

    /// The first contiguous received chunk, in place in its frame; empty when nothing is there.
    #[inline]
    pub fn peek(&self, conn: ConnId) -> &[u8] {
        self.tcp.peek(conn)
    }

    /// Done with the first `n` received bytes: frames return to their pool and the window opens.
    #[inline]
    pub fn consume(&mut self, conn: ConnId, n: usize) {
        self.tcp.consume(conn, n);
    }

    /// The first received chunk, owned; its bytes count as consumed.
    #[inline]
    pub fn take_chunk(&mut self, conn: ConnId) -> Option<RecvChunk> {
        self.tcp.take_chunk(conn)
    }

    /// As [`Stack::take_chunk`], with the bytes that are left to be read: zero spares the caller to ask again.
    #[inline]
    pub fn take_chunk_and_left(&mut self, conn: ConnId) -> Option<(RecvChunk, usize)> {
        self.tcp.take_chunk_and_left(conn)
    }

    /// Received bytes that wait for the application.
    #[inline]
    pub fn recv_len(&self, conn: ConnId) -> usize {
        self.tcp.recv_len(conn)
    }

    /// True when the peer's FIN was received and everything before it consumed.
    #[inline]
    pub fn recv_finished(&self, conn: ConnId) -> bool {
        self.tcp.recv_finished(conn)
    }

    /// Queues `data` by reference until it is acknowledged; all of it or nothing.
    #[inline]
    pub fn send(&mut self, conn: ConnId, data: Bytes) -> Result<(), SendError> {
        self.tcp.send(conn, data)
    }

    /// As [`Stack::send`]; data that is not taken comes back.
    #[inline]
    pub fn send_or_return(&mut self, conn: ConnId, data: Bytes) -> Result<(), (SendError, Bytes)> {
        self.tcp.send_or_return(conn, data)
    }

    /// Bytes that [`Stack::send`] would take now.
    #[inline]
    pub fn send_room(&self, conn: ConnId) -> usize {
        self.tcp.send_room(conn)
    }

    /// Bytes queued and not yet acknowledged.
    #[inline]
    pub fn send_queued(&self, conn: ConnId) -> usize {
        self.tcp.send_queued(conn)
    }

    /// Sends a FIN after what is queued; receiving goes on until the peer closes too.
    pub fn close(&mut self, now: Instant, conn: ConnId) {
        self.tcp.close(&mut Ctx { now, egress: &mut self.egress }, conn);
    }

    /// Resets the connection; it is gone at once and no event follows.
    pub fn abort(&mut self, now: Instant, conn: ConnId) {
        self.tcp.abort(&mut Ctx { now, egress: &mut self.egress }, conn);
    }

    /// Changes the application's token, which comes back with every event.
    pub fn set_token(&mut self, conn: ConnId, token: u32) {
        self.tcp.set_token(conn, token);
    }

    /// The application's token.
    pub fn token(&self, conn: ConnId) -> Option<u32> {
        self.tcp.token(conn)
    }

    /// Gives the connection another congestion controller, which goes on from the window that there is. Nothing changes
    /// when it has that one.
    #[inline]
    pub fn set_congestion(&mut self, now: Instant, conn: ConnId, kind: CongestionKind) {
        self.tcp.set_congestion(now, conn, kind);
    }

    /// Our end.
    pub fn local(&self, conn: ConnId) -> Option<SocketAddr> {
        self.tcp.local(conn)
    }

    /// The peer's end.
    pub fn remote(&self, conn: ConnId) -> Option<SocketAddr> {
        self.tcp.remote(conn)
    }

    /// True while the id names a connection.
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.tcp.is_open(conn)
    }

    /// What TCP counted.
    pub fn tcp_counters(&self) -> &TcpCounters {
        self.tcp.counters()
    }

    /// Up to `max` connections from slot `from` on, in slab order; a page of `mgmt conns`.
    pub fn connections(&self, from: usize, max: usize) -> impl Iterator<Item = ConnInfo> + '_ {
        self.tcp.connections(from, max)
    }

    /// Connections of the application, half-open and TIME-WAIT ones not counted.
    pub fn connection_count(&self) -> usize {
        self.tcp.connection_count()
    }

    #[cfg(test)]
    pub(crate) fn tcp_and_egress(&mut self) -> (&mut crate::tcp::Tcp, &mut crate::ip::Egress) {
        (&mut self.tcp, &mut self.egress)
    }

    /// TCP itself, for what only tests and simulations look at ([`Tcp::audit`](crate::tcp::Tcp::audit)).
    pub fn tcp(&self) -> &crate::tcp::Tcp {
        &self.tcp
    }
}
