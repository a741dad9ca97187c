//! The HTTP service of one worker: connections of the stack on one side, routes and actions on the other.
//!
//! ```text
//!   TcpEvent ─▶ handle_event ─▶ take_chunk ─▶ h1::Server ─▶ Request ─▶ Responder (route, action) ─▶ Bytes ─▶ Stack::send
//!                                                        └▶ Body, End ─▶ echo
//! ```
//!
//! Like the machines it composes it reads no clock: `now` is an argument, the date is set from outside. A request with
//! an immediate answer is parsed in the receive frame, and its answer queued by reference, in the same pass.

mod connection;
mod counters;
mod endings;
mod requests;
mod respond;

pub use counters::{HttpCounter, HttpCounters, HttpCounts};

use crate::snapshot::{Current, Reader};
use connection::HttpConn;
use netstack::slab::Slab;
use netstack::tcp::{ConnId, Ready, TcpEvent};
use netstack::wheel::TimerWheel;
use netstack::{Instant, Stack};
use proto::h1;
use respond::Responder;
use std::time::Duration;

/// Granularity of HTTP's deadlines.
const TICK: Duration = Duration::from_millis(4);

/// The service.
#[derive(Debug)]
pub struct HttpService {
    conns: Slab<HttpConn>,
    wheel: TimerWheel,
    snapshot: Reader,
    responder: Responder,
    counters: HttpCounters,
    /// Where the drain has come to in the slab; `None` without a drain.
    drain_from: Option<usize>,
}

fn proto_time(now: Instant) -> proto::Instant {
    proto::Instant::from_nanos(now.as_nanos())
}

fn stack_time(at: proto::Instant) -> Instant {
    Instant::from_nanos(at.as_nanos())
}

impl HttpService {
    /// A service without connections.
    pub fn new(current: Current, now: Instant, unix_seconds: u64) -> HttpService {
        let snapshot = current.reader();
        HttpService {
            conns: Slab::default(),
            wheel: TimerWheel::new(now, TICK),
            responder: Responder::new(snapshot.snapshot(), unix_seconds),
            snapshot,
            counters: HttpCounters::default(),
            drain_from: None,
        }
    }

    /// What was counted.
    pub fn counters(&self) -> &HttpCounters {
        &self.counters
    }

    /// Connections held.
    pub fn connection_count(&self) -> usize {
        self.conns.len()
    }

    /// True without a connection.
    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// Generation of the snapshot that new requests see.
    pub fn generation(&self) -> u64 {
        self.snapshot.snapshot().generation
    }

    /// Sets the date that answers carry, in seconds since 1970.
    pub fn set_date(&mut self, unix_seconds: u64) {
        self.responder.set_date(unix_seconds);
    }

    /// Looks for a newer snapshot; requests that have begun keep theirs. True when there was one.
    pub fn pick_up_snapshot(&mut self) -> bool {
        let newer = self.snapshot.refresh();
        if newer {
            self.responder.follow(self.snapshot.snapshot());
        }
        newer
    }

    /// From now on connections end with their present answers; idle ones end at once.
    pub fn start_drain(&mut self) {
        self.drain_from = Some(0);
    }

    /// Resets every connection (the end of a drain).
    pub fn abort_all(&mut self, now: Instant, stack: &mut Stack) {
        let all: Vec<ConnId> = self.conns.iter_from(0).map(|(_, http)| http.conn).collect();
        for conn in all {
            self.counters.events.bump(HttpCounter::ResetDrainDeadline);
            stack.abort(now, conn);
        }
        self.conns = Slab::default();
    }

    /// Reacts to an event of the stack.
    pub fn handle_event(&mut self, now: Instant, stack: &mut Stack, event: &TcpEvent) {
        if event.ready.contains(Ready::ENDED) {
            return self.forget(event);
        }
        let slot = match event.ready.contains(Ready::ACCEPTED) {
            true => match self.accept(now, stack, event.conn) {
                Some(slot) => slot,
                None => return,
            },
            false => event.token,
        };
        if self.conns.at(slot).is_none_or(|http| http.conn != event.conn) {
            return;
        }
        if event.ready.contains(Ready::WRITABLE) {
            self.send_unsent(now, stack, slot);
        }
        if event.ready.contains(Ready::PEER_CLOSED)
            && let Some(http) = self.conns.at_mut(slot)
        {
            http.peer_closed = true;
        }
        self.read(now, stack, slot);
        self.arm(slot);
    }

    /// Ends connections whose deadlines have passed, and goes on with a drain.
    pub fn handle_timeouts(&mut self, now: Instant, stack: &mut Stack) {
        while let Some(slot) = self.wheel.poll_expired(now) {
            self.handle_timeout(now, stack, slot);
        }
        if self.drain_from.is_some_and(|from| from < self.conns.slots()) {
            self.drain_some(now, stack);
        }
    }

    /// When [`HttpService::handle_timeouts`] is needed next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wheel.next_deadline()
    }

    fn accept(&mut self, now: Instant, stack: &mut Stack, conn: ConnId) -> Option<u32> {
        let snapshot = self.snapshot.snapshot();
        if self.conns.len() >= snapshot.max_connections {
            self.counters.events.bump(HttpCounter::RefuseConnectionLimit);
            stack.abort(now, conn);
            return None;
        }
        self.counters.events.bump(HttpCounter::Connections);
        let machine = h1::Server::new(proto_time(now));
        let slot = self.conns.insert(HttpConn::new(conn, machine)).index;
        stack.set_token(conn, slot);
        Some(slot)
    }

    fn forget(&mut self, event: &TcpEvent) {
        if self.conns.at(event.token).is_some_and(|http| http.conn == event.conn)
            && let Some(key) = self.conns.key_at(event.token)
        {
            self.conns.remove(key);
            self.wheel.cancel(event.token);
        }
    }
}
