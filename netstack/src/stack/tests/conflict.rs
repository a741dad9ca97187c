//! Duplicate address detection (RFC 4862 §5.4, RFC 7527) and address conflict detection (RFC 5227).

use super::*;
use crate::host::{AddressOrigin, AddressState, HostConfig, Identifiers};
use crate::ip::addresses::solicited_node;
use smoltcp::wire::{ArpOperation, NdiscNeighborFlags};

pub(super) fn states(wire: &Wire) -> Vec<String> {
    let state = wire.stack.host_state();
    state.addresses.iter().map(|own| format!("{} {} {}", own.cidr, own.origin.name(), own.state)).collect()
}

fn detecting() -> StackConfig {
    StackConfig { host: HostConfig { dad_transmits: 1, ..HostConfig::default() }, ..config() }
}

fn probing() -> StackConfig {
    StackConfig { host: HostConfig { probe_ipv4: true, ..HostConfig::default() }, announce: true, ..config() }
}

/// Everything that is sent in so many milliseconds, with the time of each in seconds.
fn watch(wire: &mut Wire, millis: u64) -> Vec<(f64, String)> {
    let (start, mut seen) = (wire.now, Vec::new());
    while wire.now - start < core::time::Duration::from_millis(millis) {
        wire.wait_millis(10);
        let at = (wire.now - start).as_secs_f64();
        seen.extend(wire.lines().into_iter().map(|line| (at, line)));
    }
    seen
}

fn arp(operation: ArpOperation, mac: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let op = if operation == ArpOperation::Request { 1 } else { 2 };
    let packet = [&[0, 1, 8, 0, 6, 4, 0, op][..], &mac, &sender.octets(), &[0; 6], &target.octets()].concat();
    eth(BROADCAST, mac, 0x0806, &packet)
}

fn ndp(src: Ipv6Addr, dst: Ipv6Addr, message: Vec<u8>) -> Vec<u8> {
    let mac = crate::ip::addresses::group_mac(dst);
    eth(mac, PEER, 0x86dd, &packet6(src, dst, 58, 255, &raw6(src, dst, message)))
}

/// A probe for `target`, with a nonce.
fn probe6(target: Ipv6Addr, nonce: [u8; 6]) -> Vec<u8> {
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), &[14, 1], &nonce].concat();
    ndp(Ipv6Addr::UNSPECIFIED, solicited_node(target), message)
}

fn claim6(target: Ipv6Addr) -> Vec<u8> {
    let flags = NdiscNeighborFlags::OVERRIDE.bits();
    let message = [&[136, 0, 0, 0, flags, 0, 0, 0][..], &target.octets(), &[2, 1], &PEER].concat();
    ndp(target, crate::ip::addresses::ALL_NODES, message)
}

#[test]
fn an_ipv6_address_is_probed_before_it_is_used() {
    let mut wire = Wire::new(detecting());
    assert_eq!(wire.lines(), ["us>group-16 :: -> ff02::16 alert mld report of 1"], "RFC 4862 §5.4.2: groups first");
    assert_eq!(
        states(&wire),
        ["10.0.0.1/24 static preferred", "2001:db8::1/64 static tentative", "fe80::ff:fe00:1/64 link-local tentative"]
    );
    // Neither a source nor a destination, and not answered for.
    wire.dropped(&ip6(PEER6, US6, 58, &echo6(PEER6, US6, b"x")), IpCounter::DropIpv6Destination, &[]);
    assert_eq!(wire.stack.udp_bind(Some(US6.into()), 9).err(), Some(crate::udp::BindError::NotLocal));
    let asks = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &US6.octets(), &[1, 1], &PEER].concat();
    wire.input(&ndp(PEER6, solicited_node(US6), asks));
    assert!(wire.lines().is_empty(), "RFC 4862 §5.4.3: a solicitation for a tentative address is ignored");

    let seen = watch(&mut wire, 2200);
    let mut probes: Vec<_> = seen.iter().filter(|(_, line)| line.contains("probe")).map(|(_, l)| l.clone()).collect();
    probes.sort();
    assert_eq!(
        probes,
        ["us>group-1 :: -> ff02::1:ff00:1 probe 2001:db8::1", "us>group-1 :: -> ff02::1:ff00:1 probe fe80::ff:fe00:1"]
    );
    assert!(seen.iter().all(|(at, line)| !line.contains("probe") || *at <= 1.01), "{seen:?}");
    assert!(states(&wire).iter().all(|line| line.ends_with("preferred")), "{:?}", states(&wire));
    assert_eq!(wire.stack.ip_counters().get(IpCounter::AddressesAssigned), 2);
    wire.input(&ip6(PEER6, US6, 58, &echo6(PEER6, US6, b"x")));
    assert!(!wire.lines().is_empty());
    assert!(wire.stack.poll_timeout().is_none_or(|at| at >= wire.now), "nothing is due any more");
}

