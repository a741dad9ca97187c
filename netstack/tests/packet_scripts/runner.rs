//! Plays a script against a stack in virtual time.

mod flow;
mod ledger;
mod settings;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use netstack::stack::Stack;
use netstack::tcp::{ConnId, ConnectConfig, ListenerId, Ready};
use netstack::{FramePool, Instant};

use crate::script::{Action, Icmp, Script, Step};
use crate::segment::Segment;
use crate::wire::{self, Ends};

use self::flow::{Flow, pattern};
use self::settings::Settings;

/// A segment may leave so much earlier or later than written: timers tick in milliseconds.
const TOLERANCE: Duration = Duration::from_millis(2);
const POOL_FRAMES: usize = 1024;

pub fn run(script: &Script) -> Result<(), String> {
    let mut player = Player::new(script)?;
    for step in &script.steps {
        player.step(step).map_err(|reason| format!("line {}: {reason}", step.line))?;
    }
    player.finish(script)
}

struct Player {
    stack: Stack,
    pool: FramePool,
    settings: Settings,
    /// Virtual time, and the time that the script has reached.
    now: Instant,
    due: Instant,
    /// What the stack sent and the script has not expected yet.
    sent: VecDeque<(Instant, Vec<u8>)>,
    ends: Ends,
    flow: Flow,
    listener: Option<ListenerId>,
    conn: Option<ConnId>,
    /// What was reported of `conn` and not yet asked for, and why it ended.
    ready: Ready,
    ended: Option<String>,
    window: u16,
}

