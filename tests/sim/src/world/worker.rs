//! One worker of one side: a stack on one queue of the wire.

use core::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use netstack::config::StackConfig;
use netstack::counters::IpCounter;
use netstack::rng::Seed;
use netstack::stack::Stack;
use netstack::tcp::{ConnId, ConnectConfig, ConnectError, ListenerId, Ready, TcpEvent};
use netstack::{Frame, FramePool, Instant};
use port::Port;
use port::sim::{Side, SimPort, Wire};

use super::mutant::Mutant;
use super::stream::Stream;
use crate::fault::{Fault, Invariant};
use crate::hostile::Liars;
use crate::pattern::Pattern;
use crate::scenario::{CLIENT, Open, SERVER, SERVER_PORT, Scenario};

const BURST: usize = 64;
/// The token of connections that no job opened.
const STRANGER: u32 = u32::MAX;
/// What a stranger is sent.
const STRANGER_BYTES: usize = 30_000;
/// How long a stranger may stay.
const STRANGER_PATIENCE: Duration = Duration::from_secs(120);
/// Ports of simultaneous opens: the job's number is added.
const BOTH_PORTS: [u16; 2] = [20_000, 30_000];

/// A stack, its port, and the ends of connections that live on it.
pub struct Worker {
    /// The stack.
    pub stack: Stack,
    /// Its queue.
    pub port: SimPort,
    /// Which side it belongs to.
    pub side: usize,
    /// Breaks the stack, in self-tests.
    pub mutant: Mutant,
    /// The liars sit beside the client.
    liars: Option<Liars>,
    /// Every listener there was; the last one is alive.
    listeners: Vec<ListenerId>,
    /// When it is replaced, latest first.
    reloads: Vec<Instant>,
    /// Connections of strangers, and when their time is over, in that order.
    strangers: Vec<(Instant, ConnId)>,
    /// Jobs to begin, latest first.
    starts: Vec<(Instant, usize)>,
    /// When an application wants to be looked at.
    wakes: BinaryHeap<Reverse<(Instant, usize)>>,
    received: Vec<Frame>,
    to_send: VecDeque<Frame>,
}

/// What all workers know of the jobs: `streams[job][side]`, and the client's port of each.
pub struct Jobs {
    /// The ends.
    pub streams: Vec<[Stream; 2]>,
    /// The client's port, once opened.
    pub ports: Vec<Option<u16>>,
    /// Ends that are still to come to an end.
    pub left: usize,
}

impl Jobs {
    /// Nothing has begun.
    pub fn new(scenario: &Scenario) -> Jobs {
        let stream = |job, side| Stream::new(job, side, scenario.seed);
        let jobs = scenario.jobs.len();
        Jobs {
            streams: (0..jobs).map(|job| [stream(job, CLIENT), stream(job, SERVER)]).collect(),
            ports: vec![None; jobs],
            left: 2 * jobs,
        }
    }

    /// An end of a connection has ended. The other one, when it never came to be, need not come any more.
    fn ended(&mut self, number: usize, side: usize) {
        self.left -= 1;
        let other = &mut self.streams[number][1 - side];
        if other.conn.is_none() && !other.excused {
            other.excused = true;
            self.left -= 1;
        }
    }

    /// The latest job that the client opened from `port`.
    fn by_port(&self, port: u16) -> Option<usize> {
        let known = (0..self.ports.len()).filter(|job| self.ports[*job] == Some(port));
        known.max_by_key(|job| self.streams[*job][CLIENT].opened)
    }
}

