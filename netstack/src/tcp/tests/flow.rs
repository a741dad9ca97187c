//! Data in both directions: acknowledgments, windows, buffers, Nagle.

use super::pair::{CLIENT, Pair, SERVER};
use super::rig::{Rig, seg};
use crate::counters::TcpCounter;
use crate::tcp::{ConnOptions, ListenConfig, Ready, SendError, TcpConfig};
use bytes::Bytes;

#[test]
fn an_answer_in_the_same_burst_carries_the_ack() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("PA", 1, 1, b"ask"));
    assert_eq!(rig.event().unwrap().ready, Ready::READABLE);
    assert_eq!(rig.stack.peek(id), b"ask");
    rig.stack.consume(id, 3);
    rig.send(id, b"ans");
    rig.send(id, b"wer");
    assert_eq!(rig.output(), ["PA 1:7(6) ack 4 win 65532"]);
    assert_eq!(rig.info(id).delayed_ack_at, None);
    assert!(rig.count(TcpCounter::RxFastPath) >= 1);
}

#[test]
fn an_ack_without_an_answer_waits_unless_it_is_of_bulk() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("A", 1, 1, b"one"));
    assert!(rig.output().is_empty());
    rig.wait_millis(30);
    assert!(rig.output().is_empty());
    rig.wait_millis(11);
    assert_eq!(rig.output(), ["A 1:1(0) ack 4 win 65532"]);
    assert_eq!(rig.count(TcpCounter::TxDelayedAcks), 1);
    let full = [7; 1460];
    rig.input(seg("A", 4, 1, &full));
    assert_eq!(rig.output(), ["A 1:1(0) ack 1464 win 64072"]);
    rig.input(seg("A", 1464, 1, &full));
    assert_eq!(rig.output(), ["A 1:1(0) ack 2924 win 62612"]);
    assert_eq!(rig.read(id).len(), 2923);
    assert_eq!(rig.output(), ["A 1:1(0) ack 2924 win 65535"], "a window update");
}

#[test]
fn a_closed_window_is_probed_and_opens() {
    let (mut rig, id) = Rig::accepted();
    rig.send(id, b"abcdef");
    rig.output();
    let mut close = seg("A", 1, 7, b"");
    close.window = 0;
    rig.input(close);
    rig.send(id, b"ghijkl");
    assert!(rig.output().is_empty());
    let mut probes = Vec::new();
    for _ in 0..200 {
        rig.wait_millis(10);
        for line in rig.output() {
            probes.push(line);
            rig.input(close);
        }
    }
    assert!(probes.len() >= 2 && probes.iter().all(|line| line.starts_with("A 7:8(1) ack 1")), "{probes:?}");
    rig.input(seg("A", 1, 7, b""));
    let lines = rig.output();
    assert!(lines[0].starts_with("A 7:8(1)") && lines[1].starts_with("PA 8:13(5)"), "{lines:?}");
    rig.input(seg("A", 1, 13, b""));
    assert_eq!((rig.info(id).send_queued, rig.info(id).retransmit_at, rig.info(id).recovery), (0, None, "open"));
}

#[test]
fn a_window_closed_for_ever_ends_only_when_the_peer_falls_silent() {
    let mut rig = Rig::new(TcpConfig { data_retries: 4, ..TcpConfig::default() });
    rig.listen();
    let id = rig.accept();
    let mut close = seg("A", 1, 1, b"");
    close.window = 0;
    rig.input(close);
    rig.send(id, b"x");
    for _ in 0..4000 {
        rig.wait_millis(100);
        if !rig.output().is_empty() {
            rig.input(close);
        }
    }
    assert!(rig.stack.is_open(id) && rig.count(TcpCounter::TxWindowProbes) > 5);
    for _ in 0..4000 {
        rig.wait_millis(100);
        rig.output();
    }
    assert!(!rig.stack.is_open(id));
}

