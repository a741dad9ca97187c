use super::*;

fn probe() -> Vec<u8> {
    ip4(PEER4, US4, 1, &echo4(b"x"))
}

#[test]
fn header_faults() {
    let mut wire = Wire::new(config());
    let bad = IpCounter::DropIpv4Header;
    wire.dropped(&probe()[..33], bad, &[]);
    wire.dropped(&edit4(probe(), |h| h[0] = 0x55), bad, &[]);
    wire.dropped(&edit4(probe(), |h| h[0] = 0x44), bad, &[]);
    wire.dropped(&edit4(probe(), |h| h[0] = 0x4f), bad, &[]);
    wire.dropped(&edit4(probe(), |h| h[3] = 19), bad, &[]);
    wire.dropped(&edit4(probe(), |h| h[3] += 1), bad, &[]);
    let mut sum = probe();
    sum[24] ^= 1;
    wire.dropped(&sum, IpCounter::DropIpv4Checksum, &[]);
}

#[test]
fn sources_that_cannot_be() {
    let mut wire = Wire::new(config());
    let from = |a, b, c, d| ip4(Ipv4Addr::new(a, b, c, d), US4, 1, &echo4(b"x"));
    wire.dropped(&from(0, 1, 2, 3), IpCounter::DropIpv4SourceMartian, &[]);
    wire.dropped(&from(127, 0, 0, 1), IpCounter::DropIpv4SourceMartian, &[]);
    wire.dropped(&from(241, 0, 0, 1), IpCounter::DropIpv4SourceMartian, &[]);
    wire.dropped(&from(10, 0, 0, 1), IpCounter::DropIpv4SourceOwn, &[]);
    wire.dropped(&from(10, 0, 0, 255), IpCounter::DropIpv4SourceGroup, &[]);
    wire.dropped(&from(255, 255, 255, 255), IpCounter::DropIpv4SourceGroup, &[]);
    wire.dropped(&from(224, 0, 0, 1), IpCounter::DropIpv4SourceGroup, &[]);
}

#[test]
fn destinations_that_are_not_us() {
    let mut wire = Wire::new(config());
    let to = |a, b, c, d| ip4(PEER4, Ipv4Addr::new(a, b, c, d), 1, &echo4(b"x"));
    wire.dropped(&to(10, 0, 0, 3), IpCounter::DropIpv4Destination, &[]);
    wire.dropped(&to(10, 0, 0, 255), IpCounter::DropIpv4Broadcast, &[]);
    wire.dropped(&to(255, 255, 255, 255), IpCounter::DropIpv4Broadcast, &[]);
    wire.dropped(&to(224, 0, 0, 1), IpCounter::DropIpv4Multicast, &[]);
    let mut group = probe();
    group[..6].copy_from_slice(&BROADCAST);
    wire.dropped(&group, IpCounter::DropLinkBroadcast, &[]);
}

#[test]
fn options_are_skipped_and_padding_cut() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let mut options = probe();
    options.splice(34..34, [1, 1, 1, 0]);
    let mut options = edit4(options, |h| {
        h[0] = 0x46;
        h[3] += 4;
        h[8] = 1;
    });
    options.extend([0xee; 20]);
    wire.input(&options);
    assert_eq!(wire.lines(), ["us>peer 10.0.0.1 -> 10.0.0.2 icmp 0/0 +1"]);
    wire.ledger(&[(IpCounter::RxIpv4, 1), (IpCounter::RxEchoRequests, 1), (IpCounter::TxEchoReplies, 1)]);
    wire.nothing_held();
}

#[test]
fn an_unknown_protocol_is_reported() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    wire.input(&ip4(PEER4, US4, 132, &[0; 12]));
    assert_eq!(wire.lines(), ["us>peer 10.0.0.1 -> 10.0.0.2 icmp 3/2 +32"]);
    wire.ledger(&[(IpCounter::RxIpv4, 1), (IpCounter::DropProtocol, 1), (IpCounter::TxIcmpErrors, 1)]);
    wire.nothing_held();
}

#[test]
fn an_answer_to_afar_goes_back_where_the_question_came_from_and_the_gateway_is_asked_for() {
    let mut wire = Wire::new(config());
    wire.input(&ip4(Ipv4Addr::new(192, 0, 2, 9), US4, 1, &echo4(b"x")));
    assert_eq!(
        wire.lines(),
        ["us>all arp request 10.0.0.1 -> 10.0.0.254", "us>peer 10.0.0.1 -> 192.0.2.9 icmp 0/0 +1"]
    );
}
