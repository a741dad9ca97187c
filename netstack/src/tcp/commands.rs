//! What the application asks for: listening, opening, reading, sending.

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::control_block::{Conn, NewConn, flag};
use super::event::{ConnId, ConnectError, ListenError, ListenerId, SendError};
use super::ports::MAX_SKIP;
use super::send::SendState;
use super::shared::Shared;
use super::state::{State, Transition};
use super::table::Entry;
use super::tuning::Sizes;
use super::tuple::{self, Tuple};
use super::{
    CongestionKind, ConnOptions, ConnectConfig, Ctx, ListenConfig, RecvChunk, Tcp, close, input, pressure, window,
};
use crate::counters::TcpCounter;
use crate::flows::Flows;
use crate::ip::{Egress, PathCache};
use crate::time::Instant;

impl Tcp {
    /// Accepts connections to a port from now on.
    pub fn listen(&mut self, egress: &Egress, config: ListenConfig) -> Result<ListenerId, ListenError> {
        if config.address.is_some_and(|address| !egress.is_local(address)) {
            return Err(ListenError::NotLocal);
        }
        self.shared.listeners.listen(&config)
    }

    /// Accepts no more connections. Established ones stay; half-open ones are dropped; later SYNs are reset.
    pub fn unlisten(&mut self, id: ListenerId) {
        if self.shared.listeners.remove(id).is_none() {
            return;
        }
        // A rare command, bounded by the limit of half-open connections.
        let orphans: Vec<u32> = self
            .shared
            .listeners
            .half_open
            .iter_from(0)
            .filter(|(_, entry)| entry.listener == id)
            .map(|(key, _)| key.index)
            .collect();
        for index in orphans {
            self.shared.counters.bump(TcpCounter::DropUnlisten);
            input::remove_half_open(index, &mut self.shared);
        }
    }

    /// The address and port of a listener.
    pub fn listener(&self, id: ListenerId) -> Option<(Option<IpAddr>, u16)> {
        self.shared.listeners.get(id).map(|listener| (listener.address, listener.port))
    }

    /// Changes the options of connections that are accepted from now on.
    pub fn set_listen_options(&mut self, id: ListenerId, options: ConnOptions) {
        if let Some(listener) = self.shared.listeners.get_mut(id) {
            listener.options = options;
        }
    }

    /// Opens a connection. [`Ready::CONNECTED`](super::Ready::CONNECTED) or
    /// [`Ready::ENDED`](super::Ready::ENDED) follows; data may be queued before.
    pub fn connect(&mut self, ctx: &mut Ctx<'_>, config: ConnectConfig) -> Result<ConnId, ConnectError> {
        let remote = config.remote;
        if !tuple::is_peer(remote.ip()) || remote.port() == 0 {
            return Err(ConnectError::InvalidRemote);
        }
        let local = match config.local {
            Some(local) => Some(local).filter(|&local| ctx.egress.is_local(local)),
            None => ctx.egress.select_source(remote.ip()),
        };
        let local = local.filter(|local| local.is_ipv4() == remote.is_ipv4()).ok_or(ConnectError::NoSource)?;
        if self.conns.len() + self.shared.listeners.half_open.len() >= self.shared.config.max_connections {
            self.shared.counters.bump(TcpCounter::RefuseConnections);
            return Err(ConnectError::TooManyConnections);
        }
        if !self.shared.may_open(self.conns.len()) {
            self.shared.counters.bump(TcpCounter::RefuseMemory);
            return Err(ConnectError::OutOfMemory);
        }
        let tuple = match config.local_port {
            Some(port) => Some(Tuple::new(local, port, remote.ip(), remote.port()))
                .filter(|tuple| !self.in_use(tuple) && self.shared.claim(tuple).is_ok()),
            None => Some(self.choose_port(local, remote).ok_or(ConnectError::NoPort)?),
        };
        let tuple = tuple.ok_or(ConnectError::InUse)?;
        Ok(self.open(tuple, &config, ctx))
    }

