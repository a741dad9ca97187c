//! Router advertisements: addresses, prefixes, routers and parameters, and the limits of each (RFC 4861 §6.3, RFC 4862
//! §5.5, RFC 4191).

use super::conflict::states;
use super::*;
use crate::host::{HostConfig, HostUpdate};
use crate::ip::addresses::{ALL_NODES, group_mac};
use crate::tcp::{EndReason, ListenConfig, Ready};

const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const ROUTER2: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 3);
const OURS: &str = "2001:db8:5::ff:fe00:1/64";
const FOREVER: u32 = u32::MAX;

fn slaac() -> StackConfig {
    let cidr = |text: &str| text.parse().unwrap();
    StackConfig {
        mac: US,
        addresses: vec![cidr("10.0.0.1/24")],
        announce: false,
        host: HostConfig { slaac: true, ..HostConfig::default() },
        ..StackConfig::default()
    }
}

/// Fixed part: hop limit, flags, lifetime in seconds, reachable and retrans in milliseconds.
fn header(hops: u8, flags: u8, lifetime: u16, reachable: u32, retrans: u32) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, hops, flags];
    message.extend(lifetime.to_be_bytes());
    message.extend(reachable.to_be_bytes());
    message.extend(retrans.to_be_bytes());
    message
}

fn prefix(text: &str, flags: u8, valid: u32, preferred: u32) -> Vec<u8> {
    let cidr: crate::Cidr = text.parse().unwrap();
    let IpAddr::V6(address) = cidr.address() else { panic!() };
    let mut option = vec![3, 4, cidr.prefix_len(), flags];
    option.extend(valid.to_be_bytes());
    option.extend(preferred.to_be_bytes());
    option.extend([0; 4]);
    option.extend(address.octets());
    option
}

fn advertise_from(src: Ipv6Addr, message: Vec<u8>) -> Vec<u8> {
    let mac = if src == ROUTER { PEER } else { OTHER };
    eth(group_mac(ALL_NODES), mac, 0x86dd, &packet6(src, ALL_NODES, 58, 255, &raw6(src, ALL_NODES, message)))
}

fn usual(valid: u32, preferred: u32) -> Vec<u8> {
    [header(64, 0, 1800, 0, 0), vec![1, 1, 2, 0, 0, 0, 0, 2], prefix("2001:db8:5::/64", 0xc0, valid, preferred)]
        .concat()
}

fn advertise(wire: &mut Wire, message: Vec<u8>) {
    wire.input(&advertise_from(ROUTER, message));
    wire.lines();
}

fn routes(wire: &Wire) -> Vec<String> {
    let via = |route: &crate::RouteInfo| route.via.map_or_else(String::new, |via| format!(" via {via}"));
    wire.stack.routes().filter(|r| r.dest.address().is_ipv6()).map(|r| format!("{}{}", r.dest, via(&r))).collect()
}

fn ours(wire: &Wire) -> Option<String> {
    states(wire).into_iter().find(|line| line.contains("slaac"))
}

#[test]
fn routers_are_solicited_until_one_answers() {
    let mut wire = Wire::new(slaac());
    let mut times = Vec::new();
    for tenth in 0..400 {
        wire.wait_millis(100);
        if wire.lines() == ["us>group-2 fe80::ff:fe00:1 -> ff02::2 solicit routers"] {
            times.push(tenth);
        }
    }
    assert!(times.len() >= 3 && times[0] <= 10, "{times:?}");
    advertise(&mut wire, usual(FOREVER, FOREVER));
    wire.wait_millis(120_000);
    wire.wait_millis(120_000);
    assert!(wire.lines().is_empty(), "RFC 7559 §2: a router with a lifetime ends it");
    wire.wait_millis(1_600_000);
    wire.wait_millis(1_000);
    assert!(!wire.lines().is_empty(), "the last router's lifetime is over");
}

#[test]
fn an_advertisement_gives_address_prefix_and_router() {
    let mut wire = Wire::new(slaac());
    advertise(&mut wire, usual(7200, 3600));
    assert_eq!(ours(&wire).as_deref(), Some("2001:db8:5::ff:fe00:1/64 slaac preferred"));
    assert_eq!(routes(&wire), ["fe80::/64", "2001:db8:5::/64", "::/0 via fe80::2"]);
    assert_eq!(wire.stack.neighbors().filter(|known| known.address == ROUTER).count(), 1, "its link address");
    wire.ledger(&[(IpCounter::RxIpv6, 1), (IpCounter::RxRouterAdvertisements, 1), (IpCounter::NeighborsLearned, 1)]);
    let far: Ipv6Addr = "2001:db8:9::9".parse().unwrap();
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    wire.stack.udp_send(wire.now, socket, None, (far, 7).into(), crate::Ecn::NotEct, b"x").unwrap();
    assert_eq!(wire.lines(), ["us>peer 2001:db8:5::ff:fe00:1 -> 2001:db8:9::9 udp 9 -> 7 \"x\""]);
}

