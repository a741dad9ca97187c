//! The run loop: one worker a core and queue.
//!
//! ```text
//!   turn:  mail ─▶ rx_burst ─▶ handle_frame* ─▶ exchange with other workers ─▶ timers ─▶ events ─▶ HTTP (parse, route, answer) ─▶ settle ─▶ poll_transmit ─▶ tx_burst
//!   idle:  no work for the spin budget ─▶ poll(2) on the port, the bell, and the next deadline
//! ```
//!
//! A worker owns its port queue, its stack, its connections and its timers. It shares the read-only snapshot with the
//! others, and packets that came to the wrong queue ([`handover`]); what it shows is in [`shared`].

pub mod handover;
mod host;
mod polling;
pub mod shared;

use handover::Handover;
use polling::Idleness;
pub use polling::Polling;
pub use shared::{Command, Phase, WorkerFigures, WorkerHandle};

use crate::clock::Clock;
use crate::devices::congestion;
use crate::http::HttpService;
use crate::snapshot::Current;
use config::{ListenAddress, Listener};
use crossbeam_channel::Receiver;
use netstack::tcp::{ConnOptions, ListenConfig, ListenerId};
use netstack::{Frame, Instant, Stack};
use port::{Port, PortInfo};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// Frames taken from the port in one turn: enough to share the cost of a turn, few enough that answers leave while the
/// peer has still something to do.
const RX_BURST_FRAMES: usize = 32;
/// Frames handed to the port at a time.
const TX_BURST_FRAMES: usize = 64;
/// Frames that may wait for a full transmit ring before the stack is asked for no more.
const TX_BACKLOG_FRAMES: usize = 256;
/// How often figures are published.
const PUBLISH_EVERY: Duration = Duration::from_millis(10);
/// The longest sleep; bounds the age of published figures and of the date.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// A listener's address (`None`: any) and port.
type Binding = (Option<IpAddr>, u16);

/// What a worker is made of.
pub struct Parts<P> {
    /// Its queue of the port.
    pub port: P,
    /// Its stack, on the port's pool.
    pub stack: Stack,
    /// The configuration that all workers share.
    pub snapshot: Current,
    /// The other side of its handle.
    pub inbox: Receiver<Command>,
    /// Its handle.
    pub handle: WorkerHandle,
    /// The other workers, who are told of neighbours learned here.
    pub peers: Vec<WorkerHandle>,
    /// Its way to the others, where several workers share an interface.
    pub handover: Option<Handover>,
    /// How it waits.
    pub polling: Polling,
    /// Backlog of each listener, in connections.
    pub backlog: usize,
    /// Connections of each listener that began with data in their SYN and are not complete. 0: no Fast Open.
    pub fast_open: usize,
}

/// One worker. Runs on one thread for its whole life.
pub struct Worker<P> {
    port: P,
    stack: Stack,
    http: HttpService,
    inbox: Receiver<Command>,
    handle: WorkerHandle,
    peers: Vec<WorkerHandle>,
    handover: Option<Handover>,
    polling: Polling,
    backlog: usize,
    fast_open: usize,
    listeners: Vec<(Binding, ListenerId)>,
    /// What is to be listened on, as far as the addresses are ours.
    wanted: Vec<Listener>,
    addresses: Vec<IpAddr>,
    /// The state of the host that `addresses` is from, and which of it each peer was told.
    host_generation: u64,
    told: Vec<u64>,
    untold: usize,
    link_was_up: bool,
    rx: Vec<Frame>,
    tx: VecDeque<Frame>,
    next_publish: Instant,
    drain_until: Option<Instant>,
    turns: u64,
    busy_turns: u64,
    sleeps: u64,
}

impl<P: Port> Worker<P> {
    /// Puts a worker together; it listens on nothing yet.
    pub fn new(parts: Parts<P>, now: Instant, unix_seconds: u64) -> Worker<P> {
        let addresses = parts.stack.addresses().map(|cidr| cidr.address()).collect();
        Worker {
            port: parts.port,
            stack: parts.stack,
            http: HttpService::new(parts.snapshot, now, unix_seconds),
            inbox: parts.inbox,
            handle: parts.handle,
            peers: parts.peers,
            handover: parts.handover,
            polling: parts.polling,
            backlog: parts.backlog,
            fast_open: parts.fast_open,
            listeners: Vec::new(),
            wanted: Vec::new(),
            addresses,
            host_generation: 0,
            told: Vec::new(),
            untold: 0,
            link_was_up: true,
            rx: Vec::with_capacity(RX_BURST_FRAMES),
            tx: VecDeque::with_capacity(TX_BACKLOG_FRAMES + TX_BURST_FRAMES),
            next_publish: now,
            drain_until: None,
            turns: 0,
            busy_turns: 0,
            sleeps: 0,
        }
    }

