//! TCP in virtual time, played from scripts: `tests/packet-scripts/*.pkt` at the root of the project, whose format its
//! README describes.
//!
//! `PACKET_SCRIPT=name` plays only scripts whose name contains that.

mod runner;
mod script;
mod segment;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/packet-scripts");
    let wanted = std::env::var("PACKET_SCRIPT").unwrap_or_default();
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pkt"))
        .filter(|path| path.file_stem().is_some_and(|name| name.to_string_lossy().contains(&wanted)))
        .collect();
    paths.sort();
    paths
}

fn play(path: &Path) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let script = script::parse(&text)?;
    runner::run(&script)
}

#[test]
fn every_script_plays_as_written() {
    let scripts = scripts();
    assert!(!scripts.is_empty(), "no script matches");
    let mut failures = Vec::new();
    for path in &scripts {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if let Err(reason) = play(path) {
            failures.push(format!("tests/packet-scripts/{name}: {reason}"));
        }
    }
    let (failed, all) = (failures.len(), scripts.len());
    assert!(failures.is_empty(), "{failed} of {all} scripts failed:\n\n{}\n", failures.join("\n\n"));
    println!("{all} scripts");
}
