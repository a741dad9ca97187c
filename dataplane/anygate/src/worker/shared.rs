//! What a worker shows to, and takes from, the threads beside it. The hot path touches none of it: figures are
//! copied out a hundred times a second, and the mailbox is looked at when its flag is up.

use super::handover::HandoverCounters;
use crate::http::HttpCounters;
use crate::wake::Bell;
use config::Listener;
use crossbeam_channel::{Receiver, Sender, bounded};
use netstack::counters::IpCounters;
use netstack::tcp::{MemoryUsage, TcpCounters};
use port::{PortCounters, PortInfo};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The figures of one worker at one moment.
#[derive(Clone, Debug, Default)]
pub struct WorkerFigures {
    /// Ethernet, IP, ICMP, UDP.
    pub ip: IpCounters,
    /// TCP.
    pub tcp: TcpCounters,
    /// The port, wrappers included.
    pub port: PortCounters,
    /// Packets handed to other workers.
    pub handover: HandoverCounters,
    /// The HTTP service.
    pub http: HttpCounters,
    /// TCP connections of the stack, half-open ones included.
    pub tcp_connections: u64,
    /// Connections that the HTTP service holds.
    pub http_connections: u64,
    /// Frames of the pool.
    pub pool_frames: u64,
    /// Frames free now.
    pub pool_available: u64,
    /// Fewest frames ever free.
    pub pool_low_water: u64,
    /// What TCP connections hold.
    pub memory: MemoryUsage,
    /// Turns of the run loop.
    pub turns: u64,
    /// Turns that found work.
    pub busy_turns: u64,
    /// Times that the worker slept.
    pub sleeps: u64,
    /// Generation of the snapshot that new requests see.
    pub generation: u64,
    /// Link state of the port.
    pub link_up: bool,
    /// Addresses, routers and lease.
    pub host: Arc<netstack::HostState>,
}

/// Where a worker is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Phase {
    /// Serving.
    Running = 0,
    /// Finishing what is under way; new connections are refused.
    Draining = 1,
    /// Ended.
    Stopped = 2,
}

/// One row of `mgmt conns`.
pub type ConnectionRow = netstack::tcp::ConnInfo;

/// One row of `mgmt neigh`.
pub type NeighborRow = netstack::NeighborInfo;

/// What another thread asks of a worker. Each is bounded work.
#[derive(Debug)]
pub enum Command {
    /// List connections from slab position `from`, at most `max`; answers with the rows and the next position.
    Connections {
        /// First slab position.
        from: usize,
        /// Most rows.
        max: usize,
        /// Where the answer goes.
        reply: Sender<Vec<ConnectionRow>>,
    },
    /// List the neighbour table.
    Neighbors {
        /// Where the answer goes.
        reply: Sender<Vec<NeighborRow>>,
    },
    /// Listen on exactly these addresses from now on.
    Listen {
        /// All listen addresses.
        addresses: Vec<Listener>,
        /// Told when done; the text says why it could not.
        reply: Sender<Result<(), String>>,
    },
    /// A neighbour that another worker learned.
    Neighbor(netstack::NeighborUpdate),
    /// What another worker tells of the host's addresses, routers and lease.
    Host(netstack::HostUpdate),
    /// Finish within `deadline`, then end.
    Drain {
        /// How long connections may still take.
        deadline: Duration,
    },
}

/// The side of a worker that other threads hold.
#[derive(Clone, Debug)]
pub struct WorkerHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    number: usize,
    core: Option<usize>,
    info: PortInfo,
    figures: Mutex<WorkerFigures>,
    phase: AtomicU8,
    generation: AtomicU64,
    mail: Sender<Command>,
    has_mail: AtomicBool,
    bell: Bell,
}

impl WorkerHandle {
    /// A handle and the receiving end for the worker.
    pub fn new(number: usize, core: Option<usize>, info: PortInfo) -> io::Result<(WorkerHandle, Receiver<Command>)> {
        let (mail, inbox) = bounded(1024);
        let handle = WorkerHandle(Arc::new(Shared {
            number,
            core,
            info,
            figures: Mutex::default(),
            phase: AtomicU8::new(Phase::Running as u8),
            generation: AtomicU64::new(0),
            mail,
            has_mail: AtomicBool::new(false),
            bell: Bell::new()?,
        }));
        Ok((handle, inbox))
    }

    /// Its number, from 0.
    pub fn number(&self) -> usize {
        self.0.number
    }

    /// The core that it is pinned to.
    pub fn core(&self) -> Option<usize> {
        self.0.core
    }

    /// Its port, as it was opened.
    pub fn port(&self) -> &PortInfo {
        &self.0.info
    }

    /// The newest figures (at most 10 ms old on a busy worker, up to the longest sleep on an idle one).
    pub fn figures(&self) -> WorkerFigures {
        self.0.figures.lock().map(|figures| figures.clone()).unwrap_or_default()
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        match self.0.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// Generation of the snapshot that its new requests see.
    pub fn seen_generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    pub(super) fn set_seen_generation(&self, generation: u64) {
        self.0.generation.store(generation, Ordering::Release);
    }

    /// Sends a command; false when the mailbox is full or the worker has ended.
    pub fn send(&self, command: Command) -> bool {
        if self.phase() == Phase::Stopped || self.0.mail.try_send(command).is_err() {
            return false;
        }
        self.0.has_mail.store(true, Ordering::SeqCst);
        self.0.bell.ring();
        true
    }

    /// Wakes it, so that it looks at a new snapshot now.
    pub fn wake(&self) {
        self.0.bell.ring();
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.0.bell
    }

    pub(super) fn has_mail(&self) -> bool {
        self.0.has_mail.load(Ordering::SeqCst)
    }

    /// Takes the flag down before the mail is read, so that a letter that comes meanwhile raises it again.
    #[inline]
    pub(super) fn take_mail_flag(&self) -> bool {
        self.0.has_mail.load(Ordering::Relaxed) && self.0.has_mail.swap(false, Ordering::SeqCst)
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.0.phase.store(phase as u8, Ordering::Release);
    }

    /// Publishes figures unless somebody reads them right now: the data plane never waits.
    pub(super) fn publish(&self, fill: impl FnOnce(&mut WorkerFigures)) {
        if let Ok(mut figures) = self.0.figures.try_lock() {
            fill(&mut figures);
        }
    }
}
