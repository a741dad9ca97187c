//! Starting the workers: each opens its port on its own thread, says so, and runs when all the others are ready.

use super::SetupError;
use crate::clock::Clock;
use crate::devices::{self, LivePort, WorkerPlan};
use crate::host;
use crate::snapshot::Current;
use crate::worker::handover::{Handover, Seat};
use crate::worker::{Command, Parts, Polling, Worker, WorkerHandle};
use config::Listener;
use crossbeam_channel::{Receiver, Sender, bounded};
use port::capture::{Capture, CaptureControl};
use port::{Port, PortError, PortInfo};
use std::thread::JoinHandle;

/// What every worker gets.
pub(super) struct Common {
    pub(super) clock: Clock,
    pub(super) current: Current,
    pub(super) polling: Polling,
    pub(super) backlog: usize,
    pub(super) fast_open: usize,
    pub(super) listen: Vec<Listener>,
    pub(super) captures: CaptureControl,
}

/// The last thing that a worker is sent before it runs.
pub(super) struct Go {
    pub(super) handle: WorkerHandle,
    pub(super) inbox: Receiver<Command>,
    pub(super) peers: Vec<WorkerHandle>,
    pub(super) seat: Option<Seat>,
}

/// What a worker's thread says when its port and stack are ready.
pub(super) struct Ready {
    pub(super) info: PortInfo,
    pub(super) core: Option<usize>,
}

pub(super) struct Starting {
    pub(super) which: String,
    pub(super) thread: JoinHandle<()>,
    pub(super) ready: Receiver<Result<Ready, SetupError>>,
    pub(super) go: Sender<Go>,
    pub(super) listening: Receiver<Result<(), SetupError>>,
}

impl Starting {
    pub(super) fn ready(&self) -> Result<Ready, SetupError> {
        self.ready.recv().unwrap_or_else(|_| Err(self.ended()))
    }

    pub(super) fn listening(&self) -> Result<(), SetupError> {
        self.listening.recv().unwrap_or_else(|_| Err(self.ended()))
    }

    fn ended(&self) -> SetupError {
        let error = PortError::program("the worker ended while it started; its message stands above");
        SetupError::Port { which: self.which.clone(), error }
    }

    pub(super) fn go(&self, go: Go) {
        // A worker that ended meanwhile has said so.
        let _ = self.go.send(go);
    }
}

pub(super) fn spawn(number: usize, plan: WorkerPlan, common: Common) -> Result<Starting, SetupError> {
    let (ready_sender, ready) = bounded(1);
    let (go, go_receiver) = bounded(1);
    let (listening_sender, listening) = bounded(1);
    let which = format!("worker {number} (ports[{}], queue {})", plan.port_index, plan.queue_number);
    let channels = Channels { which: which.clone(), ready: ready_sender, go: go_receiver, listening: listening_sender };
    let thread = std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            let _ends_the_process = EndsTheProcess;
            let core = plan.core.filter(|&core| host::pin_to(core).is_ok());
            match plan.queue.build() {
                Ok(LivePort::AfXdp(port)) => work(*port, &plan.stack, core, common, &channels),
                Ok(LivePort::Tap(port)) => work(*port, &plan.stack, core, common, &channels),
                Err(error) => drop(channels.ready.send(Err(channels.failed(error)))),
            }
        })
        .map_err(|error| SetupError::System("start a worker", error))?;
    Ok(Starting { which, thread, ready, go, listening })
}

/// A worker that panics has met a fault of ours, and its connections are lost: the process ends with it rather than
/// serve with a dead queue, so that whoever watches it starts it anew.
struct EndsTheProcess;

impl Drop for EndsTheProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("error: a worker has panicked, which is a fault of anygate; the message stands above. Ending.");
            std::process::abort();
        }
    }
}

/// The worker's ends.
struct Channels {
    which: String,
    ready: Sender<Result<Ready, SetupError>>,
    go: Receiver<Go>,
    listening: Sender<Result<(), SetupError>>,
}

impl Channels {
    fn failed(&self, error: PortError) -> SetupError {
        SetupError::Port { which: self.which.clone(), error }
    }
}

/// A worker's thread: says that it is ready, waits for the others, listens, runs.
fn work<P: Port>(port: P, plan: &netstack::StackConfig, core: Option<usize>, common: Common, channels: &Channels) {
    let now = common.clock.now();
    let built = host::random_seed().map_err(|error| SetupError::System("draw a seed", error)).and_then(|seed| {
        let stack = devices::stack_on(&port, plan, seed, now);
        stack.map_err(|error| channels.failed(PortError::operator(error.to_string())))
    });
    let stack = match built {
        Ok(stack) => stack,
        Err(error) => return drop(channels.ready.send(Err(error))),
    };
    let info = port.info().clone();
    let port = Capture::new(port, &common.captures);
    let told = channels.ready.send(Ok(Ready { info, core }));
    let (Ok(()), Ok(Go { handle, inbox, peers, seat })) = (told, channels.go.recv()) else { return };
    let parts = Parts {
        port,
        stack,
        snapshot: common.current,
        inbox,
        handle,
        peers,
        handover: seat.map(Handover::new),
        polling: common.polling,
        backlog: common.backlog,
        fast_open: common.fast_open,
    };
    let mut worker = Worker::new(parts, now, crate::clock::unix_seconds());
    let listening = worker.listen(&common.listen).map_err(|error| channels.failed(PortError::operator(error)));
    let go_on = listening.is_ok();
    if channels.listening.send(listening).is_ok() && go_on {
        worker.run(&common.clock);
    }
}
