//! Much at once: wrk, many connections, one connection a request.

use e2e::http::Connection;
use e2e::site::CASES;
use e2e::site::ROUTES;
use e2e::{Lab, Mode, Server, Wire, run, wait_until};
use mgmt_api::StatusRequest;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// `ANYGATE_E2E_CONNECTIONS=10000` holds more; the default keeps the usual run short.
const CONNECTIONS: usize = 2_000;

fn wrk(lab: &Lab, to: SocketAddr) {
    let mut wrk = lab.client().command("wrk");
    let said = run(wrk.args(["-t1", "-c64", "-d3s", "--latency", &format!("http://{to}/fastest/ever/ok")])).success();
    assert!(!said.contains("Socket errors") && !said.contains("Non-2xx"), "{said}");
    let rate = said.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")).expect(&said);
    let rate: f64 = rate.trim().parse().expect("a number");
    println!("{:?} {to}: {rate} requests a second", lab.wire());
    assert!(rate > 100.0, "{said}");
}

fn wrk_on(wire: Wire) {
    let Some(lab) = Lab::with_programs(wire, &["wrk"]) else { return };
    let server = Server::start(&lab, "", ROUTES);
    lab.addresses(80).into_iter().for_each(|to| wrk(&lab, to));
    for name in ["reset_no_connection", "reset_timed_out", "reset_aborted"] {
        assert_eq!(server.counter("tcp", name), 0, "{name}");
    }
    all_gone(&server);
}

#[test]
fn wrk_sees_no_error_on_af_xdp() {
    wrk_on(Wire::AfXdp { mode: Mode::Native, queues: 1 });
}

#[test]
fn wrk_sees_no_error_on_two_queues() {
    wrk_on(Wire::AfXdp { mode: Mode::Native, queues: 2 });
}

#[test]
fn wrk_sees_no_error_on_a_tap() {
    wrk_on(Wire::Tap);
}

fn all_gone(server: &Server) {
    let patience = Instant::now() + Duration::from_secs(10);
    while server.ask(&StatusRequest {}).connections > 0 {
        let stuck = || server.run_mgmt(&["conns"]).stdout + &server.run_mgmt(&["drops", "--nonzero"]).stdout;
        assert!(Instant::now() < patience, "still there:\n{}", stuck());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn allow_descriptors(wanted: u64) {
    let now = getrlimit(Resource::Nofile);
    let current = now.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: now.maximum }).expect("below the hard limit");
}

#[test]
fn many_connections_are_held_and_used() {
    let Some(lab) = Lab::new(Wire::AfXdp { mode: Mode::Native, queues: 2 }) else { return };
    let asked = std::env::var("ANYGATE_E2E_CONNECTIONS").ok().and_then(|text| text.parse().ok());
    let count: usize = asked.unwrap_or(CONNECTIONS);
    allow_descriptors(count as u64 + 512);
    let server = Server::start(&lab, "  timeouts: {idle: 10m}", ROUTES);
    let empty = server.resident_bytes();
    let mut connections: Vec<Connection> = lab.client().enter(|| {
        (0..count)
            .map(|n| {
                Connection::open(lab.addresses(80)[n % 2]).unwrap_or_else(|error| panic!("connection {n}: {error}"))
            })
            .collect()
    });
    wait_until("all are seen", Duration::from_secs(10), || server.ask(&StatusRequest {}).connections == count as u64);
    for _ in 0..2 {
        // All ask before the first answer is read.
        for connection in &mut connections {
            connection.send(&CASES[0].request()).expect("it is open");
        }
        for connection in &mut connections {
            CASES[0].check(&connection.response().expect("an answer"));
        }
    }
    let each = server.resident_bytes().saturating_sub(empty) / count as u64;
    println!("{count} connections, {each} bytes of resident memory each");
    assert!(each < 16 * 1024, "{each} bytes a connection");
    drop(connections);
    all_gone(&server);
}

#[test]
fn a_connection_a_request() {
    let Some(lab) = Lab::new(Wire::USUAL) else { return };
    let server = Server::start(&lab, "", ROUTES);
    let to = lab.addresses(80)[0];
    lab.client().enter(|| {
        for _ in 0..2_000 {
            let mut connection = Connection::open(to).expect("it listens");
            let request = b"GET /fastest/ever/ok HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";
            assert_eq!(connection.exchange(request).expect("an answer").status, 200);
            assert!(connection.closes().expect("an end in order"));
        }
    });
    server.expect_counter("http", "connections", 2_000);
    assert_eq!(server.counter("tcp", "reset_received"), 0);
}
