//! One end of one connection, as its application sees it. Driven by events alone, so that an event that is missing is a
//! connection that hangs, and is found.

use netstack::Instant;
use netstack::rng::Rng;
use netstack::stack::Stack;
use netstack::tcp::{ConnId, EndReason, SendError};

use crate::fault::{Fault, Invariant};
use crate::pattern::{MOST, Pattern};
use crate::scenario::{Job, Pace, Talk};

/// Bytes sent at once where memory may run out: larger pieces may be refused for good.
const MOST_WHEN_TIGHT: u32 = 3_000;

/// One end of a job's connection.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Number of the job.
    pub job: usize,
    /// Which end this is.
    pub side: usize,
    /// The connection, from the open or the accept on.
    pub conn: Option<ConnId>,
    /// When it was opened or accepted.
    pub opened: Instant,
    /// Bytes handed to the stack.
    pub sent: u64,
    /// Bytes taken from it.
    pub received: u64,
    /// Exchanges of which the other side's part has arrived.
    rounds: u32,
    /// The handshake is done. A close before it would take the open back (RFC 9293 §3.10.4).
    pub connected: bool,
    /// The stack said that the peer had closed.
    pub peer_closed: bool,
    /// It was closed here.
    pub closed: bool,
    /// The peer's end of stream was seen.
    pub finished: bool,
    /// How it ended.
    pub ended: Option<Ended>,
    /// It need not come to be: the other end is over.
    pub excused: bool,
    reads_at: Instant,
    writes_at: Instant,
    /// When a wake-up is already asked for.
    wakes_at: Instant,
    rng: Rng,
}

/// How an end of a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The stack said so.
    Event(EndReason),
    /// The application aborted.
    Aborted,
}

impl Stream {
    /// Of job number `job`; nothing has happened yet.
    pub fn new(job: usize, side: usize, seed: u64) -> Stream {
        Stream {
            job,
            side,
            conn: None,
            opened: Instant::ZERO,
            sent: 0,
            received: 0,
            rounds: 0,
            connected: false,
            peer_closed: false,
            closed: false,
            finished: false,
            ended: None,
            excused: false,
            reads_at: Instant::ZERO,
            writes_at: Instant::ZERO,
            wakes_at: Instant::FAR_FUTURE,
            rng: Rng::new(seed ^ ((job as u64) << 8 | side as u64) << 32),
        }
    }

    /// The connection has come to be.
    pub fn open(&mut self, now: Instant, conn: ConnId, job: &Job) {
        self.conn = Some(conn);
        self.opened = now;
        self.reads_at = now + job.read[self.side].from;
        self.writes_at = now + job.write[self.side].from;
    }

    /// Does what can be done now; when to come back, if not by an event or for an earlier answer. `tight`: sends may be
    /// refused for want of memory.
    pub fn step(&mut self, now: Instant, job: &Job, tight: bool, stack: &mut Stack) -> Result<Option<Instant>, Fault> {
        if self.wakes_at <= now {
            self.wakes_at = Instant::FAR_FUTURE;
        }
        let Some(conn) = self.conn.filter(|_| self.ended.is_none()) else { return Ok(None) };
        let reading = self.receive(now, conn, job, stack)?;
        if self.aborts(job) {
            stack.abort(now, conn);
            self.ended = Some(Ended::Aborted);
            return Ok(None);
        }
        let writing = self.send(now, conn, job, tight, stack)?;
        self.close(now, conn, job, stack);
        let wake = [reading, writing].into_iter().flatten().min().filter(|at| *at < self.wakes_at);
        self.wakes_at = wake.unwrap_or(self.wakes_at);
        Ok(wake)
    }

    fn aborts(&self, job: &Job) -> bool {
        job.abort.is_some_and(|(side, bytes)| side == self.side && self.sent.max(self.received) >= bytes)
    }

    fn receive(&mut self, now: Instant, conn: ConnId, job: &Job, stack: &mut Stack) -> Result<Option<Instant>, Fault> {
        if now < self.reads_at {
            return Ok((stack.recv_len(conn) > 0 || !self.finished).then_some(self.reads_at));
        }
        let mut budget = job.read[self.side].bytes;
        while budget > 0 && !stack.peek(conn).is_empty() {
            budget -= self.take_some(conn, budget, stack)?;
        }
        self.finish(conn, job, stack)?;
        if stack.recv_len(conn) == 0 {
            return Ok(None);
        }
        self.reads_at = now + job.read[self.side].pause;
        Ok(Some(self.reads_at))
    }

    /// Consumes a part of the first chunk, in one of the two ways, and checks it.
    fn take_some(&mut self, conn: ConnId, budget: u64, stack: &mut Stack) -> Result<u64, Fault> {
        let whole = stack.peek(conn).len() as u64;
        if whole <= budget && self.rng.below(4) == 0 {
            let chunk = stack.take_chunk(conn);
            let chunk = chunk.ok_or_else(|| Invariant::Streams.fault("a chunk that was seen could not be taken"))?;
            self.check(&chunk)?;
            return Ok(chunk.len() as u64);
        }
        // Mostly all of it.
        let part = whole.min(budget);
        let part = if self.rng.below(4) == 0 { part.min(1 + u64::from(self.rng.below(3_000))) } else { part };
        self.check(&stack.peek(conn)[..part as usize])?;
        stack.consume(conn, part as usize);
        Ok(part)
    }

