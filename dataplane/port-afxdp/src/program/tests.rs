//! The program's verdict on every kind of packet, asked of the kernel (`BPF_PROG_TEST_RUN`).

#[allow(dead_code, reason = "shared with the integration tests")]
#[path = "../../tests/common/packets.rs"]
mod packets;
#[path = "../../tests/common/root.rs"]
mod root;

use core::net::IpAddr;
use std::os::fd::AsRawFd;

use self::packets::{IPV4, IPV6, V4, arp_request, ethernet, frame, ipv4, ipv6, tagged, tcp, udp};
use super::*;
use crate::bpf::{Map, MapType, Program};
use crate::services::{LocalAddress, Service, address_key, address_value, service_keys};
use crate::socket;

const OURS: u32 = 4; // XDP_REDIRECT
const PASS: u32 = 2;

/// A loaded program, its maps, and a socket for queue 0.
struct Loaded {
    program: Program,
    _maps: (Map<20, 4>, Map<16, 8>, Map<4, 4>),
    _socket: std::os::fd::OwnedFd,
}

fn load(vlan: Option<u16>, services: &[Service], addresses: &[LocalAddress]) -> Loaded {
    let service_map = Map::<20, 4>::create(MapType::Hash, "agx_services", 64).unwrap();
    let address_map = Map::<16, 8>::create(MapType::Hash, "agx_addresses", 64).unwrap();
    let sockets = Map::<4, 4>::create(MapType::Sockets, "agx_sockets", 1).unwrap();
    for key in services.iter().flat_map(service_keys) {
        service_map.insert(&key, &[0; 4]).unwrap();
    }
    for local in addresses {
        address_map.insert(&address_key(local.address), &address_value(local)).unwrap();
    }
    let socket = socket::create().unwrap();
    sockets.insert(&[0; 4], &socket.as_raw_fd().to_ne_bytes()).unwrap();
    let fds = MapFds {
        services: service_map.fd().as_raw_fd(),
        addresses: address_map.fd().as_raw_fd(),
        sockets: sockets.fd().as_raw_fd(),
    };
    let insns = assemble(fds, vlan).unwrap();
    let program = Program::load_xdp("agx_test", &insns, true).unwrap();
    Program::load_xdp("agx_test", &insns, false).expect("the program also loads without fragments support");
    Loaded { program, _maps: (service_map, address_map, sockets), _socket: socket }
}