impl Player {
    fn new(script: &Script) -> Result<Player, String> {
        let settings = Settings::read(&script.config)?;
        let pool = FramePool::heap(POOL_FRAMES);
        let now = Instant::from_millis(1_000);
        let stack = settings.stack(pool.clone(), now)?;
        let ends = Ends { peer: (settings.peer, 40_000), stack: (settings.address, 80) };
        let flow = Flow::new(settings.peer_isn);
        let mut player = Player {
            stack,
            pool,
            settings,
            now,
            due: now,
            sent: VecDeque::new(),
            ends,
            flow,
            listener: None,
            conn: None,
            ready: Ready::NONE,
            ended: None,
            window: 65_535,
        };
        player.turn();
        // What the stack says of itself at its start is not TCP's matter.
        player.sent.clear();
        Ok(player)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        self.due += step.after;
        if let Action::Outbound(expected, ecn) = &step.action {
            return self.expect(expected, *ecn);
        }
        self.advance(self.due);
        self.nothing_left()?;
        self.act(&step.action)?;
        self.turn();
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Inbound(segment, damage) => {
                self.window = segment.window.unwrap_or(self.window);
                let (absolute, payload) = self.flow.absolute(segment, self.window);
                self.inject(&wire::encode(&self.ends, &absolute, &payload, damage))
            }
            Action::IcmpError(kind, seq) => self.icmp(*kind, *seq),
            Action::Listen(port) => {
                self.ends.stack.1 = *port;
                let listener = self.stack.listen(self.settings.listen(*port));
                self.listener = Some(listener.map_err(|error| error.to_string())?);
                Ok(())
            }
            Action::Unlisten => {
                self.stack.unlisten(self.listener.take().ok_or("nothing listens")?);
                Ok(())
            }
            Action::Connect(port, early) => self.connect(*port, *early),
            Action::Accept => self.accept(),
            Action::Send(bytes) => self.send(*bytes),
            Action::Recv(bytes) => self.recv(*bytes),
            Action::RecvEof => match self.stack.recv_finished(self.conn()?) {
                true => Ok(()),
                false => Err("there is more to receive, or the peer has not closed".into()),
            },
            Action::Close => {
                let conn = self.conn()?;
                self.stack.close(self.now, conn);
                Ok(())
            }
            Action::Abort => {
                let conn = self.conn()?;
                self.stack.abort(self.now, conn);
                self.conn = None;
                Ok(())
            }
            Action::Event(names) => self.event(names),
            Action::Flow(port, isn) => {
                self.ends.peer.1 = *port;
                self.flow = Flow::new(*isn);
                (self.conn, self.ready, self.ended) = (None, Ready::NONE, None);
                Ok(())
            }
            Action::Nothing | Action::Outbound(..) => Ok(()),
        }
    }

    // ---- time and the stack's turn ----

    /// Lets time pass until `until`, timer by timer.
    fn advance(&mut self, until: Instant) {
        while let Some(timer) = self.stack.poll_timeout().filter(|timer| *timer <= until) {
            // A wheel may ask to be looked at early; one tick further is the least that it makes progress.
            self.now = self.now.max(timer).max(self.now.plus_nanos(u64::from(timer <= self.now) * 100_000));
            if self.now > until {
                break;
            }
            self.turn();
        }
        self.now = self.now.max(until);
        self.turn();
    }

    /// One turn of the run loop, until the stack has nothing more to send.
    fn turn(&mut self) {
        self.stack.handle_timeout(self.now);
        while let Some(event) = self.stack.poll_event() {
            let accepted = event.ready.contains(Ready::ACCEPTED);
            if accepted && self.conn.is_none() {
                self.conn = Some(event.conn);
            }
            if self.conn == Some(event.conn) {
                self.ready |= event.ready;
                self.ended = event.ended.map(|reason| format!("{reason:?}")).or(self.ended.take());
            }
        }
        self.stack.settle(self.now);
        let mut frames = VecDeque::new();
        while self.stack.poll_transmit(self.now, &mut frames, 64) > 0 {
            self.sent.extend(frames.drain(..).map(|frame| (self.now, frame.data().to_vec())));
        }
    }

    fn inject(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut frame = self.pool.alloc().ok_or("the pool is empty: frames leak")?;
        frame.extend(bytes.len()).ok_or("the segment is longer than a frame")?.copy_from_slice(bytes);
        self.stack.handle_frame(self.now, frame);
        Ok(())
    }

    // ---- segments ----

    fn nothing_left(&mut self) -> Result<(), String> {
        match self.sent.pop_front() {
            None => Ok(()),
            Some((at, frame)) => {
                let segment = self
                    .flow
                    .relative(&self.ends, &frame)
                    .map_or_else(|reason| reason, |(segment, _)| segment.to_string());
                Err(format!("unexpected at {}: > {segment}", self.since_due(at)))
            }
        }
    }

    fn since_due(&self, at: Instant) -> String {
        format!("{:+.3} s", (at.as_nanos() as i64 - self.due.as_nanos() as i64) as f64 / 1e9)
    }

    /// The next segment of the stack is `expected`, and leaves when the script has got to.
    fn expect(&mut self, expected: &Segment, ecn: Option<u8>) -> Result<(), String> {
        let latest = self.due + TOLERANCE;
        if self.sent.is_empty() {
            self.advance_until_sent(latest);
        }
        let Some((at, frame)) = self.sent.pop_front() else {
            return Err(format!("nothing was sent\n    expected > {expected}"));
        };
        let (seen, payload) =
            self.flow.relative(&self.ends, &frame).map_err(|reason| format!("the stack sent what {reason}"))?;
        if !expected.describes(&seen) {
            return Err(format!("another segment was sent\n    expected > {expected}\n    sent     > {seen}"));
        }
        let marked = wire::ecn(&frame);
        if ecn.is_some_and(|ecn| ecn != marked) {
            return Err(format!("sent with the ECN codepoint {marked} > {seen}"));
        }
        if at > latest || at + TOLERANCE < self.due {
            return Err(format!("sent at {} > {seen}", self.since_due(at)));
        }
        let first = u64::from(seen.seq).saturating_sub(1);
        match payload.iter().zip(first..).all(|(byte, position)| *byte == pattern(position)) {
            true => Ok(()),
            false => Err(format!("the payload is not what was queued > {seen}")),
        }
    }

    fn advance_until_sent(&mut self, latest: Instant) {
        while self.sent.is_empty() && self.now < latest {
            let timer = self.stack.poll_timeout().unwrap_or(latest).min(latest);
            self.now = timer.max(self.now.plus_nanos(100_000)).min(latest);
            self.turn();
        }
    }

    fn icmp(&mut self, kind: Icmp, seq: u32) -> Result<(), String> {
        let seq = self.flow.stack_number(seq);
        let (kind, rest) = match kind {
            Icmp::HostUnreachable => ((3, 1), [0; 4]),
            Icmp::PortUnreachable => ((3, 3), [0; 4]),
            Icmp::FragmentationNeeded(mtu) => ((3, 4), [0, 0, (mtu >> 8) as u8, mtu as u8]),
        };
        self.inject(&wire::encode_icmp(&self.ends, kind, rest, seq))
    }

    // ---- the application ----

    fn conn(&self) -> Result<ConnId, String> {
        self.conn.ok_or_else(|| "there is no connection".into())
    }

    fn connect(&mut self, port: u16, early: Option<usize>) -> Result<(), String> {
        (self.ends.peer.1, self.ends.stack.1) = (port, 50_000);
        let config = ConnectConfig {
            local_port: Some(50_000),
            fast_open: early.is_some(),
            ..ConnectConfig::to(SocketAddr::new(self.ends.peer.0, port), 7)
        };
        let conn = self.stack.connect(self.now, config).map_err(|error| error.to_string())?;
        self.conn = Some(conn);
        early.map_or(Ok(()), |bytes| self.send(bytes))
    }

    fn accept(&mut self) -> Result<(), String> {
        if !self.ready.contains(Ready::ACCEPTED) {
            return Err(format!("nothing was accepted: {:?}", self.ready));
        }
        self.ready = without(self.ready, Ready::ACCEPTED);
        Ok(())
    }

    fn send(&mut self, bytes: usize) -> Result<(), String> {
        let conn = self.conn()?;
        let data: Vec<u8> = (self.flow.sent..self.flow.sent + bytes as u64).map(pattern).collect();
        self.flow.sent += bytes as u64;
        self.stack.send(conn, Bytes::from(data)).map_err(|error| error.to_string())
    }

    fn recv(&mut self, bytes: usize) -> Result<(), String> {
        let conn = self.conn()?;
        let waiting = self.stack.recv_len(conn);
        if waiting != bytes {
            return Err(format!("{waiting} bytes wait"));
        }
        let mut left = bytes;
        while left > 0 {
            let chunk = self.stack.peek(conn);
            let right = chunk.iter().zip(self.flow.consumed..).all(|(byte, position)| *byte == pattern(position));
            let length = chunk.len();
            if length == 0 || !right {
                return Err(format!("the received bytes are not the sent ones at {}", self.flow.consumed));
            }
            self.flow.consumed += length as u64;
            left = left.checked_sub(length).ok_or("a chunk is longer than what waits")?;
            self.stack.consume(conn, length);
        }
        Ok(())
    }

    /// READABLE and WRITABLE count only when they are asked for; everything else must be asked for.
    fn event(&mut self, names: &[String]) -> Result<(), String> {
        let mut wanted = Ready::NONE;
        for name in names {
            wanted |= match name.as_str() {
                "CONNECTED" => Ready::CONNECTED,
                "READABLE" => Ready::READABLE,
                "WRITABLE" => Ready::WRITABLE,
                "PEER_CLOSED" => Ready::PEER_CLOSED,
                "ENDED" => Ready::ENDED,
                reason if self.ended.as_deref() == Some(reason) => Ready::NONE,
                _ => return Err(format!("reported {:?}, ended {:?}", self.ready, self.ended)),
            };
        }
        let optional = Ready::READABLE | Ready::WRITABLE;
        if !self.ready.contains(wanted) || !wanted.contains(without(self.ready, optional)) {
            return Err(format!("reported {:?}, ended {:?}", self.ready, self.ended));
        }
        self.ready = Ready::NONE;
        Ok(())
    }

    // ---- the end ----

    /// Everything is gone: segments, events, connections, frames, timers; and the ledger is as written.
    fn finish(mut self, script: &Script) -> Result<(), String> {
        self.advance(self.due + TOLERANCE);
        self.nothing_left().map_err(|reason| format!("at the end: {reason}"))?;
        let unasked = without(self.ready, Ready::READABLE | Ready::WRITABLE);
        if !unasked.is_empty() {
            return Err(format!("at the end: reported and not asked for: {unasked:?} {:?}", self.ended));
        }
        if let Some(listener) = self.listener {
            self.stack.unlisten(listener);
        }
        match self.stack.connection_count() {
            0 => {}
            count => return Err(format!("at the end: {count} connections are left")),
        }
        ledger::compare(script.ledger.as_deref(), &ledger::of(&self.stack))?;
        // TIME-WAIT may still run.
        self.advance(self.now + Duration::from_secs(300));
        self.nothing_left().map_err(|reason| format!("after the end: {reason}"))?;
        let (free, all) = (self.pool.available(), self.pool.capacity());
        if free != all {
            return Err(format!("at the end: {} frames leaked", all - free));
        }
        match self.stack.poll_timeout() {
            None => Ok(()),
            Some(at) => Err(format!("at the end: a timer is left, due {}", self.since_due(at))),
        }
    }
}

fn without(set: Ready, removed: Ready) -> Ready {
    let all = [Ready::ACCEPTED, Ready::CONNECTED, Ready::READABLE, Ready::WRITABLE, Ready::PEER_CLOSED, Ready::ENDED];
    let kept = all.into_iter().filter(|bit| set.contains(*bit) && !removed.contains(*bit));
    kept.fold(Ready::NONE, |kept, bit| kept | bit)
}
