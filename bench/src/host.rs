//! The host: privilege, cores, real-time priority, and running commands.

use crate::error::BenchError;
use std::process::{Command, Output};
use std::time::Duration;

/// Namespaces, XDP and real-time priority need root.
pub fn require_root() -> Result<(), BenchError> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(BenchError::new("the benchmark makes network namespaces and needs root: sudo make bench"))
}

/// Runs a command to its end; its standard error becomes the error's text.
pub fn command(program: &str, arguments: &[&str]) -> Result<Output, BenchError> {
    let line = || format!("{program} {}", arguments.join(" "));
    let output =
        Command::new(program).args(arguments).output().map_err(|e| BenchError::io(&format!("run `{}`", line()), e))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(BenchError::new(format!("`{}` failed: {}", line(), said.trim())))
}

/// True when this machine lets us run under real-time priority (`chrt -f 1`).
pub fn realtime_allowed() -> bool {
    Command::new("chrt").args(["-f", "1", "true"]).status().is_ok_and(|status| status.success())
}

/// The words in front of a command that pin it to `core` and give it real-time priority where that is allowed.
pub fn pinned(core: usize) -> Vec<String> {
    let mut words = Vec::new();
    if realtime_allowed() {
        words.extend(["chrt", "-f", "1"].map(str::to_owned));
    }
    words.extend(["taskset".to_owned(), "-c".to_owned(), core.to_string()]);
    words
}

/// Pins the calling thread to `core` and gives it real-time priority; false when the latter is not allowed.
pub fn pin_this_thread(core: usize) -> bool {
    let tid = rustix::thread::gettid().as_raw_nonzero().get().to_string();
    let pinned = command("taskset", &["-p", "-c", &core.to_string(), &tid]).is_ok();
    pinned && command("chrt", &["-f", "-p", "1", &tid]).is_ok()
}

/// Sleeps for a time that may be far below a millisecond. Under real-time priority it is kept to some microseconds.
pub fn nap(time: Duration) {
    let request = rustix::time::Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
    // A signal that ends it early is no harm: who naps looks at the clock again.
    let _ = rustix::thread::nanosleep(&request);
}
