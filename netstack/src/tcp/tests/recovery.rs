//! Losses: fast recovery with and without SACK, timeouts, reports of the receiver.

use super::pair::{CLIENT, Pair, SERVER};
use super::rig::{Rig, seg};
use crate::counters::TcpCounter;
use crate::tcp::{ConnId, EndReason, TcpConfig};

fn ten_segments_out(rig: &mut Rig, id: ConnId) {
    rig.send(id, &[0; 14_600]);
    assert_eq!(rig.output().len(), 10);
}

#[test]
fn three_duplicates_send_the_first_segment_again() {
    let (mut rig, id) = Rig::accepted();
    ten_segments_out(&mut rig, id);
    rig.send(id, &[0; 14_600]);
    for new in 0..2 {
        rig.input(seg("A", 1, 1, b""));
        let lines = rig.output();
        assert!(
            lines.len() == 1 && lines[0].starts_with(&format!("A {}:", 14_601 + 1460 * new)),
            "limited transmit {lines:?}"
        );
    }
    rig.input(seg("A", 1, 1, b""));
    assert_eq!(rig.info(id).recovery, "recovery");
    let lines = rig.output();
    assert!(lines.len() == 1 && lines[0].starts_with("A 1:1461(1460)"), "{lines:?}");
    // RFC 9438 §4.6; RFC 5681 §3.2: what limited transmit sent is no part of the flight.
    assert_eq!(rig.info(id).ssthresh, 7 * 1460);
    // A partial acknowledgment sends the next segment (RFC 6582), a full one ends it.
    rig.input(seg("A", 1, 1461, b""));
    assert!(rig.output()[0].starts_with("A 1461:2921(1460)"));
    rig.input(seg("A", 1, 1 + 12 * 1460, b""));
    assert_eq!((rig.info(id).recovery, rig.info(id).cwnd), ("open", 7 * 1460));
    assert_eq!(rig.count(TcpCounter::FastRecoveries), 1);
}

#[test]
fn sack_shows_every_hole_and_only_holes_are_sent_again() {
    let (mut rig, id) = Rig::accepted_with_sack();
    ten_segments_out(&mut rig, id);
    // Segments 0 and 4 are lost; 1..4 and 5..10 arrive.
    rig.wait_millis(1);
    let at = |n: u32| 1 + n * 1460;
    let mut again = Vec::new();
    for (start, end) in [(1, 2), (1, 3), (1, 4), (5, 6), (5, 7), (5, 8), (5, 9), (5, 10)] {
        let newest = (at(start), at(end));
        let blocks = if start == 5 { vec![newest, (at(1), at(4))] } else { vec![newest] };
        rig.input(crate::tcp::tests::rig::In { sack: &blocks, ..seg("A", 1, 1, b"") });
        again.extend(rig.output());
    }
    let starts: Vec<&str> = again.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(starts, ["1:1461(1460)", "5841:7301(1460)"]);
    rig.input(seg("A", 1, 14_601, b""));
    assert_eq!((rig.info(id).recovery, rig.info(id).send_queued), ("open", 0));
    assert_eq!(rig.count(TcpCounter::TxRetransmits), 2);
    assert_eq!(rig.count(TcpCounter::Timeouts), 0);
}

#[test]
fn sack_blocks_of_what_was_never_sent_are_not_believed() {
    let (mut rig, id) = Rig::accepted_with_sack();
    ten_segments_out(&mut rig, id);
    for blocks in [[(14_000, 90_000)], [(900_000, 900_100)], [(3000, 2000)]] {
        rig.input(crate::tcp::tests::rig::In { sack: &blocks, ..seg("A", 1, 1, b"") });
    }
    assert_eq!(rig.info(id).recovery, "open");
    assert!(rig.output().is_empty());
}

#[test]
fn timeouts_back_off_send_one_segment_and_give_up() {
    let mut rig = Rig::new(TcpConfig { data_retries: 3, ..TcpConfig::default() });
    rig.listen();
    let id = rig.accept();
    ten_segments_out(&mut rig, id);
    let mut times = Vec::new();
    for _ in 0..400 {
        rig.wait_millis(10);
        for line in rig.output() {
            times.push((rig.now.as_millis() - 10_000, line.split(' ').next().unwrap().to_string()));
        }
    }
    let kinds: Vec<&str> = times.iter().map(|(_, kind)| &kind[..]).collect();
    assert_eq!(kinds, ["A", "A", "A", "RA"]);
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1].0 - pair[0].0) / 100).collect();
    assert_eq!(gaps, [4, 8, 16], "{times:?}");
    assert_eq!(rig.event().unwrap().ended, Some(EndReason::TimedOut));
    assert!(rig.event().is_none());
    rig.nothing_left();
    let _ = id;
}