#[test]
fn lifetimes_run_out_and_the_connections_end() {
    let mut wire = Wire::new(slaac());
    advertise(&mut wire, usual(7200, 3600));
    wire.wait_millis(3_599_000);
    assert!(ours(&wire).unwrap().ends_with("preferred"));
    wire.wait_millis(1_000);
    assert!(ours(&wire).unwrap().ends_with("deprecated"));
    let far = "2001:db8:9::9".parse().unwrap();
    let select = |wire: &Wire| wire.stack.egress.select_source(far).map(|address| address.to_string());
    assert_eq!(select(&wire).as_deref(), Some("2001:db8:5::ff:fe00:1"), "RFC 6724 rule 3: nothing better");
    let fresh = [header(64, 0, 1800, 0, 0), prefix("2001:db8:6::/64", 0xc0, 7200, 3600)].concat();
    advertise(&mut wire, fresh);
    assert_eq!(select(&wire).as_deref(), Some("2001:db8:6::ff:fe00:1"));

    // A connection over the deprecated address lives until the address is gone.
    wire.stack.listen(ListenConfig::port(80)).unwrap();
    let local: Ipv6Addr = "2001:db8:5::ff:fe00:1".parse().unwrap();
    let syn = [&[0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0][..]].concat();
    wire.rx_checksum = RxChecksum::Verified;
    wire.input(&ip6(PEER6, local, 6, &syn));
    let iss = wire.output().iter().find(|f| f[20] == 6).map(|f| u32::from_be_bytes(f[58..62].try_into().unwrap()));
    let ack = (iss.unwrap() + 1).to_be_bytes();
    let segment = [&[0x30, 0x39, 0, 80, 0, 0, 0, 2][..], &ack, &[0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]].concat();
    wire.input(&ip6(PEER6, local, 6, &segment));
    assert!(wire.stack.poll_event().unwrap().ready.contains(Ready::ACCEPTED));
    wire.wait_millis(3_600_000);
    assert_eq!(states(&wire).iter().filter(|line| line.contains("2001:db8:5:")).count(), 0);
    assert_eq!(wire.stack.poll_event().unwrap().ended, Some(EndReason::AddressLost));
    assert_eq!(wire.stack.connection_count(), 0);
    assert_eq!(wire.stack.tcp_counters().get(crate::tcp::TcpCounter::EndAddressLost), 1);
    assert_eq!(wire.stack.ip_counters().get(IpCounter::AddressesExpired), 1);
    let left: Vec<_> = wire.lines().into_iter().filter(|line| line.contains("2001:db8:5:")).collect();
    assert!(left.is_empty(), "nothing leaves from it: {left:?}");
}

/// RFC 4862 §5.5.3 (e): the valid lifetime after an advertisement of `valid` seconds, when `before` were left.
#[test]
fn forged_advertisements_shorten_no_lifetime_below_two_hours() {
    let after = |before: u32, valid: u32| {
        let mut wire = Wire::new(slaac());
        advertise(&mut wire, usual(before, before));
        advertise(&mut wire, usual(valid, valid.min(1)));
        let state = wire.stack.host_state();
        let own = state.addresses.iter().find(|own| own.cidr.to_string() == OURS).unwrap();
        assert_eq!(own.preferred_until.map(|at| (at - wire.now).as_secs()), Some(u64::from(valid.min(1))));
        own.valid_until.map(|at| (at - wire.now).as_secs())
    };
    assert_eq!(after(100_000, 0), Some(7200), "3.");
    assert_eq!(after(100_000, 7201), Some(7201), "1.: more than two hours");
    assert_eq!(after(3600, 3601), Some(3601), "1.: longer than what is left");
    assert_eq!(after(3600, 0), Some(3600), "2.: ignored");
    assert_eq!(after(7200, 100), Some(7200), "2.");
}

