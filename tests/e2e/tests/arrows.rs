//! The architecture, held: which crate may know which (`docs/ARCHITECTURE.md`), where `unsafe` may stand, and that every
//! dependency has its reason (`docs/decisions/dependencies.md`).

mod workspace;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use workspace::{metadata, packages, read, root, text};

/// Each crate of the workspace and the crates of the workspace that it may depend on, also in its tests. A crate that is
/// missing here fails the test: decide where it belongs.
const ARROWS: &[(&str, &[&str])] = &[
    ("netstack", &[]),
    ("proto", &[]),
    ("port", &["netstack"]),
    ("port-afxdp", &["netstack", "port"]),
    ("config", &[]),
    ("router", &["config"]),
    ("actions", &["proto", "config", "router"]),
    ("mgmt-api", &[]),
    ("mgmt", &["mgmt-api"]),
    ("anygate", &["netstack", "proto", "port", "port-afxdp", "config", "router", "actions", "mgmt-api"]),
    ("sim", &["netstack", "port"]),
    ("bench", EVERY_CRATE),
    ("e2e", EVERY_CRATE),
];

/// What composes or tests the whole may name all of it, concrete ports included.
const EVERY_CRATE: &[&str] = &[
    "netstack",
    "proto",
    "port",
    "port-afxdp",
    "config",
    "router",
    "actions",
    "mgmt-api",
    "mgmt",
    "anygate",
    "sim",
    "bench",
];

/// Crates that do no input or output and draw no randomness, and all that they may use of others.
const SANS_IO: &[(&str, &[&str])] =
    &[("netstack", &["smoltcp", "bytes", "hashbrown", "siphasher"]), ("proto", &["httparse", "bytes"])];

/// Where `unsafe` may stand: whole crates, or named files of crates that deny it elsewhere.
const UNSAFE: &[(&str, Marked)] = &[
    ("port-afxdp", Marked::Crate),
    ("netstack", Marked::Files(&["frame.rs"])),
    ("port", Marked::Files(&["sim/ring/block.rs", "sim/ring/queue.rs", "tap/sys.rs"])),
    ("anygate", Marked::Files(&["control/peer.rs"])),
];

enum Marked {
    Crate,
    Files(&'static [&'static str]),
}

fn members() -> Value {
    metadata("Cargo.toml", &["--no-deps"])
}

fn folder(package: &Value) -> PathBuf {
    Path::new(text(package, "manifest_path")).parent().expect("a manifest is in a folder").to_owned()
}

/// The dependencies of a package: names of the workspace's own, names of others.
fn dependencies(package: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let all = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (own, others): (Vec<&Value>, Vec<&Value>) = all.iter().partition(|dependency| dependency["path"].is_string());
    let names = |list: Vec<&Value>| list.into_iter().map(|dependency| text(dependency, "name").to_owned()).collect();
    (names(own), names(others))
}

#[test]
fn arrows_point_downwards() {
    let metadata = members();
    let mut wrong = Vec::new();
    for package in packages(&metadata) {
        let name = text(package, "name");
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            wrong.push(format!("{name} has no place in the architecture"));
            continue;
        };
        for other in dependencies(package).0.iter().filter(|other| !allowed.contains(&other.as_str())) {
            wrong.push(format!("{name} must not depend on {other}"));
        }
    }
    assert!(wrong.is_empty(), "docs/ARCHITECTURE.md says otherwise:\n{}", wrong.join("\n"));
    let present: Vec<&str> = packages(&metadata).iter().map(|package| text(package, "name")).collect();
    let gone: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).filter(|name| !present.contains(name)).collect();
    assert!(gone.is_empty(), "no such crates: {gone:?}");
}

#[test]
fn arrows_have_no_circle() {
    // Each crate may only depend on crates above it in the table.
    for (index, (name, allowed)) in ARROWS.iter().enumerate().filter(|(_, (_, allowed))| *allowed != EVERY_CRATE) {
        for other in *allowed {
            assert!(ARROWS[..index].iter().any(|(above, _)| above == other), "{name} -> {other} points upwards");
        }
    }
}

