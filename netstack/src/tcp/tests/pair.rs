//! Two stacks with a wire between them, in virtual time.

use std::collections::VecDeque;

use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;

use crate::config::StackConfig;
use crate::frame::{Frame, FramePool};
use crate::ip::Cidr;
use crate::rng::{Rng, Seed};
use crate::stack::Stack;
use crate::tcp::{ConnId, ConnectConfig, EndReason, ListenConfig, Ready, TcpConfig, TcpCounter};
use crate::time::Instant;

pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;
pub(super) const PORT: u16 = 80;

/// What the wire does to frames, in parts of a million.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub loss: u32,
    pub duplicate: u32,
    pub reorder: u32,
}

/// One end's application view: what arrived, what happened.
#[derive(Default)]
pub(super) struct Seen {
    pub conn: Option<ConnId>,
    pub ready: Ready,
    pub ended: Option<EndReason>,
    pub received: Vec<u8>,
}

pub(super) struct Pair {
    pub stacks: [Stack; 2],
    pub pools: [FramePool; 2],
    pub now: Instant,
    pub seen: [Seen; 2],
    pub faults: Faults,
    pub delay: Duration,
    /// Read what arrives at that end.
    pub reading: [bool; 2],
    /// Frames to drop, by count of frames sent by that end.
    pub drop: [Vec<u64>; 2],
    pub sent: [u64; 2],
    wire: [VecDeque<(Instant, Vec<u8>)>; 2],
    rng: Rng,
}

fn address(end: usize, v6: bool) -> core::net::IpAddr {
    if v6 { format!("fd00::{}", end + 1) } else { format!("10.0.0.{}", end + 1) }.parse().unwrap()
}

impl Pair {
    pub fn new(tcp: [TcpConfig; 2], seed: u64) -> Pair {
        let pools = [FramePool::heap(2048), FramePool::heap(2048)];
        let now = Instant::from_millis(1000);
        let mut index = 0;
        let stacks = tcp.map(|tcp| {
            let end = index;
            index += 1;
            let mac = |end: usize| [2, 0, 0, 0, 0, end as u8 + 1];
            let config = StackConfig {
                mac: mac(end),
                addresses: vec![
                    Cidr::new(address(end, false), 24).unwrap(),
                    Cidr::new(address(end, true), 64).unwrap(),
                ],
                announce: false,
                static_neighbors: [false, true].map(|v6| (address(1 - end, v6), mac(1 - end))).to_vec(),
                tcp,
                ..StackConfig::default()
            };
            Stack::new(config, pools[end].clone(), Seed::from_number(seed * 2 + end as u64), now).unwrap()
        });
        Pair {
            stacks,
            pools,
            now,
            seen: Default::default(),
            faults: Faults::default(),
            delay: Duration::from_millis(5),
            reading: [true; 2],
            drop: [Vec::new(), Vec::new()],
            sent: [0; 2],
            wire: Default::default(),
            rng: Rng::new(seed),
        }
    }

    pub fn plain() -> Pair {
        Pair::new([TcpConfig::default(), TcpConfig::default()], 1)
    }

    /// A pair with an established connection.
    pub fn connected(mut self, v6: bool) -> Pair {
        self.stacks[SERVER].listen(ListenConfig::port(PORT)).unwrap();
        let remote = SocketAddr::new(address(SERVER, v6), PORT);
        let id = self.stacks[CLIENT].connect(self.now, ConnectConfig::to(remote, 7)).unwrap();
        self.seen[CLIENT].conn = Some(id);
        self.run_until("established", |pair| {
            pair.seen[SERVER].conn.is_some() && pair.happened(CLIENT, Ready::CONNECTED)
        });
        self
    }

    pub fn happened(&self, end: usize, ready: Ready) -> bool {
        self.seen[end].ready.contains(ready)
    }

    pub fn id(&self, end: usize) -> ConnId {
        self.seen[end].conn.unwrap()
    }

    pub fn counter(&self, end: usize, which: TcpCounter) -> u64 {
        self.stacks[end].tcp_counters().get(which)
    }

