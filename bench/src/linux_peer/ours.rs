//! The endpoint under test: our stack on AF_XDP, on a thread of its own that lives as long as its lane. Every run gets a
//! fresh stack on the same port.

use super::application::Application;
use super::bridge::thread_time;
use super::ledger::Ledger;
use crate::error::BenchError;
use crate::host;
use crate::ports::{ClientPort, open_queue};
use anygate::clock::Clock;
use netstack::rng::Seed;
use netstack::tcp::TcpConfig;
use netstack::{Cidr, Frame, Instant, Stack, StackConfig};
use port::Port;
use port_afxdp::{AfXdpConfig, LocalAddress};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

const BURST_FRAMES: usize = 64;
/// Longest sleep: how soon an order is seen.
const REST: Duration = Duration::from_millis(5);
/// Shortest sleep when nothing moved: under real-time priority a thread that never sleeps has its core for itself.
const LEAST_REST: Duration = Duration::from_micros(10);
/// Between two lines of a trace.
const TRACE_STEP: Duration = Duration::from_millis(5);

/// Where the endpoint is.
#[derive(Clone, Debug)]
pub struct OursConfig {
    /// Its interface.
    pub interface: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// The peer's address, and the MAC address that leads to it.
    pub peer: (Ipv4Addr, [u8; 6]),
    /// Frames of the port's pool.
    pub frames: u32,
}

/// One run's stack.
pub struct Begin {
    /// Its TCP.
    pub tcp: TcpConfig,
    /// The source of its secrets.
    pub seed: u64,
    /// What it counts for those who watch.
    pub ledger: Arc<Ledger>,
    /// Where to write the connections' windows as they change.
    pub trace: Option<PathBuf>,
    /// Told when it listens.
    pub done: Sender<Result<(), String>>,
}

/// What the endpoint is told.
pub enum Order {
    /// Listen on a fresh stack.
    Begin(Box<Begin>),
    /// Forget it.
    End(Sender<OursReport>),
}

/// What a run's stack has to say.
#[derive(Clone, Default, Debug, Serialize)]
pub struct OursReport {
    /// TCP's and the IP layer's counters that are not zero.
    pub counters: BTreeMap<String, u64>,
    /// Frames that the port lost.
    pub port_losses: u64,
    /// Processor time of the thread over the run's time.
    pub busy: f64,
}

struct Run {
    stack: Stack,
    application: Application,
    began: (Instant, Duration),
    losses_before: u64,
    trace: Option<Trace>,
}

struct Trace {
    out: BufWriter<File>,
    next: Instant,
}

/// The endpoint, on its thread.
pub struct Ours {
    open: ClientPort,
    config: OursConfig,
    clock: Clock,
    run: Option<Run>,
    received: Vec<Frame>,
    outgoing: VecDeque<Frame>,
}

impl Ours {
    /// Opens the interface, in the namespace of the calling thread.
    pub fn open(config: OursConfig, clock: Clock) -> Result<Ours, BenchError> {
        let open = open_queue(AfXdpConfig {
            queues: Some(1),
            addresses: vec![LocalAddress::exclusive(IpAddr::V4(config.address))],
            frames: config.frames,
            ring_entries: 4096,
            ..AfXdpConfig::new(&config.interface)
        })?;
        let (received, outgoing) = (Vec::with_capacity(BURST_FRAMES), VecDeque::with_capacity(1024));
        Ok(Ours { open, config, clock, run: None, received, outgoing })
    }