impl Worker {
    /// The worker of one queue of one side.
    pub fn new(scenario: &Scenario, side: usize, queue: u16, wire: &Wire, pool: FramePool) -> Result<Worker, Fault> {
        let port = wire.port([Side::A, Side::B][side], queue, pool.clone());
        let config = StackConfig {
            mac: port.info().mac,
            steering: port.capabilities().steering,
            ..scenario.stack_config(side).ok_or_else(|| set_up("no prefix"))?
        };
        let number = scenario.seed.wrapping_mul(64) + u64::from(queue) * 2 + side as u64;
        let stack = Stack::new(config, pool, Seed::from_number(number), Instant::ZERO).map_err(set_up)?;
        let mut starts: Vec<_> = (scenario.jobs.iter().enumerate())
            .filter(|(number, job)| {
                *number % usize::from(scenario.network.queues) == usize::from(queue)
                    && (side == CLIENT || job.open == Open::Both)
            })
            .map(|(number, job)| (Instant::ZERO + job.start, number))
            .collect();
        starts.sort_by_key(|start| Reverse(*start));
        let mut worker = Worker {
            stack,
            port,
            side,
            mutant: Mutant::default(),
            liars: (side == CLIENT && queue == 0).then(|| Liars::new(scenario)),
            listeners: Vec::new(),
            reloads: Vec::new(),
            strangers: Vec::new(),
            starts,
            wakes: BinaryHeap::new(),
            received: Vec::new(),
            to_send: VecDeque::new(),
        };
        if side == SERVER {
            worker.reloads = scenario.reloads.iter().map(|at| Instant::ZERO + *at).collect();
            worker.reloads.sort_by_key(|at| Reverse(*at));
            worker.listen(scenario)?;
        }
        Ok(worker)
    }

    fn listen(&mut self, scenario: &Scenario) -> Result<(), Fault> {
        let config = scenario.listen_config();
        self.listeners.push(self.stack.listen(config).map_err(set_up)?);
        Ok(())
    }

    /// The listener goes, and another one comes in its place.
    fn reload(&mut self, now: Instant, scenario: &Scenario) -> Result<(), Fault> {
        while self.reloads.pop_if(|at| *at <= now).is_some() {
            self.listeners.last().copied().into_iter().for_each(|id| self.stack.unlisten(id));
            self.listen(scenario)?;
        }
        Ok(())
    }

    /// True when the IP layer had to look for the neighbour more than once, or dropped packets on their way out.
    pub fn lost_its_neighbor(&self) -> bool {
        let count = |which| self.stack.ip_counters().get(which);
        let asked = count(IpCounter::TxArpRequests) + count(IpCounter::TxNeighborSolicitations);
        let dropped = [
            IpCounter::DropNeighborPending,
            IpCounter::DropNeighborUnreachable,
            IpCounter::DropNeighborTable,
            IpCounter::DropTxQueueFull,
        ];
        asked > 1 || dropped.iter().any(|which| count(*which) > 0)
    }

    /// Received frames that were the liars'.
    pub fn taken_by_liars(&self) -> u64 {
        self.liars.as_ref().map_or(0, |liars| liars.received)
    }

    /// What the liars have to complain of.
    pub fn complaint(&self) -> Result<(), Fault> {
        self.liars.as_ref().map_or(Ok(()), Liars::verdict)
    }

    /// Frames that the liars sent.
    pub fn sent_by_liars(&self) -> u64 {
        self.liars.as_ref().map_or(0, |liars| liars.sent)
    }

    /// One turn of a run loop; true when something moved.
    pub fn turn(&mut self, now: Instant, scenario: &Scenario, jobs: &mut Jobs) -> Result<bool, Fault> {
        // Before what has arrived, so that both sides of a simultaneous open have begun when the SYNs meet.
        self.begin(now, scenario, jobs)?;
        self.reload(now, scenario)?;
        let received = self.port.rx_burst(now, &mut self.received, BURST);
        for frame in self.received.drain(..) {
            if self.liars.as_mut().is_some_and(|liars| liars.take(now, frame.data())) {
                continue;
            }
            if let Some(frame) = self.mutant.receive(frame, self.port.pool()) {
                self.stack.handle_frame(now, frame);
            }
        }
        if !self.mutant.stops_time() {
            self.stack.handle_timeout(now);
        }
        while let Some(Reverse((_, job))) = self.wakes.peek().filter(|Reverse((at, _))| *at <= now).copied() {
            self.wakes.pop();
            self.step(now, job, scenario, jobs)?;
        }
        self.drop_strangers(now);
        // Last, because commands make events, too: reading the last byte ends a connection.
        while let Some(event) = self.stack.poll_event() {
            if !self.mutant.swallows_event() {
                self.event(now, event, scenario, jobs)?;
            }
        }
        self.stack.settle(now);
        let sent = self.stack.poll_transmit(now, &mut self.to_send, BURST);
        if sent > 0 {
            self.to_send.retain_mut(|frame| self.mutant.send(frame));
        }
        let mut lies = 0;
        if let Some(liars) = &mut self.liars {
            liars.overhear(&self.to_send);
            lies = liars.speak(now, self.port.pool(), &mut self.to_send);
        }
        self.port.tx_burst(now, &mut self.to_send);
        Ok(received + sent + lies > 0)
    }

