use core::net::SocketAddr;

use super::rig::{PEER, Rig, seg};
use crate::counters::TcpCounter;
use crate::tcp::{ConnectConfig, ConnectError, EndReason, ListenConfig, Ready, SynCookieMode, TcpConfig};

#[test]
fn a_passive_open_takes_what_the_syn_offers() {
    let mut rig = Rig::listening();
    rig.syn.sack_permitted = true;
    rig.syn.window_scale = Some(7);
    rig.clock = Some(100);
    rig.input(seg("S", 0, 0, b""));
    assert_eq!(rig.output(), ["SA 0:0(0) ack 1 win 65535 <mss 1460,ws 10,sack,ts>"]);
    rig.input(seg("A", 1, 1, b""));
    let event = rig.event().unwrap();
    assert_eq!((event.ready, event.listener), (Ready::ACCEPTED, rig.listener));
    let info = rig.info(event.conn);
    assert_eq!((info.state, info.mss, info.snd_wnd), ("ESTABLISHED", 1448, 60_000 << 7));
}

#[test]
fn options_that_were_not_offered_are_not_used() {
    let mut rig = Rig::listening();
    rig.input(seg("S", 0, 0, b""));
    assert_eq!(rig.output(), ["SA 0:0(0) ack 1 win 65535 <mss 1460>"]);
}

#[test]
fn data_with_the_last_ack_of_the_handshake_is_taken() {
    let mut rig = Rig::listening();
    rig.input(seg("S", 0, 0, b""));
    rig.output();
    rig.input(seg("PA", 1, 1, b"hello"));
    let event = rig.event().unwrap();
    assert_eq!(event.ready, Ready::ACCEPTED | Ready::READABLE);
    assert_eq!(rig.read(event.conn), b"hello");
}

#[test]
fn a_lost_syn_ack_is_sent_again_and_given_up() {
    let mut rig = Rig::listening();
    rig.input(seg("S", 0, 0, b""));
    rig.output();
    rig.input(seg("S", 0, 0, b""));
    assert_eq!(rig.output(), ["SA 0:0(0) ack 1 win 65535 <mss 1460>"]);
    rig.wait_millis(1001);
    assert_eq!(rig.output().len(), 1);
    rig.wait_millis(1500);
    assert_eq!(rig.output().len(), 0);
    rig.nothing_left();
    assert_eq!(rig.count(TcpCounter::DropSynAckTimeout), 1);
}

#[test]
fn a_wrong_ack_of_the_handshake_is_reset_and_an_exact_reset_ends_it() {
    let mut rig = Rig::listening();
    rig.input(seg("S", 0, 0, b""));
    rig.output();
    rig.input(seg("A", 1, 77, b""));
    assert_eq!(rig.output(), ["R 77:77(0)"]);
    rig.input(seg("R", 2, 0, b""));
    assert_eq!(rig.stack.tcp().half_open_count(), 1);
    rig.input(seg("R", 1, 0, b""));
    assert_eq!(rig.stack.tcp().half_open_count(), 0);
    assert_eq!((rig.count(TcpCounter::DropBadReset), rig.count(TcpCounter::ResetHalfOpen)), (1, 1));
}

#[test]
fn segments_to_nobody_are_reset() {
    let mut rig = Rig::new(TcpConfig::default());
    rig.input(seg("S", 0, 0, b""));
    assert_eq!(rig.output(), ["RA 0:0(0) ack 1"]);
    rig.input(seg("A", 9, 42, b"abc"));
    assert_eq!(rig.output(), ["R 42:42(0)"]);
    rig.input(seg("R", 9, 42, b""));
    assert!(rig.output().is_empty());
    assert_eq!(rig.count(TcpCounter::ResetNoConnection), 2);
}

#[test]
fn limits_of_half_open_connections_hold() {
    let mut rig = Rig::new(TcpConfig { max_half_open: 5, syn_cookies: SynCookieMode::Off, ..TcpConfig::default() });
    rig.stack.listen(ListenConfig { backlog: 3, ..ListenConfig::port(80) }).unwrap();
    rig.stack.listen(ListenConfig { backlog: 9, ..ListenConfig::port(81) }).unwrap();
    for port in 0..10 {
        rig.ports = (80 + port % 2, 40_000 + port);
        rig.input(seg("S", 0, 0, b""));
    }
    assert_eq!(rig.stack.tcp().half_open_count(), 5);
    assert_eq!(rig.count(TcpCounter::RefuseBacklog) + rig.count(TcpCounter::RefuseHalfOpen), 5);
    assert!(rig.count(TcpCounter::RefuseHalfOpen) > 0);
}

#[test]
fn an_application_that_accepts_too_slowly_holds_handshakes_back() {
    let mut rig = Rig::new(TcpConfig::default());
    rig.stack.listen(ListenConfig { backlog: 1, ..ListenConfig::port(80) }).unwrap();
    // Both SYNs are answered, the second with a cookie; then the accept queue is full.
    let mut numbers = Vec::new();
    for port in [1000, 1001] {
        rig.ports = (80, port);
        rig.input(seg("S", 0, 0, b""));
        rig.output();
        numbers.push(rig.iss);
    }
    for (port, iss) in [1000, 1001].into_iter().zip(numbers) {
        (rig.ports, rig.iss) = ((80, port), iss);
        rig.input(seg("A", 1, 1, b""));
    }
    assert_eq!((rig.count(TcpCounter::CookiesSent), rig.count(TcpCounter::DropAcceptQueue)), (1, 1));
    // A full accept queue refuses SYNs, too.
    rig.ports.1 = 1002;
    rig.input(seg("S", 0, 0, b""));
    assert!(rig.output().is_empty());
    assert_eq!(rig.count(TcpCounter::RefuseAcceptQueue), 1);
    rig.ports.1 = 1001;
    assert!(rig.event().is_some());
    rig.input(seg("A", 1, 1, b""));
    assert!(rig.event().is_some());
}

