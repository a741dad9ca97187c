//! The routes of the specification, on every wire, over IPv4 and IPv6.

use e2e::http::Connection;
use e2e::site::{CASES, Case, ROUTES};
use e2e::{Lab, Mode, Server, Wire, run};
use std::net::SocketAddr;

/// What curl prints behind the body.
const CURL_TAIL: &str = "\n%{http_code} %{content_type}";

fn curl(lab: &Lab, to: SocketAddr, case: &Case) {
    let url = format!("http://{to}{}", case.path);
    let mut command = lab.client().command("curl");
    command.args(["--silent", "--show-error", "--max-time", "10", "--request", case.method, "--write-out", CURL_TAIL]);
    if !case.body.is_empty() {
        command.args(["--data-raw", case.body]);
    }
    let text = run(command.arg(&url)).success();
    let (body, tail) = text.rsplit_once('\n').expect("the tail");
    let (status, content_type) = tail.split_once(' ').expect("two words");
    case.check_parts(status.parse().expect("a status"), Some(content_type), body.as_bytes());
}

/// Every request cut in two at every position, each on a connection that stays open for the next cut.
fn split_everywhere(to: SocketAddr, case: &Case) {
    let request = case.request();
    let mut connection = Connection::open(to).expect("it listens");
    for at in 1..request.len() {
        connection.send_split(&request, at).expect("it is open");
        let response = connection.response().unwrap_or_else(|error| panic!("{case:?} cut at {at}: {error}"));
        case.check(&response);
        if response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            connection = Connection::open(to).expect("it listens");
        }
    }
    // And byte by byte.
    for byte in &request {
        connection.send(&[*byte]).expect("it is open");
    }
    case.check(&connection.response().expect("an answer"));
}

fn answers_on(wire: Wire) {
    let Some(lab) = Lab::with_programs(wire, &["curl"]) else { return };
    let server = Server::start(&lab, "", ROUTES);
    for to in lab.addresses(80) {
        CASES.iter().for_each(|case| curl(&lab, to, case));
        lab.client().enter(|| CASES.iter().for_each(|case| split_everywhere(to, case)));
    }
    for loss in ["drop_checksum", "drop_malformed"] {
        let lost: u64 = server
            .ask(&mgmt_api::DropsRequest {})
            .reasons
            .iter()
            .filter(|row| row.name.starts_with(loss))
            .map(|row| row.total)
            .sum();
        assert_eq!(lost, 0, "{loss}");
    }
}

#[test]
fn af_xdp_native_with_one_queue() {
    answers_on(Wire::AfXdp { mode: Mode::Native, queues: 1 });
}

#[test]
fn af_xdp_native_with_two_queues() {
    answers_on(Wire::AfXdp { mode: Mode::Native, queues: 2 });
}

#[test]
fn af_xdp_generic_with_one_queue() {
    answers_on(Wire::AfXdp { mode: Mode::Generic, queues: 1 });
}

#[test]
fn af_xdp_generic_with_two_queues() {
    answers_on(Wire::AfXdp { mode: Mode::Generic, queues: 2 });
}

#[test]
fn tap() {
    answers_on(Wire::Tap);
}