    /// Streams are equal: each part that is read continues the prefix that was read before.
    fn check(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(at) = Pattern::of(self.job, 1 - self.side).mismatch(self.received, bytes) {
            return Err(Invariant::Streams.fault(format!("byte {at} of the stream is wrong")));
        }
        self.received += bytes.len() as u64;
        Ok(())
    }

    /// Sees the peer's end of stream.
    fn finish(&mut self, conn: ConnId, job: &Job, stack: &Stack) -> Result<(), Fault> {
        if self.finished || !stack.recv_finished(conn) {
            return Ok(());
        }
        self.finished = true;
        let expected = job.bytes[1 - self.side];
        if self.received != expected {
            let text = format!("the stream ends after {} of {expected} bytes", self.received);
            return Err(Invariant::Streams.fault(text));
        }
        Ok(())
    }

    fn send(
        &mut self,
        now: Instant,
        conn: ConnId,
        job: &Job,
        tight: bool,
        stack: &mut Stack,
    ) -> Result<Option<Instant>, Fault> {
        let most = self.may_send(job);
        if self.closed || self.sent >= most {
            return Ok(None);
        }
        if now < self.writes_at {
            return Ok(Some(self.writes_at));
        }
        let unsure = job.abort.is_some() || tight;
        let Pace { bytes, pause, .. } = job.write[self.side];
        let until = most.min(self.sent.saturating_add(bytes));
        while self.sent < until {
            let room = stack.send_room(conn) as u64;
            let most = if tight { MOST_WHEN_TIGHT } else { MOST as u32 - 1 };
            let length = (until - self.sent).min(1 + u64::from(self.rng.below(most)));
            let length = if room == 0 { length } else { length.min(room) };
            match stack.send(conn, Pattern::of(self.job, self.side).bytes(self.sent, length as usize)) {
                Ok(()) => self.sent += length,
                // WRITABLE must follow.
                Err(SendError::Full) if room < length || tight => return Ok(None),
                // The handshake is not done; CONNECTED must follow.
                Err(SendError::NotOpen) if self.sent == 0 => return Ok(None),
                // A reset was received, and its event comes.
                Err(SendError::NotOpen | SendError::NoConnection) if unsure => return Ok(None),
                Err(error) => {
                    let text = format!("{error}, with room for {room} of {length}");
                    return Err(Invariant::Endings.fault(text));
                }
            }
        }
        if self.sent >= most {
            return Ok(None);
        }
        self.writes_at = now + pause;
        Ok(Some(self.writes_at))
    }

    /// How much of the stream may have been sent by now.
    fn may_send(&mut self, job: &Job) -> u64 {
        let total = job.bytes[self.side];
        let Talk::Exchanges(rounds) = job.talk else { return total };
        let theirs = job.bytes[1 - self.side];
        let share = |bytes: u64, round: u32| bytes * u64::from(round.min(rounds)) / u64::from(rounds.max(1));
        while self.rounds < rounds && self.received >= share(theirs, self.rounds + 1) {
            self.rounds += 1;
        }
        share(total, self.rounds + u32::from(self.side == 0))
    }

    fn close(&mut self, now: Instant, conn: ConnId, job: &Job, stack: &mut Stack) {
        let waits = job.closes_last == Some(self.side) && !self.finished;
        if self.connected && !self.closed && !waits && self.sent == job.bytes[self.side] {
            self.closed = true;
            stack.close(now, conn);
        }
    }

    /// The id is dead: unless it may end early, everything must have been sent, received and closed.
    pub fn end(&mut self, reason: EndReason, job: &Job, early: bool) -> Result<(), Fault> {
        self.ended = Some(Ended::Event(reason));
        // With nothing to receive, the connection may end before anybody looks for the peer's end of stream.
        self.finished |= self.peer_closed && job.bytes[1 - self.side] == self.received;
        match reason {
            EndReason::Closed if self.finished && self.closed => Ok(()),
            _ if early => Ok(()),
            _ => Err(Invariant::Endings.fault(format!("ended early: {reason:?}, {}", self.progress(job)))),
        }
    }

    /// How far it is.
    pub fn progress(&self, job: &Job) -> String {
        format!(
            "sent {} of {}, received {} of {}{}{}{}",
            self.sent,
            job.bytes[self.side],
            self.received,
            job.bytes[1 - self.side],
            if self.closed { ", closed" } else { "" },
            if self.finished { ", peer closed" } else { "" },
            self.ended.map_or(String::new(), |ended| format!(", ended: {ended:?}"))
        )
    }
}
