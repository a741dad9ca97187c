//! Network namespaces that leave nothing behind.
//!
//! A namespace has a name only while it is being set up, because `ip` and `ethtool` want one; then the name is removed
//! and a descriptor alone keeps it. So it is gone with the process, whatever ends that, and everything in it too.

use crate::error::BenchError;
use crate::host::command;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// What our names begin with; the process and a number follow.
const PREFIX: &str = "agl-";

/// A network namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    named: bool,
    descriptor: File,
}

impl Namespace {
    /// A new one, with nothing but its loopback interface.
    pub fn new() -> Result<Namespace, BenchError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        command("ip", &["netns", "add", &name])?;
        let descriptor = File::open(format!("/run/netns/{name}"));
        let descriptor = descriptor.map_err(|e| BenchError::io("open a network namespace", e))?;
        Ok(Namespace { name, named: true, descriptor })
    }

    /// Its name, while it has one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs lines of shell inside. Only while it has a name.
    pub fn sh(&self, lines: &str) -> Result<(), BenchError> {
        command("ip", &["netns", "exec", &self.name, "sh", "-ec", lines]).map(|_| ())
    }

    /// Moves the calling thread inside; threads and programs that it starts are inside too.
    pub fn enter(&self) -> Result<(), BenchError> {
        move_into_link_name_space(self.descriptor.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|e| BenchError::io("enter a network namespace", e.into()))
    }

    /// Another handle to the same namespace.
    pub fn another_handle(&self) -> Result<Namespace, BenchError> {
        let descriptor = self.descriptor.try_clone().map_err(|e| BenchError::io("copy a descriptor", e))?;
        Ok(Namespace { name: self.name.clone(), named: false, descriptor })
    }

    /// Set up: removes the name.
    pub fn forget_name(&mut self) {
        if std::mem::take(&mut self.named) {
            // A name that stays is removed by the next run.
            let _ = command("ip", &["netns", "del", &self.name]);
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.forget_name();
    }
}

/// Removes the names of runs that were killed while they set up.
pub fn sweep() {
    let Ok(names) = fs::read_dir("/run/netns") else { return };
    for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !fs::exists(format!("/proc/{process}")).unwrap_or(true)) {
            let _ = command("ip", &["netns", "del", &name]);
        }
    }
}
