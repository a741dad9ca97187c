use super::*;
use crate::neighbor::NeighborState;
use smoltcp::wire::ArpOperation;

fn arp(to: [u8; 6], operation: ArpOperation, from: ([u8; 6], Ipv4Addr), target: Ipv4Addr) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: EthernetAddress(from.0),
        source_protocol_addr: from.1,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    let mut bytes = vec![0; repr.buffer_len()];
    repr.emit(&mut ArpPacket::new_unchecked(&mut bytes[..]));
    eth(to, from.0, 0x0806, &bytes)
}

fn state(wire: &Wire, address: Ipv4Addr) -> Option<(NeighborState, Option<[u8; 6]>)> {
    wire.stack.neighbors().find(|info| info.address == IpAddr::V4(address)).map(|info| (info.state, info.mac))
}

#[test]
fn a_request_is_answered_and_its_sender_learned_as_stale() {
    let mut wire = Wire::new(config());
    wire.input(&arp(BROADCAST, ArpOperation::Request, (PEER, PEER4), US4));
    assert_eq!(wire.lines(), ["us>peer arp reply 10.0.0.1 -> 10.0.0.2"]);
    assert_eq!(state(&wire, PEER4), Some((NeighborState::Stale, Some(PEER))));
    wire.ledger(&[(IpCounter::RxArpRequests, 1), (IpCounter::TxArpReplies, 1), (IpCounter::NeighborsLearned, 1)]);
    wire.nothing_held();
}

#[test]
fn a_probe_is_answered_and_not_learned() {
    let mut wire = Wire::new(config());
    wire.input(&arp(BROADCAST, ArpOperation::Request, (PEER, Ipv4Addr::UNSPECIFIED), US4));
    assert_eq!(wire.lines(), ["us>peer arp reply 10.0.0.1 -> 0.0.0.0"]);
    wire.ledger(&[(IpCounter::RxArpRequests, 1), (IpCounter::TxArpReplies, 1)]);
    assert_eq!(wire.stack.neighbors().count(), 0);
}

#[test]
fn announcements_only_concern_known_neighbours() {
    let mut wire = Wire::new(config());
    let gratuitous = |mac| arp(BROADCAST, ArpOperation::Request, (mac, PEER4), PEER4);
    wire.dropped(&gratuitous(OTHER), IpCounter::DropArpStranger, &[]);
    wire.dropped(&arp(BROADCAST, ArpOperation::Reply, (OTHER, PEER4), PEER4), IpCounter::DropArpStranger, &[]);
    assert_eq!(wire.stack.neighbors().count(), 0);

    know_peer(&mut wire);
    wire.input(&gratuitous(OTHER));
    wire.ledger(&[(IpCounter::RxArpReplies, 1), (IpCounter::NeighborsLearned, 1)]);
    assert_eq!(state(&wire, PEER4), Some((NeighborState::Stale, Some(OTHER))));
}

#[test]
fn somebody_with_our_address_is_counted_and_told() {
    let mut wire = Wire::new(config());
    wire.input(&arp(BROADCAST, ArpOperation::Request, (PEER, US4), PEER4));
    assert_eq!(wire.lines(), ["us>all arp request 10.0.0.1 -> 10.0.0.1"], "RFC 5227 §2.4");
    wire.ledger(&[(IpCounter::DropArpSource, 1), (IpCounter::AddressConflicts, 1), (IpCounter::TxAnnouncements, 1)]);
    let mut wire = Wire::new(StackConfig { answer_arp: false, ..config() });
    let claim = arp(BROADCAST, ArpOperation::Request, (PEER, US4), PEER4);
    wire.dropped(&claim, IpCounter::DropArpSource, &[IpCounter::AddressConflicts]);
}

#[test]
fn every_reason_to_drop() {
    let mut wire = Wire::new(config());
    let request = |mac, from, target| arp(BROADCAST, ArpOperation::Request, (mac, from), target);
    wire.dropped(&request(PEER, PEER4, Ipv4Addr::new(10, 0, 0, 9)), IpCounter::DropArpTarget, &[]);
    wire.dropped(&request(PEER, Ipv4Addr::new(192, 0, 2, 1), US4), IpCounter::DropArpSource, &[]);
    wire.dropped(&request(PEER, Ipv4Addr::new(127, 0, 0, 1), US4), IpCounter::DropArpSource, &[]);
    let mut group = request(PEER, PEER4, US4);
    group[22] |= 1;
    wire.dropped(&group, IpCounter::DropArpSource, &[]);
    wire.dropped(&request(PEER, PEER4, US4)[..41], IpCounter::DropArpMalformed, &[]);
    let mut hardware = request(PEER, PEER4, US4);
    hardware[15] = 9;
    wire.dropped(&hardware, IpCounter::DropArpMalformed, &[]);
    let mut operation = request(PEER, PEER4, US4);
    operation[21] = 9;
    wire.dropped(&operation, IpCounter::DropArpMalformed, &[]);

    let mut wire = Wire::new(StackConfig { answer_arp: false, ..config() });
    wire.dropped(&request(PEER, PEER4, US4), IpCounter::DropArpDisabled, &[]);
}

