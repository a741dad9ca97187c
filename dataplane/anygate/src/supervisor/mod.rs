//! The main thread's side: starts the workers, swaps snapshots, drains.
//!
//! ```text
//!   configuration ─▶ devices::open ─▶ worker threads (port, stack, HTTP) ─▶ control socket ─▶ wait for a signal
//! ```

mod start;

use crate::clock::Clock;
use crate::devices::{self, Device, Opened, SetupError, WorkerPlan};
use crate::host;
use crate::snapshot::{Current, Snapshot};
use crate::wake::Bell;
use crate::worker::handover::{self, Seat};
use crate::worker::{Command, Phase, WorkerHandle};
use config::{Config, Diagnostic, Diagnostics, Listener};
use crossbeam_channel::bounded;
use netstack::FlowDirectory;
use netstack::rng::Seed;
use port::capture::CaptureControl;
use start::{Common, Go, spawn};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a worker may take to answer a command or to pick up a snapshot.
const WORKER_PATIENCE: Duration = Duration::from_secs(2);

/// A running data plane.
pub struct Supervisor {
    clock: Clock,
    file: PathBuf,
    current: Current,
    handles: Vec<WorkerHandle>,
    captures: CaptureControl,
    plans: Vec<PortSummary>,
    changing: Mutex<Changing>,
}

/// What a reload changes; held for its whole length, so that reloads do not overtake each other.
struct Changing {
    config: Config,
    devices: Vec<Device>,
    last_error: Option<String>,
    drain_until: Option<std::time::Instant>,
}

/// What a worker's port serves, for the operator.
#[derive(Clone, Debug)]
pub struct PortSummary {
    /// Which entry of `ports`.
    pub port_index: usize,
    /// Its queue.
    pub queue: u32,
    /// Its addresses with prefix lengths.
    pub addresses: Vec<String>,
}

