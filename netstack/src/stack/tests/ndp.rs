use super::*;
use crate::ip::addresses::{group_mac, solicited_node};
use crate::neighbor::NeighborState;
use smoltcp::wire::{NdiscNeighborFlags, NdiscRouterFlags, RawHardwareAddress};

fn link(mac: [u8; 6]) -> Option<RawHardwareAddress> {
    Some(RawHardwareAddress::from(EthernetAddress(mac)))
}

/// A neighbour discovery message in its frame, with hop limit 255.
fn ndisc(src: Ipv6Addr, dst: Ipv6Addr, repr: NdiscRepr<'_>) -> Vec<u8> {
    message(src, dst, 255, &icmp6(src, dst, &Icmpv6Repr::Ndisc(repr)))
}

fn message(src: Ipv6Addr, dst: Ipv6Addr, hop_limit: u8, message: &[u8]) -> Vec<u8> {
    let mac = if dst.is_multicast() { group_mac(dst) } else { US };
    eth(mac, PEER, 0x86dd, &packet6(src, dst, 58, hop_limit, message))
}

fn solicit(src: Ipv6Addr, target: Ipv6Addr, lladdr: Option<RawHardwareAddress>) -> Vec<u8> {
    ndisc(src, solicited_node(target), NdiscRepr::NeighborSolicit { target_addr: target, lladdr })
}

fn advertise(dst: Ipv6Addr, flags: NdiscNeighborFlags, mac: [u8; 6]) -> Vec<u8> {
    ndisc(PEER6, dst, NdiscRepr::NeighborAdvert { flags, target_addr: PEER6, lladdr: link(mac) })
}

fn state(wire: &Wire) -> Option<(NeighborState, Option<[u8; 6]>)> {
    wire.stack.neighbors().find(|info| info.address == IpAddr::V6(PEER6)).map(|info| (info.state, info.mac))
}

const IN: &[IpCounter] = &[IpCounter::RxIpv6];
const SOLICITED: NdiscNeighborFlags = NdiscNeighborFlags::SOLICITED;
const OVERRIDE: NdiscNeighborFlags = NdiscNeighborFlags::OVERRIDE;

#[test]
fn a_solicitation_is_answered_and_its_sender_learned_as_stale() {
    let mut wire = Wire::new(config());
    wire.input(&solicit(PEER6, US6, link(PEER)));
    assert_eq!(wire.lines(), ["us>peer 2001:db8::1 -> 2001:db8::2 advertise 2001:db8::1 SOLICITED | OVERRIDE"]);
    assert_eq!(state(&wire), Some((NeighborState::Stale, Some(PEER))));
    wire.ledger(&[
        (IpCounter::RxIpv6, 1),
        (IpCounter::RxNeighborSolicitations, 1),
        (IpCounter::TxNeighborAdvertisements, 1),
        (IpCounter::NeighborsLearned, 1),
    ]);
    wire.nothing_held();
}

#[test]
fn the_link_local_address_answers_too() {
    let mut wire = Wire::new(config());
    let own: Ipv6Addr = "fe80::ff:fe00:1".parse().unwrap();
    let peer: Ipv6Addr = "fe80::2".parse().unwrap();
    wire.input(&solicit(peer, own, link(PEER)));
    assert_eq!(wire.lines(), [format!("us>peer {own} -> fe80::2 advertise {own} SOLICITED | OVERRIDE")]);
}

#[test]
fn duplicate_address_detection_is_answered_to_all() {
    let mut wire = Wire::new(config());
    wire.input(&solicit(Ipv6Addr::UNSPECIFIED, US6, None));
    let answer = "us>group-1 2001:db8::1 -> ff02::1 advertise 2001:db8::1 OVERRIDE";
    assert_eq!(wire.lines(), [answer]);
    wire.ledger(&[
        (IpCounter::RxIpv6, 1),
        (IpCounter::RxNeighborSolicitations, 1),
        (IpCounter::AddressConflicts, 1),
        (IpCounter::TxNeighborAdvertisements, 1),
    ]);
    wire.dropped(&solicit(Ipv6Addr::UNSPECIFIED, US6, link(PEER)), IpCounter::DropNdpSource, IN);
}

