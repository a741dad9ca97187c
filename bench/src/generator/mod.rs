//! The load generator: a client on our own stack, so that it can saturate a fast server from one core.
//!
//! ```text
//!   Opening ──all idle and active connections stand──▶ WarmUp ──▶ Measuring ──▶ Done
//! ```
//!
//! Closed loop: each connection sends its next request when the answer has come; the rate is what the server gives.
//! Open loop: requests are due at a fixed rate, whatever the server does, and latency counts from the moment a request
//! was *due*, so a stall is seen by every request that it delayed (no coordinated omission).
//!
//! The first answer of a connection is parsed strictly; later ones must begin with the same status line and have the
//! same length, which is checked without parsing: the generator must be cheaper than the server.

mod config;
mod connection;
mod report;

pub use config::{LoadConfig, Pacing, Reuse};
pub use report::LoadReport;

use connection::{Active, Phase as ConnPhase, Verdict};
use netstack::tcp::{ConnId, ConnectConfig, EndReason, Ready, TcpEvent};
use netstack::{Frame, Instant, Stack};
use port::Port;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const BURST_FRAMES: usize = 32;
/// Opens under way at one time: under a server's usual backlog.
const OPENS_AT_ONCE: usize = 256;
/// Token of a connection that is only held.
const IDLE_TOKEN: u32 = u32::MAX;

/// Where a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Connections are being opened.
    Opening,
    /// Load runs, nothing is recorded.
    WarmUp,
    /// Load runs and is recorded.
    Measuring,
    /// Over.
    Done,
}

/// One generator on one port.
pub struct Generator<P> {
    port: P,
    stack: Stack,
    config: LoadConfig,
    stage: Stage,
    stage_since: Instant,
    active: Vec<Active>,
    idle_opened: usize,
    idle_standing: usize,
    opens_under_way: usize,
    to_open: Vec<u32>,
    free: VecDeque<u32>,
    due: Instant,
    next_local: usize,
    report: LoadReport,
    rx: Vec<Frame>,
    tx: VecDeque<Frame>,
}

impl<P: Port> Generator<P> {
    /// A generator that begins to open its connections on the first turn.
    pub fn new(port: P, stack: Stack, config: LoadConfig, now: Instant) -> Generator<P> {
        let active: Vec<Active> = (0..config.connections).map(|_| Active::new()).collect();
        let to_open = (0..config.connections as u32).rev().collect();
        Generator {
            port,
            stack,
            stage: Stage::Opening,
            stage_since: now,
            active,
            idle_opened: 0,
            idle_standing: 0,
            opens_under_way: 0,
            to_open,
            free: VecDeque::with_capacity(config.connections),
            due: now,
            next_local: 0,
            report: LoadReport::default(),
            rx: Vec::with_capacity(BURST_FRAMES),
            tx: VecDeque::with_capacity(1024),
            config,
        }
    }

    /// Where the run is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Idle connections that stand now.
    pub fn idle_standing(&self) -> usize {
        self.idle_standing
    }

    /// Answers recorded so far.
    pub fn answers(&self) -> u64 {
        self.report.requests()
    }

    /// What was measured; complete when the stage is [`Stage::Done`].
    pub fn into_report(mut self) -> LoadReport {
        self.report.idle_connections = self.idle_standing;
        self.report
    }

    /// The stack, for observation.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The port, for sleeping on it.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// One turn: receive, react, send. True when there was work.
    pub fn turn(&mut self, now: Instant) -> bool {
        let received = self.port.rx_burst(now, &mut self.rx, BURST_FRAMES);
        for frame in self.rx.drain(..) {
            self.stack.handle_frame(now, frame);
        }
        self.stack.handle_timeout(now);
        while let Some(event) = self.stack.poll_event() {
            self.handle_event(now, &event);
        }
        self.stack.settle(now);
        self.advance(now);
        self.open_more(now);
        self.send_due(now);
        loop {
            let fresh = self.stack.poll_transmit(now, &mut self.tx, BURST_FRAMES);
            let waiting = self.tx.len();
            let sent = self.port.tx_burst(now, &mut self.tx);
            if fresh < BURST_FRAMES || sent < waiting {
                return received > 0 || sent > 0;
            }
        }
    }

    fn advance(&mut self, now: Instant) {
        let elapsed = now.saturating_since(self.stage_since);
        let next = match self.stage {
            Stage::Opening if self.all_stand() => Stage::WarmUp,
            Stage::Opening if elapsed > self.config.open_deadline => {
                self.report.fault("open_deadline");
                Stage::Done
            }
            Stage::WarmUp if elapsed >= self.config.warm_up => Stage::Measuring,
            Stage::Measuring if elapsed >= self.config.duration => {
                self.report.duration = elapsed;
                Stage::Done
            }
            _ => return,
        };
        if next == Stage::WarmUp {
            self.due = now;
            if self.config.reuse == Reuse::KeepAlive && self.config.pacing == Pacing::Closed {
                for slot in 0..self.active.len() as u32 {
                    self.request(now, slot);
                }
            }
        }
        self.stage = next;
        self.stage_since = now;
    }

    fn all_stand(&self) -> bool {
        let active = self.config.reuse == Reuse::NewEach || self.free.len() == self.config.connections;
        active && self.idle_standing == self.config.idle_connections
    }

    fn recording(&self) -> bool {
        self.stage == Stage::Measuring
    }

    fn loading(&self) -> bool {
        matches!(self.stage, Stage::WarmUp | Stage::Measuring)
    }