#[test]
fn link_parameters() {
    let mut wire = Wire::new(slaac());
    let mtu = |mtu: u32| [&[5, 1, 0, 0][..], &mtu.to_be_bytes()].concat();
    let v6 = IpAddr::V6(PEER6);
    advertise(&mut wire, [header(200, 0, 0, 10_000, 500), mtu(1400), vec![25, 1, 0, 0, 0, 0, 0, 0]].concat());
    let state = wire.stack.host_state().clone();
    assert_eq!((state.hop_limit, state.mtu_v6, state.mtu_v4), (200, 1400, 1500));
    assert_eq!((state.reachable_time.as_millis(), state.retrans_timer.as_millis()), (10_000, 500));
    assert_eq!(wire.stack.egress.ip_mtu(wire.now, v6), 1400);
    assert_eq!(wire.stack.egress.ip_mtu(wire.now, PEER4.into()), 1500);
    assert_eq!(wire.stack.ip_counters().get(IpCounter::IgnoredDnsOptions), 1);
    // What would harm is not believed.
    advertise(&mut wire, [header(1, 0, 0, u32::MAX, 1), mtu(1279), mtu(1501), mtu(u32::MAX)].concat());
    let state = wire.stack.host_state().clone();
    assert_eq!((state.hop_limit, state.mtu_v6), (200, 1400));
    assert_eq!((state.reachable_time.as_millis(), state.retrans_timer.as_millis()), (10_000, 100));
}

#[test]
fn every_reason_to_drop() {
    const IN: &[IpCounter] = &[IpCounter::RxIpv6];
    let mut wire = Wire::new(slaac());
    let good = usual(7200, 3600);
    let sent = |src: Ipv6Addr, hops, message: Vec<u8>| {
        let message = raw6(src, ALL_NODES, message);
        eth(group_mac(ALL_NODES), PEER, 0x86dd, &packet6(src, ALL_NODES, 58, hops, &message))
    };
    wire.dropped(&sent(ROUTER, 254, good.clone()), IpCounter::DropNdpHopLimit, IN);
    wire.dropped(&sent(PEER6, 255, good.clone()), IpCounter::DropRouterAdvertisementSource, IN);
    wire.dropped(&sent(ROUTER, 255, good[..15].to_vec()), IpCounter::DropNdpMalformed, IN);
    wire.dropped(&sent(ROUTER, 255, [&good[..], &[5, 0]].concat()), IpCounter::DropNdpMalformed, IN);
    let mut code = good.clone();
    code[1] = 1;
    wire.dropped(&sent(ROUTER, 255, code), IpCounter::DropNdpMalformed, IN);
    assert_eq!(ours(&wire), None);

    let obeyed = &[IpCounter::RxIpv6, IpCounter::RxRouterAdvertisements];
    for option in [
        prefix("fe80::/64", 0xc0, 9, 9),
        prefix("ff00::/64", 0xc0, 9, 9),
        prefix("2001:db8:5::/64", 0x40, 9, 10),
        prefix("2001:db8:5::/63", 0x40, 9, 9),
        vec![5, 2, 0, 0, 0, 0, 5, 0xdc, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![3, 1, 64, 0xc0, 0, 0, 0, 9],
    ] {
        wire.dropped(&sent(ROUTER, 255, [header(0, 0, 0, 0, 0), option].concat()), IpCounter::DropRouterOption, obeyed);
    }
    assert_eq!((ours(&wire), routes(&wire)), (None, vec!["fe80::/64".to_string()]));

    let mut wire = Wire::new(StackConfig { host: HostConfig::default(), ..slaac() });
    wire.dropped(&sent(ROUTER, 255, good), IpCounter::DropRouterAdvertisement, IN);
}

#[test]
fn every_table_has_its_limit() {
    let mut wire = Wire::new(slaac());
    for n in 0..40u16 {
        let router = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, n);
        let net = format!("2001:db8:{n:x}::/64");
        let route = [24, 2, 48, 0, 0, 0, 0, 99, 0x20, 1, 0x0d, 0xb8, 9, n as u8, 0, 0];
        let message = [header(64, 0, 1800, 0, 0), prefix(&net, 0xc0, 9999, 9999), route.to_vec()].concat();
        wire.input(&advertise_from(router, message));
        wire.lines();
    }
    let state = wire.stack.host_state().clone();
    assert_eq!(state.routers.len(), 8);
    assert_eq!(state.addresses.iter().filter(|own| own.cidr.prefix_len() == 64).count(), 17, "and the link-local one");
    assert_eq!(routes(&wire).len(), 16 + 1 + 1, "prefixes, link, default; no routes unless they are wanted");
    assert_eq!(wire.stack.ip_counters().get(IpCounter::DropHostTable), 32 + 24 + 24);
    wire.input(&advertise_from(ROUTER, usual(9, 9)));
    assert_eq!(wire.stack.ip_counters().get(IpCounter::DropRouterAdvertisementRate), 1, "forty at once");
}