#[test]
fn unlistening_drops_half_open_connections_only() {
    let (mut rig, id) = Rig::accepted();
    rig.ports.1 = 40_001;
    rig.input(seg("S", 0, 0, b""));
    rig.output();
    rig.stack.unlisten(rig.listener.unwrap());
    assert_eq!((rig.stack.tcp().half_open_count(), rig.stack.is_open(id)), (0, true));
    rig.input(seg("S", 0, 0, b""));
    assert!(rig.output()[0].starts_with("RA "));
    rig.audit();
}

#[test]
fn an_active_open_completes_and_carries_queued_data() {
    let (mut rig, id) = Rig::opening(TcpConfig::default());
    rig.send(id, b"early");
    assert!(rig.output().is_empty());
    rig.input(seg("SA", 0, 1, b""));
    assert_eq!(rig.output(), ["PA 1:6(5) ack 1 win 65535"]);
    let event = rig.event().unwrap();
    assert_eq!((event.ready, event.token), (Ready::CONNECTED, 9));
}

#[test]
fn an_active_open_is_refused_or_times_out() {
    let (mut rig, id) = Rig::opening(TcpConfig::default());
    rig.input(seg("RA", 0, 99, b""));
    assert!(rig.stack.is_open(id), "an unacceptable acknowledgment");
    rig.input(seg("RA", 0, 1, b""));
    let event = rig.event().unwrap();
    assert_eq!((event.ready, event.ended), (Ready::ENDED, Some(EndReason::Refused)));
    assert!(rig.stack.token(id).is_none());

    let (mut rig, _) = Rig::opening(TcpConfig { syn_retries: 2, ..TcpConfig::default() });
    let mut sent = Vec::new();
    for _ in 0..80 {
        rig.wait_millis(100);
        sent.extend(rig.output());
    }
    assert_eq!(sent.len(), 2);
    assert_eq!(rig.event().unwrap().ended, Some(EndReason::TimedOut));
    rig.nothing_left();
}

#[test]
fn syns_that_cross_open_once() {
    let (mut rig, id) = Rig::opening(TcpConfig::default());
    rig.input(seg("S", 0, 0, b""));
    assert_eq!(rig.info(id).state, "SYN-RECEIVED");
    let lines = rig.output();
    assert!(lines.len() == 1 && lines[0].starts_with("SA 0:0(0) ack 1 win 65535 <mss 1460"), "{lines:?}");
    rig.input(seg("A", 1, 1, b""));
    assert_eq!(rig.info(id).state, "ESTABLISHED");
    assert_eq!(rig.event().unwrap().ready, Ready::CONNECTED);
    rig.send(id, b"x");
    assert_eq!(rig.output(), ["PA 1:2(1) ack 1 win 65535"]);
}

#[test]
fn syn_acks_that_cross_complete_the_handshake() {
    let (mut rig, id) = Rig::opening(TcpConfig::default());
    rig.input(seg("S", 0, 0, b""));
    rig.output();
    rig.input(seg("SA", 0, 1, b""));
    assert_eq!(rig.info(id).state, "ESTABLISHED");
    assert_eq!(rig.event().unwrap().ready, Ready::CONNECTED);
    assert!(rig.output().is_empty());
}

#[test]
fn a_wrong_syn_ack_is_reset() {
    let (mut rig, id) = Rig::opening(TcpConfig::default());
    rig.input(seg("SA", 0, 5, b""));
    assert_eq!(rig.output(), ["R 5:5(0)"]);
    assert_eq!(rig.info(id).state, "SYN-SENT");
}

#[test]
fn connect_refuses_what_cannot_be() {
    let mut rig = Rig::new(TcpConfig { max_connections: 1, ephemeral_ports: (5000, 5000), ..TcpConfig::default() });
    let mut connect =
        |ip: &str, port| rig.stack.connect(rig.now, ConnectConfig::to(SocketAddr::new(ip.parse().unwrap(), port), 0));
    assert_eq!(connect("224.0.0.1", 80), Err(ConnectError::InvalidRemote));
    assert_eq!(connect("10.0.0.2", 0), Err(ConnectError::InvalidRemote));
    connect("10.0.0.2", 80).unwrap();
    assert_eq!(connect("10.0.0.2", 81), Err(ConnectError::TooManyConnections));

    let mut rig = Rig::new(TcpConfig { ephemeral_ports: (5000, 5000), ..TcpConfig::default() });
    let foreign = ConnectConfig {
        local: Some("10.9.9.9".parse().unwrap()),
        ..ConnectConfig::to(SocketAddr::new(PEER.into(), 80), 0)
    };
    assert_eq!(rig.stack.connect(rig.now, foreign), Err(ConnectError::NoSource));
    let to = ConnectConfig::to(SocketAddr::new(PEER.into(), 80), 0);
    rig.stack.connect(rig.now, to.clone()).unwrap();
    assert_eq!(rig.stack.connect(rig.now, to.clone()), Err(ConnectError::NoPort));
    let same = ConnectConfig { local_port: Some(5000), ..to };
    assert_eq!(rig.stack.connect(rig.now, same), Err(ConnectError::InUse));
}