    fn open_more(&mut self, now: Instant) {
        while self.opens_under_way < OPENS_AT_ONCE {
            if self.stage == Stage::Opening && self.idle_opened < self.config.idle_connections {
                if self.open(now, IDLE_TOKEN).is_none() {
                    return;
                }
                self.idle_opened += 1;
                continue;
            }
            // With a new connection per request, opening is part of the load.
            if self.config.reuse == Reuse::NewEach && !self.loading() {
                return;
            }
            let Some(slot) = self.to_open.pop() else { return };
            match self.open(now, slot) {
                Some(conn) => self.active[slot as usize].opening(conn, now),
                None => {
                    self.to_open.push(slot);
                    return;
                }
            }
        }
    }

    fn open(&mut self, now: Instant, token: u32) -> Option<ConnId> {
        let local: Option<IpAddr> = self.config.locals.get(self.next_local % self.config.locals.len().max(1)).copied();
        self.next_local = self.next_local.wrapping_add(1);
        let remote: SocketAddr = self.config.remote;
        match self.stack.connect(now, ConnectConfig { local, ..ConnectConfig::to(remote, token) }) {
            Ok(conn) => {
                self.opens_under_way += 1;
                Some(conn)
            }
            Err(_) => {
                self.report.fault("connect_refused_locally");
                None
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: &TcpEvent) {
        if event.token == IDLE_TOKEN {
            return self.handle_idle(now, event);
        }
        let slot = event.token;
        if event.ready.contains(Ready::CONNECTED) {
            self.opens_under_way = self.opens_under_way.saturating_sub(1);
            self.connected(now, slot);
        }
        if event.ready.contains(Ready::READABLE) {
            self.read(now, slot);
        }
        if event.ready.contains(Ready::PEER_CLOSED) {
            self.stack.close(now, event.conn);
        }
        if event.ready.contains(Ready::ENDED) {
            self.ended(event, slot);
        }
    }

    fn handle_idle(&mut self, now: Instant, event: &TcpEvent) {
        if event.ready.contains(Ready::CONNECTED) {
            self.opens_under_way = self.opens_under_way.saturating_sub(1);
            self.idle_standing += 1;
        }
        if event.ready.contains(Ready::PEER_CLOSED) {
            self.stack.close(now, event.conn);
        }
        if event.ready.contains(Ready::ENDED) {
            self.report.fault("idle_connection_ended");
            self.idle_standing = self.idle_standing.saturating_sub(1);
        }
    }

    fn connected(&mut self, now: Instant, slot: u32) {
        match self.config.reuse {
            Reuse::NewEach => {
                let opened = self.active[slot as usize].since();
                self.request(opened, slot);
            }
            Reuse::KeepAlive if self.loading() && self.config.pacing == Pacing::Closed => self.request(now, slot),
            Reuse::KeepAlive => {
                self.active[slot as usize].standing();
                self.free.push_back(slot);
            }
        }
    }

    /// Sends one request on `slot`; its latency counts from `since`.
    fn request(&mut self, since: Instant, slot: u32) {
        let active = &mut self.active[slot as usize];
        let Some(conn) = active.conn() else { return };
        if self.stack.send(conn, self.config.request.clone()).is_err() {
            self.report.fault("send_refused");
            return;
        }
        active.waiting(since);
    }

    fn send_due(&mut self, now: Instant) {
        let Pacing::Open { requests_per_second } = self.config.pacing else { return };
        if !self.loading() {
            return;
        }
        let gap = Duration::from_nanos(1_000_000_000 / requests_per_second.max(1));
        while self.due <= now {
            let Some(slot) = self.free.pop_front() else { return };
            let due = self.due;
            self.due += gap;
            self.request(due, slot);
        }
    }

    fn read(&mut self, now: Instant, slot: u32) {
        loop {
            let active = &mut self.active[slot as usize];
            let Some(conn) = active.conn() else { return };
            if active.phase() != ConnPhase::Waiting {
                return;
            }
            let data = self.stack.peek(conn);
            if data.is_empty() {
                return;
            }
            let (consumed, verdict) = active.take(data);
            self.stack.consume(conn, consumed);
            match verdict {
                Verdict::More => {}
                Verdict::Complete => self.completed(now, slot),
                Verdict::Bad(name) => {
                    self.report.fault(name);
                    self.stack.abort(now, conn);
                    return;
                }
            }
        }
    }

    fn completed(&mut self, now: Instant, slot: u32) {
        let since = self.active[slot as usize].since();
        if self.recording() {
            self.report.record(now.saturating_since(since));
        }
        self.active[slot as usize].standing();
        match (self.config.reuse, self.config.pacing) {
            (Reuse::NewEach, _) => {}
            (Reuse::KeepAlive, Pacing::Closed) if self.stage != Stage::Done => self.request(now, slot),
            (Reuse::KeepAlive, _) => self.free.push_back(slot),
        }
    }

    fn ended(&mut self, event: &TcpEvent, slot: u32) {
        let active = &mut self.active[slot as usize];
        match active.phase() {
            ConnPhase::Opening => {
                self.opens_under_way = self.opens_under_way.saturating_sub(1);
                self.report.fault("connect_failed");
            }
            ConnPhase::Waiting => self.report.fault("ended_without_answer"),
            ConnPhase::Standing if self.config.reuse == Reuse::KeepAlive => {
                self.report.fault("ended_between_requests");
                self.free.retain(|&free| free != slot);
            }
            ConnPhase::Standing | ConnPhase::Closed => {}
        }
        if event.ended == Some(EndReason::ResetByPeer) {
            self.report.fault("reset_by_peer");
        }
        active.closed();
        if self.stage != Stage::Done {
            self.to_open.push(slot);
        }
    }
}
