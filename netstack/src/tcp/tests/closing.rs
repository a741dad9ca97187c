use super::pair::{CLIENT, Pair, SERVER};
use super::rig::{Rig, seg};
use crate::counters::TcpCounter;
use crate::tcp::{EndReason, Ready, SendError, TcpConfig};
use bytes::Bytes;
use core::time::Duration;

#[test]
fn an_active_close_goes_through_time_wait() {
    let (mut rig, id) = Rig::accepted();
    rig.send(id, b"bye");
    rig.stack.close(rig.now, id);
    assert_eq!(rig.output(), ["FPA 1:4(3) ack 1 win 65535"]);
    assert_eq!(rig.info(id).state, "FIN-WAIT-1");
    assert_eq!(rig.stack.send(id, Bytes::from_static(b"x")), Err(SendError::NotOpen));
    rig.input(seg("A", 1, 5, b""));
    assert_eq!(rig.info(id).state, "FIN-WAIT-2");
    rig.input(seg("FA", 1, 5, b""));
    let lines = rig.output();
    assert!(lines.len() == 1 && lines[0].starts_with("A 5:5(0) ack 2 "), "{lines:?}");
    let event = rig.event().unwrap();
    assert_eq!((event.ready, event.ended), (Ready::PEER_CLOSED | Ready::ENDED, Some(EndReason::Closed)));
    assert_eq!((rig.stack.tcp().time_wait_count(), rig.stack.connection_count()), (1, 0));
    rig.nothing_left();
}

#[test]
fn a_passive_close_ends_without_time_wait() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("FPA", 1, 1, b"last"));
    assert_eq!(rig.info(id).state, "CLOSE-WAIT");
    assert_eq!(rig.event().unwrap().ready, Ready::READABLE | Ready::PEER_CLOSED);
    assert!(!rig.stack.recv_finished(id));
    assert_eq!(rig.read(id), b"last");
    assert!(rig.stack.recv_finished(id));
    rig.send(id, b"still");
    assert_eq!(rig.output(), ["PA 1:6(5) ack 6 win 65530"]);
    rig.input(seg("A", 6, 6, b""));
    rig.stack.close(rig.now, id);
    assert_eq!(rig.info(id).state, "LAST-ACK");
    assert_eq!(rig.output(), ["FPA 6:6(0) ack 6 win 65530"]);
    rig.input(seg("A", 6, 7, b""));
    assert_eq!(rig.event().unwrap().ended, Some(EndReason::Closed));
    assert_eq!(rig.stack.tcp().time_wait_count(), 0);
    rig.nothing_left();
}

#[test]
fn fins_that_cross_go_through_closing() {
    let (mut rig, id) = Rig::accepted();
    rig.stack.close(rig.now, id);
    rig.output();
    rig.input(seg("FA", 1, 1, b""));
    assert_eq!(rig.info(id).state, "CLOSING");
    assert_eq!(rig.output().len(), 1);
    rig.input(seg("A", 2, 2, b""));
    assert_eq!(rig.event().unwrap().ended, Some(EndReason::Closed));
    assert_eq!(rig.stack.tcp().time_wait_count(), 1);
}

#[test]
fn a_half_closed_connection_still_receives() {
    let (mut rig, id) = Rig::accepted();
    rig.stack.close(rig.now, id);
    rig.output();
    rig.input(seg("A", 1, 2, b""));
    rig.input(seg("PA", 1, 2, b"more"));
    assert_eq!(rig.read(id), b"more");
    rig.input(seg("FA", 5, 2, b""));
    assert_eq!(rig.event().unwrap().ended, Some(EndReason::Closed));
}

#[test]
fn data_left_when_both_sides_closed_can_be_read() {
    let (mut rig, id) = Rig::accepted();
    rig.stack.close(rig.now, id);
    rig.output();
    rig.input(seg("FPA", 1, 2, b"tail"));
    let event = rig.event().unwrap();
    assert_eq!((event.ready, event.ended), (Ready::READABLE | Ready::PEER_CLOSED, None));
    assert!(rig.event().is_none());
    assert_eq!(rig.stack.peek(id), b"tail");
    rig.stack.consume(id, 4);
    assert_eq!(rig.event().unwrap().ended, Some(EndReason::Closed));

    let (mut rig, id) = Rig::accepted();
    rig.stack.close(rig.now, id);
    rig.output();
    rig.input(seg("FPA", 1, 2, b"tail"));
    rig.event();
    rig.wait(Duration::from_secs(61));
    assert_eq!(rig.event().unwrap().ended, Some(EndReason::Aborted));
    assert_eq!(rig.count(TcpCounter::EndUnread), 1);
    rig.nothing_left();
}