    pub fn state(&self, end: usize) -> &'static str {
        let id = self.id(end);
        self.stacks[end].connections(0, usize::MAX).find(|info| info.conn == id).map_or("-", |info| info.state)
    }

    pub fn send(&mut self, end: usize, data: &[u8]) {
        let id = self.id(end);
        self.stacks[end].send(id, Bytes::copy_from_slice(data)).unwrap();
    }

    pub fn close(&mut self, end: usize) {
        let id = self.id(end);
        self.stacks[end].close(self.now, id);
    }

    /// One turn: what has arrived is handled, applications run, what is to be sent goes on the wire.
    pub fn turn(&mut self) {
        for end in [CLIENT, SERVER] {
            while let Some((_, bytes)) = self.wire[end].front().filter(|(at, _)| *at <= self.now) {
                let mut frame: Frame = self.pools[end].alloc().expect("a frame to receive into");
                frame.extend(bytes.len()).unwrap().copy_from_slice(bytes);
                self.wire[end].pop_front();
                self.stacks[end].handle_frame(self.now, frame);
            }
            self.stacks[end].handle_timeout(self.now);
            self.application(end);
            self.stacks[end].settle(self.now);
            let mut out = VecDeque::new();
            self.stacks[end].poll_transmit(self.now, &mut out, 256);
            out.into_iter().for_each(|frame| self.carry(end, frame.data()));
            self.stacks[end].tcp().audit().unwrap_or_else(|fault| panic!("end {end} at {:?}: {fault}", self.now));
        }
    }

    fn application(&mut self, end: usize) {
        while let Some(event) = self.stacks[end].poll_event() {
            let seen = &mut self.seen[end];
            seen.conn = Some(event.conn);
            seen.ready |= event.ready;
            seen.ended = seen.ended.or(event.ended);
        }
        let Some(id) = self.seen[end].conn.filter(|_| self.reading[end]) else { return };
        loop {
            let n = self.stacks[end].peek(id).len();
            if n == 0 {
                break;
            }
            let chunk = self.stacks[end].peek(id).to_vec();
            self.seen[end].received.extend(chunk);
            self.stacks[end].consume(id, n);
        }
    }

    fn carry(&mut self, from: usize, bytes: &[u8]) {
        let number = self.sent[from];
        self.sent[from] += 1;
        if self.drop[from].contains(&number) || self.rng.chance_ppm(self.faults.loss) {
            return;
        }
        let copies = 1 + usize::from(self.rng.chance_ppm(self.faults.duplicate));
        for _ in 0..copies {
            let late = if self.rng.chance_ppm(self.faults.reorder) { self.delay * 3 / 2 } else { Duration::ZERO };
            let at = self.now + self.delay + late;
            let queue = &mut self.wire[1 - from];
            let position = queue.partition_point(|(other, _)| *other <= at);
            queue.insert(position, (at, bytes.to_vec()));
        }
    }

    /// Turns until `done`, jumping to the next moment at which something happens.
    #[track_caller]
    pub fn run_until(&mut self, what: &str, done: impl Fn(&Pair) -> bool) {
        for _ in 0..200_000 {
            self.turn();
            if done(self) {
                return;
            }
            let arrivals = self.wire.iter().filter_map(|queue| queue.front().map(|(at, _)| *at));
            let timers = self.stacks.iter().filter_map(|stack| stack.poll_timeout());
            let Some(next) = arrivals.chain(timers).min() else { break };
            self.now = next.max(self.now.plus_nanos(1_000));
        }
        panic!("not {what} at {:?}: {:?} {:?}", self.now, self.state(CLIENT), self.state(SERVER));
    }

    /// Turns for `time`.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.turn();
            let arrivals = self.wire.iter().filter_map(|queue| queue.front().map(|(at, _)| *at));
            let timers = self.stacks.iter().filter_map(|stack| stack.poll_timeout());
            let next = arrivals.chain(timers).min().unwrap_or(end);
            self.now = next.max(self.now.plus_nanos(1_000)).min(end);
        }
        self.turn();
    }

    /// Nothing is left: no connection, no TIME-WAIT, no timer, no frame.
    #[track_caller]
    pub fn nothing_left(&mut self) {
        self.run_for(Duration::from_secs(200));
        for end in [CLIENT, SERVER] {
            let tcp = self.stacks[end].tcp();
            assert_eq!((tcp.connection_count(), tcp.half_open_count(), tcp.time_wait_count()), (0, 0, 0), "end {end}");
            assert_eq!(tcp.poll_timeout(), None, "end {end}");
            assert_eq!(self.pools[end].available(), self.pools[end].capacity(), "end {end}");
        }
    }
}
