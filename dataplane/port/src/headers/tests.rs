use super::*;
use crate::testing;

#[test]
fn reads_ports_behind_vlan_tags_and_options() {
    let plain = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (1234, 80), b"hello");
    let ip = Headers::parse(&plain).unwrap().ip.unwrap();
    assert_eq!((ip.ports, ip.protocol, ip.l4), (Some((1234, 80)), protocol::UDP, 34));
    let mut tagged = plain[..12].to_vec();
    tagged.extend([0x81, 0x00, 0, 7]);
    tagged.extend(&plain[12..]);
    let headers = Headers::parse(&tagged).unwrap();
    assert_eq!((headers.l3, headers.ip.unwrap().ports), (18, Some((1234, 80))));
}

#[test]
fn a_later_fragment_has_no_ports() {
    let mut packet = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (1234, 80), b"hello");
    packet[14 + 7] = 2;
    assert_eq!(Headers::parse(&packet).unwrap().ip.unwrap().ports, None);
}

#[test]
fn reads_ipv6_behind_extension_headers() {
    let mut ip = vec![0x60, 0, 0, 0, 0, 16, 0, 64];
    ip.extend([0xfd; 16]);
    ip.extend([0xfe; 16]);
    ip.extend([17, 0, 0, 0, 0, 0, 0, 0]);
    ip.extend([0x04, 0xd2, 0, 80, 0, 8, 0, 0]);
    let headers = Headers::parse(&testing::ethernet(ETHERTYPE_IPV6, &ip)).unwrap().ip.unwrap();
    assert_eq!((headers.protocol, headers.ports), (protocol::UDP, Some((1234, 80))));
}

#[test]
fn every_truncation_is_survived() {
    let packet = testing::udp4(1, [10, 0, 0, 1], [10, 0, 0, 2], (1234, 80), b"hello");
    for length in 0..packet.len() {
        let mut cut = packet[..length].to_vec();
        let _ = Headers::parse(&cut);
        let _ = mark_congestion(&mut cut);
    }
}

#[test]
fn marks_only_capable_packets_and_mends_the_header_checksum() {
    for (ecn, marked) in [(0, false), (1, true), (2, true), (3, false)] {
        let mut packet = testing::udp4(ecn, [10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"");
        assert_eq!(mark_congestion(&mut packet), marked);
        assert_eq!(packet[15], if marked { 3 } else { ecn });
        assert_eq!(Sum::default().add_bytes(&packet[14..34]).fold(), 0xffff);
    }
    let mut ip = vec![0x60, 0x20, 0, 0, 0, 0, 59, 64];
    ip.extend([0xfd; 32]);
    let mut packet = testing::ethernet(ETHERTYPE_IPV6, &ip);
    assert!(mark_congestion(&mut packet));
    assert_eq!(packet[15], 0x30);
}
