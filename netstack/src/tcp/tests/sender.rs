//! What leaves and when: congestion marks, records and pacing.

use super::rig::{In, Rig, seg};
use crate::counters::TcpCounter;
use crate::tcp::{ConnId, TcpConfig};

const ECT_0: u8 = 0b10;

/// A connection that agreed on ECN, and SACK.
fn with_ecn() -> (Rig, ConnId) {
    let mut rig = Rig::new(TcpConfig { pacing: false, ..TcpConfig::default() });
    rig.listen();
    rig.syn.sack_permitted = true;
    rig.input(seg("SEW", 0, 0, b""));
    assert!(rig.output()[0].starts_with("SAE 0:0(0)"));
    rig.input(seg("A", 1, 1, b""));
    let id = rig.event().unwrap().conn;
    (rig, id)
}

#[test]
fn new_data_is_marked_capable_and_nothing_else() {
    let (mut rig, id) = with_ecn();
    rig.input(seg("A", 1, 1, b"ask"));
    let mut answer = rig.output_with_ecn();
    rig.wait_millis(50);
    answer.extend(rig.output_with_ecn());
    assert!(answer[0].0.starts_with("A 1:1(0) ack 4") && answer[0].1 == 0, "RFC 3168 §6.1.4: {answer:?}");
    rig.send(id, &[0; 14_600]);
    // A tail loss probe comes due meanwhile, and is not needed any more.
    let data = rig.output_with_ecn();
    assert!(data.len() == 10 && data.iter().all(|(_, ecn)| *ecn == ECT_0), "{data:?}");
    rig.wait_millis(20);
    rig.input(In { sack: &[(1461, 1461 + 5 * 1460)], ..seg("A", 4, 1, b"") });
    let again = rig.output_with_ecn();
    assert!(again[0].0.starts_with("A 1:1461(1460)") && again[0].1 == 0, "RFC 3168 §6.1.5: {again:?}");
    rig.input(seg("A", 4, 14_601, b""));
    rig.send(id, b"new");
    let new = rig.output_with_ecn();
    assert!(new[0].0.starts_with("PAW 14601:14604(3)") && new[0].1 == ECT_0, "RFC 3168 §6.1.2: {new:?}");
    rig.send(id, b"next");
    assert!(rig.output()[0].starts_with("PA 14604:"), "told once");
}

#[test]
fn an_answer_keeps_no_record_and_pacing_arms_nothing() {
    let mut rig = Rig::new(TcpConfig::default());
    rig.listen();
    let id = rig.accept();
    rig.send(id, &[0; 1000]);
    assert_eq!(rig.output().len(), 1);
    rig.wait_millis(20);
    assert!(rig.output().is_empty());
    assert_eq!((rig.info(id).in_flight, rig.info(id).pacing_rate), (1000, None));
    rig.wait_millis(10);
    rig.input(seg("A", 1, 1001, b""));
    let info = rig.info(id);
    assert_eq!((info.in_flight, info.delivered, info.retransmit_at), (0, 1000, None));
    // A second segment before the first one is acknowledged, and the first one is lost: both have records.
    rig.send(id, &[1; 1000]);
    rig.output();
    rig.send(id, &[2; 500]);
    rig.output();
    assert_eq!(rig.info(id).in_flight, 1500);
    rig.wait_millis(400);
    assert_eq!(rig.output().len(), 1);
    rig.input(seg("A", 1, 2501, b""));
    assert_eq!((rig.info(id).in_flight, rig.count(TcpCounter::Timeouts)), (0, 1));
}

#[test]
fn a_window_beyond_the_first_ones_leaves_over_the_round_trip() {
    let mut rig = Rig::new(TcpConfig { initial_window_segments: 60, ..TcpConfig::default() });
    rig.listen();
    rig.input(seg("S", 0, 0, b""));
    rig.output();
    rig.wait_millis(100);
    rig.input(seg("A", 1, 1, b""));
    let id = rig.event().unwrap().conn;
    rig.send(id, &[0; 60_000]);
    let at_once = rig.output().len();
    assert!((20..30).contains(&at_once), "{at_once}");
    let begun = rig.now;
    let mut sent = at_once;
    while sent < 42 {
        let next = rig.stack.poll_timeout().unwrap();
        rig.wait(next - rig.now);
        let batch = rig.output().len();
        assert!(batch <= 3, "{batch} segments at once");
        sent += batch;
    }
    let spread = (rig.now - begun).as_millis();
    assert!((8..60).contains(&spread), "{spread} ms");
}
