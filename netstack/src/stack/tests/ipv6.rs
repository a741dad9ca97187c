use super::*;

fn probe() -> Vec<u8> {
    ip6(PEER6, US6, 58, &echo6(PEER6, US6, b"x"))
}

/// Extension headers before an echo request; `first` is the type of the first.
fn extended(first: u8, headers: &[u8]) -> Vec<u8> {
    ip6(PEER6, US6, first, &[headers, &echo6(PEER6, US6, b"x")].concat())
}

const IN: &[IpCounter] = &[IpCounter::RxIpv6];

#[test]
fn header_faults() {
    let mut wire = Wire::new(config());
    wire.dropped(&probe()[..53], IpCounter::DropIpv6Header, &[]);
    let mut version = probe();
    version[14] = 0x50;
    wire.dropped(&version, IpCounter::DropIpv6Header, &[]);
    let mut length = probe();
    length[19] += 1;
    wire.dropped(&length, IpCounter::DropIpv6Header, &[]);
}

#[test]
fn sources_and_destinations_that_cannot_be() {
    let mut wire = Wire::new(config());
    let at = |text: &str| text.parse::<Ipv6Addr>().unwrap();
    let from = |text: &str| ip6(at(text), US6, 58, &echo6(at(text), US6, b"x"));
    wire.dropped(&from("::1"), IpCounter::DropIpv6SourceMartian, &[]);
    wire.dropped(&from("::ffff:10.0.0.2"), IpCounter::DropIpv6SourceMartian, &[]);
    wire.dropped(&from("::"), IpCounter::DropIpv6SourceMartian, IN);
    wire.dropped(&ip6(at("::"), US6, 17, &[0; 8]), IpCounter::DropIpv6SourceMartian, IN);
    wire.dropped(&from("2001:db8::1"), IpCounter::DropIpv6SourceOwn, &[]);
    wire.dropped(&from("ff02::1"), IpCounter::DropIpv6SourceGroup, &[]);
    let to = |text: &str| ip6(PEER6, at(text), 58, &echo6(PEER6, at(text), b"x"));
    wire.dropped(&to("2001:db8::3"), IpCounter::DropIpv6Destination, &[]);
    wire.dropped(&to("ff02::2"), IpCounter::DropIpv6Multicast, &[]);
    let mut group = probe();
    group[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 1]);
    wire.dropped(&group, IpCounter::DropLinkBroadcast, &[]);
    let segment = ip6(PEER6, at("ff02::1"), 6, &[0; 20]);
    wire.dropped(&segment, IpCounter::DropTcpGroup, IN);
}

#[test]
fn extension_headers_are_walked() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let headers = [
        &[60, 0, 5, 2, 0, 0, 1, 0][..], // hop-by-hop: router alert (skip if unknown), padding
        &[43, 0, 1, 4, 0, 0, 0, 0],     // destination options: padding
        &[44, 0, 0, 0, 0, 0, 0, 0],     // routing, no segments left
        &[58, 0, 0, 0, 0, 0, 0, 9],     // an atomic fragment (RFC 6946)
    ]
    .concat();
    wire.input(&extended(0, &headers));
    assert_eq!(wire.lines(), ["us>peer 2001:db8::1 -> 2001:db8::2 icmpv6 129/0 +1"]);
    wire.ledger(&[(IpCounter::RxIpv6, 1), (IpCounter::RxEchoRequests, 1), (IpCounter::TxEchoReplies, 1)]);
    wire.nothing_held();
}

#[test]
fn extension_headers_that_end_silently() {
    let mut wire = Wire::new(config());
    let padding = |next| [next, 0, 1, 4, 0, 0, 0, 0];
    wire.dropped(&extended(60, &[58, 9, 1, 4, 0, 0, 0, 0]), IpCounter::DropIpv6ExtensionMalformed, IN);
    wire.dropped(&extended(60, &[58, 0, 1, 9, 0, 0, 0, 0]), IpCounter::DropIpv6ExtensionMalformed, IN);
    wire.dropped(&ip6(PEER6, US6, 60, &[58]), IpCounter::DropIpv6ExtensionMalformed, IN);
    wire.dropped(&extended(60, &[58, 0, 0x40, 4, 0, 0, 0, 0]), IpCounter::DropIpv6Option, IN);
    wire.dropped(&extended(59, &[]), IpCounter::DropIpv6NoNextHeader, IN);
    let nine: Vec<u8> = (0..9).flat_map(|i| padding(if i < 8 { 60 } else { 58 })).collect();
    wire.dropped(&extended(60, &nine), IpCounter::DropIpv6ExtensionLimit, IN);
    let many = [&[58, 4][..], &[1, 0].repeat(19)].concat();
    wire.dropped(&extended(60, &many), IpCounter::DropIpv6ExtensionLimit, IN);
}

#[test]
fn extension_headers_that_are_reported() {
    for (first, headers, reason, code, pointer) in [
        (43, [58, 0, 0, 1, 0, 0, 0, 0], IpCounter::DropIpv6RoutingHeader, 0, 42),
        (60, [58, 0, 0x80, 4, 0, 0, 0, 0], IpCounter::DropIpv6Option, 2, 42),
        (60, [58, 0, 0xc0, 4, 0, 0, 0, 0], IpCounter::DropIpv6Option, 2, 42),
        (60, [0, 0, 1, 4, 0, 0, 0, 0], IpCounter::DropIpv6ExtensionMalformed, 1, 40),
        (60, [132, 0, 1, 4, 0, 0, 0, 0], IpCounter::DropProtocol, 1, 40),
    ] {
        let mut wire = Wire::new(config());
        know_peer(&mut wire);
        wire.input(&extended(first, &headers));
        let out = wire.output();
        assert_eq!(describe(&out[0]), format!("us>peer 2001:db8::1 -> 2001:db8::2 icmpv6 4/{code} +57"));
        assert_eq!(out[0][58..62], [0, 0, 0, pointer]);
        wire.ledger(&[(IpCounter::RxIpv6, 1), (reason, 1), (IpCounter::TxIcmpErrors, 1)]);
        wire.nothing_held();
    }
}
