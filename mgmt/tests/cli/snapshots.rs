//! What each command prints, as a table and as JSON, against a daemon with known answers.
//!
//! `UPDATE=1 cargo test -p mgmt` writes the files anew; read the difference before you commit it.

use crate::fake::{self, Daemon, Mood};
use std::path::PathBuf;
use std::process::Command;

/// The whole outcome as one text.
fn outcome(mut command: Command, daemon: &Daemon) -> String {
    let output = command.output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    if !stderr.is_empty() {
        text.push_str(&format!("--- standard error\n{stderr}"));
    }
    text.push_str(&format!("--- exit code {}\n", output.status.code().unwrap()));
    text.replace(&daemon.socket().display().to_string(), "SOCKET")
}

fn check(name: &str, mood: Mood, arguments: &[&str]) {
    let daemon = Daemon::start(mood);
    compare(name, &outcome(daemon.mgmt(arguments), &daemon));
}

fn compare(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; UPDATE=1 writes it anew.\n=== expected\n{expected}\n=== actual\n{actual}",
        path.display()
    );
}

macro_rules! snapshots {
    ($($name:ident: $mood:ident, [$($argument:literal),*];)+) => {
        $(#[test]
        fn $name() {
            check(stringify!($name), Mood::$mood, &[$($argument),*]);
        })+
    };
}

snapshots! {
    status: Well, ["status"];
    status_json: Well, ["status", "--json"];
    status_empty: Empty, ["status"];
    ports: Well, ["ports"];
    ports_json: Well, ["--json", "ports"];
    ports_empty: Empty, ["ports"];
    counters: Well, ["counters"];
    counters_all_workers: Well, ["counters", "--all", "--workers"];
    counters_json: Well, ["counters", "--json"];
    drops: Well, ["drops"];
    drops_nonzero: Well, ["drops", "--nonzero"];
    drops_json: Well, ["drops", "--json"];
    drops_both: Well, ["drops", "--all", "--nonzero"];
    conns: Well, ["conns"];
    conns_filtered: Well, ["conns", "--state", "fin-wait-1", "--port", "80", "--remote", "fd00::/64"];
    conns_truncated: Well, ["conns", "--limit", "1"];
    conns_json: Well, ["conns", "--json", "--limit", "2"];
    conns_wrong_state: Well, ["conns", "--state", "open"];
    conns_empty: Empty, ["conns"];
    neigh: Well, ["neigh"];
    neigh_json: Well, ["neigh", "--json"];
    neigh_empty: Empty, ["neigh"];
    routes: Well, ["routes"];
    routes_json: Well, ["routes", "--json"];
    routes_empty: Empty, ["routes"];
    explain: Well, ["explain", "GET", "/a/b", "--host", "example.com"];
    explain_json: Well, ["explain", "GET", "/a/b", "--json"];
    explain_nothing: Empty, ["explain", "DELETE", "/nothing"];
    reload: Well, ["reload"];
    reload_json: Well, ["reload", "--json"];
    reload_refused: Refusing, ["reload"];
    drain: Well, ["drain", "--deadline", "1500ms"];
    drain_json: Well, ["drain", "--json"];
    drain_wrong_time: Well, ["drain", "--deadline", "soon"];
    busy: Refusing, ["status"];
    foreign_version: Foreign, ["status"];
    broken: Broken, ["status"];
    wrong_filter: Well, ["capture", "-w", "-", "-f", "tpc port 80"];
    no_command: Well, [];
}

#[test]
fn not_running() {
    let daemon = Daemon::start(Mood::Well);
    let mut command = fake::program();
    command.args(["status", "--socket"]).arg(daemon.file("nothing"));
    compare("not_running", &outcome(command, &daemon).replace(&daemon.file("nothing").display().to_string(), "SOCKET"));
}

#[test]
fn a_watched_reply_is_printed_again_as_one_line_of_json_each() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let daemon = Daemon::start(Mood::Well);
    let mut command = daemon.mgmt(&["status", "--json", "--watch", "0.1"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().take(3).map(Result::unwrap).collect();
    assert!(lines.iter().all(|line| line.starts_with("{\"product\":\"anygate 0.1.0\"")), "{lines:?}");
    // The reader is gone: the program ends by itself, quietly.
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn completions_and_manual_pages_come_from_the_declaration() {
    let daemon = Daemon::start(Mood::Well);
    for (arguments, part) in [
        (&["completions", "bash"][..], "complete -F _mgmt"),
        (&["completions", "zsh"], "#compdef mgmt"),
        (&["completions", "fish"], "complete -c mgmt"),
        (&["man"], ".TH mgmt 1"),
        (&["man", "capture"], ".TH mgmt-capture 1"),
    ] {
        let output = daemon.mgmt(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(part), "{arguments:?}");
    }
}