#[test]
fn after_a_timeout_everything_lost_goes_again_in_slow_start() {
    let (mut rig, id) = Rig::accepted();
    ten_segments_out(&mut rig, id);
    rig.wait_millis(300);
    assert_eq!(rig.output().len(), 1);
    assert_eq!((rig.info(id).recovery, rig.info(id).cwnd), ("loss", 1460));
    rig.input(seg("A", 1, 1461, b""));
    let lines = rig.output();
    assert!(lines.len() == 2 && lines[0].starts_with("A 1461:"), "{lines:?}");
    rig.input(seg("A", 1, 14_601, b""));
    assert_eq!((rig.info(id).recovery, rig.info(id).retransmit_at), ("open", None));
}

#[test]
fn the_receiver_reports_gaps_latest_first_and_duplicates() {
    let (mut rig, id) = Rig::accepted_with_sack();
    rig.input(seg("A", 101, 1, &[1; 100]));
    assert_eq!(rig.output(), ["A 1:1(0) ack 1 win 65535 <101-201>"]);
    rig.input(seg("A", 301, 1, &[3; 100]));
    assert_eq!(rig.output(), ["A 1:1(0) ack 1 win 65535 <301-401,101-201>"]);
    rig.input(seg("A", 101, 1, &[1; 100]));
    assert_eq!(rig.output(), ["A 1:1(0) ack 1 win 65535 <101-201,301-401,101-201>"], "RFC 2883 §4.2");
    rig.input(seg("A", 1, 1, &[0; 100]));
    assert_eq!(rig.output(), ["A 1:1(0) ack 201 win 65335 <301-401>"]);
    rig.input(seg("A", 1, 1, &[0; 100]));
    assert_eq!(rig.output(), ["A 1:1(0) ack 201 win 65335 <1-101,301-401>"], "RFC 2883 §4.1");
    rig.input(seg("A", 201, 1, &[2; 100]));
    assert_eq!(rig.read(id), [[0u8; 100], [1; 100], [2; 100], [3; 100]].concat());
}

#[test]
fn out_of_order_data_is_bounded() {
    let mut rig =
        Rig::new(TcpConfig { max_out_of_order_segments: 4, max_out_of_order_bytes: 1000, ..TcpConfig::default() });
    rig.listen();
    let id = rig.accept();
    for n in 1..10 {
        rig.input(seg("A", n * 20, 1, b"x"));
    }
    assert_eq!((rig.info(id).out_of_order, rig.count(TcpCounter::DropOutOfOrderLimit)), (4, 5));
    rig.stack.abort(rig.now, id);
    rig.audit();
}

#[test]
fn a_single_loss_costs_one_retransmission_and_no_timeout() {
    for sack in [true, false] {
        let config = || TcpConfig { sack, ..TcpConfig::default() };
        let mut pair = Pair::new([config(), config()], 4).connected(false);
        let data = vec![5; 100_000];
        pair.drop[CLIENT] = vec![pair.sent[CLIENT] + 12];
        pair.send(CLIENT, &data);
        pair.run_until("received", |pair| pair.seen[SERVER].received.len() == 100_000);
        assert_eq!(pair.counter(CLIENT, TcpCounter::TxRetransmits), 1, "sack {sack}");
        assert_eq!(pair.counter(CLIENT, TcpCounter::Timeouts), 0, "sack {sack}");
        assert_eq!(pair.counter(CLIENT, TcpCounter::FastRecoveries), 1, "sack {sack}");
    }
}

#[test]
fn an_ack_that_takes_back_what_was_sacked_is_survived() {
    let (mut rig, id) = Rig::accepted_with_sack();
    ten_segments_out(&mut rig, id);
    rig.input(crate::tcp::tests::rig::In { sack: &[(1461, 14_601)], ..seg("A", 1, 1, b"") });
    rig.output();
    for _ in 0..200 {
        rig.wait_millis(100);
        rig.output();
    }
    assert!(rig.count(TcpCounter::SackReneged) > 0);
    rig.input(seg("A", 1, 1461, b""));
    assert!(rig.output()[0].starts_with("A 1461:"), "what had been SACKed goes again");
    assert!(rig.stack.is_open(id));
}
