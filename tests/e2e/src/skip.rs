//! Tests that this machine cannot run.

use std::io::Write;
use std::process::Command;

/// Makes a skip a failure: set where everything must run.
const REQUIRE: &str = "ANYGATE_REQUIRE_ROOT";

/// Says that a test was skipped, past the test runner's capture, on a line of its own that begins with `SKIPPED: `, so
/// that it can be counted. Panics where nothing may be skipped.
pub fn skip(reason: &str) {
    assert!(std::env::var(REQUIRE).as_deref() != Ok("1"), "must run ({REQUIRE}=1), but: {reason}");
    // A line that cannot be written is nobody's loss: the reader of standard error is gone.
    let _ = writeln!(std::io::stderr(), "\nSKIPPED: {reason}");
}

/// Whether namespaces can be made and `programs` are there; skips otherwise.
pub fn can_run(programs: &[&str]) -> bool {
    if !rustix::process::geteuid().is_root() {
        skip("needs root, to make network namespaces");
        return false;
    }
    let missing =
        |program: &&&str| Command::new("which").arg(program).output().map_or(true, |found| !found.status.success());
    match programs.iter().find(missing) {
        Some(program) => {
            skip(&format!("needs `{program}`, which is not installed"));
            false
        }
        None => true,
    }
}
