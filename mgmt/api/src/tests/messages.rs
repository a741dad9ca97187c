//! What is written is what is read, and what is wrong is named.

use crate::command::{decode_answer, encode_request};
use crate::*;

fn round_trip<C: Command + Clone + PartialEq + std::fmt::Debug>(request: &C, wrap: fn(C) -> Request) {
    let line = encode_request(request).unwrap();
    assert!(!line.contains('\n'));
    let decoded = Request::decode(&line).unwrap();
    assert_eq!(decoded, wrap(request.clone()), "{line}");
    assert_eq!(decoded.name(), C::NAME);
    assert!(COMMANDS.contains(&C::NAME));
}

#[test]
fn requests_survive_the_wire() {
    round_trip(&StatusRequest {}, Request::Status);
    round_trip(&PortsRequest {}, Request::Ports);
    round_trip(&CountersRequest {}, Request::Counters);
    round_trip(&DropsRequest {}, Request::Drops);
    round_trip(&ConnectionsRequest::default(), Request::Connections);
    let narrow = ConnectionsRequest {
        state: Some(TcpState::FinWait1),
        remote: Some("2001:db8::/32".parse().unwrap()),
        local_port: Some(443),
        limit: 7,
    };
    round_trip(&narrow, Request::Connections);
    round_trip(&NeighborsRequest {}, Request::Neighbors);
    round_trip(&RoutesRequest {}, Request::Routes);
    let explain = ExplainRequest { method: "GET".into(), url: "/a/b?\u{e9}\n".into(), host: Some("x".into()) };
    round_trip(&explain, Request::Explain);
    round_trip(&ReloadRequest {}, Request::Reload);
    round_trip(&DrainRequest { deadline_milliseconds: 1 }, Request::Drain);
    let capture = CaptureRequest {
        interface: Some("eth0".into()),
        worker: Some(3),
        filter: "tcp and not src port 80".parse().unwrap(),
        snaplen_bytes: 96,
        direction: Direction::Transmit,
        max_packets: Some(1),
        max_bytes: Some(2),
        max_milliseconds: Some(3),
    };
    round_trip(&capture, Request::Capture);
    round_trip(&CaptureRequest::default(), Request::Capture);
}

#[test]
fn replies_survive_the_wire() {
    let reply = ConnectionsReply {
        open: 2,
        truncated: true,
        connections: vec![ConnectionInfo {
            worker: 1,
            local: "10.0.0.1:80".parse().unwrap(),
            remote: "[2001:db8::1]:40000".parse().unwrap(),
            state: TcpState::Established,
            receive_queue_bytes: 3,
            send_queue_bytes: 4,
            rtt_microseconds: Some(5),
            congestion: None,
            congestion_window_bytes: None,
            retransmits: Some(0),
            age_milliseconds: None,
            idle_milliseconds: Some(9),
        }],
    };
    let line = encode_answer(Ok(Reply::Connections(reply.clone()))).unwrap();
    assert_eq!(decode_answer::<ConnectionsRequest>(&line).unwrap(), Ok(reply));

    let error = ApiError::new(ErrorCode::Refused, "no").with_hint("why").with_details(vec!["one\ntwo".into()]);
    let line = encode_answer(Err(error.clone())).unwrap();
    assert_eq!(decode_answer::<StatusRequest>(&line).unwrap(), Err(error));
}

