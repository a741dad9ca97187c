//! One worker of one side: a stack on one queue of the wire.

use core::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;

use netstack::config::StackConfig;
use netstack::rng::Seed;
use netstack::stack::Stack;
use netstack::tcp::{ConnectConfig, ListenConfig, ListenerId, Ready, TcpEvent};
use netstack::{Frame, FramePool, Instant};
use port::Port;
use port::sim::{Side, SimPort, Wire};

use super::stream::Stream;
use crate::scenario::{CLIENT, Open, SERVER, SERVER_PORT, Scenario};

const BURST: usize = 64;
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
    listener: Option<ListenerId>,
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
    /// The side on which [`Jobs::left`] counts streams that have not ended.
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

    /// The latest job that the client opened from `port`.
    fn by_port(&self, port: u16) -> Option<usize> {
        self.ports.iter().rposition(|known| *known == Some(port))
    }
}

impl Worker {
    /// The worker of one queue of one side.
    pub fn new(scenario: &Scenario, side: usize, queue: u16, wire: &Wire, pool: FramePool) -> Result<Worker, String> {
        let port = wire.port([Side::A, Side::B][side], queue, pool.clone());
        let config = StackConfig {
            mac: port.info().mac,
            steering: port.capabilities().steering,
            ..scenario.stack_config(side).ok_or("no prefix")?
        };
        let number = scenario.seed.wrapping_mul(64) + u64::from(queue) * 2 + side as u64;
        let mut stack =
            Stack::new(config, pool, Seed::from_number(number), Instant::ZERO).map_err(|error| error.to_string())?;
        let mut listener = None;
        if side == SERVER {
            listener = Some(stack.listen(ListenConfig::port(SERVER_PORT)).map_err(|error| error.to_string())?);
        }
        let mut starts: Vec<_> = (scenario.jobs.iter().enumerate())
            .filter(|(number, job)| {
                *number % usize::from(scenario.network.queues) == usize::from(queue)
                    && (side == CLIENT || job.open == Open::Both)
            })
            .map(|(number, job)| (Instant::ZERO + job.start, number))
            .collect();
        starts.sort_by_key(|start| Reverse(*start));
        let wakes = BinaryHeap::new();
        let (received, to_send) = (Vec::new(), VecDeque::new());
        Ok(Worker { stack, port, side, listener, starts, wakes, received, to_send })
    }

    /// One turn of a run loop; true when something moved.
    pub fn turn(&mut self, now: Instant, scenario: &Scenario, jobs: &mut Jobs) -> Result<bool, String> {
        // Before what has arrived, so that both sides of a simultaneous open have begun when the SYNs meet.
        self.begin(now, scenario, jobs)?;
        let received = self.port.rx_burst(now, &mut self.received, BURST);
        for frame in self.received.drain(..) {
            self.stack.handle_frame(now, frame);
        }
        self.stack.handle_timeout(now);
        while let Some(Reverse((_, job))) = self.wakes.peek().filter(|Reverse((at, _))| *at <= now).copied() {
            self.wakes.pop();
            self.step(now, job, scenario, jobs)?;
        }
        // Last, because commands make events, too: reading the last byte ends a connection.
        while let Some(event) = self.stack.poll_event() {
            self.event(now, event, scenario, jobs)?;
        }
        self.stack.settle(now);
        let sent = self.stack.poll_transmit(now, &mut self.to_send, BURST);
        self.port.tx_burst(now, &mut self.to_send);
        Ok(received + sent > 0)
    }

    /// When to be called again at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let start = self.starts.last().map(|(at, _)| *at);
        let wake = self.wakes.peek().map(|Reverse((at, _))| *at);
        [self.stack.poll_timeout(), self.port.poll_timeout(), start, wake].into_iter().flatten().min()
    }

    fn begin(&mut self, now: Instant, scenario: &Scenario, jobs: &mut Jobs) -> Result<(), String> {
        while let Some((_, number)) = self.starts.pop_if(|(at, _)| *at <= now) {
            let job = &scenario.jobs[number];
            let mut local_port = None;
            let mut remote = SERVER_PORT;
            if job.open == Open::Both {
                local_port = Some(BOTH_PORTS[self.side] + number as u16);
                remote = BOTH_PORTS[1 - self.side] + number as u16;
            } else if let Some(earlier) = job.port_of {
                if jobs.streams[earlier][CLIENT].ended.is_none() {
                    self.starts.push((now.plus_micros(10_000), number));
                    self.starts.sort_by_key(|start| Reverse(*start));
                    continue;
                }
                local_port = jobs.ports[earlier];
            }
            let remote = SocketAddr::new(scenario.address(1 - self.side), remote);
            let config = ConnectConfig { local_port, options: job.options, ..ConnectConfig::to(remote, number as u32) };
            let conn = self.stack.connect(now, config).map_err(|error| format!("job {number}: {error}"))?;
            jobs.streams[number][self.side].open(now, conn, job);
            if self.side == CLIENT {
                jobs.ports[number] = self.stack.local(conn).map(|local| local.port());
            }
        }
        Ok(())
    }

    fn event(&mut self, now: Instant, event: TcpEvent, scenario: &Scenario, jobs: &mut Jobs) -> Result<(), String> {
        let mut number = event.token as usize;
        if event.ready.contains(Ready::ACCEPTED) {
            if event.listener != self.listener {
                return Err(format!("accepted by another listener: {event:?}"));
            }
            let remote = self.stack.remote(event.conn).ok_or("an accepted connection without a peer")?;
            number = jobs.by_port(remote.port()).ok_or_else(|| format!("nobody opened the connection of {remote}"))?;
            self.stack.set_token(event.conn, number as u32);
            let stream = &mut jobs.streams[number][self.side];
            if let Some(conn) = stream.conn {
                return Err(format!("job {number} was accepted twice: {conn:?}, {event:?}"));
            }
            stream.open(now, event.conn, &scenario.jobs[number]);
        }
        let stream = &mut jobs.streams[number][self.side];
        if stream.conn != Some(event.conn) || stream.ended.is_some() {
            return Err(format!("an event of no connection: {event:?}"));
        }
        if let Some(reason) = event.ended {
            jobs.left -= 1;
            return stream
                .end(reason, event.ready.contains(Ready::PEER_CLOSED), &scenario.jobs[number])
                .map_err(|fault| format!("job {number}: {fault}"));
        }
        self.step(now, number, scenario, jobs)
    }

    fn step(&mut self, now: Instant, number: usize, scenario: &Scenario, jobs: &mut Jobs) -> Result<(), String> {
        let stream = &mut jobs.streams[number][self.side];
        let before = stream.ended.is_some();
        let wake = stream
            .step(now, &scenario.jobs[number], &mut self.stack)
            .map_err(|fault| format!("job {number}, {}: {fault}", stream.progress(&scenario.jobs[number])))?;
        jobs.left -= usize::from(stream.ended.is_some() && !before);
        if let Some(at) = wake {
            self.wakes.push(Reverse((at, number)));
        }
        Ok(())
    }
}
