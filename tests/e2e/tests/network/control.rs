//! `mgmt` on a running data plane.

use e2e::http::Connection;
use e2e::site::{CASES, ROUTES};
use e2e::{Lab, Server, Wire, run, wait_until};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

const CAPTURED: [&str; 3] = ["Flags [S]", "HTTP: GET /fastest/ever/ok", "HTTP: HTTP/1.1 200 OK"];

fn start(wire: Wire) -> Option<(Lab, Server)> {
    let lab = Lab::with_programs(wire, &["tcpdump"])?;
    let server = Server::start(&lab, "", ROUTES);
    Some((lab, server))
}

fn open(lab: &Lab) -> Connection {
    lab.client().enter(|| Connection::open(lab.addresses(80)[0])).expect("it listens")
}

fn ask_ok(connection: &mut Connection) {
    CASES[0].check(&connection.exchange(&CASES[0].request()).expect("an answer"));
}

fn json(server: &Server, arguments: &[&str]) -> Value {
    let text = server.run_mgmt(arguments).success();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn status_ports_connections_and_neighbours_tell_what_is() {
    let Some((lab, server)) = start(Wire::USUAL) else { return };
    let mut connection = open(&lab);
    (0..3).for_each(|_| ask_ok(&mut connection));
    wait_until("the requests are shown", Duration::from_secs(2), || {
        json(&server, &["status", "--json"])["requests"] == 3
    });

    let status = json(&server, &["status", "--json"]);
    assert_eq!(status["state"], "serving");
    assert_eq!(status["pid"], server.pid());
    assert_eq!(status["connections"], 1);
    assert_eq!(status["configuration"]["routes"], 4);
    assert!(server.run_mgmt(&["status"]).success().contains("serving"));

    let ports = json(&server, &["ports", "--json"]);
    let port = &ports["ports"][0];
    assert_eq!((&port["kind"], &port["interface"], &port["link_up"]), (&"af_xdp".into(), &"ag0".into(), &true.into()));
    assert!(port["queues"][0]["rx_frames"].as_u64() >= Some(4), "{ports}");

    let ours = connection.stream().local_addr().expect("an address").to_string();
    let listed = json(&server, &["conns", "--state", "established", "--port", "80", "--json"]);
    assert_eq!((&listed["open"], &listed["connections"][0]["remote"]), (&1.into(), &ours.into()));
    let none = json(&server, &["conns", "--remote", "192.0.2.0/24", "--json"]);
    assert_eq!(none["connections"].as_array().map(Vec::len), Some(0));

    let neighbours = server.run_mgmt(&["neigh"]).success();
    assert!(neighbours.contains("10.77.0.2"), "{neighbours}");
}

#[test]
fn routes_and_explain_speak_of_the_file() {
    let Some((_lab, server)) = start(Wire::USUAL) else { return };
    let routes = json(&server, &["routes", "--json"]);
    let patterns: Vec<&str> =
        routes["routes"].as_array().into_iter().flatten().filter_map(|r| r["pattern"].as_str()).collect();
    assert_eq!(patterns, ["/api/mock/rude", "/fastest/ever/ok", "/a/b/c", "/a/b/c-forbidden"]);
    let why = json(&server, &["explain", "GET", "/a/b/c", "--json"]);
    assert_eq!((&why["status"], &why["matched"]["pattern"]), (&200.into(), &"/a/b/c".into()));
    let refused = json(&server, &["explain", "PUT", "http://lab/fastest/ever/ok", "--json"]);
    assert_eq!(refused["status"], 405);
    assert_eq!(refused["allowed_methods"][0], "GET");
    assert_eq!(server.run_mgmt(&["explain", "GET", "no/path"]).code, Some(1));
}

#[test]
fn every_loss_has_a_name_and_moves_when_it_happens() {
    let Some((lab, server)) = start(Wire::USUAL) else { return };
    let all = server.run_mgmt(&["drops"]).success();
    for name in ["drop_", "refuse_obs_fold", "refuse_no_route", "reset_"] {
        assert!(all.contains(name), "{name} is missing in\n{all}");
    }
    let drops = json(&server, &["drops", "--json"]);
    for row in drops["reasons"].as_array().into_iter().flatten() {
        assert_ne!(row["help"], "", "{row}");
    }
    assert!(server.run_mgmt(&["drops", "--nonzero"]).success().contains("at zero not shown"));
    let mut connection = open(&lab);
    assert_eq!(connection.exchange(b"GET /nowhere HTTP/1.1\r\nHost: lab\r\n\r\n").expect("an answer").status, 404);
    wait_until("it is counted", Duration::from_secs(2), || {
        server.run_mgmt(&["drops", "--nonzero"]).stdout.contains("refuse_no_route")
    });
}

fn a_capture_pipes_into_tcpdump(wire: Wire) {
    let Some((lab, server)) = start(wire) else { return };
    let mut mgmt = server.mgmt(&["capture", "-w", "-", "-f", "tcp port 80"]);
    let mut mgmt = mgmt.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mgmt starts");
    let mut tcpdump = Command::new("tcpdump")
        .args(["-n", "-l", "-r", "-"])
        .stdin(mgmt.stdout.take().expect("a pipe"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tcpdump starts");
    let mut notes = BufReader::new(mgmt.stderr.take().expect("a pipe"));
    let mut note = String::new();
    notes.read_line(&mut note).expect("a line");
    assert!(note.contains("capturing on ag0"), "{note}");
    // Each frame is printed while the capture runs on.
    let mut lines = BufReader::new(tcpdump.stdout.take().expect("a pipe")).lines();
    ask_ok(&mut open(&lab));
    for expected in CAPTURED {
        lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(expected))).expect(expected).expect("text");
    }
    run(Command::new("kill").args(["-INT", &mgmt.id().to_string()])).success();
    assert_eq!(mgmt.wait().expect("its end").code(), Some(0));
    let mut summary = String::new();
    notes.read_line(&mut summary).expect("a line");
    assert!(summary.contains("none lost"), "{summary}");
    drop(lines);
    let _ = tcpdump.wait();
}

#[test]
fn a_capture_pipes_into_tcpdump_on_af_xdp() {
    a_capture_pipes_into_tcpdump(Wire::USUAL);
}

#[test]
fn a_capture_pipes_into_tcpdump_on_a_tap() {
    a_capture_pipes_into_tcpdump(Wire::Tap);
}

#[test]
fn a_capture_to_a_file_keeps_its_limits() {
    let Some((lab, server)) = start(Wire::USUAL) else { return };
    let file = lab.file("c.pcapng");
    let file = file.to_str().expect("a name of the test's own");
    let mut mgmt = server.mgmt(&["capture", "-w", file, "-f", "tcp dst port 80", "-c", "5", "-s", "60"]);
    let mut mgmt = mgmt.stderr(Stdio::piped()).spawn().expect("mgmt starts");
    BufReader::new(mgmt.stderr.take().expect("a pipe")).read_line(&mut String::new()).expect("a line");
    let mut connection = open(&lab);
    (0..20).for_each(|_| ask_ok(&mut connection));
    assert_eq!(mgmt.wait().expect("its end").code(), Some(0));
    let listed = run(Command::new("tcpdump").args(["-n", "-e", "-r", file])).success();
    assert_eq!(listed.lines().count(), 5, "{listed}");
    assert!(listed.lines().all(|line| line.contains("> 10.77.0.1.80")), "{listed}");
}

#[test]
fn a_killed_capture_disturbs_nobody() {
    let Some((lab, server)) = start(Wire::USUAL) else { return };
    let mut connection = open(&lab);
    for _ in 0..5 {
        let mut mgmt = server.mgmt(&["capture", "-w", "-"]);
        // Nobody reads the pipe: the capture is slow, then dead.
        let mut mgmt = mgmt.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("mgmt starts");
        (0..2_000).for_each(|_| ask_ok(&mut connection));
        mgmt.kill().expect("it is our child");
        mgmt.wait().expect("its end");
        (0..100).for_each(|_| ask_ok(&mut connection));
    }
    let captured = || server.counter("port", "captured");
    wait_until("nothing is captured any more", Duration::from_secs(5), || {
        std::thread::sleep(Duration::from_millis(100));
        let before = captured();
        ask_ok(&mut connection);
        std::thread::sleep(Duration::from_millis(100));
        captured() == before
    });
}

#[test]
fn others_are_kept_out_and_told_what_to_do() {
    let Some((lab, server)) = start(Wire::USUAL) else { return };
    let mode = fs::metadata(server.socket()).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // Where everybody may execute it.
    let program = lab.file("mgmt");
    e2e::install(&e2e::binaries::mgmt(), &program);
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program).args(arguments);
        run(command.env("ANYGATE_SOCKET", server.socket()))
    };
    let refused = as_nobody(&["status"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("may not use") && refused.stderr.contains("sudo"), "{refused:?}");
    // The file lets everybody in, the configuration does not: the credentials decide.
    fs::set_permissions(server.socket(), fs::Permissions::from_mode(0o666)).expect("the socket");
    let refused = as_nobody(&["drain"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("user 65534 may not use the control socket"), "{refused:?}");
    assert!(server.log().contains("uid 65534"), "{}", server.log());
    server.run_mgmt(&["status"]).success();
}

#[test]
fn mgmt_drain_ends_the_process() {
    let Some((_lab, mut server)) = start(Wire::USUAL) else { return };
    let said = server.run_mgmt(&["drain", "--deadline", "2s"]).success();
    assert!(said.contains("draining: 0 open connections"), "{said}");
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    let gone = server.run_mgmt(&["status"]);
    assert_eq!(gone.code, Some(3));
    assert!(gone.stderr.contains("anygate serve"), "{gone:?}");
}