#[test]
fn an_ipv6_address_of_somebody_else_is_disabled() {
    for frame in [claim6(US6), probe6(US6, [9; 6])] {
        let mut wire = Wire::new(detecting());
        wire.lines();
        wire.input(&frame);
        assert!(states(&wire).contains(&"2001:db8::1/64 static duplicate".to_string()));
        watch(&mut wire, 3000);
        assert!(states(&wire).contains(&"2001:db8::1/64 static duplicate".to_string()), "for ever");
        assert!(states(&wire).contains(&"fe80::ff:fe00:1/64 link-local preferred".to_string()), "the others go on");
        assert_eq!(wire.stack.ip_counters().get(IpCounter::AddressDuplicates), 1);
        wire.input(&ip6(PEER6, US6, 58, &echo6(PEER6, US6, b"x")));
        assert!(wire.lines().is_empty());
    }
}

#[test]
fn our_own_probe_that_comes_back_is_no_conflict() {
    let mut wire = Wire::new(detecting());
    wire.lines();
    let mut probe = Vec::new();
    while probe.is_empty() {
        wire.wait_millis(10);
        probe = wire.output().into_iter().find(|frame| describe(frame).contains("probe 2001")).unwrap_or_default();
    }
    // A bridge that loops has changed nothing but the source of the frame.
    probe[6..12].copy_from_slice(&OTHER);
    wire.input(&probe);
    assert_eq!(wire.stack.ip_counters().get(IpCounter::ProbesLoopedBack), 1);
    watch(&mut wire, 3000);
    assert!(states(&wire).contains(&"2001:db8::1/64 static preferred".to_string()));
}

#[test]
fn an_opaque_identifier_has_three_more_tries_and_an_eui64_none() {
    let stable = Identifiers::Stable { secret: [7; 16] };
    for (identifiers, tries) in [(Identifiers::Eui64, 1), (stable, 4)] {
        let mut start = detecting();
        start.host.identifiers = identifiers;
        start.addresses.truncate(1);
        start.routes.clear();
        let mut wire = Wire::new(start);
        let mut seen = Vec::new();
        for _ in 0..1000 {
            wire.wait_millis(10);
            wire.lines();
            let state = wire.stack.host_state().clone();
            let own = state.addresses.iter().find(|own| own.origin == AddressOrigin::LinkLocal).unwrap();
            if own.state == AddressState::Duplicate {
                break;
            }
            let IpAddr::V6(address) = own.cidr.address() else { panic!() };
            if !seen.contains(&address) {
                seen.push(address);
                wire.input(&claim6(address));
            }
        }
        assert_eq!(seen.len(), tries, "{identifiers:?}");
        assert_eq!(wire.stack.ip_counters().get(IpCounter::AddressDuplicates), tries as u64);
    }
}

#[test]
fn an_ipv4_address_is_probed_thrice_and_announced_twice() {
    let mut wire = Wire::new(probing());
    let mut seen = watch(&mut wire, 12_000);
    seen.retain(|(_, line)| line.contains("arp"));
    let lines: Vec<&str> = seen.iter().map(|(_, line)| line.as_str()).collect();
    let (probe, announcement) = ("us>all arp request 0.0.0.0 -> 10.0.0.1", "us>all arp request 10.0.0.1 -> 10.0.0.1");
    assert_eq!(lines, [probe, probe, probe, announcement, announcement]);
    let gaps: Vec<f64> = seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(seen[0].0 <= 1.02, "PROBE_WAIT");
    assert!((0.98..2.05).contains(&gaps[0]) && (0.98..2.05).contains(&gaps[1]), "PROBE_MIN to PROBE_MAX: {gaps:?}");
    assert!((1.97..2.03).contains(&gaps[2]) && (1.97..2.03).contains(&gaps[3]), "{gaps:?}");
    assert!(states(&wire).contains(&"10.0.0.1/24 static preferred".to_string()));
}

#[test]
fn an_ipv4_address_of_somebody_else_is_disabled() {
    let zero = Ipv4Addr::UNSPECIFIED;
    for frame in [
        arp(ArpOperation::Reply, PEER, US4, zero),
        arp(ArpOperation::Request, PEER, US4, PEER4),
        arp(ArpOperation::Request, PEER, zero, US4),
    ] {
        let mut wire = Wire::new(probing());
        wire.lines();
        wire.input(&frame);
        assert!(states(&wire).contains(&"10.0.0.1/24 static duplicate".to_string()));
        watch(&mut wire, 12_000);
        assert_eq!(wire.stack.ip_counters().get(IpCounter::AddressDuplicates), 1);
        wire.input(&ip4(PEER4, US4, 1, &echo4(b"x")));
        assert!(wire.lines().is_empty());
    }
}

#[test]
fn a_configured_ipv4_address_is_defended_once_in_ten_seconds_and_kept() {
    let mut wire = Wire::new(config());
    let mut defended = 0;
    for _ in 0..25 {
        wire.input(&arp(ArpOperation::Request, PEER, US4, PEER4));
        defended += wire.lines().iter().filter(|line| line.ends_with("10.0.0.1 -> 10.0.0.1")).count();
        wire.wait_millis(1000);
    }
    assert_eq!(defended, 3, "RFC 5227 §2.4 (c): DEFEND_INTERVAL");
    assert!(states(&wire).contains(&"10.0.0.1/24 static preferred".to_string()));
    assert_eq!(wire.stack.ip_counters().get(IpCounter::AddressConflicts), 25);
}
