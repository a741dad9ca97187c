//! The filter language: what it says, and what it lets through.

use crate::CaptureFilter;

fn filter(text: &str) -> CaptureFilter {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Ethernet, with `tags` VLAN tags, and a payload.
fn ethernet(ethertype: u16, tags: usize, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    for _ in 0..tags {
        frame.extend_from_slice(&[0x81, 0x00, 0x00, 0x05]);
    }
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// 10.0.0.1 to 10.0.0.2.
fn ipv4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0];
    packet.extend_from_slice(&fragment.to_be_bytes());
    packet.extend_from_slice(&[64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend_from_slice(payload);
    packet
}

/// 2001:db8::1 to 2001:db8::2.
fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, next, 64];
    for last in [1, 2] {
        packet.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend_from_slice(payload);
    packet
}

/// Ports 5000 and 80.
const PORTS: [u8; 4] = [0x13, 0x88, 0, 80];

#[test]
fn filters_are_written_in_one_way() {
    for (text, canonical) in [
        ("", ""),
        ("  tcp ", "tcp"),
        ("tcp port 80", "tcp and port 80"),
        ("tcp && ! port 80", "tcp and not port 80"),
        ("src host 10.0.0.1 and dst net 10.0.0.0/8", "src host 10.0.0.1 and dst net 10.0.0.0/8"),
        ("ip6 and icmp6 and not host fe80::1", "ip6 and icmp6 and not host fe80::1"),
        ("arp", "arp"),
    ] {
        assert_eq!(filter(text).to_string(), canonical);
        assert_eq!(filter(canonical), filter(text));
    }
}

#[test]
fn mistakes_are_named() {
    for (text, error) in [
        ("tpc", "`tpc` was not expected"),
        ("tcp or udp", "`or` was not expected"),
        ("tcp udp", "`udp` was not expected"),
        ("not tcp port 80", "`port` was not expected"),
        ("port", "`port` needs a port number"),
        ("port 70000", "`70000` is not a port number"),
        ("host localhost", "`localhost` is not an address"),
        ("net 10.0.0.0/33", "`10.0.0.0/33` is not a prefix"),
        ("not", "`not` needs a condition"),
        ("tcp and", "`and` needs a condition"),
        ("src", "`src` needs `host`"),
        ("src tcp", "`tcp` was not expected"),
    ] {
        let said = text.parse::<CaptureFilter>().unwrap_err().to_string();
        assert!(said.starts_with(error), "{text}: {said}");
    }
    let long = vec!["tcp"; 17].join(" and ");
    assert_eq!(long.parse::<CaptureFilter>().unwrap_err().to_string(), "the filter has more than 16 terms");
}

#[test]
fn frames_are_matched() {
    let tcp4 = ethernet(0x0800, 0, &ipv4(6, 0, &PORTS));
    let tagged = ethernet(0x0800, 2, &ipv4(6, 0, &PORTS));
    let udp6 = ethernet(0x86dd, 0, &ipv6(17, &PORTS));
    // Hop-by-hop options, 8 bytes, then UDP.
    let extended = ethernet(0x86dd, 0, &ipv6(0, &[&[17, 0, 0, 0, 0, 0, 0, 0][..], &PORTS[..]].concat()));
    let ping = ethernet(0x0800, 0, &ipv4(1, 0, &[8, 0, 0, 0]));
    let ping6 = ethernet(0x86dd, 0, &ipv6(58, &[128, 0, 0, 0]));
    let mut arp_payload = vec![0, 1, 8, 0, 6, 4, 0, 1];
    arp_payload.extend_from_slice(&[2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    let arp = ethernet(0x0806, 0, &arp_payload);
    for (text, frame, fits) in [
        ("", &tcp4, true),
        ("tcp port 80", &tcp4, true),
        ("tcp port 80", &tagged, true),
        ("port 5000", &tcp4, true),
        ("dst port 5000", &tcp4, false),
        ("src port 5000 and dst port 80", &tcp4, true),
        ("not port 80", &tcp4, false),
        ("host 10.0.0.2", &tcp4, true),
        ("src host 10.0.0.2", &tcp4, false),
        ("net 10.0.0.0/31", &tcp4, true),
        ("src net 10.0.0.2/31", &tcp4, false),
        ("udp", &tcp4, false),
        ("ip6", &tcp4, false),
        ("udp port 80 and ip6", &udp6, true),
        ("udp port 80", &extended, true),
        ("host 2001:db8::2", &extended, true),
        ("icmp", &ping, true),
        ("icmp6", &ping, false),
        ("icmp6", &ping6, true),
        ("port 80", &ping, false),
        ("arp", &arp, true),
        ("arp and host 10.0.0.2", &arp, true),
        ("ip", &arp, false),
    ] {
        assert_eq!(filter(text).matches(frame), fits, "{text} on {frame:02x?}");
    }
}

#[test]
fn later_fragments_have_no_ports() {
    let first = ethernet(0x0800, 0, &ipv4(17, 0x2000, &PORTS));
    let later = ethernet(0x0800, 0, &ipv4(17, 0x0001, &PORTS));
    assert!(filter("udp port 80").matches(&first));
    assert!(!filter("udp port 80").matches(&later));
    assert!(filter("udp").matches(&later));
    let first6 = ethernet(0x86dd, 0, &ipv6(44, &[&[17, 0, 0, 1, 0, 0, 0, 0][..], &PORTS[..]].concat()));
    let later6 = ethernet(0x86dd, 0, &ipv6(44, &[&[17, 0, 0, 8, 0, 0, 0, 0][..], &PORTS[..]].concat()));
    assert!(filter("udp port 80").matches(&first6));
    assert!(!filter("udp port 80").matches(&later6));
    assert!(filter("udp").matches(&later6));
}

#[test]
fn cut_frames_never_panic_and_lack_what_is_cut() {
    let filters = ["tcp port 80", "host 10.0.0.1", "arp and host 10.0.0.1", "net 2001:db8::/32", "not udp"].map(filter);
    let whole = [
        ethernet(0x0800, 2, &ipv4(6, 0, &PORTS)),
        ethernet(0x86dd, 1, &ipv6(60, &[&[6, 0, 0, 0, 0, 0, 0, 0][..], &PORTS[..]].concat())),
        ethernet(0x0806, 0, &[0; 28]),
    ];
    for frame in &whole {
        for end in 0..frame.len() {
            for filter in &filters {
                let _ = filter.matches(&frame[..end]);
            }
            assert!(!filters[0].matches(&frame[..end]));
        }
    }
}