#[test]
fn routes_of_advertisements_are_obeyed_by_choice() {
    let mut choice = slaac();
    choice.host.route_information = true;
    let mut wire = Wire::new(choice);
    let route = |bits: u8, flags: u8, lifetime: u32, net: [u8; 8]| {
        [&[24, 2, bits, flags][..], &lifetime.to_be_bytes(), &net].concat()
    };
    let net = [0x20, 1, 0x0d, 0xb8, 0, 9, 0, 0];
    advertise(&mut wire, [header(64, 0, 1800, 0, 0), route(48, 0, 600, net)].concat());
    let better = [header(64, 0, 0, 0, 0), route(48, 0x08, 600, net)].concat();
    wire.input(&advertise_from(ROUTER2, better));
    let found = ["fe80::/64", "2001:db8:9::/48 via fe80::3", "2001:db8:9::/48 via fe80::2", "::/0 via fe80::2"];
    assert_eq!(routes(&wire), found, "the higher preference first");
    wire.wait_millis(600_000);
    assert_eq!(routes(&wire), ["fe80::/64", "::/0 via fe80::2"]);
    // RFC 4191 §3.1: a default route in an option overrides the header.
    advertise(&mut wire, [header(64, 0, 1800, 0, 0), [24, 1, 0, 0, 0, 0, 0, 0].to_vec()].concat());
    assert_eq!(routes(&wire), ["fe80::/64"]);
}

#[test]
fn preference_and_lifetime_choose_the_router() {
    let mut wire = Wire::new(slaac());
    advertise(&mut wire, header(64, 0, 1800, 0, 0));
    wire.input(&advertise_from(ROUTER2, header(64, 0x08, 900, 0, 0)));
    assert_eq!(routes(&wire), ["fe80::/64", "::/0 via fe80::3"], "RFC 4191 §3.2: the higher preference");
    wire.wait_millis(900_000);
    assert_eq!(routes(&wire), ["fe80::/64", "::/0 via fe80::2"], "its lifetime is over");
    advertise(&mut wire, header(64, 0, 0, 0, 0));
    assert_eq!(routes(&wire), ["fe80::/64"], "RFC 4861 §6.3.4: a lifetime of zero");
}

#[test]
fn another_worker_passes_on_what_comes_to_it_and_follows() {
    let (mut keeper, mut follower) = (Wire::new(slaac()), {
        let mut config = slaac();
        config.host.keeps_state = false;
        Wire::new(config)
    });
    follower.input(&advertise_from(ROUTER, usual(7200, 3600)));
    assert_eq!(ours(&follower), None);
    let update = follower.stack.poll_host_update().unwrap();
    assert!(matches!(&update, HostUpdate::Advertisement { src, .. } if *src == ROUTER));
    keeper.stack.handle_host_update(keeper.now, update);
    assert!(ours(&keeper).is_some());
    let state = keeper.stack.host_state().clone();
    follower.stack.handle_host_update(follower.now, HostUpdate::State(state.clone()));
    assert_eq!((ours(&follower), routes(&follower)), (ours(&keeper), routes(&keeper)));
    follower.wait_millis(10_000_000);
    assert!(ours(&follower).is_some(), "lifetimes are the keeper's to watch");

    // An older state does not undo a newer one.
    keeper.wait_millis(8_000_000);
    follower.stack.handle_host_update(follower.now, HostUpdate::State(keeper.stack.host_state().clone()));
    follower.stack.handle_host_update(follower.now, HostUpdate::State(state));
    assert_eq!((ours(&follower), routes(&follower)), (None, vec!["fe80::/64".to_string()]));
    keeper.stack.handle_host_update(keeper.now, HostUpdate::State(follower.stack.host_state().clone()));
}

#[test]
fn over_a_vlan() {
    let mut wire = Wire::new(StackConfig { vlan: Some(42), ..slaac() });
    let frame = advertise_from(ROUTER, usual(7200, 3600));
    let tagged = |id: u8| [&frame[..12], &[0x81, 0, 0, id], &frame[12..]].concat();
    wire.dropped(&tagged(43), IpCounter::DropVlanOther, &[]);
    wire.dropped(&frame, IpCounter::DropVlanMissing, &[]);
    wire.input(&tagged(42));
    assert!(ours(&wire).is_some());
    wire.wait_millis(1000);
    let mut wire = Wire::new(StackConfig { vlan: Some(42), ..slaac() });
    wire.wait_millis(1000);
    assert_eq!(wire.lines(), ["us>group-2 vlan 42 fe80::ff:fe00:1 -> ff02::2 solicit routers"]);
}
