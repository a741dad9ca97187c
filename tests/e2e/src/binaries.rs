//! The programs under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The `anygate` binary: `$ANYGATE_BIN`, else `$ANYGATE_BIN_DIR/anygate`, else the one of this test's target folder, built
/// when it is older than its sources.
pub fn anygate() -> PathBuf {
    std::env::var_os("ANYGATE_BIN").map_or_else(|| named("anygate"), PathBuf::from)
}

/// The `mgmt` binary, found in the same way (`$MGMT_BIN`).
pub fn mgmt() -> PathBuf {
    std::env::var_os("MGMT_BIN").map_or_else(|| named("mgmt"), PathBuf::from)
}

/// The `anygate-bench` binary, found in the same way (`$ANYGATE_BENCH_BIN`).
pub fn bench() -> PathBuf {
    if let Some(given) = std::env::var_os("ANYGATE_BENCH_BIN") {
        return PathBuf::from(given);
    }
    match std::env::var_os("ANYGATE_BIN_DIR") {
        Some(folder) => PathBuf::from(folder).join("anygate-bench"),
        None => build(&["-p", "bench", "--bins"]).join("anygate-bench"),
    }
}

/// The folder of the examples of `package`, of this test's target folder, built when they are older than their sources.
pub fn examples(package: &str) -> PathBuf {
    build(&["-p", package, "--examples"]).join("examples")
}

fn named(name: &str) -> PathBuf {
    match std::env::var_os("ANYGATE_BIN_DIR") {
        Some(folder) => PathBuf::from(folder).join(name),
        None => built().join(name),
    }
}

/// The folder of the binaries of the profile that this test was built with.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build(&["-p", "anygate", "-p", "mgmt", "--bins"]))
}

/// Builds what `which` names in the profile of this test, and returns the folder that it lies in.
fn build(which: &[&str]) -> PathBuf {
    // TARGET/PROFILE/deps/TEST
    let test = std::env::current_exe().expect("the path of the test");
    let folder = test.ancestors().nth(2).expect("a test lies in TARGET/PROFILE/deps").to_owned();
    let target = folder.parent().expect("a profile lies in TARGET");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet"]).args(which).arg("--target-dir").arg(target);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let done = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(done.success(), "{which:?} does not build");
    folder
}