#[test]
fn a_neighbour_is_asked_for_and_waiting_packets_follow_the_answer() {
    let mut wire = Wire::new(config());
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    for text in ["a", "b", "c", "d"] {
        let to = (PEER4, 7).into();
        wire.stack.udp_send(wire.now, socket, None, to, crate::Ecn::NotEct, text.as_bytes()).unwrap();
    }
    assert_eq!(wire.lines(), ["us>all arp request 10.0.0.1 -> 10.0.0.2"], "asked once");
    wire.ledger(&[(IpCounter::TxArpRequests, 1), (IpCounter::TxDatagrams, 4), (IpCounter::DropNeighborPending, 1)]);

    wire.input(&arp(US, ArpOperation::Reply, (PEER, PEER4), US4));
    let sent: Vec<String> = ["b", "c", "d"].map(|t| format!("us>peer 10.0.0.1 -> 10.0.0.2 udp 9 -> 7 {t:?}")).into();
    assert_eq!(wire.lines(), sent, "the oldest gave way");
    wire.ledger(&[(IpCounter::RxArpReplies, 1), (IpCounter::NeighborsLearned, 1)]);
    assert_eq!(state(&wire, PEER4), Some((NeighborState::Reachable, Some(PEER))));
    wire.nothing_held();
}

#[test]
fn a_silent_neighbour_is_asked_three_times() {
    let mut wire = Wire::new(config());
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    wire.stack.udp_send(wire.now, socket, None, (PEER4, 7).into(), crate::Ecn::NotEct, b"x").unwrap();
    let mut asked = wire.lines().len();
    for _ in 0..50 {
        wire.wait_millis(100);
        asked += wire.lines().len();
    }
    assert_eq!(asked, 3);
    wire.ledger(&[(IpCounter::TxArpRequests, 3), (IpCounter::TxDatagrams, 1), (IpCounter::DropNeighborUnreachable, 1)]);
    assert_eq!(wire.stack.neighbors().count(), 0);
    wire.nothing_held();
}

#[test]
fn a_stale_neighbour_in_use_is_probed_at_its_address_and_confirmed() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let send = |wire: &mut Wire| {
        wire.stack.udp_send(wire.now, socket, None, (PEER4, 7).into(), crate::Ecn::NotEct, b"x").unwrap();
        wire.lines().len()
    };
    assert_eq!(state(&wire, PEER4).unwrap().0, NeighborState::Stale);
    assert_eq!(send(&mut wire), 1, "a stale neighbour is used at once");
    assert_eq!(state(&wire, PEER4).unwrap().0, NeighborState::Delay);
    wire.wait_millis(4_900);
    assert!(wire.lines().is_empty());
    wire.wait_millis(200);
    assert_eq!(wire.lines(), ["us>peer arp request 10.0.0.1 -> 10.0.0.2"]);
    assert_eq!(state(&wire, PEER4).unwrap().0, NeighborState::Probe);
    assert_eq!(send(&mut wire), 1);
    wire.input(&arp(US, ArpOperation::Reply, (PEER, PEER4), US4));
    assert_eq!(state(&wire, PEER4).unwrap().0, NeighborState::Reachable);
    wire.wait_millis(46_000);
    assert_eq!(state(&wire, PEER4).unwrap().0, NeighborState::Stale);
    wire.ledger(&[(IpCounter::TxArpRequests, 1), (IpCounter::TxDatagrams, 2), (IpCounter::RxArpReplies, 1)]);
}

#[test]
fn the_stack_announces_itself_once() {
    let mut wire = Wire::new(StackConfig { announce: true, ..config() });
    let own = "fe80::ff:fe00:1";
    assert_eq!(
        wire.lines(),
        [
            format!("us>group-16 {own} -> ff02::16 alert mld report of 1"),
            "us>all arp request 10.0.0.1 -> 10.0.0.1".into(),
            "us>group-1 2001:db8::1 -> ff02::1 advertise 2001:db8::1 OVERRIDE".into(),
            format!("us>group-1 {own} -> ff02::1 advertise {own} OVERRIDE"),
        ]
    );
    assert_eq!(wire.stack.ip_counters().get(IpCounter::TxAnnouncements), 4);
    wire.nothing_held();
}
