//! A network namespace of its own.

use crate::tools;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A network namespace; deleted, with all that is in it, when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one with its loopback up.
    pub fn new() -> Namespace {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("age-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        tools::run(Command::new("ip").args(["netns", "add", &name])).success();
        let namespace = Namespace { name };
        // Addresses are usable at once: nobody else is on these links.
        namespace
            .sh("for f in all default; do echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; done; ip link set lo up");
        namespace
    }

    /// Its name, as `ip netns` lists it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program to be run inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a line of shell inside, which must succeed; returns its output.
    pub fn sh(&self, line: &str) -> String {
        tools::run(self.command("sh").args(["-ec", line])).success()
    }

    /// Runs `work` on a thread inside: sockets that it opens stay inside for their life.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            let file = File::open(format!("/run/netns/{}", self.name)).expect("the namespace is there");
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may enter it");
            work()
        };
        std::thread::scope(|scope| match scope.spawn(inside).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Default for Namespace {
    fn default() -> Namespace {
        Namespace::new()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}
