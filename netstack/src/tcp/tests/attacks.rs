//! Segments that try to end, stall or spoil a connection (RFC 5961, RFC 7323 §5.3, RFC 5927).

use core::net::SocketAddr;

use super::rig::{PEER, Rig, US, seg};
use crate::counters::TcpCounter;
use crate::tcp::{ConnId, EndReason, TcpConfig};

/// The ways in which a script expects nothing to change.
fn unharmed(rig: &mut Rig, id: ConnId) {
    assert_eq!(rig.info(id).state, "ESTABLISHED");
    let (seq, ack) = (rig.info(id).rcv_nxt - super::rig::PEER_ISS, rig.info(id).snd_una.wrapping_sub(rig.iss.0));
    rig.input(seg("A", seq, ack, b"ok"));
    assert_eq!(rig.read(id), b"ok");
}

#[test]
fn only_the_exact_reset_ends_a_connection() {
    let (mut rig, id) = Rig::accepted();
    rig.wait_millis(1000);
    rig.input(seg("R", 100, 0, b""));
    assert_eq!(rig.output(), ["A 1:1(0) ack 1 win 65535"], "RFC 5961 §3.2: a challenge");
    rig.input(seg("R", 100_000, 0, b""));
    assert!(rig.output().is_empty());
    rig.input(seg("R", 0, 0, b""));
    assert!(rig.output().is_empty());
    assert_eq!(rig.count(TcpCounter::DropBadReset), 3);
    unharmed(&mut rig, id);
    rig.input(seg("R", 3, 0, b""));
    let event = core::iter::from_fn(|| rig.event()).last().unwrap();
    assert_eq!(event.ended, Some(EndReason::ResetByPeer));
    rig.nothing_left();
}

#[test]
fn a_syn_is_challenged_and_challenges_are_limited() {
    let (mut rig, id) = Rig::accepted();
    rig.wait_millis(1000);
    for n in 0..50 {
        rig.input(seg("S", n * 10, 0, b""));
    }
    assert_eq!(rig.output(), ["A 1:1(0) ack 1 win 65535"]);
    rig.wait_millis(501);
    rig.input(seg("S", 5, 0, b""));
    assert_eq!(rig.output().len(), 1);
    assert_eq!(rig.count(TcpCounter::TxChallengeAcks), 2);
    unharmed(&mut rig, id);
}

#[test]
fn acknowledgments_of_unsent_or_ancient_data_are_dropped() {
    let (mut rig, id) = Rig::accepted();
    rig.wait_millis(1000);
    rig.send(id, b"abc");
    rig.output();
    rig.input(seg("A", 1, 5, b"x"));
    rig.input(seg("A", 1, 0u32.wrapping_sub(200_000), b"x"));
    assert_eq!((rig.count(TcpCounter::DropBadAck), rig.info(id).recv_queued), (2, 0));
    assert_eq!(rig.output().len(), 1);
    unharmed(&mut rig, id);
}

#[test]
fn segments_outside_of_the_window_are_acknowledged_and_dropped() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("A", 200_000, 1, b"far"));
    assert_eq!(rig.output(), ["A 1:1(0) ack 1 win 65535"]);
    rig.input(seg("A", 0, 1, b""));
    assert_eq!(rig.output(), ["A 1:1(0) ack 1 win 65535"], "a keep-alive probe");
    rig.input(seg("", 1, 0, b"no ack"));
    assert!(rig.output().is_empty());
    assert_eq!((rig.count(TcpCounter::DropOutOfWindow), rig.count(TcpCounter::DropNoAckFlag)), (2, 1));
    unharmed(&mut rig, id);
}

#[test]
fn old_timestamps_are_dropped() {
    let mut rig = Rig::listening();
    rig.clock = Some(1000);
    let id = rig.accept();
    rig.clock = Some(1010);
    rig.input(seg("A", 1, 1, b"new"));
    rig.clock = Some(1005);
    rig.input(seg("A", 4, 1, b"old"));
    assert_eq!((rig.count(TcpCounter::DropPaws), rig.info(id).recv_queued), (1, 3));
    rig.clock = None;
    rig.input(seg("A", 4, 1, b"bare"));
    assert_eq!((rig.count(TcpCounter::DropPaws), rig.info(id).recv_queued), (2, 3));
    rig.clock = Some(1010);
    rig.input(seg("A", 4, 1, b"same"));
    assert_eq!(rig.read(id), b"newsame");
}

