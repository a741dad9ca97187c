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

fn named(name: &str) -> PathBuf {
    match std::env::var_os("ANYGATE_BIN_DIR") {
        Some(folder) => PathBuf::from(folder).join(name),
        None => built().join(name),
    }
}

/// The folder of the binaries of the profile that this test was built with.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // TARGET/PROFILE/deps/TEST
        let test = std::env::current_exe().expect("the path of the test");
        let folder = test.ancestors().nth(2).expect("a test lies in TARGET/PROFILE/deps").to_owned();
        let target = folder.parent().expect("a profile lies in TARGET");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "-p", "anygate", "-p", "mgmt", "--bins", "--target-dir"]).arg(target);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        let done = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
        assert!(done.success(), "anygate and mgmt do not build");
        folder
    })
}
