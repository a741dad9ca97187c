//! What runs on a stack: clients that open connections, send and receive; a server that answers. Driven by events
//! alone, so that an event that is missing is a connection that hangs, and is found.

use std::collections::BTreeMap;

use bytes::Bytes;
use netstack::Instant;
use netstack::rng::Rng;
use netstack::stack::Stack;
use netstack::tcp::{ConnId, ConnectConfig, EndReason, Ready, TcpEvent};

use crate::scenario::{HEADER, Job, Scenario, pattern};

pub const SERVER_PORT: u16 = 8080;

/// One connection as one side sees it.
#[derive(Debug)]
pub struct Stream {
    /// Unknown to the server until the header came.
    pub job: Option<usize>,
    pub sent: usize,
    pub received: usize,
    header: [u8; HEADER],
    closed: bool,
    pub finished: bool,
    pub ended: Option<EndReason>,
    /// A slow reader wakes then.
    wake: Option<Instant>,
}

pub struct Application {
    client: bool,
    scenario: Scenario,
    /// By slot and generation.
    pub streams: BTreeMap<(u32, u32), (ConnId, Stream)>,
    /// Jobs that a client has still to begin, latest first.
    waiting: Vec<(Instant, usize)>,
    rng: Rng,
}

impl Application {
    pub fn new(client: bool, scenario: &Scenario) -> Application {
        let mut waiting: Vec<_> =
            scenario.jobs.iter().enumerate().map(|(number, job)| (Instant::ZERO + job.start, number)).collect();
        waiting.sort_by_key(|waiting| std::cmp::Reverse(*waiting));
        if !client {
            waiting.clear();
        }
        let rng = Rng::new(scenario.seed ^ u64::from(client) << 32);
        Application { client, scenario: scenario.clone(), streams: BTreeMap::new(), waiting, rng }
    }

    /// Everything was begun and everything has ended.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.streams.values().all(|(_, stream)| stream.ended.is_some())
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let start = self.waiting.last().map(|(at, _)| *at);
        self.streams.values().filter_map(|(_, stream)| stream.wake).chain(start).min()
    }

    pub fn run(&mut self, now: Instant, stack: &mut Stack) -> Result<(), String> {
        while let Some((_, job)) = self.waiting.pop_if(|(at, _)| *at <= now) {
            self.connect(now, job, stack)?;
        }
        let due = |stream: &Stream| stream.wake.is_some_and(|at| at <= now);
        let woken: Vec<_> = self.streams.iter().filter(|(_, (_, stream))| due(stream)).map(|(key, _)| *key).collect();
        for key in woken {
            self.step(now, key, stack)?;
        }
        // Last, because commands make events, too: reading the last byte ends a connection.
        while let Some(event) = stack.poll_event() {
            self.event(now, event, stack)?;
        }
        Ok(())
    }

    fn connect(&mut self, now: Instant, job: usize, stack: &mut Stack) -> Result<(), String> {
        let remote = (self.scenario.addresses[1], SERVER_PORT).into();
        let conn = stack.connect(now, ConnectConfig::to(remote, job as u32)).map_err(|error| error.to_string())?;
        self.streams.insert(key(conn), (conn, Stream::new(Some(job))));
        Ok(())
    }

    fn event(&mut self, now: Instant, event: TcpEvent, stack: &mut Stack) -> Result<(), String> {
        let key = key(event.conn);
        if event.ready.contains(Ready::ACCEPTED) {
            self.streams.insert(key, (event.conn, Stream::new(None)));
        }
        let Some((_, stream)) = self.streams.get_mut(&key) else {
            return Err(format!("an event of no connection: {event:?}"));
        };
        if stream.ended.is_some() {
            return Err(format!("an event after the end: {event:?}"));
        }
        if event.ready.contains(Ready::ENDED) {
            return stream.end(&event, self.client, &self.scenario.jobs);
        }
        self.step(now, key, stack)
    }

    /// Does for a connection what can be done now.
    fn step(&mut self, now: Instant, key: (u32, u32), stack: &mut Stack) -> Result<(), String> {
        let Application { client, scenario, streams, rng, .. } = self;
        let Some((conn, stream)) = streams.get_mut(&key) else { return Ok(()) };
        stream.receive(now, *conn, *client, &scenario.jobs, rng, stack)?;
        let Some(job) = stream.job else { return Ok(()) };
        stream.send(now, *conn, *client, job, &scenario.jobs[job], rng, stack)
    }
}

fn key(conn: ConnId) -> (u32, u32) {
    (conn.index(), conn.generation())
}

impl Stream {
    fn new(job: Option<usize>) -> Stream {
        Stream {
            job,
            sent: 0,
            received: 0,
            header: [0; HEADER],
            closed: false,
            finished: false,
            ended: None,
            wake: None,
        }
    }