impl Changing {
    /// Makes the devices redirect what is listened on.
    fn redirect(&mut self, listen: &[Listener]) -> Result<(), String> {
        for device in &mut self.devices {
            if let Device::AfXdp { device, addresses } = device {
                device.update(&devices::services(listen), addresses).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// What a reload came to.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// Generation now in force.
    pub generation: u64,
    /// Routes now in force.
    pub routes: usize,
    /// What looks wrong.
    pub warnings: Vec<Diagnostic>,
}

/// The threads of the workers.
pub struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    /// Waits until every worker has ended.
    pub fn join(self) {
        for thread in self.0 {
            // A worker that panics ends the process, so there is nothing to look at.
            let _ = thread.join();
        }
    }
}

impl Supervisor {
    /// Opens the ports and starts the workers; `notes` get what the operator should know.
    pub fn start(
        file: &Path,
        config: Config,
        snapshot: Snapshot,
    ) -> Result<(Supervisor, Threads, Vec<String>), SetupError> {
        let clock = Clock::start();
        let current = Current::new(snapshot);
        let captures = CaptureControl::default();
        let Opened { mut workers, devices, notes } = devices::open(&config)?;
        let plans: Vec<PortSummary> = workers.iter().map(summary).collect();
        let (mut starting, mut ready) = (Vec::new(), Vec::new());
        // What any worker gives out (cookies), every other one must be able to check.
        let secret = host::random_seed().map_err(|error| SetupError::System("draw a seed", error))?;
        share_flows(&mut workers, &secret);
        for (number, mut plan) in workers.into_iter().enumerate() {
            plan.stack.tcp.shared_secret = Some(secret.clone());
            let common = Common {
                clock,
                current: current.clone(),
                polling: devices::polling(&config),
                backlog: config.server.tcp.backlog as usize,
                fast_open: config.server.tcp.fast_open as usize,
                listen: config.server.listen.clone(),
                captures: captures.clone(),
            };
            // One after the other, so that captures know the ports in the order of their workers.
            let worker = spawn(number, plan, common)?;
            ready.push(worker.ready()?);
            starting.push(worker);
        }
        let mut handles = Vec::new();
        let mut inboxes = Vec::new();
        for (number, ready) in ready.iter().enumerate() {
            let made = WorkerHandle::new(number, ready.core, ready.info.clone());
            let (handle, inbox) = made.map_err(|error| SetupError::System("make a worker's bell", error))?;
            handles.push(handle);
            inboxes.push(inbox);
        }
        let seats = seats(&plans, &handles);
        for (number, ((starting, inbox), seat)) in starting.iter().zip(inboxes).zip(seats).enumerate() {
            let peers = handles.iter().filter(|peer| peer.number() != number && shares_port(peer, &handles[number]));
            starting.go(Go { handle: handles[number].clone(), inbox, peers: peers.cloned().collect(), seat });
        }
        for worker in &starting {
            worker.listening()?;
        }
        let threads = Threads(starting.into_iter().map(|starting| starting.thread).collect());
        let changing = Mutex::new(Changing { config, devices, last_error: None, drain_until: None });
        let supervisor = Supervisor { clock, file: file.to_owned(), current, handles, captures, plans, changing };
        Ok((supervisor, threads, notes))
    }

    /// The workers.
    pub fn workers(&self) -> &[WorkerHandle] {
        &self.handles
    }

    /// What each worker serves.
    pub fn ports(&self) -> &[PortSummary] {
        &self.plans
    }

    /// Switches captures; ports are registered in the order of their workers.
    pub fn captures(&self) -> &CaptureControl {
        &self.captures
    }

    /// Nanoseconds between 1970 and the workers' epoch.
    pub fn epoch_unix_nanos(&self) -> u64 {
        let now = crate::clock::unix_nanos();
        now.saturating_sub(self.clock.now().as_nanos())
    }

    /// The configuration file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Time since the start.
    pub fn uptime(&self) -> Duration {
        self.clock.now().saturating_since(netstack::Instant::ZERO)
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load()
    }

    /// Where requests are accepted.
    pub fn listen(&self) -> Vec<Listener> {
        self.changing().config.server.listen.clone()
    }

    /// Why the last reload was refused.
    pub fn last_error(&self) -> Option<String> {
        self.changing().last_error.clone()
    }

    /// Reads the file again and puts it in force everywhere, or changes nothing.
    pub fn reload(self: &Arc<Self>) -> Result<Reloaded, Vec<String>> {
        let mut changing = self.changing();
        let result = self.try_reload(&mut changing);
        changing.last_error = result.as_ref().err().map(|errors| errors.join("\n"));
        result
    }

    fn try_reload(self: &Arc<Self>, changing: &mut Changing) -> Result<Reloaded, Vec<String>> {
        let refused = |errors: Diagnostics| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        let loaded = Config::load(&self.file, std::env::vars()).map_err(refused)?;
        if let Some(error) = needs_restart(&changing.config, &loaded.config) {
            return Err(vec![error.to_string()]);
        }
        let generation = self.current.load().generation + 1;
        let (snapshot, more) = Snapshot::compile(&loaded.config, generation).map_err(refused)?;
        let routes = snapshot.router.rules().len();
        self.listen_on(changing, &loaded.config)?;
        self.current.swap(snapshot);
        changing.config = loaded.config;
        self.wait_for_generation(generation);
        Ok(Reloaded { generation, routes, warnings: loaded.warnings.into_iter().chain(more).collect() })
    }

    /// Opens new listen addresses in the workers, then lets the NIC send what is for them. What is no longer listened
    /// on stays redirected for the time of a drain, so that connections which stand there can finish.
    fn listen_on(self: &Arc<Self>, changing: &mut Changing, next: &Config) -> Result<(), Vec<String>> {
        let (old, new) = (changing.config.server.listen.clone(), next.server.listen.clone());
        if old == new {
            return Ok(());
        }
        let both: Vec<Listener> = old.iter().chain(&new).cloned().collect();
        let applied = self.listen_everywhere(&new).and_then(|()| changing.redirect(&both));
        if let Err(error) = applied {
            // Those that had taken it go back; they listened on the old addresses before, so that cannot fail.
            let _ = self.listen_everywhere(&old);
            return Err(vec![error]);
        }
        let (supervisor, pause) = (Arc::clone(self), next.server.timeouts.drain);
        let narrowing = std::thread::Builder::new().name("narrow".to_owned()).spawn(move || {
            #[allow(clippy::disallowed_methods, reason = "a control thread that waits for connections to end")]
            std::thread::sleep(pause);
            let mut changing = supervisor.changing();
            let listen = changing.config.server.listen.clone();
            // Removing entries needs no room in a map; what fails is left redirected, and answered with a reset.
            let _ = changing.redirect(&listen);
        });
        // Without a thread the old addresses stay redirected until the next change.
        drop(narrowing);
        Ok(())
    }

    fn listen_everywhere(&self, listen: &[Listener]) -> Result<(), String> {
        for worker in &self.handles {
            let (reply, answer) = bounded(1);
            let sent = worker.send(Command::Listen { addresses: listen.to_vec(), reply });
            if sent {
                answer
                    .recv_timeout(WORKER_PATIENCE)
                    .map_err(|_| format!("worker {} did not answer", worker.number()))??;
            }
        }
        Ok(())
    }

    /// Until every running worker has shown the generation, or patience ends: the swap itself needs no waiting.
    fn wait_for_generation(&self, generation: u64) {
        let mut waited = Duration::ZERO;
        while waited < WORKER_PATIENCE {
            let behind =
                |worker: &&WorkerHandle| worker.phase() != Phase::Stopped && worker.seen_generation() < generation;
            let Some(worker) = self.handles.iter().find(behind) else { return };
            worker.wake();
            let pause = Duration::from_micros(200);
            #[allow(clippy::disallowed_methods, reason = "a control thread that waits for the workers")]
            std::thread::sleep(pause);
            waited += pause;
        }
    }

    /// Begins to drain; a drain under way keeps an earlier deadline. Returns the deadline in force.
    pub fn drain(&self, deadline: Duration) -> Duration {
        let mut changing = self.changing();
        #[allow(clippy::disallowed_methods, reason = "a control thread")]
        let now = std::time::Instant::now();
        let until = changing.drain_until.map_or(now + deadline, |until| until.min(now + deadline));
        changing.drain_until = Some(until);
        let left = until.saturating_duration_since(now);
        for worker in &self.handles {
            worker.send(Command::Drain { deadline: left });
        }
        left
    }

    /// True when a drain was begun.
    pub fn is_draining(&self) -> bool {
        self.changing().drain_until.is_some()
    }

    /// The time that the file gives to a drain.
    pub fn drain_deadline(&self) -> Duration {
        self.changing().config.server.timeouts.drain
    }

    /// True when every worker has ended.
    pub fn has_ended(&self) -> bool {
        self.handles.iter().all(|worker| worker.phase() == Phase::Stopped)
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn summary(plan: &WorkerPlan) -> PortSummary {
    PortSummary {
        port_index: plan.port_index,
        queue: plan.queue_number,
        addresses: plan.stack.addresses.iter().map(ToString::to_string).collect(),
    }
}

/// Gives the workers of each interface with several queues a directory of their flows.
fn share_flows(workers: &mut [WorkerPlan], secret: &Seed) {
    for of_port in workers.chunk_by_mut(|a, b| a.port_index == b.port_index) {
        // A directory numbers its workers in few bits.
        let Some(count) = u16::try_from(of_port.len()).ok().filter(|count| (2..=4096).contains(count)) else {
            continue;
        };
        let flows = of_port.iter().map(|plan| plan.stack.tcp.max_connections).sum();
        let directory = FlowDirectory::new(count, flows, secret);
        for (number, plan) in (0..).zip(of_port) {
            plan.stack.flows = Some(directory.worker(number));
        }
    }
}

/// The workers' places where those of one interface hand packets to each other, numbered as in [`share_flows`].
fn seats(plans: &[PortSummary], handles: &[WorkerHandle]) -> Vec<Option<Seat>> {
    let mut seats = Vec::new();
    let mut rest = handles;
    for of_port in plans.chunk_by(|a, b| a.port_index == b.port_index) {
        let (own, behind) = rest.split_at(of_port.len().min(rest.len()));
        rest = behind;
        if let [_] = own {
            seats.push(None);
        } else {
            let bells: Vec<Bell> = own.iter().map(|handle| handle.bell().clone()).collect();
            seats.extend(handover::group(&bells).into_iter().map(Some));
        }
    }
    seats
}

fn shares_port(a: &WorkerHandle, b: &WorkerHandle) -> bool {
    a.port().interface == b.port().interface
}

/// What cannot change while the ports are open.
fn needs_restart(old: &Config, new: &Config) -> Option<Diagnostic> {
    let (a, b) = (&old.server, &new.server);
    let fixed = [
        ("ports", old.ports == new.ports),
        ("server.workers", a.workers == b.workers),
        ("server.cores", a.cores == b.cores),
        ("server.polling", a.polling == b.polling && a.spin == b.spin),
        ("server.tcp", a.tcp == b.tcp),
        ("server.control", a.control == b.control),
        ("server.limits.max_connections", a.limits.max_connections == b.limits.max_connections),
        ("server.limits.half_open", a.limits.half_open == b.limits.half_open),
        ("server.limits.send_buffer", a.limits.send_buffer == b.limits.send_buffer),
        ("server.limits.send_buffer_max", a.limits.send_buffer_max == b.limits.send_buffer_max),
        ("server.limits.receive_buffer", a.limits.receive_buffer == b.limits.receive_buffer),
        ("server.limits.receive_buffer_max", a.limits.receive_buffer_max == b.limits.receive_buffer_max),
        ("server.limits.memory", a.limits.memory == b.limits.memory),
        ("server.limits.on_memory_exhausted", a.limits.on_memory_exhausted == b.limits.on_memory_exhausted),
    ];
    let (path, _) = fixed.iter().find(|(_, same)| !same)?;
    let error = new.error_at(path, format!("`{path}` cannot change while the ports are open; nothing was changed"));
    Some(error.help("drain and start again for that, or take the change back and reload the rest"))
}
