//! Beginning and end: drains, kills, and what is left behind (nothing).

use e2e::http::Connection;
use e2e::site::{CASES, ROUTES};
use e2e::{Lab, Mode, Server, Wire, run, wait_until};
use rustix::process::Signal;
use std::process::Command;
use std::time::{Duration, Instant};

const HALF_SENT: &[u8] = b"POST /a/b/c HTTP/1.1\r\nHost: lab\r\nContent-Length: 10\r\n\r\n01234";

fn wires() -> [Wire; 3] {
    [Wire::AfXdp { mode: Mode::Native, queues: 2 }, Wire::AfXdp { mode: Mode::Generic, queues: 1 }, Wire::Tap]
}

/// Neither a program on the interface, nor an interface of ours, nor a file.
fn nothing_is_left(lab: &Lab, server: &Server) {
    match lab.wire() {
        Wire::AfXdp { .. } => {
            wait_until("the XDP program is gone", Duration::from_secs(5), || !lab.link().contains("xdp"));
        }
        Wire::Tap | Wire::TapAcquiring { .. } => {
            let links = lab.server().sh("ip -brief link");
            assert!(!links.contains("ag0"), "{links}");
        }
    }
    assert!(!server.socket().exists(), "the control socket is still there");
}

#[test]
fn sigterm_answers_what_is_under_way_and_leaves_nothing() {
    for wire in wires() {
        let Some(lab) = Lab::new(wire) else { return };
        let mut server = Server::start(&lab, "", ROUTES);
        let to = lab.addresses(80)[0];
        if matches!(wire, Wire::AfXdp { .. }) {
            assert!(lab.link().contains("xdp"), "{}", lab.link());
        }
        lab.client().enter(|| {
            let mut idle = Connection::open(to).expect("it listens");
            CASES[0].check(&idle.exchange(&CASES[0].request()).expect("an answer"));
            let mut busy = Connection::open(to).expect("it listens");
            busy.send(HALF_SENT).expect("it is open");
            wait_until("both are seen", Duration::from_secs(5), || server.counter("http", "requests") == 2);
            server.signal(Signal::TERM);
            assert!(idle.closes().expect("an end in order"), "an idle connection is closed at once");
            assert!(Connection::open(to).is_err(), "nothing new is accepted");
            let response = busy.exchange(b"56789").expect("the answer to what was under way");
            assert_eq!((response.status, response.header("connection")), (200, Some("close")));
            assert!(busy.closes().expect("an end in order"));
        });
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
        nothing_is_left(&lab, &server);
    }
}

#[test]
fn a_drain_ends_at_its_deadline() {
    let Some(lab) = Lab::new(Wire::USUAL) else { return };
    let mut server = Server::start(&lab, "  timeouts: {drain: 500ms}", ROUTES);
    let to = lab.addresses(80)[0];
    let mut stuck = lab.client().enter(|| Connection::open(to)).expect("it listens");
    stuck.send(HALF_SENT).expect("it is open");
    wait_until("it is seen", Duration::from_secs(5), || server.counter("http", "requests") == 1);
    let begun = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(begun.elapsed() >= Duration::from_millis(450), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let told = stuck.response().expect_err("no answer");
    assert_eq!(told.kind(), std::io::ErrorKind::ConnectionReset);
    nothing_is_left(&lab, &server);
}

#[test]
fn a_second_signal_ends_at_once() {
    let Some(lab) = Lab::new(Wire::USUAL) else { return };
    let mut server = Server::start(&lab, "", ROUTES);
    let mut stuck = lab.client().enter(|| Connection::open(lab.addresses(80)[0])).expect("it listens");
    stuck.send(HALF_SENT).expect("it is open");
    wait_until("it is seen", Duration::from_secs(5), || server.counter("http", "requests") == 1);
    let begun = Instant::now();
    server.signal(Signal::INT);
    wait_until("it drains", Duration::from_secs(5), || server.log().contains("draining"));
    server.signal(Signal::INT);
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn kill_9_leaves_no_program_and_the_next_start_works() {
    for wire in wires() {
        let Some(lab) = Lab::new(wire) else { return };
        let mut first = Server::start(&lab, "", ROUTES);
        first.signal(Signal::KILL);
        first.wait();
        if matches!(wire, Wire::AfXdp { .. }) {
            wait_until("the XDP program is gone", Duration::from_secs(5), || !lab.link().contains("xdp"));
        }
        assert!(first.socket().exists(), "nobody could remove the socket");
        let _second = Server::start(&lab, "", ROUTES);
        lab.client().enter(|| {
            let mut connection = Connection::open(lab.addresses(80)[0]).expect("it listens");
            CASES[0].check(&connection.exchange(&CASES[0].request()).expect("an answer"));
        });
    }
}

#[test]
fn a_second_server_is_told_that_the_first_one_lives() {
    let Some(lab) = Lab::new(Wire::USUAL) else { return };
    let first = Server::start(&lab, "", ROUTES);
    let mut second = lab.server().command(e2e::binaries::anygate());
    let said = run(second.args(["serve", "-c"]).arg(first.config()));
    assert_eq!(said.code, Some(1), "{said:?}");
    lab.client().enter(|| {
        let mut connection = Connection::open(lab.addresses(80)[0]).expect("it listens");
        CASES[0].check(&connection.exchange(&CASES[0].request()).expect("an answer"));
    });
}

#[test]
fn a_lab_leaves_no_namespace() {
    let Some(lab) = Lab::new(Wire::USUAL) else { return };
    let names = [lab.client().name().to_owned(), lab.server().name().to_owned()];
    drop(lab);
    let left = run(Command::new("ip").args(["netns", "list"])).success();
    let is_left = |name: &String| left.lines().any(|line| line.split_whitespace().next() == Some(name));
    assert!(!names.iter().any(is_left), "{left}");
}