    /// Listens on exactly `listeners`, as far as their addresses are this stack's, now or later: new ones are opened first,
    /// then those no longer named are closed. Established connections stay as they are. On an error nothing changes.
    pub fn listen(&mut self, listeners: &[Listener]) -> Result<(), String> {
        let wanted: Vec<(Binding, ConnOptions)> =
            listeners.iter().flat_map(|listener| self.bindings(listener)).collect();
        let mut opened: Vec<(Binding, ListenerId)> = Vec::new();
        for &((address, port), options) in &wanted {
            if self.listeners.iter().chain(&opened).any(|&(open, _)| open == (address, port)) {
                continue;
            }
            let (backlog, fast_open) = (self.backlog, self.fast_open);
            let config = ListenConfig { address, backlog, fast_open, options, ..ListenConfig::port(port) };
            match self.stack.listen(config) {
                Ok(id) => opened.push(((address, port), id)),
                Err(error) => {
                    opened.iter().for_each(|&(_, id)| self.stack.unlisten(id));
                    let address = address.map_or_else(|| "any address".to_owned(), |address| address.to_string());
                    return Err(format!("cannot listen on {address}, port {port}: {error}"));
                }
            }
        }
        let stack = &mut self.stack;
        self.listeners.retain(|&(binding, id)| {
            let keep = wanted.iter().find(|(wanted, _)| *wanted == binding);
            match keep {
                Some(&(_, options)) => stack.set_listen_options(id, options),
                None => stack.unlisten(id),
            }
            keep.is_some()
        });
        self.listeners.extend(opened);
        self.wanted = listeners.to_vec();
        Ok(())
    }

    /// What a listen address means here: itself when it is ours, every one of ours of its family when it is `0.0.0.0`
    /// or `::`, nothing when it is another port's.
    fn bindings(&self, listener: &Listener) -> Vec<(Binding, ConnOptions)> {
        let options = ConnOptions { congestion: listener.congestion.map(congestion), ..ConnOptions::default() };
        self.sockets(&listener.address).into_iter().map(|binding| (binding, options)).collect()
    }

    fn sockets(&self, listen: &ListenAddress) -> Vec<Binding> {
        match listen.address {
            None => vec![(None, listen.port)],
            Some(any) if any.is_unspecified() => {
                let same_family = self.addresses.iter().filter(|ours| ours.is_ipv4() == any.is_ipv4());
                same_family.map(|&ours| (Some(ours), listen.port)).collect()
            }
            Some(one) if self.addresses.contains(&one) => vec![(Some(one), listen.port)],
            Some(_) => Vec::new(),
        }
    }

    /// Runs until a drain has ended.
    pub fn run(mut self, clock: &Clock) {
        let mut idle = Idleness::new(self.polling, clock.now());
        let mut next_date = Instant::ZERO;
        loop {
            let now = clock.now();
            if now >= next_date {
                self.http.set_date(crate::clock::unix_seconds());
                next_date = now + Duration::from_millis(100);
            }
            let worked = self.turn(now);
            if self.is_drained(now) {
                break;
            }
            if idle.after_turn(now, worked) {
                self.sleep(now);
            }
        }
        self.finish(clock.now());
    }

    /// One turn of the loop at `now`; true when there was work. Public so that a simulation can drive a worker in
    /// virtual time.
    pub fn turn(&mut self, now: Instant) -> bool {
        self.turns += 1;
        if self.handle.take_mail_flag() {
            self.read_mail(now);
        }
        let mut received = self.port.rx_burst(now, &mut self.rx, RX_BURST_FRAMES);
        for frame in self.rx.drain(..) {
            self.stack.handle_frame(now, frame);
        }
        if let Some(handover) = &mut self.handover {
            received += handover.exchange(now, &mut self.stack);
        }
        self.stack.handle_timeout(now);
        if self.http.pick_up_snapshot() {
            self.handle.set_seen_generation(self.http.generation());
        }
        self.http.handle_timeouts(now, &mut self.stack);
        let mut worked = received > 0;
        while let Some(event) = self.stack.poll_event() {
            self.http.handle_event(now, &mut self.stack, &event);
            worked = true;
        }
        if received > 0 {
            self.stack.settle(now);
        }
        worked |= self.transmit(now);
        self.share_neighbors();
        self.follow_host();
        if now >= self.next_publish {
            self.publish(now);
        }
        self.busy_turns += u64::from(worked);
        worked
    }

