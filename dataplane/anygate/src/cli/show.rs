//! Commands that only look: check, routes, explain, schema.

use super::Asked;
use crate::snapshot::Snapshot;
use config::{Config, Diagnostic, Diagnostics};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Loads and compiles; prints warnings, and on failure every error.
pub(super) fn load(file: &Path) -> Option<(Config, Snapshot)> {
    let loaded = match Config::load(file, std::env::vars()) {
        Ok(loaded) => loaded,
        Err(errors) => {
            complain(&errors);
            return None;
        }
    };
    loaded.warnings.iter().for_each(|warning| eprintln!("{warning}"));
    match Snapshot::compile(&loaded.config, 1) {
        Ok((snapshot, warnings)) => {
            warnings.iter().for_each(|warning: &Diagnostic| eprintln!("{warning}"));
            Some((loaded.config, snapshot))
        }
        Err(errors) => {
            complain(&errors);
            None
        }
    }
}

fn complain(found: &Diagnostics) {
    found.iter().for_each(|diagnostic| eprintln!("{diagnostic}"));
    if found.omitted() > 0 {
        eprintln!("and {} more", found.omitted());
    }
}

/// A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

pub(super) fn check(file: &Path) -> ExitCode {
    let Some((config, snapshot)) = load(file) else { return ExitCode::FAILURE };
    let routes = snapshot.router.rules().len();
    print(&format!("{}: ok, {routes} routes, {} ports\n", file.display(), config.ports.len()))
}

pub(super) fn routes(file: &Path) -> ExitCode {
    let Some((_, snapshot)) = load(file) else { return ExitCode::FAILURE };
    let mut tree = String::new();
    // Writing to a String cannot fail.
    let _ = snapshot.router.print_tree(&mut tree);
    print(&tree)
}

pub(super) fn explain(file: &Path, host: Option<&str>, method: &str, url: &str) -> ExitCode {
    let asked = match Asked::parse(method, url, host) {
        Ok(asked) => asked,
        Err(reason) => {
            eprintln!("error: {reason}");
            return ExitCode::from(2);
        }
    };
    let Some((_, snapshot)) = load(file) else { return ExitCode::FAILURE };
    print(&format!("{}\n", snapshot.router.explain(asked.method, asked.host.as_deref(), &asked.path)))
}

pub(super) fn schema() -> ExitCode {
    match serde_json::to_string_pretty(&config::schema()) {
        Ok(text) => print(&format!("{text}\n")),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