#[test]
fn a_fin_beyond_a_gap_waits_for_the_gap() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("FA", 6, 1, b"world"));
    assert_eq!(rig.info(id).state, "ESTABLISHED");
    rig.input(seg("A", 1, 1, b"hello"));
    assert_eq!(rig.info(id).state, "CLOSE-WAIT");
    assert_eq!(rig.read(id), b"helloworld");
    assert_eq!(rig.output(), ["A 1:1(0) ack 12 win 65524"]);
}

#[test]
fn time_wait_acknowledges_a_fin_again_ignores_resets_and_gives_way_to_a_newer_syn() {
    let (mut rig, id) = Rig::accepted();
    rig.stack.close(rig.now, id);
    rig.output();
    rig.input(seg("FA", 1, 2, b""));
    rig.output();
    while rig.event().is_some() {}
    rig.wait(Duration::from_secs(50));
    rig.input(seg("R", 2, 0, b""));
    rig.input(seg("A", 2, 2, b""));
    assert!(rig.output().is_empty());
    rig.input(seg("FA", 1, 2, b""));
    assert!(rig.output()[0].starts_with("A 2:2(0) ack 2 "));
    rig.wait(Duration::from_secs(50));
    assert_eq!(rig.stack.tcp().time_wait_count(), 1, "the wait was restarted");
    let old = rig.iss;
    rig.input(seg("S", 0, 0, b""));
    assert!(rig.output()[0].starts_with("A 2:2(0) ack 2 "), "an old SYN");
    rig.input(seg("S", 1000, 0, b""));
    let lines = rig.output();
    assert!(lines[0].starts_with("SA 0:0(0) ack 1001 "), "{lines:?}");
    assert!(rig.iss.after(old + 2));
    assert_eq!((rig.stack.tcp().time_wait_count(), rig.count(TcpCounter::TimeWaitReused)), (0, 1));
    rig.audit();
}

#[test]
fn time_wait_has_a_limit() {
    let mut rig = Rig::new(TcpConfig { max_time_wait: 0, ..TcpConfig::default() });
    rig.listen();
    let id = rig.accept();
    rig.stack.close(rig.now, id);
    rig.output();
    rig.input(seg("FA", 1, 2, b""));
    assert_eq!((rig.stack.tcp().time_wait_count(), rig.count(TcpCounter::TimeWaitOverflow)), (0, 1));
    rig.nothing_left();
}

#[test]
fn a_peer_that_never_closes_is_given_up() {
    let (mut rig, id) = Rig::accepted();
    rig.stack.close(rig.now, id);
    rig.output();
    rig.input(seg("A", 1, 2, b""));
    rig.wait(Duration::from_secs(40));
    rig.input(seg("A", 1, 2, b"x"));
    rig.wait(Duration::from_secs(40));
    assert!(rig.stack.is_open(id), "it was heard meanwhile");
    rig.read(id);
    rig.wait(Duration::from_secs(61));
    while let Some(event) = rig.event() {
        if event.ready.contains(Ready::ENDED) {
            assert_eq!(event.ended, Some(EndReason::TimedOut));
        }
    }
    assert_eq!(rig.count(TcpCounter::EndFinWait), 1);
    rig.nothing_left();
}

#[test]
fn an_abort_resets_and_leaves_nothing() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("A", 1, 1, b"unread"));
    rig.send(id, b"unsent");
    rig.stack.abort(rig.now, id);
    assert_eq!(rig.output(), ["RA 1:1(0) ack 7"]);
    assert!(rig.event().is_none() && !rig.stack.is_open(id));
    rig.audit();
    rig.nothing_left();
}

#[test]
fn close_before_the_handshake_ends_it() {
    let (mut rig, id) = Rig::opening(TcpConfig::default());
    rig.stack.close(rig.now, id);
    assert_eq!(rig.event().unwrap().ended, Some(EndReason::Closed));
    rig.nothing_left();

    let (mut rig, id) = Rig::opening(TcpConfig::default());
    rig.input(seg("S", 0, 0, b""));
    rig.output();
    rig.stack.close(rig.now, id);
    assert_eq!(rig.info(id).state, "SYN-RECEIVED");
    rig.input(seg("A", 1, 1, b""));
    assert_eq!(rig.output(), ["FPA 1:1(0) ack 1 win 65535"]);
}

#[test]
fn both_ends_close_at_once_and_nothing_is_left() {
    for v6 in [false, true] {
        let mut pair = Pair::plain().connected(v6);
        pair.send(CLIENT, b"ping");
        pair.send(SERVER, b"pong");
        pair.close(CLIENT);
        pair.close(SERVER);
        pair.run_until("ended", |pair| pair.seen.iter().all(|seen| seen.ended == Some(EndReason::Closed)));
        assert_eq!((&pair.seen[CLIENT].received[..], &pair.seen[SERVER].received[..]), (&b"pong"[..], &b"ping"[..]));
        pair.nothing_left();
    }
}
