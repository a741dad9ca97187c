//! Network namespaces for tests, gone with their guards.

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace, deleted on drop with everything in it.
pub struct Namespace(String);

impl Namespace {
    /// A namespace with only its loopback interface, up.
    pub fn new() -> Namespace {
        let name = format!("agx-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run("ip", &["netns", "add", &name]);
        let namespace = Namespace(name);
        namespace.ip("link set lo up");
        namespace
    }

    /// Its name, for `ip netns exec`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` in it with the words of `arguments`; returns its output.
    pub fn ip(&self, arguments: &str) -> String {
        let words: Vec<_> = ["-n", &self.0].into_iter().chain(arguments.split_whitespace()).collect();
        run("ip", &words)
    }

    /// Runs a command in it, and returns how it ended.
    pub fn exec(&self, command: &str) -> Output {
        let words = ["netns", "exec", &self.0].into_iter().chain(command.split_whitespace());
        Command::new("ip").args(words).output().expect("ip(8) is installed")
    }

    /// Calls `f` on a thread of its own inside of the namespace; sockets that it opens stay there.
    pub fn enter<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        std::thread::scope(|scope| {
            let inside = || {
                self.join();
                f()
            };
            scope.spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread into the namespace.
    pub fn join(&self) {
        let path = CString::new(format!("/run/netns/{}", self.0)).expect("no zero byte");
        let file = std::fs::File::open(path.to_str().expect("ASCII")).expect("the namespace exists");
        // SAFETY: no pointers; the descriptor is open.
        assert_eq!(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }, 0, "setns");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("the program is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {error}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Two namespaces with a veth pair between them, both ends called `v0`.
///
/// The server's end has 10.98.0.2/24 and fd98::2/64 in the kernel, the client's .1 and ::1.
pub struct Pair {
    pub server: Namespace,
    pub client: Namespace,
}

impl Pair {
    /// A pair with one queue.
    pub fn new() -> Pair {
        Pair::with_queues(1)
    }

    /// A pair with `queues` queues in both directions on both ends.
    pub fn with_queues(queues: u32) -> Pair {
        let (server, client) = (Namespace::new(), Namespace::new());
        let count = format!("numrxqueues {queues} numtxqueues {queues}");
        server.ip(&format!("link add v0 {count} type veth peer name v0 {count} netns {}", client.name()));
        for (namespace, host) in [(&server, 2), (&client, 1)] {
            namespace.ip(&format!("addr add 10.98.0.{host}/24 dev v0"));
            namespace.ip(&format!("addr add fd98::{host}/64 dev v0 nodad"));
            namespace.ip("link set v0 up");
        }
        Pair { server, client }
    }
}