#[test]
fn overlapping_data_never_changes_what_was_received() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("A", 1, 1, b"good"));
    rig.input(seg("A", 3, 1, b"EVILmore"));
    rig.input(seg("A", 15, 1, b"tail"));
    rig.input(seg("A", 11, 1, b"EVIL...."));
    assert_eq!(rig.read(id), b"goodILmoreEVILtail");
}

#[test]
fn broken_segments_are_counted() {
    let (mut rig, id) = Rig::accepted();
    rig.input_packet(&[0; 19]);
    rig.input_packet(&[0; 20]);
    let mut packet = [0; 24];
    packet[12] = 5 << 4;
    rig.input_packet(&packet);
    assert_eq!((rig.count(TcpCounter::DropMalformed), rig.count(TcpCounter::DropChecksum)), (2, 1));
    unharmed(&mut rig, id);
}

fn quoted(rig: &Rig, seq: u32, kind: crate::tcp::IcmpErrorKind) -> crate::tcp::IcmpError {
    crate::tcp::IcmpError {
        local: SocketAddr::new(US.into(), rig.ports.0),
        remote: SocketAddr::new(PEER.into(), rig.ports.1),
        seq: rig.iss.0.wrapping_add(seq),
        kind,
    }
}

#[test]
fn icmp_is_believed_only_about_data_in_flight() {
    use crate::tcp::IcmpErrorKind::{PacketTooBig, Unreachable};
    let (mut rig, id) = Rig::accepted();
    rig.send(id, &[1; 3000]);
    rig.output();
    for (seq, mtu) in [(0, 1000), (4000, 1000)] {
        let error = quoted(&rig, seq, PacketTooBig { mtu });
        rig.icmp(error);
    }
    assert_eq!((rig.info(id).mss, rig.count(TcpCounter::DropIcmp)), (1460, 2));
    let error = quoted(&rig, 1, Unreachable { hard: true });
    rig.icmp(error);
    assert_eq!((rig.info(id).state, rig.count(TcpCounter::IcmpSoftErrors)), ("ESTABLISHED", 1));
    let error = quoted(&rig, 1, PacketTooBig { mtu: 1000 });
    rig.icmp(error);
    assert_eq!(rig.info(id).mss, 960);
    let lines = rig.output();
    assert!(lines[0].starts_with("A 1:961(960)") && lines.len() == 4, "{lines:?}");
    let error = quoted(&rig, 1, PacketTooBig { mtu: 1 });
    rig.icmp(error);
    assert_eq!(rig.info(id).mss, 216, "the floor");
}

/// RFC 8201 §5.2: every connection over the path gets smaller segments, each when it hears of its own.
#[test]
fn a_path_that_another_connection_found_narrow_is_narrow_for_this_one() {
    use crate::tcp::IcmpErrorKind::PacketTooBig;
    let (mut rig, first) = Rig::accepted();
    let first_end = (rig.ports, rig.iss);
    rig.ports.1 += 1;
    let second = rig.accept();
    for id in [first, second] {
        rig.send(id, &[1; 3000]);
    }
    let mut out = std::collections::VecDeque::new();
    rig.stack.poll_transmit(rig.now, &mut out, 64);
    drop(out);
    let error = quoted(&rig, 1, PacketTooBig { mtu: 1000 });
    rig.icmp(error);
    assert_eq!((rig.info(first).mss, rig.info(second).mss), (1460, 960));
    (rig.ports, rig.iss) = first_end;
    let error = quoted(&rig, 1, PacketTooBig { mtu: 1000 });
    rig.icmp(error);
    assert_eq!((rig.info(first).mss, rig.count(TcpCounter::PathMtuLowered)), (960, 2));
}

#[test]
fn icmp_ends_an_attempt_to_open_when_it_is_hard() {
    use crate::tcp::IcmpErrorKind::Unreachable;
    for hard in [false, true] {
        let (mut rig, id) = Rig::opening(TcpConfig::default());
        let error = quoted(&rig, 0, Unreachable { hard });
        rig.icmp(error);
        assert_eq!(rig.stack.is_open(id), !hard);
        assert_eq!(rig.event().and_then(|event| event.ended), hard.then_some(EndReason::Unreachable));
    }
}