    /// Serves until `orders` is closed.
    pub fn serve(mut self, orders: &Receiver<Order>) {
        loop {
            match orders.try_recv() {
                Ok(order) => self.obey(order),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            if !self.turn() {
                self.rest();
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Begin(begin) => {
                let done = begin.done.clone();
                let begun = self.begin(*begin).map(|run| self.run = Some(run));
                let _ = done.send(begun);
            }
            Order::End(reply) => {
                let report = self.run.take().map_or_else(OursReport::default, |run| self.report(&run));
                self.outgoing.clear();
                let _ = reply.send(report);
            }
        }
    }

    fn begin(&mut self, begin: Begin) -> Result<Run, String> {
        let now = self.clock.now();
        let info = self.open.port.info();
        let (peer, mac) = self.config.peer;
        let config = StackConfig {
            mac: info.mac,
            mtu: info.mtu,
            addresses: Cidr::new(IpAddr::V4(self.config.address), 24).into_iter().collect(),
            announce: false,
            static_neighbors: vec![(IpAddr::V4(peer), mac)],
            tcp: begin.tcp,
            ..StackConfig::default()
        };
        let pool = self.open.port.pool().clone();
        let mut stack =
            Stack::new(config, pool, Seed::from_number(begin.seed), now).map_err(|error| error.to_string())?;
        let application = Application::start(&mut stack, begin.ledger)?;
        let losses_before = self.open.port.counters().dropped();
        let trace = begin.trace.and_then(|path| Trace::create(&path, now).ok());
        Ok(Run { stack, application, began: (now, thread_time()), losses_before, trace })
    }

    /// One look at everything. True when there was something to do.
    fn turn(&mut self) -> bool {
        let now = self.clock.now();
        let taken = self.open.port.rx_burst(now, &mut self.received, BURST_FRAMES);
        let Some(Run { stack, application, trace, .. }) = &mut self.run else {
            self.received.clear();
            return taken > 0;
        };
        for frame in self.received.drain(..) {
            stack.handle_frame(now, frame);
        }
        stack.handle_timeout(now);
        application.react(now, stack);
        stack.settle(now);
        if let Some(trace) = trace {
            trace.note(now, stack);
        }
        let mut worked = taken > 0;
        loop {
            let fresh = stack.poll_transmit(now, &mut self.outgoing, BURST_FRAMES);
            let waiting = self.outgoing.len();
            let sent = self.open.port.tx_burst(now, &mut self.outgoing);
            worked |= sent > 0;
            if fresh < BURST_FRAMES || sent < waiting {
                return worked;
            }
        }
    }

    /// Sleeps until a frame comes or a timer is due.
    fn rest(&mut self) {
        let now = self.clock.now();
        let due = self.run.as_ref().and_then(|run| run.stack.poll_timeout());
        let until_due = due.map_or(REST, |due| due.saturating_since(now).min(REST));
        if until_due.is_zero() || !self.outgoing.is_empty() || !self.open.port.prepare_sleep() {
            return host::nap(LEAST_REST);
        }
        let Some(descriptor) = self.open.port.wait_fd() else { return };
        let mut polled = [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)];
        let patience = Timespec { tv_sec: 0, tv_nsec: until_due.subsec_nanos().into() };
        // Interrupted or not, the next turn looks.
        let _ = poll(&mut polled, Some(&patience));
    }

    fn report(&self, run: &Run) -> OursReport {
        let tcp = run.stack.tcp_counters().iter().map(|(which, value)| (which.name(), value));
        let ip = run.stack.ip_counters().iter().map(|(which, value)| (which.name(), value));
        let drops = ip.filter(|(name, _)| name.starts_with("drop_"));
        let elapsed = self.clock.now().saturating_since(run.began.0).as_secs_f64().max(1e-9);
        OursReport {
            counters: tcp.chain(drops).filter(|(_, value)| *value > 0).map(|(n, v)| (n.to_owned(), v)).collect(),
            port_losses: self.open.port.counters().dropped().saturating_sub(run.losses_before),
            busy: thread_time().saturating_sub(run.began.1).as_secs_f64() / elapsed,
        }
    }
}

impl Trace {
    fn create(path: &PathBuf, now: Instant) -> std::io::Result<Trace> {
        let mut out = BufWriter::new(File::create(path)?);
        let columns = "ms,remote_port,snd_una,snd_nxt,snd_wnd,rcv_nxt,rcv_wnd,cwnd,ssthresh,recovery,srtt_us,rto_us,out_of_order,send_queued";
        writeln!(out, "{columns}")?;
        Ok(Trace { out, next: now })
    }

    fn note(&mut self, now: Instant, stack: &Stack) {
        if now < self.next {
            return;
        }
        self.next = now + TRACE_STEP;
        for conn in stack.connections(0, 16) {
            // A trace that cannot be written ends early; the run goes on.
            let _ = writeln!(
                self.out,
                "{:.3},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                now.as_micros() as f64 / 1000.0,
                conn.remote.port(),
                conn.snd_una,
                conn.snd_nxt,
                conn.snd_wnd,
                conn.rcv_nxt,
                conn.rcv_wnd,
                conn.cwnd,
                conn.ssthresh,
                conn.recovery,
                conn.srtt.map_or(0, |srtt| srtt.as_micros()),
                conn.rto.as_micros(),
                conn.out_of_order,
                conn.send_queued,
            );
        }
    }
}
