//! Waking a worker that sleeps in `poll(2)`: an eventfd, and the sleep itself.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A bell: rung from any thread, heard by the one worker that sleeps on it. Ringing an awake worker costs one load.
#[derive(Clone, Debug)]
pub struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    eventfd: OwnedFd,
    asleep: AtomicBool,
}

impl Bell {
    /// A new bell; fails when the process has no file descriptors left.
    pub fn new() -> io::Result<Bell> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Bell(Arc::new(Inner { eventfd, asleep: AtomicBool::new(false) })))
    }

    /// Wakes the worker when it sleeps or is about to.
    pub fn ring(&self) {
        if self.0.asleep.load(Ordering::SeqCst) {
            // An eventfd that is already readable needs no second ring, so a full counter is no error.
            let _ = rustix::io::write(&self.0.eventfd, &1u64.to_ne_bytes());
        }
    }

    /// Sleeps until `readable` has something, the bell rings, or `timeout` has passed. `ready` is asked once more
    /// after the bell was armed, so that a ring between the last look and the sleep is not lost.
    pub fn sleep(&self, readable: Option<BorrowedFd<'_>>, timeout: Duration, ready: impl FnOnce() -> bool) {
        self.0.asleep.store(true, Ordering::SeqCst);
        if !ready() {
            let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
            let bell = PollFd::from_borrowed_fd(self.0.eventfd.as_fd(), PollFlags::IN);
            // An interrupted or failed poll is a short sleep: the loop looks again.
            let _ = match readable {
                Some(fd) => poll(&mut [bell, PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout)),
                None => poll(&mut [bell], Some(&timeout)),
            };
        }
        self.0.asleep.store(false, Ordering::SeqCst);
        let mut rung = [0u8; 8];
        let _ = rustix::io::read(&self.0.eventfd, &mut rung);
    }
}