    /// The id is dead: everything must have been sent, received and closed.
    fn end(&mut self, event: &TcpEvent, client: bool, jobs: &[Job]) -> Result<(), String> {
        self.ended = event.ended;
        let expected = self.job.map(|job| if client { jobs[job].down } else { jobs[job].up });
        // With nothing to receive the peer's FIN and the end may come as one event.
        self.finished |= event.ready.contains(Ready::PEER_CLOSED) && expected == Some(self.received);
        match event.ended {
            Some(EndReason::Closed) if self.finished && self.closed => Ok(()),
            _ => Err(format!("ended early: {event:?} {self:?}")),
        }
    }

    fn receive(
        &mut self,
        now: Instant,
        conn: ConnId,
        client: bool,
        jobs: &[Job],
        rng: &mut Rng,
        stack: &mut Stack,
    ) -> Result<(), String> {
        let slow = self.job.filter(|_| !client).and_then(|job| jobs[job].slow);
        if slow.is_some() && self.wake.is_some_and(|at| at > now) {
            return Ok(());
        }
        self.wake = None;
        let mut budget = slow.map_or(usize::MAX, |(bytes, _)| bytes);
        while budget > 0 && !stack.peek(conn).is_empty() {
            budget -= self.take_some(conn, client, jobs, budget, rng, stack)?;
        }
        if let Some((_, pause)) = slow.filter(|_| stack.recv_len(conn) > 0) {
            self.wake = Some(now + pause);
        }
        if stack.recv_finished(conn) && !self.finished {
            self.finished = true;
            let job = self.job.ok_or("the peer closed before its header")?;
            let expected = if client { jobs[job].down } else { jobs[job].up };
            if self.received != expected {
                return Err(format!("job {job}: the stream ends after {} of {expected} bytes", self.received));
            }
        }
        Ok(())
    }

    /// Consumes a part of the first chunk, in one of the two ways, and checks it.
    fn take_some(
        &mut self,
        conn: ConnId,
        client: bool,
        jobs: &[Job],
        budget: usize,
        rng: &mut Rng,
        stack: &mut Stack,
    ) -> Result<usize, String> {
        let whole = stack.peek(conn).len();
        if whole <= budget && rng.below(4) == 0 {
            let chunk = stack.take_chunk(conn).ok_or("a chunk that could be peeked could not be taken")?;
            self.check(&chunk, client, jobs)?;
            return Ok(whole);
        }
        let part = whole.min(budget).min(1 + rng.below(3_000) as usize);
        self.check(&stack.peek(conn)[..part], client, jobs)?;
        stack.consume(conn, part);
        Ok(part)
    }

    fn check(&mut self, bytes: &[u8], client: bool, jobs: &[Job]) -> Result<(), String> {
        for &byte in bytes {
            if !client && self.received < HEADER {
                self.header[self.received] = byte;
                if self.received + 1 == HEADER {
                    let job = u32::from_be_bytes(self.header) as usize;
                    self.job = Some(job).filter(|job| *job < jobs.len());
                    self.job.ok_or(format!("a header that nobody sent: {:?}", self.header))?;
                }
            } else if self.job.is_none_or(|job| pattern(job, !client, self.received) != byte) {
                return Err(format!("job {:?}: byte {} is wrong", self.job, self.received));
            }
            self.received += 1;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one side of one connection, and where it runs")]
    fn send(
        &mut self,
        now: Instant,
        conn: ConnId,
        client: bool,
        number: usize,
        job: &Job,
        rng: &mut Rng,
        stack: &mut Stack,
    ) -> Result<(), String> {
        let total = if client { job.up } else { job.down };
        if self.closed || (!client && job.request_response && !self.finished && self.received < job.up) {
            return Ok(());
        }
        while self.sent < total {
            let room = stack.send_room(conn);
            let length = (total - self.sent).min(1 + rng.below(8_000) as usize);
            let length = if room == 0 { length } else { length.min(room) };
            let data: Vec<u8> = (self.sent..self.sent + length).map(|at| outgoing(client, number, at)).collect();
            match stack.send(conn, Bytes::from(data)) {
                Ok(()) => self.sent += length,
                // WRITABLE must follow.
                Err(netstack::tcp::SendError::Full) if room < length => return Ok(()),
                // The handshake is not done; CONNECTED must follow.
                Err(netstack::tcp::SendError::NotOpen) if client && self.sent == 0 => return Ok(()),
                Err(error) => return Err(format!("job {number}: {error} with room for {room} of {length}")),
            }
        }
        self.closed = true;
        stack.close(now, conn);
        Ok(())
    }
}

fn outgoing(client: bool, job: usize, at: usize) -> u8 {
    match (client, at) {
        (true, 0..HEADER) => (job as u32).to_be_bytes()[at],
        _ => pattern(job, client, at),
    }
}