    /// The next moment at which a turn is needed even if nothing arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines =
            [self.stack.poll_timeout(), self.http.poll_timeout(), self.port.poll_timeout(), self.drain_until];
        deadlines.into_iter().flatten().min()
    }

    /// The stack, for observation.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The HTTP service, for observation.
    pub fn http(&self) -> &HttpService {
        &self.http
    }

    fn transmit(&mut self, now: Instant) -> bool {
        let mut sent = 0;
        while self.tx.len() < TX_BACKLOG_FRAMES {
            let fresh = self.stack.poll_transmit(now, &mut self.tx, TX_BURST_FRAMES);
            if self.tx.is_empty() {
                break;
            }
            sent += self.port.tx_burst(now, &mut self.tx);
            if fresh < TX_BURST_FRAMES || !self.tx.is_empty() {
                break;
            }
        }
        if !self.tx.is_empty() {
            sent += self.port.tx_burst(now, &mut self.tx);
        }
        sent > 0
    }

    fn share_neighbors(&mut self) {
        while let Some(update) = self.stack.poll_neighbor() {
            for peer in &self.peers {
                // A full mailbox loses a hint, not a packet: the peer resolves by itself.
                peer.send(Command::Neighbor(update));
            }
        }
    }

    fn read_mail(&mut self, now: Instant) {
        while let Ok(command) = self.inbox.try_recv() {
            // A caller that has gone away needs no answer.
            match command {
                Command::Connections { from, max, reply } => {
                    let _ = reply.try_send(self.stack.connections(from, max).collect());
                }
                Command::Neighbors { reply } => {
                    let _ = reply.try_send(self.stack.neighbors().collect());
                }
                Command::Listen { addresses, reply } => {
                    let _ = reply.try_send(self.listen(&addresses));
                }
                Command::Neighbor(update) => self.stack.handle_neighbor(now, update),
                Command::Host(update) => self.stack.handle_host_update(now, update),
                Command::Drain { deadline } => self.drain(now, deadline),
            }
        }
    }

    fn drain(&mut self, now: Instant, deadline: Duration) {
        let until = now + deadline;
        self.drain_until = Some(self.drain_until.map_or(until, |earlier| earlier.min(until)));
        for (_, id) in self.listeners.drain(..) {
            self.stack.unlisten(id);
        }
        self.http.start_drain();
        self.handle.set_phase(Phase::Draining);
    }

    fn is_drained(&self, now: Instant) -> bool {
        let Some(until) = self.drain_until else { return false };
        let idle = self.http.is_empty() && self.stack.connection_count() == 0 && self.tx.is_empty();
        let all_idle = self.handover.as_ref().map_or(idle, |handover| handover.all_idle(idle));
        now >= until || all_idle
    }

    /// Ends what is left when the drain's deadline has passed, and says goodbye to the peers.
    fn finish(&mut self, now: Instant) {
        self.http.abort_all(now, &mut self.stack);
        self.transmit(now);
        self.publish(now);
        if let Some(handover) = &self.handover {
            handover.all_idle(true);
        }
        self.handle.set_phase(Phase::Stopped);
    }

    fn sleep(&mut self, now: Instant) {
        if !self.port.prepare_sleep() || !self.tx.is_empty() {
            return;
        }
        let timeout = match self.poll_timeout() {
            Some(at) => at.saturating_since(now).min(LONGEST_SLEEP),
            None => LONGEST_SLEEP,
        };
        if timeout.is_zero() {
            return;
        }
        self.publish(now);
        self.sleeps += 1;
        let (handle, handover) = (&self.handle, self.handover.as_ref());
        let has_work = || handle.has_mail() || handover.is_some_and(Handover::is_waiting);
        handle.bell().sleep(self.port.wait_fd(), timeout, has_work);
    }

    fn publish(&mut self, now: Instant) {
        self.next_publish = now + PUBLISH_EVERY;
        if self.stack.poll_steering_lost() {
            let PortInfo { interface, .. } = self.port.info();
            eprintln!(
                "warning: {interface} spreads flows over its queues in another way than it says; what it says is not \
                 used any more, and packets are handed over between workers"
            );
        }
        let link_up = self.port.link_up();
        if link_up && !self.link_was_up {
            self.stack.handle_link_up(now);
        }
        self.link_was_up = link_up;
        let (stack, http, port) = (&self.stack, &self.http, &self.port);
        let (turns, busy_turns, sleeps) = (self.turns, self.busy_turns, self.sleeps);
        let handover = self.handover.as_ref().map(Handover::counters);
        self.handle.publish(|figures| {
            if let Some(handover) = handover {
                figures.handover.clone_from(handover);
            }
            figures.ip.clone_from(stack.ip_counters());
            figures.tcp.clone_from(stack.tcp_counters());
            figures.port = port.counters();
            figures.http.clone_from(http.counters());
            figures.tcp_connections = stack.connection_count() as u64;
            figures.http_connections = http.connection_count() as u64;
            figures.pool_frames = stack.pool().capacity() as u64;
            figures.pool_available = stack.pool().available() as u64;
            figures.pool_low_water = stack.pool().low_water() as u64;
            figures.memory = stack.tcp().memory();
            figures.turns = turns;
            figures.busy_turns = busy_turns;
            figures.sleeps = sleeps;
            figures.generation = http.generation();
            figures.link_up = link_up;
            figures.host.clone_from(stack.host_state());
        });
    }
}
