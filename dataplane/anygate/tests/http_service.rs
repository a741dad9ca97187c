//! The HTTP service on the whole stack, in virtual time: order, backpressure, deadlines, drain, reload.

mod common;

use anygate::http::HttpCounter;
use anygate::worker::Command;
use common::{Lab, compile};
use crossbeam_channel::bounded;
use netstack::tcp::EndReason;
use std::time::Duration;

const SITE: &str = "
server:
  listen: [':80']
  limits: { send_buffer: 16k, max_connections: 4 }
  timeouts: { header: 2s, body: 2s, idle: 20s, write: 5s }
routes: |
  GET /ok: OK
  /echo: *
  /file/: /srv/www/
  GET /old/*rest: 301 /new/*rest
";
const OK: &str = "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n";

fn second() -> Duration {
    Duration::from_secs(1)
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.send(conn, &format!("{OK}GET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /old/x HTTP/1.1\r\nHost: a\r\n\r\n{OK}"));
    lab.run(second());
    let text = lab.seen[&conn].text();
    let statuses: Vec<&str> = text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "301", "200"]);
    assert!(text.contains("Location: /new/x\r\n"), "{text}");
    assert!(!lab.seen[&conn].peer_closed);
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    for byte in "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".chars() {
        lab.send(conn, &byte.to_string());
        lab.run(Duration::from_millis(1));
    }
    lab.run(second());
    assert!(lab.seen[&conn].text().contains("\"body\":\"hello\""), "{}", lab.seen[&conn].text());
}

#[test]
fn a_reader_that_pauses_blocks_only_itself_and_loses_nothing() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.paused.push(conn);
    let requests = 4000;
    let mut sent = 0;
    for _ in 0..200 {
        while sent < requests && lab.stack.send_room(conn) > 4096 {
            lab.send(conn, OK);
            sent += 1;
        }
        lab.run(Duration::from_millis(2));
    }
    let blocked = lab.worker.http().counters().events.get(HttpCounter::SendBlocked);
    assert!(blocked > 0, "the send buffer must have filled");
    let other = lab.connect();
    lab.send(other, OK);
    lab.run(Duration::from_millis(100));
    assert_eq!(lab.seen[&other].answers("200"), 1, "others are served meanwhile");
    lab.paused.clear();
    for _ in 0..2000 {
        while sent < requests && lab.stack.send_room(conn) > 4096 {
            lab.send(conn, OK);
            sent += 1;
        }
        lab.run(Duration::from_millis(1));
    }
    assert_eq!((sent, lab.seen[&conn].answers("200")), (requests, requests));
}

#[test]
fn a_reader_that_never_reads_is_reset_after_the_write_time() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.paused.push(conn);
    for _ in 0..40 {
        for _ in 0..200 {
            if lab.stack.send_room(conn) > 4096 {
                lab.send(conn, OK);
            }
        }
        lab.run(Duration::from_millis(5));
    }
    lab.run(Duration::from_secs(30));
    assert_eq!(lab.seen[&conn].ended, Some(EndReason::ResetByPeer));
    assert_eq!(lab.worker.http().counters().events.get(HttpCounter::ResetSlowReader), 1);
    assert_eq!(lab.worker.http().connection_count(), 0);
}

#[test]
fn a_head_that_trickles_gets_408() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    for piece in ["GET /ok HTTP/1.1\r\n", "Host:", " a\r\n", "X: y", "z\r\n"] {
        lab.send(conn, piece);
        lab.run(Duration::from_millis(600));
    }
    assert_eq!(lab.seen[&conn].answers("408"), 1);
    assert!(lab.seen[&conn].peer_closed);
}

#[test]
fn an_idle_connection_is_closed_in_silence() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.run(Duration::from_secs(19));
    assert!(!lab.seen[&conn].peer_closed);
    lab.run(Duration::from_secs(2));
    assert!(lab.seen[&conn].peer_closed && lab.seen[&conn].received.is_empty());
    assert_eq!(lab.worker.http().counters().events.get(HttpCounter::IdleClosed), 1);
}

#[test]
fn the_client_is_told_to_continue_when_its_body_is_wanted() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.send(conn, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    lab.run(second());
    assert_eq!(lab.seen[&conn].answers("100"), 1);
    lab.send(conn, "abc");
    lab.run(second());
    assert_eq!(lab.seen[&conn].answers("200"), 1);
}

#[test]
fn a_half_closed_client_still_gets_its_answer() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.send(conn, OK);
    let now = lab.now;
    lab.stack.close(now, conn);
    lab.run(second());
    assert_eq!(lab.seen[&conn].answers("200"), 1);
    assert_eq!(lab.seen[&conn].ended, Some(EndReason::Closed));
    assert_eq!(lab.worker.http().connection_count(), 0);
}

#[test]
fn a_message_cut_off_by_the_client_is_refused() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.send(conn, "GET /ok HTTP/1.1\r\nHo");
    let now = lab.now;
    lab.stack.close(now, conn);
    lab.run(second());
    assert_eq!(lab.seen[&conn].answers("400"), 1);
    assert_eq!(lab.worker.http().counters().refusals.get(proto::Refusal::EndInHead), 1);
}

#[test]
fn what_is_not_served_yet_says_so() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.send(conn, "GET /file/x HTTP/1.1\r\nHost: a\r\n\r\n");
    lab.run(second());
    assert!(lab.seen[&conn].text().contains("static_not_served"), "{}", lab.seen[&conn].text());
    assert_eq!(lab.worker.http().counters().reasons.get(actions::Reason::StaticNotServed), 1);
}

#[test]
fn connections_beyond_the_limit_are_reset() {
    let mut lab = Lab::new(SITE);
    let held: Vec<_> = (0..4).map(|_| lab.connect()).collect();
    let extra = lab.connect();
    lab.run(second());
    assert_eq!(lab.seen[&extra].ended, Some(EndReason::ResetByPeer));
    assert_eq!(lab.worker.http().counters().events.get(HttpCounter::RefuseConnectionLimit), 1);
    lab.send(held[0], OK);
    lab.run(second());
    assert_eq!(lab.seen[&held[0]].answers("200"), 1);
}

#[test]
fn a_drain_closes_what_is_idle_and_finishes_what_is_not() {
    let mut lab = Lab::new(SITE);
    let (idle, busy) = (lab.connect(), lab.connect());
    lab.send(busy, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    lab.run(Duration::from_millis(50));
    lab.command(Command::Drain { deadline: Duration::from_secs(5) });
    lab.run(Duration::from_millis(50));
    assert!(lab.seen[&idle].peer_closed);
    assert!(!lab.seen[&busy].peer_closed);
    lab.send(busy, "cd");
    lab.run(Duration::from_millis(50));
    assert!(lab.seen[&busy].text().contains("Connection: close"), "{}", lab.seen[&busy].text());
    assert!(lab.seen[&busy].text().contains("\"body\":\"abcd\""));
    assert!(lab.seen[&busy].peer_closed);
}

#[test]
fn a_request_sees_the_configuration_that_it_began_with() {
    let mut lab = Lab::new(SITE);
    let conn = lab.connect();
    lab.send(conn, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    lab.run(Duration::from_millis(50));
    let (_, next) = compile("server:\n  listen: [':80']\nroutes: |\n  /echo: FORBIDDEN changed\n", 2);
    lab.current.swap(next);
    lab.run(Duration::from_millis(50));
    assert_eq!(lab.handle.seen_generation(), 2);
    lab.send(conn, "cdGET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    lab.run(second());
    let text = lab.seen[&conn].text();
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("\"body\":\"abcd\""), "{text}");
    assert!(text.contains("HTTP/1.1 403") && text.ends_with("changed"), "{text}");
}

/// The controller of each connection of the worker.
fn controllers(lab: &mut Lab) -> Vec<&'static str> {
    let (reply, answer) = bounded(1);
    lab.command(Command::Connections { from: 0, max: 16, reply });
    lab.run(Duration::from_millis(1));
    answer.recv().expect("an answer").iter().map(|row| row.congestion).collect()
}

const CONTROLLED: &str = "
server:
  listen: [{ address: ':80', congestion: newreno }]
groups:
  - prefix: /video
    congestion: bbr
    routes: { GET /a: OK }
  - prefix: /page
    congestion: cubic
    routes: { /echo: '*' }
routes:
  GET /ok: OK
";

#[test]
fn listeners_and_routes_choose_the_congestion_controller() {
    let mut lab = Lab::new(CONTROLLED);
    let conn = lab.connect();
    assert_eq!(controllers(&mut lab), ["newreno"]);
    // A route that names none leaves the connection as it is.
    for (request, expected) in [
        (OK.to_owned(), "newreno"),
        ("GET /video/a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "bbr"),
        (OK.to_owned(), "bbr"),
        ("POST /page/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".to_owned(), "cubic"),
        ("GET /none HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "cubic"),
    ] {
        lab.send(conn, &request);
        lab.run(Duration::from_millis(5));
        assert_eq!(controllers(&mut lab), [expected], "{request}");
    }
    assert_eq!(lab.seen[&conn].answers("200"), 4);
}

#[test]
fn a_reload_changes_the_controller_of_connections_to_come() {
    let mut lab = Lab::new(CONTROLLED);
    lab.connect();
    let (config, _) = compile(&CONTROLLED.replace("congestion: newreno", "congestion: bbr"), 2);
    let (reply, answer) = bounded(1);
    lab.command(Command::Listen { addresses: config.server.listen, reply });
    lab.run(Duration::from_millis(1));
    assert_eq!(answer.recv(), Ok(Ok(())));
    lab.connect();
    let mut seen = controllers(&mut lab);
    seen.sort_unstable();
    assert_eq!(seen, ["bbr", "newreno"]);
}
