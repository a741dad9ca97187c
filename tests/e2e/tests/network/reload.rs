//! Reloads under load lose nothing; bad files change nothing.

use e2e::http::Connection;
use e2e::site::{CASES, ROUTES};
use e2e::{Lab, Mode, Server, Wire, wait_until};
use mgmt_api::StatusRequest;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const RELOADS: u64 = 200;
const VERSION: &[u8] = b"GET /version HTTP/1.1\r\nHost: lab\r\n\r\n";

/// Routes that say their version, and more or fewer of them each time.
fn routes(version: u64) -> String {
    let changing: String = (0..version % 7).map(|n| format!("  GET /changing/{version}/{n}: OK\n")).collect();
    format!("{ROUTES}  GET /version: OK {{\"version\":{version}}}\n{changing}")
}

fn version(connection: &mut Connection) -> u64 {
    let response = connection.exchange(VERSION).expect("an answer");
    assert_eq!(response.status, 200);
    let told: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
    told["version"].as_u64().expect("a number")
}

/// Asks without pause on kept and on fresh connections; every answer must come, and versions never go back.
fn load(to: SocketAddr, done: &AtomicBool, answered: &AtomicU64, fresh: bool) {
    let mut connection = Connection::open(to).expect("it listens");
    let mut newest = 0;
    while !done.load(Ordering::Relaxed) {
        if fresh {
            connection = Connection::open(to).expect("it listens");
        }
        for case in &CASES {
            case.check(&connection.exchange(&case.request()).expect("an answer"));
        }
        let seen = version(&mut connection);
        assert!(fresh || seen >= newest, "{seen} after {newest}");
        newest = seen;
        answered.fetch_add(CASES.len() as u64 + 1, Ordering::Relaxed);
    }
}

#[test]
fn two_hundred_reloads_under_load_lose_no_request() {
    let Some(lab) = Lab::new(Wire::AfXdp { mode: Mode::Native, queues: 2 }) else { return };
    let server = Server::start(&lab, "", &routes(1));
    let [v4, v6] = lab.addresses(80);
    let (done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for (to, fresh) in [(v4, false), (v6, false), (v4, true)] {
            let (lab, done, answered) = (&lab, &done, &answered);
            scope.spawn(move || lab.client().enter(|| load(to, done, answered, fresh)));
        }
        // Whatever happens here, the load must end.
        let reloaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut kept = lab.client().enter(|| Connection::open(v4)).expect("it listens");
            for number in 2..=RELOADS + 1 {
                server.rewrite(&lab, "", &routes(number));
                let said = server.run_mgmt(&["reload"]).success();
                assert!(said.contains(&format!("generation {number}, ")), "{said}");
                // In force everywhere when the command has ended.
                assert_eq!(version(&mut kept), number);
            }
        }));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = reloaded {
            std::panic::resume_unwind(panic);
        }
    });
    let answered = answered.load(Ordering::Relaxed);
    assert!(answered > RELOADS, "only {answered} answers");
    println!("{answered} requests answered during {RELOADS} reloads");
    assert_eq!(server.ask(&StatusRequest {}).configuration.generation, RELOADS + 1);
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let Some(lab) = Lab::new(Wire::USUAL) else { return };
    let server = Server::start(&lab, "", &routes(1));
    let mut connection = lab.client().enter(|| Connection::open(lab.addresses(80)[0])).expect("it listens");
    for (bad, reason) in [
        ("routes:\n  GET /version: FORBIDEN\n", "did you mean `FORBIDDEN`?"),
        ("routes:\n  GET /a: OK\n  GET /a: [\n", "error"),
        ("rotes:\n  GET /a: OK\n", "`routes`"),
    ] {
        server.rewrite(&lab, "", bad);
        let said = server.run_mgmt(&["reload"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.stderr.contains("the old one stays in force"), "{said:?}");
        assert!(said.stderr.contains("anygate.yaml:") && said.stderr.contains(reason), "{said:?}");
        assert_eq!(version(&mut connection), 1);
        let status = server.ask(&StatusRequest {}).configuration;
        assert_eq!(status.generation, 1);
        assert!(status.last_error.is_some());
    }
    server.rewrite(&lab, "", &routes(2));
    server.run_mgmt(&["reload"]).success();
    assert_eq!(version(&mut connection), 2);
    assert_eq!(server.ask(&StatusRequest {}).configuration.last_error, None);
}

#[test]
fn sighup_reloads_too() {
    let Some(lab) = Lab::new(Wire::USUAL) else { return };
    let server = Server::start(&lab, "", &routes(1));
    let mut connection = lab.client().enter(|| Connection::open(lab.addresses(80)[0])).expect("it listens");
    server.rewrite(&lab, "", &routes(2));
    server.signal(Signal::HUP);
    wait_until("the new routes are in force", Duration::from_secs(5), || version(&mut connection) == 2);
}

fn opens(lab: &Lab, port: u16) -> bool {
    lab.addresses(port).into_iter().all(|to| {
        let answer =
            lab.client().enter(|| Connection::open(to).and_then(|mut connection| connection.exchange(VERSION)));
        answer.is_ok_and(|response| response.status == 200)
    })
}

#[test]
fn a_reload_opens_and_closes_ports_beside_connections_that_stay() {
    for wire in [Wire::AfXdp { mode: Mode::Native, queues: 2 }, Wire::Tap] {
        let Some(lab) = Lab::new(wire) else { return };
        let server = Server::start(&lab, "", &routes(1));
        let mut kept = lab.client().enter(|| Connection::open(lab.addresses(80)[0])).expect("it listens");
        assert!(opens(&lab, 80) && !opens(&lab, 81));
        server.rewrite(&lab, "  listen: [\":80\", \":81\"]", &routes(2));
        server.run_mgmt(&["reload"]).success();
        assert!(opens(&lab, 80) && opens(&lab, 81));
        let mut other = lab.client().enter(|| Connection::open(lab.addresses(81)[1])).expect("it listens");
        server.rewrite(&lab, "", &routes(3));
        server.run_mgmt(&["reload"]).success();
        assert!(opens(&lab, 80) && !opens(&lab, 81));
        assert_eq!(version(&mut kept), 3);
        // What was accepted while its port was open is served on. On AF_XDP the port is the kernel's again, and so are
        // the segments of its connections.
        if wire == Wire::Tap {
            assert_eq!(version(&mut other), 3);
        }
    }
}