    fn open(&mut self, tuple: Tuple, config: &ConnectConfig, ctx: &mut Ctx<'_>) -> ConnId {
        let origins = self.shared.isn.origins(&tuple, ctx.now);
        let window = Sizes::receive(&config.options, &self.shared.config);
        let mut conn = Conn::new(&NewConn {
            tuple,
            state: State::Closed,
            iss: origins.iss,
            ts_offset: origins.ts_offset,
            path: PathCache::default(),
            options: &config.options,
            config: &self.shared.config,
            now: ctx.now,
        });
        conn.move_by(Transition::ActiveOpen);
        conn.set(flag::SYN_DUE | flag::IN_TABLE);
        if config.fast_open {
            conn.set(flag::FAST_OPEN);
        }
        conn.rcv_scale = if self.shared.config.window_scaling { input::scale_for(window.most) } else { 0 };
        conn.rcv_edge = conn.rcv_nxt + conn.recv_limit;
        conn.token = config.token;
        let key = self.conns.insert(conn);
        let hash = self.shared.table.hash(&tuple);
        self.shared.table.insert(hash, Entry::Connection(key.index));
        self.shared.counters.bump(TcpCounter::OpenActive);
        if let Some(conn) = self.conns.get_mut(key) {
            conn.generation = key.generation;
            self.shared.queue_transmit(conn, key.index);
        }
        key.into()
    }

    /// A free port (RFC 6056 §3.3.4), one whose replies come to the own queue where that is known; the flow is claimed.
    fn choose_port(&mut self, local: IpAddr, remote: SocketAddr) -> Option<Tuple> {
        let flows = self.shared.flows.as_ref();
        // With a directory, replies that come elsewhere find their way: steering that was found wrong is not asked.
        let steering = self.steering.as_ref().filter(|_| flows.is_none_or(Flows::trusts_steering));
        let search = steering.map(|steering| steering.ports_to(local, remote.ip(), remote.port()));
        let skip = self.shared.rng.below(MAX_SKIP);
        let (conns, shared) = (&self.conns, &mut self.shared);
        let range = shared.config.ephemeral_ports;
        let found = self.ports.choose(range, local, remote, search.as_ref(), skip, |tuple| {
            !shared.listeners.has_port(tuple.local_port)
                && input::find(conns, shared, shared.table.hash(tuple), tuple).is_none()
                && shared.claim(tuple).is_ok()
        });
        if found.is_none() {
            shared.counters.bump(TcpCounter::RefuseNoPort);
        }
        found
    }

    /// The first received bytes, in place; empty when there are none.
    #[inline]
    pub fn peek(&self, id: ConnId) -> &[u8] {
        let Some(conn) = self.conns.get(id.key()) else { return &[] };
        self.shared.recv.get(conn.recv).map_or(&[], |state| state.front())
    }

    /// Done with the first `n` received bytes: their frames return, the window opens.
    #[inline]
    pub fn consume(&mut self, id: ConnId, n: usize) {
        let Some(conn) = self.conns.get_mut(id.key()) else { return };
        let Some(state) = self.shared.recv.get_mut(conn.recv) else { return };
        let consumed = state.consume(n, &mut self.shared.memory);
        after_read(conn, id.index, consumed, &mut self.shared);
    }

    /// Takes the first received chunk; its frame returns when the chunk is dropped.
    pub fn take_chunk(&mut self, id: ConnId) -> Option<RecvChunk> {
        self.take_chunk_and_left(id).map(|(chunk, _)| chunk)
    }

    /// As [`Tcp::take_chunk`], with the bytes that are left to be read.
    #[inline]
    pub fn take_chunk_and_left(&mut self, id: ConnId) -> Option<(RecvChunk, usize)> {
        let conn = self.conns.get_mut(id.key())?;
        if conn.recv_queued == 0 {
            return None;
        }
        let chunk = self.shared.recv.get_mut(conn.recv)?.take(&mut self.shared.memory)?;
        after_read(conn, id.index, chunk.len(), &mut self.shared);
        Some((chunk, conn.recv_queued as usize))
    }

    /// Received bytes to be read.
    #[inline]
    pub fn recv_len(&self, id: ConnId) -> usize {
        self.conns.get(id.key()).map_or(0, |conn| conn.recv_queued as usize)
    }

    /// True when the peer has closed and everything it sent was read.
    #[inline]
    pub fn recv_finished(&self, id: ConnId) -> bool {
        self.conns.get(id.key()).is_none_or(|conn| conn.has(flag::FIN_RECEIVED) && conn.recv_queued == 0)
    }

    /// Queues data, by reference until the peer has acknowledged it. Any amount is taken while there is room at all:
    /// what is over the limit at most is one call's data.
    #[inline]
    pub fn send(&mut self, id: ConnId, data: Bytes) -> Result<(), SendError> {
        self.send_or_return(id, data).map_err(|(error, _)| error)
    }

