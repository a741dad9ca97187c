//! Where and how a report was made.

use super::RunArgs;
use crate::host;
use serde::Serialize;
use std::fs;

/// Facts that a reader needs to judge the figures.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `date -u`.
    pub date: String,
    /// Commit, with `+` when the tree was changed.
    pub commit: String,
    /// Processor, kernel, cores.
    pub machine: String,
    /// nginx's version.
    pub nginx: String,
    /// How it was run.
    pub method: String,
    /// What limits the figures.
    pub notes: Vec<String>,
}

/// When, of what and where a figure was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// `date -u`.
    pub date: String,
    /// Commit, with `+` when the tree was changed.
    pub commit: String,
    /// Processor, cores, kernel.
    pub machine: String,
}

/// Asks the machine for what every report says.
pub fn provenance() -> Provenance {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|l| l.strip_prefix("model name\t: ")).unwrap_or("unknown processor").to_owned();
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = said("uname", &["-r"]);
    let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
    Provenance {
        date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        commit: format!("{}{}", said("git", &["rev-parse", "--short", "HEAD"]), if changed { "+" } else { "" }),
        machine: format!("{model}, {cores} cores, Linux {kernel}"),
    }
}

/// Asks the machine.
pub fn facts(args: &RunArgs) -> Facts {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let Provenance { date, commit, machine } = provenance();
    let mut notes = Vec::new();
    if !host::realtime_allowed() {
        notes.push("real-time priority is not allowed here (chrt -f 1): both sides ran without it; rates are lower and unsteady".into());
    }
    if cores < 2 {
        notes.push(
            "one core only: server and generator share it, so no figure says anything about the server alone".into(),
        );
    }
    Facts {
        date,
        commit,
        machine,
        nginx: host::command("nginx", &["-v"])
            .map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned())
            .unwrap_or_else(|_| "nginx is not installed".into()),
        method: format!(
            "server on core {}, generator on core {}, {} runs of {} s each, the row is the run with the median rate",
            args.server_core, args.generator_core, args.runs, args.seconds
        ),
        notes,
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    host::command(program, arguments)
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