    /// When to be called again at the latest.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let start = self.starts.last().map(|(at, _)| *at);
        let wake = self.wakes.peek().map(|Reverse((at, _))| *at);
        let lie = self.liars.as_ref().and_then(Liars::poll_timeout);
        let others = [self.reloads.last().copied(), self.strangers.first().map(|(at, _)| *at)];
        let stack = self.mutant.timeout(now, self.stack.poll_timeout());
        let own = [stack, self.port.poll_timeout(), start, wake, lie];
        own.into_iter().chain(others).flatten().min()
    }

    fn begin(&mut self, now: Instant, scenario: &Scenario, jobs: &mut Jobs) -> Result<(), Fault> {
        while let Some((_, number)) = self.starts.pop_if(|(at, _)| *at <= now) {
            if !self.connect(now, number, scenario, jobs)? {
                self.starts.push((now.plus_micros(50_000), number));
                self.starts.sort_by_key(|start| Reverse(*start));
            }
        }
        Ok(())
    }

    /// False when the port that it needs is not free yet.
    fn connect(&mut self, now: Instant, number: usize, scenario: &Scenario, jobs: &mut Jobs) -> Result<bool, Fault> {
        let job = &scenario.jobs[number];
        if jobs.streams[number][self.side].excused {
            // The other side's open was refused, while memory for this one was short.
            return Ok(true);
        }
        let (local_port, port) = match (job.open, job.port_of) {
            (Open::Both, _) => (Some(BOTH_PORTS[self.side] + number as u16), BOTH_PORTS[1 - self.side] + number as u16),
            (Open::Client, None) => (None, SERVER_PORT),
            (Open::Client, Some(earlier)) => {
                let over = jobs.streams[earlier].iter().all(|stream| stream.ended.is_some() || stream.excused);
                match jobs.ports[earlier].filter(|_| over) {
                    Some(port) => (Some(port), SERVER_PORT),
                    None => return Ok(false),
                }
            }
        };
        let remote = SocketAddr::new(scenario.address(1 - self.side), port);
        let fast_open = scenario.fast_open && job.open == Open::Client;
        let to = ConnectConfig::to(remote, number as u32);
        let config = ConnectConfig { local_port, fast_open, options: job.options, ..to };
        let conn = match self.stack.connect(now, config) {
            Ok(conn) => conn,
            // Its own TIME-WAIT.
            Err(ConnectError::InUse) if job.port_of.is_some() => return Ok(false),
            Err(ConnectError::OutOfMemory) if scenario.is_tight() => return Ok(false),
            Err(error) => return Err(Invariant::Endings.fault(format!("job {number}: {error}"))),
        };
        jobs.streams[number][self.side].open(now, conn, job);
        if self.side == CLIENT {
            jobs.ports[number] = self.stack.local(conn).map(|local| local.port());
        }
        // What is to be queued before the handshake is done.
        self.step(now, number, scenario, jobs)?;
        Ok(true)
    }

    fn event(&mut self, now: Instant, event: TcpEvent, scenario: &Scenario, jobs: &mut Jobs) -> Result<(), Fault> {
        if event.ready.contains(Ready::ACCEPTED) && !self.accept(now, &event, scenario, jobs)? {
            return Ok(());
        }
        if event.token == STRANGER && self.side == SERVER {
            self.serve_stranger(now, &event);
            return Ok(());
        }
        let number = self.stack.token(event.conn).unwrap_or(event.token) as usize;
        let Some(streams) = jobs.streams.get_mut(number) else {
            return Err(Invariant::Events.fault(format!("an event of nobody: {event:?}")));
        };
        let unanswered = streams[CLIENT].received == 0;
        let stream = &mut streams[self.side];
        if stream.conn != Some(event.conn) || stream.ended.is_some() {
            return Err(Invariant::Events.fault(format!("an event of no connection: {event:?}")));
        }
        stream.peer_closed |= event.ready.contains(Ready::PEER_CLOSED);
        stream.connected |= event.ready.contains(Ready::CONNECTED) || event.ready.contains(Ready::ACCEPTED);
        let Some(reason) = event.ended else { return self.step(now, number, scenario, jobs) };
        let turned_away = scenario.may_refuse() && unanswered;
        let early = scenario.jobs[number].abort.is_some() || turned_away || scenario.is_tight();
        stream.end(reason, &scenario.jobs[number], early).map_err(|fault| fault.at(format!("job {number}")))?;
        jobs.ended(number, self.side);
        Ok(())
    }

    /// Finds out whose connection was accepted; false when it is a stranger's.
    fn accept(&mut self, now: Instant, event: &TcpEvent, scenario: &Scenario, jobs: &mut Jobs) -> Result<bool, Fault> {
        let known = event.listener.is_some_and(|listener| self.listeners.contains(&listener));
        Invariant::Events.check(known, || format!("accepted by another listener: {event:?}"))?;
        let Some(remote) = self.stack.remote(event.conn) else {
            // It ended before anybody looked; an event of its end must not come.
            let over = event.ended.is_some();
            return Invariant::Events.check(over, || format!("accepted without a peer: {event:?}")).map(|()| false);
        };
        if remote.ip() != scenario.address(CLIENT) {
            self.stack.set_token(event.conn, STRANGER);
            self.serve_stranger(now, event);
            return Ok(false);
        }
        let number = jobs
            .by_port(remote.port())
            .ok_or_else(|| Invariant::Events.fault(format!("nobody opened the connection of {remote}")))?;
        self.stack.set_token(event.conn, number as u32);
        let stream = &mut jobs.streams[number][self.side];
        if stream.ended.is_some() && scenario.may_refuse() {
            // The first segment came once more after the end here, and its cookie is still good.
            self.stack.set_token(event.conn, STRANGER);
            self.stack.abort(now, event.conn);
            return Ok(false);
        }
        if let Some(conn) = stream.conn {
            let text = format!("job {number} was accepted twice: {conn:?}, {event:?}");
            return Err(Invariant::Events.fault(text));
        }
        stream.open(now, event.conn, &scenario.jobs[number]);
        if core::mem::take(&mut stream.excused) {
            jobs.left += 1;
        }
        Ok(true)
    }

    /// Strangers get some data, and are read.
    fn serve_stranger(&mut self, now: Instant, event: &TcpEvent) {
        if event.ended.is_some() {
            return;
        }
        let conn = event.conn;
        while self.stack.take_chunk(conn).is_some() {}
        if event.ready.contains(Ready::ACCEPTED) {
            // The connection is closed when the stranger closes, and aborted when it does not.
            let _ = self.stack.send(conn, Pattern::of(0, self.side).bytes(0, STRANGER_BYTES));
            self.strangers.push((now + STRANGER_PATIENCE, conn));
        }
        if self.stack.recv_finished(conn) {
            self.stack.close(now, conn);
        }
    }

    /// Those who stay too long are sent away.
    fn drop_strangers(&mut self, now: Instant) {
        while self.strangers.first().is_some_and(|(at, _)| *at <= now) {
            let (_, conn) = self.strangers.remove(0);
            if self.stack.is_open(conn) {
                self.stack.abort(now, conn);
            }
        }
    }

    fn step(&mut self, now: Instant, number: usize, scenario: &Scenario, jobs: &mut Jobs) -> Result<(), Fault> {
        let stream = &mut jobs.streams[number][self.side];
        let before = stream.ended.is_some();
        let job = &scenario.jobs[number];
        let wake = stream
            .step(now, job, scenario.is_tight(), &mut self.stack)
            .map_err(|fault| fault.at(format!("job {number}, {}", stream.progress(job))))?;
        if stream.ended.is_some() && !before {
            jobs.ended(number, self.side);
        }
        if let Some(at) = wake {
            self.wakes.push(Reverse((at, number)));
        }
        Ok(())
    }
}

fn set_up(reason: impl core::fmt::Display) -> Fault {
    Invariant::SetUp.fault(reason.to_string())
}
