use super::*;

#[test]
fn tagged_in_tagged_out() {
    let mut wire = Wire::new(StackConfig { vlan: Some(42), ..config() });
    let request = ip4(PEER4, US4, 1, &echo4(b"tag"));
    let tagged = |id: u8| [&request[..12], &[0x81, 0, 0, id], &request[12..]].concat();
    wire.input(&tagged(42));
    assert_eq!(
        wire.lines(),
        ["us>all vlan 42 arp request 10.0.0.1 -> 10.0.0.2", "us>peer vlan 42 10.0.0.1 -> 10.0.0.2 icmp 0/0 +3"]
    );
    wire.ledger(&[
        (IpCounter::RxIpv4, 1),
        (IpCounter::RxEchoRequests, 1),
        (IpCounter::TxEchoReplies, 1),
        (IpCounter::TxArpRequests, 1),
    ]);
    wire.dropped(&tagged(43), IpCounter::DropVlanOther, &[]);
    wire.dropped(&request, IpCounter::DropVlanMissing, &[]);
    wire.dropped(&eth(US, PEER, 0x88a8, &[0, 42, 8, 0]), IpCounter::DropVlanStacked, &[]);
}

#[test]
fn ethernet_faults() {
    let mut wire = Wire::new(config());
    wire.dropped(&[0; 13], IpCounter::DropEthernetTruncated, &[]);
    wire.dropped(&eth(OTHER, PEER, 0x0800, &[]), IpCounter::DropEthernetDestination, &[]);
    wire.dropped(&eth(US, BROADCAST, 0x0800, &[]), IpCounter::DropEthernetSource, &[]);
    wire.dropped(&eth(US, PEER, 0x88cc, &[]), IpCounter::DropEthertype, &[]);
    wire.dropped(&eth(US, PEER, 0x8100, &[0, 9, 8, 0]), IpCounter::DropVlanOther, &[]);
}