    /// As [`Tcp::send`]; data that is not taken comes back.
    #[inline]
    pub fn send_or_return(&mut self, id: ConnId, data: Bytes) -> Result<(), (SendError, Bytes)> {
        let Some(conn) = self.conns.get_mut(id.key()) else { return Err((SendError::NoConnection, data)) };
        if !conn.state.can_queue() || conn.has(flag::FIN_QUEUED) {
            return Err((SendError::NotOpen, data));
        }
        if data.is_empty() {
            return Ok(());
        }
        // The sequence space bounds what can be queued at all.
        let fits = u32::try_from(data.len()).is_ok_and(|len| len <= 1 << 30);
        if conn.send_queued >= conn.send_limit || !fits {
            conn.set(flag::WANT_WRITE);
            self.shared.counters.bump(TcpCounter::RefuseSendFull);
            return Err((SendError::Full, data));
        }
        let cost = SendState::cost(&data);
        if (self.shared.memory.under_pressure || !self.shared.memory.has_room(cost))
            && let Err(error) = pressure::admit_send(conn, id, cost, &mut self.shared)
        {
            return Err((error, data));
        }
        conn.send_queued += data.len() as u32;
        self.shared.memory.queued += cost;
        if conn.send_queued >= conn.send_limit {
            conn.set(flag::WANT_WRITE);
        }
        let state = self.shared.send.take(&mut conn.send);
        state.owner = id.index;
        state.push(data);
        if conn.state.is_synchronized() || conn.has(flag::FAST_OPEN) {
            self.shared.queue_transmit(conn, id.index);
        }
        Ok(())
    }

    /// Bytes that may be queued before the send buffer is full.
    #[inline]
    pub fn send_room(&self, id: ConnId) -> usize {
        self.conns
            .get(id.key())
            .filter(|conn| conn.state.can_queue() && !conn.has(flag::FIN_QUEUED))
            .map_or(0, |conn| conn.send_limit.saturating_sub(conn.send_queued) as usize)
    }

    /// Bytes queued, unsent and unacknowledged.
    #[inline]
    pub fn send_queued(&self, id: ConnId) -> usize {
        self.conns.get(id.key()).map_or(0, |conn| conn.send_queued as usize)
    }

    /// Gives the connection another token.
    pub fn set_token(&mut self, id: ConnId, token: u32) {
        if let Some(conn) = self.conns.get_mut(id.key()) {
            conn.token = token;
        }
    }

    /// The application's token.
    #[inline]
    pub fn token(&self, id: ConnId) -> Option<u32> {
        self.conns.get(id.key()).map(|conn| conn.token)
    }

    /// Gives the connection another congestion controller, which goes on from the window and the threshold that there
    /// are. Nothing changes when it has that one.
    #[inline]
    pub fn set_congestion(&mut self, now: Instant, id: ConnId, kind: CongestionKind) {
        if let Some(conn) = self.conns.get_mut(id.key()) {
            let (mss, seed) = (u32::from(conn.mss), u64::from(conn.iss.0));
            conn.congestion.switch(kind, mss, self.shared.config.initial_window_segments, seed, now);
        }
    }

    /// Own address and port.
    pub fn local(&self, id: ConnId) -> Option<SocketAddr> {
        self.conns.get(id.key()).map(|conn| conn.tuple.local())
    }

    /// The peer's address and port.
    pub fn remote(&self, id: ConnId) -> Option<SocketAddr> {
        self.conns.get(id.key()).map(|conn| conn.tuple.remote())
    }

    /// True until the connection has ended.
    #[inline]
    pub fn is_open(&self, id: ConnId) -> bool {
        self.conns.get(id.key()).is_some_and(|conn| conn.ended.is_none())
    }
}

/// The application has read `bytes`.
#[inline]
fn after_read(conn: &mut Conn, index: u32, bytes: usize, shared: &mut Shared) {
    conn.recv_queued -= bytes as u32;
    if conn.recv_queued == 0 {
        shared.release_recv(conn);
        close::after_read(conn, index, shared);
    }
    if conn.has(flag::CLAMPED) && !shared.memory.under_pressure {
        conn.clear(flag::CLAMPED);
    }
    // A window update, when the peer may be waiting for one.
    if conn.state.can_receive() && window::window_grew(conn, 2 * u32::from(conn.mss)) {
        shared.queue_transmit(conn, index);
    }
}
