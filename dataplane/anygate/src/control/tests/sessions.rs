//! Commands, hostile clients, limits.

use super::fake::{Fake, Scratch, wait_until};
use mgmt_api::frame::{LineReader, REPLY_LIMIT_BYTES, REQUEST_LIMIT_BYTES};
use mgmt_api::*;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

/// Says hello by hand; what follows is up to the test.
fn raw(scratch: &Scratch) -> (UnixStream, LineReader<UnixStream>) {
    let mut stream = UnixStream::connect(scratch.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    writeln!(stream, "{}", Hello::ours().encode()).unwrap();
    let mut lines = LineReader::new(stream.try_clone().unwrap(), REPLY_LIMIT_BYTES);
    assert_eq!(Hello::decode(&lines.read_line().unwrap()).unwrap(), Hello::ours());
    (stream, lines)
}

fn code(line: &str) -> ErrorCode {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    serde_json::from_value(value["error"]["code"].clone()).unwrap()
}

#[test]
fn every_command_is_answered_on_one_session() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let _server = scratch.serve(&backend);
    let mut client = scratch.client();
    assert_eq!(client.server(), &Hello::ours());
    assert_eq!(client.call(&StatusRequest {}).unwrap().pid, 42);
    assert!(client.call(&PortsRequest {}).unwrap().ports.is_empty());
    assert_eq!(client.call(&CountersRequest {}).unwrap().counters[0].total, 11);
    assert_eq!(client.call(&DropsRequest {}).unwrap().reasons[0].name, "drop_checksum");
    assert_eq!(client.call(&ConnectionsRequest::default()).unwrap().open, 1000);
    assert!(matches!(client.call(&NeighborsRequest {}), Err(ClientError::Refused(_))));
    assert_eq!(client.call(&RoutesRequest {}).unwrap().routes.len(), 10_000);
    let explain = ExplainRequest { method: "GET".into(), url: "/a".into(), host: None };
    assert_eq!(client.call(&explain).unwrap().path, "/a");
    assert_eq!(client.call(&ReloadRequest {}).unwrap().generation, 2);
    assert_eq!(client.call(&DrainRequest { deadline_milliseconds: 5 }).unwrap().deadline_milliseconds, 5);
    let uid = rustix::process::geteuid().as_raw();
    assert!(backend.audited(&format!("uid {uid} pid {}: reload: generation 2", std::process::id())));
    assert!(backend.audited("drain within 0.005 s"));
}

#[test]
fn a_bad_configuration_comes_back_with_its_findings() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let _server = scratch.serve(&backend);
    *backend.diagnostics.lock().unwrap() = vec!["a.yaml:3:1: unknown key".into(), "a.yaml:4:1: too".into()];
    let Err(ClientError::Refused(error)) = scratch.client().call(&ReloadRequest {}) else { panic!("accepted") };
    assert_eq!(error.code, ErrorCode::Refused);
    assert_eq!(error.details.len(), 2);
    assert!(backend.audited("reload: refused, 2 findings"));
}

#[test]
fn limits_of_arguments_are_kept_before_the_backend() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let _server = scratch.serve(&backend);
    for limit in [0, MAX_CONNECTION_LIMIT + 1] {
        let request = ConnectionsRequest { limit, ..ConnectionsRequest::default() };
        let Err(ClientError::Refused(error)) = scratch.client().call(&request) else { panic!("accepted") };
        assert_eq!(error.code, ErrorCode::InvalidArgument);
    }
    let forever = DrainRequest { deadline_milliseconds: u64::MAX };
    assert_eq!(scratch.client().call(&forever).unwrap().deadline_milliseconds, 24 * 3600 * 1000);
}