#[test]
fn machines_use_nothing_that_does_io() {
    let metadata = members();
    for (name, allowed) in SANS_IO {
        let package = packages(&metadata).iter().find(|package| text(package, "name") == *name).expect("a member");
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let other = text(dependency, "name");
            let only_in_tests = text(dependency, "kind") == "dev";
            assert!(only_in_tests || allowed.contains(&other), "{name} is sans-IO: is {other}?");
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for package in packages(&members()) {
        let manifest = std::fs::read_to_string(text(package, "manifest_path")).unwrap();
        let opted_in =
            manifest.split_once("[lints]").is_some_and(|(_, rest)| rest.trim_start().starts_with("workspace = true"));
        assert!(opted_in, "{} lacks `[lints] workspace = true`", text(package, "name"));
        for field in ["license", "rust_version", "edition"] {
            assert!(package[field].is_string(), "{} lacks {field}", text(package, "name"));
        }
    }
}

/// The Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether a file has `unsafe` code or lets itself have it.
fn has_unsafe(source: &str) -> bool {
    let code = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let words = [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe extern",
        "unsafe trait",
        "#[unsafe(",
        "allow(unsafe_code)",
        "expect(unsafe_code",
    ];
    words.iter().any(|word| code.contains(word))
}

#[test]
fn unsafe_code_stands_only_where_it_is_marked() {
    let mut wrong = Vec::new();
    for package in packages(&members()) {
        let name = text(package, "name");
        let marked = UNSAFE.iter().find(|(marked, _)| *marked == name).map(|(_, marked)| marked);
        for target in package["targets"].as_array().into_iter().flatten() {
            let kinds = target["kind"].as_array().map(Vec::as_slice).unwrap_or_default();
            if !kinds.iter().any(|kind| matches!(kind.as_str(), Some("lib" | "bin"))) {
                continue;
            }
            let path = text(target, "src_path");
            let source = std::fs::read_to_string(path).unwrap();
            let held = match marked {
                None => source.contains("#![forbid(unsafe_code)]"),
                // The other targets of a marked crate may forbid it.
                Some(Marked::Files(_)) => {
                    source.contains("#![deny(unsafe_code)]") || source.contains("#![forbid(unsafe_code)]")
                }
                Some(Marked::Crate) => true,
            };
            if !held {
                wrong.push(format!("{path} does not forbid unsafe code"));
            }
        }
        let files: &[&str] = match marked {
            Some(Marked::Crate) => continue,
            Some(Marked::Files(files)) => files,
            None => &[],
        };
        let src = folder(package).join("src");
        let mut found = Vec::new();
        sources(&src, &mut found);
        for file in found {
            let relative = file.strip_prefix(&src).unwrap_or(&file);
            // An attribute on the declaration of a marked file lets it in, in its parent.
            let declares = std::fs::read_to_string(&file).unwrap();
            if has_unsafe(&declares)
                && !files.iter().any(|marked| Path::new(marked) == relative)
                && !only_lets_in(&declares)
            {
                wrong.push(format!("{name}: {} has unsafe code", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "unsafe code is not marked in this test:\n{}", wrong.join("\n"));
}

/// Whether the only trace of `unsafe` in a file are attributes that let in a module that it declares.
fn only_lets_in(source: &str) -> bool {
    let mut lines = source.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let mut rest = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("#[allow(unsafe_code") || line.starts_with("#[expect(unsafe_code") {
            let declared = lines.next().unwrap_or_default();
            if declared.starts_with("mod ")
                || declared.starts_with("pub mod ")
                || declared.starts_with("pub(crate) mod ")
            {
                continue;
            }
        }
        rest.push(line);
    }
    !has_unsafe(&rest.join("\n"))
}

#[test]
fn every_dependency_has_its_reason() {
    let mut used: BTreeSet<String> = packages(&members()).iter().flat_map(|package| dependencies(package).1).collect();
    if root().join("tests/fuzz/Cargo.toml").is_file() {
        let fuzz = metadata("tests/fuzz/Cargo.toml", &["--no-deps"]);
        used.extend(packages(&fuzz).iter().flat_map(|package| dependencies(package).1));
    }
    let table = read("docs/decisions/dependencies.md");
    let reasoned: BTreeSet<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name.to_owned()))
        .collect();
    let lacking: Vec<&String> = used.difference(&reasoned).collect();
    assert!(lacking.is_empty(), "docs/decisions/dependencies.md says nothing of {lacking:?}");
    let gone: Vec<&String> = reasoned.difference(&used).collect();
    assert!(gone.is_empty(), "docs/decisions/dependencies.md speaks of {gone:?}, which nothing uses");
}

#[test]
fn every_dependency_is_used() {
    let mut idle = Vec::new();
    for package in packages(&members()) {
        let mut files = Vec::new();
        ["src", "tests", "examples", "benches"]
            .iter()
            .for_each(|part| sources(&folder(package).join(part), &mut files));
        let code: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let (own, others) = dependencies(package);
        for name in own.union(&others).filter(|name| !code.contains(&format!("{}::", name.replace('-', "_")))) {
            idle.push(format!("{} does not use {name}", text(package, "name")));
        }
    }
    assert!(idle.is_empty(), "dependencies without use:\n{}", idle.join("\n"));
}
