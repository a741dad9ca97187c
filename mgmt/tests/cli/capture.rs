//! Captures into files and pipes: what arrives, how it ends.

use crate::fake::{Daemon, Mood};
use mgmt_api::capture::pcapng;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

/// A section, an Ethernet interface and three ARP requests.
pub fn stream_of_a_capture() -> Vec<u8> {
    let mut bytes = block(
        pcapng::SECTION_HEADER,
        &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    );
    bytes.extend(block(pcapng::INTERFACE_DESCRIPTION, &[1, 0, 0, 0, 0, 0, 4, 0]));
    for last in 1..=3 {
        let mut body = vec![0; 12];
        body.extend_from_slice(&[42, 0, 0, 0, 42, 0, 0, 0]);
        body.extend_from_slice(&[0xff; 6]);
        body.extend_from_slice(&[2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        body.extend_from_slice(&[2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, last, 0, 0]);
        bytes.extend(block(pcapng::ENHANCED_PACKET, &body));
    }
    bytes
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap();
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), body, &length.to_le_bytes()].concat()
}

fn start(daemon: &Daemon, arguments: &[&str]) -> Child {
    let mut command = daemon.mgmt(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn frames_reach_a_pipe_at_once_and_ctrl_c_ends_with_the_figures() {
    let daemon = Daemon::start(Mood::Well);
    let mut child = start(&daemon, &["capture", "-w", "-"]);
    let mut out = child.stdout.take().unwrap();
    // The daemon keeps the stream open: these bytes come without an end of the stream.
    let mut arrived = vec![0; stream_of_a_capture().len()];
    out.read_exact(&mut arrived).unwrap();
    assert_eq!(arrived, stream_of_a_capture());
    interrupt(&child);
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    assert_eq!(pcapng::blocks(&rest).map(|block| block.kind).collect::<Vec<_>>(), [pcapng::INTERFACE_STATISTICS]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("capturing on veth0 to standard output"), "{said}");
    let bytes = arrived.len() + rest.len();
    assert!(said.contains(&format!("3 frames, {bytes} bytes, 2 frames lost")), "{said}");
}

#[test]
fn a_file_is_only_for_its_owner_and_holds_the_stream() {
    let daemon = Daemon::start(Mood::Well);
    let path = daemon.file("c.pcapng");
    let child = start(&daemon, &["--json", "capture", "-w", path.to_str().unwrap()]);
    while std::fs::metadata(&path).map_or(0, |found| found.len()) < stream_of_a_capture().len() as u64 {
        std::thread::yield_now();
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains(r#""packets":3"#));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read(&path).unwrap().starts_with(&stream_of_a_capture()));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let daemon = Daemon::start(Mood::Well);
    let mut child = start(&daemon, &["capture"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!String::from_utf8(output.stderr).unwrap().contains("cannot"));
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let daemon = Daemon::start(Mood::Well);
    let path = daemon.file("no/such/directory");
    let output = daemon.mgmt(&["capture", "-w", path.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot open") && said.contains("no/such/directory"), "{said}");
}

#[test]
fn a_refused_capture_says_why() {
    let daemon = Daemon::start(Mood::Refusing);
    let output = daemon.mgmt(&["capture", "-w", "-"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("hint: close one"));
}

#[test]
fn tcpdump_reads_it_from_a_pipe() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        println!("SKIPPED: tcpdump is not installed");
        return;
    }
    let daemon = Daemon::start(Mood::Well);
    let mut child = start(&daemon, &["capture", "-w", "-"]);
    let mut tcpdump = Command::new("tcpdump")
        .args(["-n", "-l", "-r", "-"])
        .stdin(child.stdout.take().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(tcpdump.stdout.take().unwrap()));
    for last in 1..=3 {
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains(&format!("who-has 10.0.0.{last} tell 10.0.0.1")), "{line}");
    }
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(tcpdump.wait().unwrap().success());
}
