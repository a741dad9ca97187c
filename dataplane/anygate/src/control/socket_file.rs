//! The socket as a file: binding it in the place of a dead process's, and leaving nothing behind.
//!
//! A lock file beside the socket is held for the life of the server, so that two servers cannot take each other's
//! socket for a dead one. The kernel releases it when the process dies, however it dies.

use super::access::Access;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// How often a lock file that its last owner just removed is tried again.
const LOCK_ATTEMPTS: usize = 16;

/// Why there is no socket. All of these are the operator's or the host's business, and say what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A live process has it.
    #[error(
        "{} is in use by another anygate{}; stop that one, or name another control socket in the configuration",
        path.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The socket.
        path: PathBuf,
        /// The process, when it is known.
        pid: Option<u32>,
    },
    /// There is a file of another kind.
    #[error("{} exists and is no socket; move it away, or name another control socket", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The bound socket file; removed, with its lock, when dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    lock_path: PathBuf,
    /// Device and inode of the socket: only our own file is removed.
    identity: (u64, u64),
    /// The directory, when we made it.
    made_directory: Option<PathBuf>,
    _lock: File,
}

impl SocketFile {
    /// Binds `path` with the mode and group of `access`.
    pub fn bind(path: &Path, access: Access) -> Result<(SocketFile, UnixListener), BindError> {
        let made_directory = make_directory(path)?;
        let lock_path = beside(path, ".lock");
        let lock = take_lock(path, &lock_path)?;
        check_stale(path)?;
        // The name appears only when mode and group are right.
        let fresh = beside(path, ".new");
        let _ = fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh).map_err(failed("bind", path))?;
        let prepared = prepare(&fresh, path, access);
        if prepared.is_err() {
            let _ = fs::remove_file(&fresh);
            let _ = fs::remove_file(&lock_path);
        }
        let identity = prepared?;
        let file = SocketFile { path: path.to_owned(), lock_path, identity, made_directory, _lock: lock };
        Ok((file, listener))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Nobody is there to be told when the file system refuses; a stale socket is replaced at the next start.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
        let _ = fs::remove_file(&self.lock_path);
        if let Some(directory) = &self.made_directory {
            let _ = fs::remove_dir(directory);
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BindError {
    let path = path.to_owned();
    move |source| BindError::Io { action, path, source }
}

/// `/run/x/control.sock` needs `/run/x`, which a package makes at boot; without one it is made here, one level.
fn make_directory(path: &Path) -> Result<Option<PathBuf>, BindError> {
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(None) };
    match fs::create_dir(directory) {
        Ok(()) => {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755))
                .map_err(failed("set the mode of", directory))?;
            Ok(Some(directory.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(failed("make the directory", directory)(error)),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn take_lock(path: &Path, lock_path: &Path) -> Result<File, BindError> {
    for _ in 0..LOCK_ATTEMPTS {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = rustix::fs::open(lock_path, flags, Mode::RUSR | Mode::WUSR);
        let mut lock = File::from(opened.map_err(|error| failed("open the lock file", lock_path)(error.into()))?);
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(in_use(path, &mut lock)),
            Err(error) => return Err(failed("lock", lock_path)(error.into())),
        }
        // The last owner may have removed the file between our open and our lock: then it protects nothing.
        let ours = lock.metadata().map_err(failed("look at", lock_path))?;
        if fs::symlink_metadata(lock_path).is_ok_and(|found| found.dev() == ours.dev() && found.ino() == ours.ino()) {
            lock.set_len(0).map_err(failed("write", lock_path))?;
            writeln!(lock, "{}", std::process::id()).map_err(failed("write", lock_path))?;
            return Ok(lock);
        }
    }
    Err(BindError::InUse { path: path.to_owned(), pid: None })
}

fn in_use(path: &Path, lock: &mut File) -> BindError {
    let mut text = String::new();
    let _ = lock.take(32).read_to_string(&mut text);
    BindError::InUse { path: path.to_owned(), pid: text.trim().parse().ok() }
}

/// With the lock held, a socket that answers belongs to a program that does not use our lock; one that refuses is dead.
fn check_stale(path: &Path) -> Result<(), BindError> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed("look at", path))?,
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::InUse { path: path.to_owned(), pid: None }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(failed("connect to", path)(error)),
    }
}

fn prepare(fresh: &Path, path: &Path, access: Access) -> Result<(u64, u64), BindError> {
    if access.group.is_some() {
        std::os::unix::fs::chown(fresh, None, access.group).map_err(failed("give to its group", path))?;
    }
    fs::set_permissions(fresh, fs::Permissions::from_mode(access.mode)).map_err(failed("set the mode of", path))?;
    let made = fs::symlink_metadata(fresh).map_err(failed("look at", path))?;
    fs::rename(fresh, path).map_err(failed("bind", path))?;
    Ok((made.dev(), made.ino()))
}