#[test]
fn every_reason_to_drop() {
    let mut wire = Wire::new(config());
    let ask = NdiscRepr::NeighborSolicit { target_addr: US6, lladdr: link(PEER) };
    let bytes = icmp6(PEER6, US6, &Icmpv6Repr::Ndisc(ask));
    wire.dropped(&message(PEER6, US6, 254, &bytes), IpCounter::DropNdpHopLimit, IN);
    let edited = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        message(PEER6, US6, 255, &raw6(PEER6, US6, bytes))
    };
    wire.dropped(&edited(1, 1), IpCounter::DropNdpMalformed, IN);
    wire.dropped(&edited(25, 0), IpCounter::DropNdpMalformed, IN);
    wire.dropped(&edited(25, 9), IpCounter::DropNdpMalformed, IN);
    wire.dropped(&edited(26, 1), IpCounter::DropNdpMalformed, IN);
    wire.dropped(&edited(8, 0xff), IpCounter::DropNdpMalformed, IN);
    wire.dropped(&message(PEER6, US6, 255, &raw6(PEER6, US6, bytes[..20].to_vec())), IpCounter::DropNdpMalformed, IN);
    wire.dropped(
        &ndisc(PEER6, US6, NdiscRepr::NeighborSolicit { target_addr: PEER6, lladdr: None }),
        IpCounter::DropNdpTarget,
        IN,
    );
    wire.dropped(&advertise(US6, SOLICITED, PEER), IpCounter::DropNdpStranger, IN);
    assert!(wire.stack.poll_neighbor().is_some(), "another worker may have asked");
    wire.dropped(&advertise(US6, OVERRIDE, PEER), IpCounter::DropNdpStranger, IN);
    let all = "ff02::1".parse().unwrap();
    wire.dropped(&advertise(all, SOLICITED, PEER), IpCounter::DropNdpMalformed, IN);
    let claim = NdiscRepr::NeighborAdvert { flags: OVERRIDE, target_addr: US6, lladdr: link(PEER) };
    wire.dropped(
        &ndisc(PEER6, all, claim),
        IpCounter::DropNdpSource,
        &[IpCounter::RxIpv6, IpCounter::AddressConflicts],
    );
    let far = NdiscRepr::NeighborAdvert {
        flags: OVERRIDE,
        target_addr: "2001:db8:9::9".parse().unwrap(),
        lladdr: link(PEER),
    };
    wire.dropped(&ndisc(PEER6, all, far), IpCounter::DropNdpSource, IN);

    let router = NdiscRepr::RouterAdvert {
        hop_limit: 64,
        flags: NdiscRouterFlags::empty(),
        router_lifetime: smoltcp::time::Duration::from_secs(1800),
        reachable_time: smoltcp::time::Duration::ZERO,
        retrans_time: smoltcp::time::Duration::ZERO,
        lladdr: link(PEER),
        mtu: None,
        prefix_info: None,
    };
    let local = "fe80::2".parse().unwrap();
    wire.dropped(&ndisc(local, all, router), IpCounter::DropRouterAdvertisement, IN);
    wire.dropped(&ndisc(local, US6, NdiscRepr::RouterSolicit { lladdr: None }), IpCounter::DropRouterSolicitation, IN);
    let redirect =
        raw6(local, US6, [vec![137, 0, 0, 0, 0, 0, 0, 0], PEER6.octets().to_vec(), US6.octets().to_vec()].concat());
    wire.dropped(&message(local, US6, 255, &redirect), IpCounter::DropIcmpRedirect, IN);

    let mut wire = Wire::new(StackConfig { answer_arp: false, ..config() });
    wire.dropped(&solicit(PEER6, US6, link(PEER)), IpCounter::DropNdpDisabled, IN);
}

#[test]
fn a_neighbour_is_asked_for_and_answers() {
    let mut wire = Wire::new(config());
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    wire.stack.udp_send(wire.now, socket, None, (PEER6, 7).into(), crate::Ecn::NotEct, b"x").unwrap();
    let question = "us>group-2 2001:db8::1 -> ff02::1:ff00:2 solicit 2001:db8::2";
    assert_eq!(wire.lines(), [question]);
    wire.wait_millis(1100);
    assert_eq!(wire.lines(), [question]);
    wire.input(&advertise(US6, SOLICITED | OVERRIDE, PEER));
    assert_eq!(wire.lines(), ["us>peer 2001:db8::1 -> 2001:db8::2 udp 9 -> 7 \"x\""]);
    assert_eq!(state(&wire), Some((NeighborState::Reachable, Some(PEER))));

    wire.input(&advertise(US6, SOLICITED, OTHER));
    assert_eq!(state(&wire), Some((NeighborState::Stale, Some(PEER))), "doubted, not taken");
    wire.input(&advertise(US6, OVERRIDE, OTHER));
    assert_eq!(state(&wire), Some((NeighborState::Stale, Some(OTHER))));
    wire.stack.udp_send(wire.now, socket, None, (PEER6, 7).into(), crate::Ecn::NotEct, b"y").unwrap();
    assert_eq!(wire.lines(), ["us>other 2001:db8::1 -> 2001:db8::2 udp 9 -> 7 \"y\""]);
    wire.wait_millis(5_100);
    assert_eq!(wire.lines(), ["us>other 2001:db8::1 -> 2001:db8::2 solicit 2001:db8::2"]);
    wire.wait_millis(3_100);
    wire.lines();
    wire.wait_millis(1_100);
    wire.lines();
    wire.wait_millis(1_100);
    assert_eq!((state(&wire), wire.lines().len()), (None, 0), "silent: forgotten");
    wire.nothing_held();
}

#[test]
fn a_listener_query_is_answered_with_our_groups() {
    let mut wire = Wire::new(config());
    let router: Ipv6Addr = "fe80::fe".parse().unwrap();
    let all: Ipv6Addr = "ff02::1".parse().unwrap();
    let query = raw6(router, all, [&[130, 0, 0, 0, 0x27, 0x10, 0, 0][..], &[0; 20]].concat());
    wire.input(&message(router, all, 1, &query));
    assert_eq!(wire.lines(), ["us>group-16 fe80::ff:fe00:1 -> ff02::16 alert mld report of 1"]);
    wire.ledger(&[(IpCounter::RxIpv6, 1), (IpCounter::RxMldQueries, 1), (IpCounter::TxAnnouncements, 1)]);
    wire.dropped(&message(router, all, 2, &query), IpCounter::DropNdpHopLimit, IN);
    wire.nothing_held();
}