#[test]
fn arguments_may_be_left_out_where_all_have_defaults() {
    assert_eq!(Request::decode(r#"{"command":"status"}"#).unwrap(), Request::Status(StatusRequest {}));
    assert_eq!(
        Request::decode(r#"{"command":"connections","arguments":{}}"#).unwrap(),
        Request::Connections(ConnectionsRequest::default())
    );
    assert_eq!(
        Request::decode(r#"{"command":"drain","arguments":null}"#).unwrap(),
        Request::Drain(DrainRequest::default())
    );
}

#[test]
fn a_reply_of_a_newer_server_is_still_read() {
    let line = r#"{"ok":{"generation":2,"routes":6,"warnings":[],"brand_new":1}}"#;
    assert_eq!(decode_answer::<ReloadRequest>(line).unwrap().unwrap().generation, 2);
    let line = r#"{"error":{"code":"brand_new","message":"m"}}"#;
    assert_eq!(decode_answer::<ReloadRequest>(line).unwrap().unwrap_err().code, ErrorCode::Unknown);
}

#[test]
fn wrong_requests_are_named() {
    let cases = [
        ("", ErrorCode::Malformed),
        ("{", ErrorCode::Malformed),
        ("status", ErrorCode::Malformed),
        ("[]", ErrorCode::Malformed),
        ("{}", ErrorCode::Malformed),
        (r#"{"command":7}"#, ErrorCode::Malformed),
        (r#"{"command":"status"} {}"#, ErrorCode::Malformed),
        (r#"{"command":"status","extra":1}"#, ErrorCode::UnknownField),
        (r#"{"command":"format-disk","arguments":{}}"#, ErrorCode::UnknownCommand),
        (r#"{"command":"","arguments":{}}"#, ErrorCode::UnknownCommand),
        (r#"{"command":"status","arguments":{"colour":1}}"#, ErrorCode::UnknownField),
        (r#"{"command":"status","arguments":[]}"#, ErrorCode::InvalidArgument),
        (r#"{"command":"explain","arguments":{"method":"GET"}}"#, ErrorCode::InvalidArgument),
        (r#"{"command":"drain","arguments":{"deadline_milliseconds":-1}}"#, ErrorCode::InvalidArgument),
        (r#"{"command":"connections","arguments":{"state":"half-open"}}"#, ErrorCode::InvalidArgument),
        (r#"{"command":"connections","arguments":{"remote":"10.0.0.0/33"}}"#, ErrorCode::InvalidArgument),
        (r#"{"command":"capture","arguments":{"filter":"port http"}}"#, ErrorCode::InvalidArgument),
    ];
    for (line, code) in cases {
        assert_eq!(Request::decode(line).unwrap_err().code, code, "{line}");
    }
    let deep = "[".repeat(60_000);
    assert_eq!(Request::decode(&deep).unwrap_err().code, ErrorCode::Malformed);
}

#[test]
fn an_unknown_command_names_the_known_ones_and_is_shown_harmlessly() {
    let error = Request::decode("{\"command\":\"a\\u001b[31m\"}").unwrap_err();
    assert_eq!(error.message, "there is no command `a\\u{1b}[31m`");
    assert!(error.hint.unwrap().starts_with("commands: status, ports, "));
}

#[test]
fn hello_tells_versions_apart() {
    let ours = Hello::ours();
    assert_eq!(Hello::decode(&ours.encode()).unwrap(), ours);

    let newer = r#"{"hello":{"protocol":2,"product":"9.0.0","compression":"zstd"},"more":true}"#;
    let error = Hello::decode(newer).unwrap_err();
    assert_eq!(error.code, ErrorCode::UnsupportedVersion);
    assert!(error.message.contains("protocol 2 of version 9.0.0"), "{}", error.message);
    assert!(error.hint.is_some());

    let extra = r#"{"hello":{"protocol":1,"product":"0.1.0","extra":1}}"#;
    assert_eq!(Hello::decode(extra).unwrap_err().code, ErrorCode::UnknownField);
    assert_eq!(Hello::decode(r#"{"command":"status"}"#).unwrap_err().code, ErrorCode::Malformed);
    assert_eq!(Hello::decode("GET / HTTP/1.1\r").unwrap_err().code, ErrorCode::Malformed);
}

#[test]
fn connections_are_matched_by_every_condition() {
    let local = "10.0.0.1:80".parse().unwrap();
    let remote = "192.0.2.77:5000".parse().unwrap();
    let any = ConnectionsRequest::default();
    assert!(any.matches(TcpState::TimeWait, local, remote));
    let with = |remote: &str| ConnectionsRequest { remote: Some(remote.parse().unwrap()), ..any.clone() };
    assert!(with("192.0.2.0/24").matches(TcpState::Established, local, remote));
    assert!(with("192.0.2.77").matches(TcpState::Established, local, remote));
    assert!(with("0.0.0.0/0").matches(TcpState::Established, local, remote));
    assert!(!with("192.0.2.78").matches(TcpState::Established, local, remote));
    assert!(!with("::/0").matches(TcpState::Established, local, remote));
    let port = ConnectionsRequest { local_port: Some(81), ..any.clone() };
    assert!(!port.matches(TcpState::Established, local, remote));
    let state = ConnectionsRequest { state: Some(TcpState::CloseWait), ..any };
    assert!(!state.matches(TcpState::Established, local, remote));
    assert!(state.matches(TcpState::CloseWait, local, remote));
}

#[test]
fn names_of_states_are_those_of_the_wire() {
    for &state in TcpState::ALL {
        assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
        assert_eq!(state.name().parse::<TcpState>(), Ok(state));
    }
    assert!("open".parse::<TcpState>().unwrap_err().contains("established"));
}

#[test]
fn link_addresses_are_read_as_written() {
    let mac: Mac = "02:0a:ff:00:00:01".parse().unwrap();
    assert_eq!(mac, Mac([2, 10, 255, 0, 0, 1]));
    assert_eq!(mac.to_string(), "02:0a:ff:00:00:01");
    for wrong in
        ["", "02:0a:ff:00:00", "02:0a:ff:00:00:01:02", "2:a:ff:0:0:1", "02-0a-ff-00-00-01", "0g:0a:ff:00:00:01"]
    {
        assert!(wrong.parse::<Mac>().is_err(), "{wrong}");
    }
}

#[test]
fn losses_are_told_by_their_names() {
    let row = |name: &str| CounterRow::new("tcp", name, "", vec![1, 2]);
    let all = CountersReply {
        counters: vec![
            row("rx_segments"),
            row("drop_checksum"),
            row("refuse_backlog"),
            row("reset_sent"),
            row("dropped"),
        ],
    };
    let losses: Vec<String> = all.into_drops().reasons.into_iter().map(|row| row.name).collect();
    assert_eq!(losses, ["drop_checksum", "refuse_backlog", "reset_sent"]);
    assert_eq!(row("x").total, 3);
}