impl Loaded {
    #[track_caller]
    fn expect(&self, verdict: u32, what: &str, packet: &[u8]) {
        assert_eq!(self.program.test_run(packet).unwrap(), verdict, "{what}: {packet:02x?}");
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn v4(text: &str) -> std::net::Ipv4Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> std::net::Ipv6Addr {
    text.parse().unwrap()
}

/// 10.0.0.2 and fd00::2 shared with the kernel, services TCP 80 on both and UDP 443 on the first, TCP 8080 anywhere.
fn shared() -> Option<Loaded> {
    if !root::may_run("program verdicts") {
        return None;
    }
    let services = [
        Service::tcp(Some(ip("10.0.0.2")), 80),
        Service::tcp(Some(ip("fd00::2")), 80),
        Service::udp(Some(ip("10.0.0.2")), 443),
        Service::tcp(None, 8080),
        Service::tcp(Some(ip("::")), 8081),
    ];
    Some(load(None, &services, &[LocalAddress::shared(ip("10.0.0.2")), LocalAddress::shared(ip("fd00::2"))]))
}

#[test]
fn services_are_ours_and_other_ports_are_the_kernels() {
    let Some(program) = shared() else { return };
    for (src, ours, other) in [("10.0.0.9", "10.0.0.2", "10.0.0.3"), ("fd00::9", "fd00::2", "fd00::3")] {
        let (src, ours, other) = (ip(src), ip(ours), ip(other));
        program.expect(OURS, "TCP service", &frame(6, src, ours, &tcp(40_000, 80)));
        program.expect(PASS, "SSH", &frame(6, src, ours, &tcp(40_000, 22)));
        program.expect(PASS, "source port of a service", &frame(6, src, ours, &tcp(80, 40_000)));
        program.expect(PASS, "service port at another address", &frame(6, src, other, &tcp(40_000, 80)));
        program.expect(OURS, "service at any address", &frame(6, src, other, &tcp(40_000, 8080)));
        program.expect(OURS, "service at any address, on ours", &frame(6, src, ours, &tcp(40_000, 8080)));
        program.expect(PASS, "UDP to a TCP service", &frame(17, src, ours, &udp(40_000, 80, b"")));
        let anywhere_v6 = if src.is_ipv6() { OURS } else { PASS };
        program.expect(anywhere_v6, "service at any IPv6 address", &frame(6, src, other, &tcp(40_000, 8081)));
        program.expect(PASS, "SCTP", &frame(132, src, ours, &tcp(40_000, 80)));
    }
    program.expect(OURS, "UDP service", &frame(17, ip("10.0.0.9"), ip("10.0.0.2"), &udp(1, 443, b"x")));
    program.expect(PASS, "no IP at all", &ethernet(0x88cc, &[0; 46]));
}

#[test]
fn options_are_skipped_and_truncated_packets_pass() {
    let Some(program) = shared() else { return };
    let (src, dst) = (v4("10.0.0.9"), v4("10.0.0.2"));
    for options in [1, 5, 10] {
        let packet = ipv4(V4 { options, ..V4::default() }, 6, src, dst, &tcp(1, 80));
        program.expect(OURS, "options", &ethernet(IPV4, &packet));
    }
    let mut short_header = ipv4(V4::default(), 6, src, dst, &tcp(1, 80));
    short_header[0] = 0x44;
    program.expect(PASS, "header length below 20", &ethernet(IPV4, &short_header));
    let whole = frame(6, src.into(), dst.into(), &tcp(1, 80));
    // The kernel's test run takes nothing shorter than an Ethernet header.
    for len in 14..14 + 20 + 4 {
        program.expect(PASS, "cut before the ports' end", &whole[..len]);
    }
    let whole = frame(6, ip("fd00::9"), ip("fd00::2"), &tcp(1, 80));
    for len in 14..14 + 40 + 4 {
        program.expect(PASS, "cut before the ports' end", &whole[..len]);
    }
    program.expect(PASS, "cut in the tag", &tagged(0, &whole)[..16]);
}

#[test]
fn fragments_to_our_addresses_are_ours() {
    let Some(program) = shared() else { return };
    let (src, ours, other) = (v4("10.0.0.9"), v4("10.0.0.2"), v4("10.0.0.3"));
    for fragment in [0x2000, 0x2001, 0x0100] {
        let fields = V4 { fragment, ..V4::default() };
        program.expect(OURS, "fragment", &ethernet(IPV4, &ipv4(fields, 17, src, ours, &[0; 8])));
        program.expect(PASS, "fragment to another", &ethernet(IPV4, &ipv4(fields, 17, src, other, &[0; 8])));
    }
    let fields = V4 { fragment: 0x4000, ..V4::default() };
    program.expect(PASS, "don't fragment is none", &ethernet(IPV4, &ipv4(fields, 6, src, ours, &tcp(1, 22))));
    let fragment = |dst| ethernet(IPV6, &ipv6(44, v6("fd00::9"), v6(dst), &[17, 0, 0, 1, 0, 0, 0, 7]));
    program.expect(OURS, "IPv6 fragment", &fragment("fd00::2"));
    program.expect(PASS, "IPv6 fragment to another", &fragment("fd00::3"));
}

#[test]
fn arp_ndp_and_echo_are_the_kernels_unless_configured() {
    let Some(shared) = shared() else { return };
    let exclusive = load(None, &[], &[LocalAddress::exclusive(ip("10.0.0.2")), LocalAddress::exclusive(ip("fd00::2"))]);
    let (src, dst) = (ip("fd00::9"), ip("fd00::2"));
    let solicitation = |target: &str| {
        let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &v6(target).octets()].concat();
        frame(58, src, ip("ff02::1:ff00:2"), &body)
    };
    let advertisement = frame(58, src, dst, &[&[136, 0, 0, 0, 0x40, 0, 0, 0][..], &[0; 16]].concat());
    let echo6 = |kind| frame(58, src, dst, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    let echo4 = |kind| frame(1, ip("10.0.0.9"), ip("10.0.0.2"), &[kind, 0, 0, 0, 0, 0, 0, 0]);
    let arp = arp_request(v4("10.0.0.9"), v4("10.0.0.2"));
    let ours: [(&str, Vec<u8>); 7] = [
        ("ARP", arp),
        ("solicitation", solicitation("fd00::2")),
        ("advertisement", advertisement),
        ("echo request", echo4(8)),
        ("echo reply", echo4(0)),
        ("ICMPv6 echo request", echo6(128)),
        ("ICMPv6 echo reply", echo6(129)),
    ];
    for (what, packet) in &ours {
        shared.expect(PASS, what, packet);
        exclusive.expect(OURS, what, packet);
    }
    exclusive.expect(PASS, "ARP for another", &arp_request(v4("10.0.0.9"), v4("10.0.0.3")));
    exclusive.expect(PASS, "solicitation of another", &solicitation("fd00::3"));
    exclusive.expect(PASS, "router advertisement", &frame(58, src, ip("ff02::1"), &[134, 0, 0, 0, 0, 0, 0, 0]));
    exclusive.expect(PASS, "router solicitation", &frame(58, src, dst, &[133, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn an_exclusive_address_and_a_port_range_are_ours() {
    if !root::may_run("program verdicts") {
        return;
    }
    let mut ranged = LocalAddress::shared(ip("10.0.0.2"));
    ranged.ports = Some(40_000..=40_009);
    let program = load(None, &[], &[ranged, LocalAddress::exclusive(ip("10.0.0.4"))]);
    let src = ip("10.0.0.9");
    for (port, verdict) in [(39_999, PASS), (40_000, OURS), (40_009, OURS), (40_010, PASS)] {
        program.expect(verdict, "port range", &frame(6, src, ip("10.0.0.2"), &tcp(80, port)));
    }
    program.expect(OURS, "exclusive TCP", &frame(6, src, ip("10.0.0.4"), &tcp(1, 22)));
    program.expect(OURS, "exclusive UDP", &frame(17, src, ip("10.0.0.4"), &udp(1, 53, b"")));
    program.expect(PASS, "exclusive SCTP", &frame(132, src, ip("10.0.0.4"), &tcp(1, 22)));
}

#[test]
fn icmp_errors_follow_the_packet_they_quote() {
    let Some(program) = shared() else { return };
    let router = ip("10.0.0.1");
    let quote = |src: &str, port| ipv4(V4::default(), 6, v4(src), v4("10.9.9.9"), &tcp(port, 40_000));
    let error = |kind: u8, quoted: &[u8]| {
        frame(1, router, ip("10.0.0.2"), &[&[kind, 4, 0, 0, 0, 0, 5, 0][..], quoted].concat())
    };
    for kind in [3, 11, 12] {
        program.expect(OURS, "error about ours", &error(kind, &quote("10.0.0.2", 80)));
        program.expect(PASS, "error about the kernel's", &error(kind, &quote("10.0.0.2", 22)));
    }
    program.expect(PASS, "redirect", &error(5, &quote("10.0.0.2", 80)));
    program.expect(PASS, "quotes too little", &error(3, &quote("10.0.0.2", 80)[..22]));

    let quote = |port| ipv6(6, v6("fd00::2"), v6("fd99::9"), &tcp(port, 40_000));
    let error = |kind: u8, quoted: &[u8]| {
        frame(58, ip("fd00::1"), ip("fd00::2"), &[&[kind, 0, 0, 0, 0, 0, 5, 0][..], quoted].concat())
    };
    for kind in [1, 2, 3, 4] {
        program.expect(OURS, "error about ours", &error(kind, &quote(80)));
        program.expect(PASS, "error about the kernel's", &error(kind, &quote(22)));
    }
}

#[test]
fn only_the_configured_vlan_is_ours() {
    let Some(untagged) = shared() else { return };
    let service = [Service::tcp(Some(ip("10.0.0.2")), 80)];
    let in_7 = load(Some(7), &service, &[]);
    let plain = frame(6, ip("10.0.0.9"), ip("10.0.0.2"), &tcp(1, 80));
    untagged.expect(OURS, "no tag", &plain);
    untagged.expect(OURS, "priority tag", &tagged(0x6000, &plain));
    untagged.expect(PASS, "VLAN 7 is not ours", &tagged(7, &plain));
    in_7.expect(OURS, "VLAN 7 with priority", &tagged(0x6007, &plain));
    in_7.expect(PASS, "VLAN 8", &tagged(8, &plain));
    in_7.expect(PASS, "no tag", &plain);
}

#[test]
fn a_queue_without_a_socket_passes() {
    let Some(program) = shared() else { return };
    let packet = frame(6, ip("10.0.0.9"), ip("10.0.0.2"), &tcp(1, 80));
    program._maps.2.remove(&[0; 4]).unwrap();
    program.expect(PASS, "no socket", &packet);
}