#[test]
fn a_full_receive_buffer_closes_the_window_and_reading_opens_it() {
    let mut rig = Rig::new(TcpConfig::default());
    let options = ConnOptions { receive_buffer: Some(4000), ..ConnOptions::default() };
    rig.listener = Some(rig.stack.listen(ListenConfig { options, ..ListenConfig::port(80) }).unwrap());
    let id = rig.accept();
    for n in 0..4 {
        rig.input(seg("A", 1 + n * 1000, 1, &[n as u8; 1000]));
        rig.output();
    }
    rig.wait_millis(50);
    rig.output();
    assert_eq!(rig.info(id).rcv_wnd, 0);
    rig.input(seg("A", 4001, 1, b"x"));
    assert_eq!(rig.output(), ["A 1:1(0) ack 4001 win 0"]);
    rig.stack.consume(id, 1000);
    assert!(rig.output().is_empty(), "no silly window");
    rig.stack.consume(id, 1000);
    assert_eq!(rig.output(), ["A 1:1(0) ack 4001 win 2000"]);
    assert_eq!(rig.read(id).len(), 2000);
}

#[test]
fn the_send_buffer_has_a_limit_and_says_when_there_is_room() {
    let mut rig = Rig::new(TcpConfig { send_buffer: 1000, send_buffer_max: 1000, ..TcpConfig::default() });
    rig.listen();
    let id = rig.accept();
    assert_eq!(rig.stack.send_room(id), 1000);
    rig.send(id, &[1; 600]);
    rig.send(id, &[2; 600]);
    assert_eq!(rig.stack.send_room(id), 0);
    assert_eq!(rig.stack.send(id, Bytes::from_static(b"x")), Err(SendError::Full));
    assert_eq!(rig.stack.send_queued(id), 1200);
    assert_eq!(rig.output().len(), 1);
    rig.input(seg("A", 1, 601, b""));
    assert!(rig.event().is_none(), "more than half is queued");
    rig.input(seg("A", 1, 1201, b""));
    assert_eq!(rig.event().unwrap().ready, Ready::WRITABLE);
    assert!(rig.event().is_none());
}

#[test]
fn nagle_holds_small_segments_back_when_asked_for() {
    for (nagle, lines) in [(false, 2), (true, 1)] {
        let mut rig = Rig::new(TcpConfig { nagle, ..TcpConfig::default() });
        rig.listen();
        let id = rig.accept();
        rig.send(id, b"a");
        assert_eq!(rig.output().len(), 1);
        rig.send(id, b"b");
        assert_eq!(rig.output().len(), lines - 1);
        rig.input(seg("A", 1, 2, b""));
        assert_eq!(rig.output().len(), 2 - lines);
    }
}

#[test]
fn segments_are_no_larger_than_the_peer_takes_and_tiny_sizes_are_not_believed() {
    for (announced, sent) in [(600, 600), (1, 216), (9000, 1460)] {
        let mut rig = Rig::listening();
        rig.syn.mss = Some(announced);
        let id = rig.accept();
        rig.send(id, &[0; 1460]);
        assert!(rig.output()[0].contains(&format!("({sent})")), "{announced}");
    }
}

#[test]
fn urgent_data_stays_in_the_stream() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("UPA", 1, 1, b"urgent"));
    assert_eq!(rig.read(id), b"urgent");
    assert_eq!(rig.count(TcpCounter::RxUrgent), 1);
}

#[test]
fn window_scaling_lets_more_than_64_kib_fly() {
    let mut pair = Pair::plain().connected(false);
    let data: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7) as u8).collect();
    let id = pair.id(CLIENT);
    let mut rest = Bytes::from(data.clone());
    let mut most = 0;
    while pair.seen[SERVER].received.len() < data.len() {
        while !rest.is_empty() && pair.stacks[CLIENT].send_room(id) > 0 {
            let piece = rest.split_to(rest.len().min(100_000));
            pair.stacks[CLIENT].send(id, piece).unwrap();
        }
        let before = pair.now;
        pair.run_until("a step", |pair| pair.now > before);
        let info = pair.stacks[CLIENT].tcp().info(id).unwrap();
        most = most.max(info.snd_nxt.wrapping_sub(info.snd_una));
    }
    assert!(pair.seen[SERVER].received == data);
    assert!(most > 150_000, "{most}");
    assert_eq!(pair.counter(CLIENT, TcpCounter::TxRetransmits), 0);
    pair.close(CLIENT);
    pair.close(SERVER);
    pair.nothing_left();
}