#[test]
fn a_wrong_command_does_not_end_the_session() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let _server = scratch.serve(&backend);
    let (mut stream, mut lines) = raw(&scratch);
    for (line, expected) in [
        ("nonsense", ErrorCode::Malformed),
        (r#"{"command":"frobnicate"}"#, ErrorCode::UnknownCommand),
        (r#"{"command":"status","arguments":{"x":1}}"#, ErrorCode::UnknownField),
    ] {
        writeln!(stream, "{line}").unwrap();
        assert_eq!(code(&lines.read_line().unwrap()), expected);
    }
    writeln!(stream, r#"{{"command":"status"}}"#).unwrap();
    assert!(lines.read_line().unwrap().starts_with(r#"{"ok":"#));
}

#[test]
fn what_is_no_line_is_answered_and_ends_the_session() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let _server = scratch.serve(&backend);
    let too_long = vec![b'x'; REQUEST_LIMIT_BYTES + 1];
    for (bytes, expected) in [(&too_long[..], ErrorCode::TooLong), (&b"\xff\n"[..], ErrorCode::Malformed)] {
        let (mut stream, mut lines) = raw(&scratch);
        stream.write_all(bytes).unwrap();
        assert_eq!(code(&lines.read_line().unwrap()), expected);
        assert!(lines.read_line().is_err());
    }
}

#[test]
fn the_first_line_must_be_a_hello_of_our_version() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let _server = scratch.serve(&backend);
    for (line, expected) in [
        (r#"{"hello":{"protocol":99,"product":"x"}}"#, ErrorCode::UnsupportedVersion),
        (r#"{"command":"drain"}"#, ErrorCode::Malformed),
    ] {
        let mut stream = UnixStream::connect(scratch.socket()).unwrap();
        writeln!(stream, "{line}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(code(answer.trim_end()), expected);
    }
}

#[test]
fn a_silent_client_is_told_and_left() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let server = scratch.serve(&backend);
    let mut stream = UnixStream::connect(scratch.socket()).unwrap();
    // A byte now and then does not help: the whole line has its time.
    let mut trickle = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        while trickle.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert_eq!(code(answer.trim_end()), ErrorCode::Timeout);
    writer.join().unwrap();
    wait_until("the session ended", || server.sessions() == 0);
}

#[test]
fn sessions_are_bounded_and_a_place_that_is_left_is_free_again() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let server = scratch.serve_with(&backend, |config| config.max_sessions = 4);
    let clients: Vec<Client> = (0..4).map(|_| scratch.client()).collect();
    let Err(ClientError::Refused(error)) = Client::connect(&scratch.socket()) else { panic!("a fifth session") };
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.hint.is_some());
    drop(clients);
    wait_until("the places are free", || server.sessions() == 0);
    scratch.client().call(&StatusRequest {}).unwrap();
}

#[test]
fn sessions_run_beside_each_other() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let _server = scratch.serve(&backend);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut client = scratch.client();
                for _ in 0..50 {
                    client.call(&StatusRequest {}).unwrap();
                }
            });
        }
    });
}

#[test]
fn clients_that_vanish_cost_nothing_that_stays() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let server = scratch.serve(&backend);
    for turn in 0..100 {
        let mut stream = UnixStream::connect(scratch.socket()).unwrap();
        let routes = format!("{}\n{{\"command\":\"routes\"}}\n", Hello::ours().encode());
        stream.write_all(&routes.as_bytes()[..routes.len() * turn / 99]).unwrap();
        // Gone while the long reply is being written, or before.
    }
    wait_until("there is a place again", || Client::connect(&scratch.socket()).is_ok());
    wait_until("all sessions ended", || server.sessions() == 0);
    scratch.client().call(&StatusRequest {}).unwrap();
}

#[test]
fn a_shut_down_server_lets_go_of_idle_sessions() {
    let (scratch, backend) = (Scratch::new(), Arc::new(Fake::default()));
    let server = scratch.serve(&backend);
    let mut client = scratch.client();
    server.shutdown();
    assert!(client.call(&StatusRequest {}).unwrap_err().is_unreachable());
    assert!(matches!(Client::connect(&scratch.socket()), Err(ClientError::NotRunning { .. })));
}
