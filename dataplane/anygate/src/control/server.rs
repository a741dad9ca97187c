//! The accept thread, and the bounded set of sessions.

use super::access::Access;
use super::backend::Backend;
use super::session;
use super::socket_file::{BindError, SocketFile};
use mgmt_api::{ApiError, ErrorCode, encode_answer, frame};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Sessions at a time when nothing else is said.
pub const DEFAULT_MAX_SESSIONS: usize = 32;

/// A session needs little: its largest values are on the heap.
const SESSION_STACK_BYTES: usize = 256 * 1024;

/// How long a session may take to finish what it is doing when the server shuts down.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(1);

/// How long nothing is accepted after a failure such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the control socket is and who may use it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ControlConfig {
    /// The socket file.
    pub path: PathBuf,
    /// Who may connect.
    pub access: Access,
    /// Sessions at a time; more are refused.
    pub max_sessions: usize,
}

impl ControlConfig {
    /// The defaults at `path`.
    pub fn new(path: impl Into<PathBuf>) -> ControlConfig {
        ControlConfig { path: path.into(), access: Access::default(), max_sessions: DEFAULT_MAX_SESSIONS }
    }
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket file cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gave no thread or descriptor.
    #[error("cannot start the control server")]
    Start(#[source] io::Error),
}

/// The running server. Dropping it ends the sessions and removes the socket file.
pub struct ControlServer {
    file: Option<SocketFile>,
    path: PathBuf,
    sessions: Arc<Sessions>,
    /// Closing it wakes the accept thread up.
    wake: Option<UnixStream>,
    accept: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Binds the socket and begins to answer.
    pub fn start(config: ControlConfig, backend: Arc<dyn Backend>) -> Result<ControlServer, ControlError> {
        let (file, listener) = SocketFile::bind(&config.path, config.access)?;
        listener.set_nonblocking(true).map_err(ControlError::Start)?;
        let (wake, woken) = UnixStream::pair().map_err(ControlError::Start)?;
        let sessions = Arc::new(Sessions::new(config.max_sessions));
        let path = config.path;
        let accept = {
            let sessions = Arc::clone(&sessions);
            thread::Builder::new()
                .name("control".to_owned())
                .spawn(move || accept_loop(&listener, &woken, &sessions, &backend, config.access))
                .map_err(ControlError::Start)?
        };
        Ok(ControlServer { file: Some(file), path, sessions, wake: Some(wake), accept: Some(accept) })
    }

    /// The socket file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sessions open now.
    pub fn sessions(&self) -> usize {
        self.sessions.lock().open.len()
    }

    /// Removes the socket file, lets each session finish the command it is at (for at most a second), and ends. A
    /// capture ends in order.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        drop(self.file.take());
        drop(self.wake.take());
        if let Some(accept) = self.accept.take() {
            let _ = accept.join();
        }
        self.sessions.end();
    }
}

fn accept_loop(
    listener: &UnixListener,
    woken: &UnixStream,
    sessions: &Arc<Sessions>,
    backend: &Arc<dyn Backend>,
    access: Access,
) {
    loop {
        let mut ready = [PollFd::new(listener, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        if poll(&mut ready, None).is_err_and(|error| error != rustix::io::Errno::INTR) {
            return;
        }
        if !ready[1].revents().is_empty() {
            return;
        }
        match listener.accept() {
            Ok((stream, _)) => Sessions::begin(sessions, stream, backend, access),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                backend.audit(&format!("cannot accept a session: {error}"));
                thread::sleep(ACCEPT_PAUSE);
            }
        }
    }
}

/// The open sessions.
struct Sessions {
    table: Mutex<Table>,
    ended: Condvar,
    max: usize,
}

#[derive(Default)]
struct Table {
    open: HashMap<u64, UnixStream>,
    next: u64,
}

impl Sessions {
    fn new(max: usize) -> Sessions {
        Sessions { table: Mutex::default(), ended: Condvar::new(), max }
    }

    /// The table is whole also after a panic elsewhere: each change is one insertion or removal.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(sessions: &Arc<Sessions>, stream: UnixStream, backend: &Arc<dyn Backend>, access: Access) {
        let Some(slot) = Sessions::enter(sessions, &stream) else {
            refuse(&stream, sessions.max);
            return;
        };
        let session_backend = Arc::clone(backend);
        let spawned = thread::Builder::new().name("control-session".to_owned()).stack_size(SESSION_STACK_BYTES).spawn(
            move || {
                let _slot = slot;
                session::run(stream, &*session_backend, access);
            },
        );
        if let Err(error) = spawned {
            backend.audit(&format!("cannot start a session: {error}"));
        }
    }

    fn enter(sessions: &Arc<Sessions>, stream: &UnixStream) -> Option<Slot> {
        let handle = stream.try_clone().ok()?;
        let mut table = sessions.lock();
        if table.open.len() >= sessions.max {
            return None;
        }
        let key = table.next;
        table.next += 1;
        table.open.insert(key, handle);
        Some(Slot { sessions: Arc::clone(sessions), key })
    }

    /// Lets every session see the end of its input, waits a little, then cuts off the rest.
    fn end(&self) {
        let table = self.lock();
        for stream in table.open.values() {
            let _ = stream.shutdown(Shutdown::Read);
        }
        let (table, _) = self
            .ended
            .wait_timeout_while(table, SHUTDOWN_PATIENCE, |table| !table.open.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        for stream in table.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// One open session; leaving the table when dropped, also by a panic.
struct Slot {
    sessions: Arc<Sessions>,
    key: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.sessions.lock().open.remove(&self.key);
        self.sessions.ended.notify_all();
    }
}

/// Tells a client that there are too many; without waiting, and without reading what it says.
fn refuse(mut stream: &UnixStream, max: usize) {
    let error = ApiError::new(ErrorCode::Busy, format!("{max} sessions are open already"))
        .with_hint("close one of the running `mgmt` commands");
    if let Ok(line) = encode_answer(Err(error))
        && stream.set_nonblocking(true).is_ok()
    {
        let _ = frame::write_line(&mut stream, &line);
    }
}
