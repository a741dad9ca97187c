//! Neighbour unreachability detection (RFC 4861 §7.3): what confirms, and what becomes of routers that are silent.

use super::*;
use crate::NeighborUpdate;
use crate::ip::PathCache;
use crate::neighbor::NeighborState;

fn gateways(list: &[&str]) -> StackConfig {
    let any: crate::Cidr = "0.0.0.0/0".parse().unwrap();
    let route = |text: &&str| crate::Route { dest: any, via: text.parse().unwrap() };
    StackConfig { routes: list.iter().map(route).collect(), ..config() }
}

fn send(wire: &mut Wire, path: &mut PathCache) -> Vec<String> {
    let far = Ipv4Addr::new(192, 0, 2, 9);
    let mut frame = wire.stack.egress.alloc().unwrap();
    frame.extend(8).unwrap().copy_from_slice(&super::udp(US4, far, (9, 7), b""));
    wire.stack.egress.send(wire.now, path, US4.into(), far.into(), 17, 0, frame).unwrap();
    wire.lines()
}

fn known(wire: &mut Wire, address: &str, mac: [u8; 6]) {
    let update = NeighborUpdate { address: address.parse().unwrap(), mac, confirmed: true, known: true };
    wire.stack.handle_neighbor(wire.now, update);
}

fn state(wire: &Wire, address: &str) -> Option<NeighborState> {
    let address: IpAddr = address.parse().unwrap();
    wire.stack.neighbors().find(|info| info.address == address).map(|info| info.state)
}

fn used(wire: &Wire) -> Vec<String> {
    wire.stack.host_state().routers.iter().filter(|r| r.used).map(|router| router.address.to_string()).collect()
}

#[test]
fn progress_of_a_connection_confirms_and_spares_the_probe() {
    let mut wire = Wire::new(gateways(&["10.0.0.254"]));
    known(&mut wire, "10.0.0.254", PEER);
    let mut path = PathCache::default();
    assert!(!wire.stack.egress.awaits_confirmation());
    send(&mut wire, &mut path);
    assert_eq!(state(&wire, "10.0.0.254"), Some(NeighborState::Delay));
    assert!(wire.stack.egress.awaits_confirmation());
    wire.stack.egress.confirm(wire.now, &path);
    assert_eq!(state(&wire, "10.0.0.254"), Some(NeighborState::Reachable));
    assert!(!wire.stack.egress.awaits_confirmation(), "nobody calls until it was used while stale again");
    assert_eq!(wire.stack.ip_counters().get(IpCounter::NeighborsConfirmed), 1);
    for _ in 0..300 {
        wire.wait_millis(1000);
        assert_eq!(send(&mut wire, &mut path).len(), 1, "no probe in five minutes of use");
        if wire.stack.egress.awaits_confirmation() {
            wire.stack.egress.confirm(wire.now, &path);
        }
    }
    let confirmed = wire.stack.ip_counters().get(IpCounter::NeighborsConfirmed);
    assert!((6..=21).contains(&confirmed), "once in a ReachableTime: {confirmed}");
    wire.stack.egress.confirm(wire.now, &PathCache::default());
    assert_eq!(wire.stack.ip_counters().get(IpCounter::NeighborsConfirmed), confirmed);
}

#[test]
fn the_next_gateway_takes_the_place_of_a_silent_one_and_gives_it_back() {
    let mut wire = Wire::new(gateways(&["10.0.0.254", "10.0.0.253"]));
    let mut path = PathCache::default();
    known(&mut wire, "10.0.0.254", PEER);
    known(&mut wire, "10.0.0.253", OTHER);
    assert_eq!(send(&mut wire, &mut path), ["us>peer 10.0.0.1 -> 192.0.2.9 udp 9 -> 7 \"\""]);
    for _ in 0..10 {
        wire.wait_millis(1000);
        wire.lines();
    }
    assert_eq!((state(&wire, "10.0.0.254"), used(&wire)), (None, vec!["10.0.0.253".to_string()]));
    assert_eq!(wire.stack.ip_counters().get(IpCounter::RouterChanges), 1);
    assert_eq!(send(&mut wire, &mut path), ["us>other 10.0.0.1 -> 192.0.2.9 udp 9 -> 7 \"\""], "the path follows");
    known(&mut wire, "10.0.0.253", OTHER);

    let mut asked = 0;
    for _ in 0..180 {
        wire.wait_millis(1000);
        asked += wire.lines().iter().filter(|line| line.ends_with("arp request 10.0.0.1 -> 10.0.0.254")).count();
    }
    assert!((6..=9).contains(&asked), "three questions a minute: {asked}");
    wire.wait_millis(1000);
    let answer = [&[0, 1, 8, 0, 6, 4, 0, 2][..], &PEER, &[10, 0, 0, 254], &US, &US4.octets()].concat();
    for _ in 0..61 {
        if state(&wire, "10.0.0.254").is_some() {
            break;
        }
        wire.wait_millis(1000);
        wire.lines();
    }
    wire.input(&eth(US, PEER, 0x0806, &answer));
    assert_eq!(used(&wire), ["10.0.0.254"], "it is back");
    assert_eq!(send(&mut wire, &mut path), ["us>peer 10.0.0.1 -> 192.0.2.9 udp 9 -> 7 \"\""]);
}

#[test]
fn when_no_gateway_answers_each_has_its_turn() {
    let mut wire = Wire::new(gateways(&["10.0.0.254", "10.0.0.253"]));
    let mut seen = Vec::new();
    for _ in 0..60 {
        send(&mut wire, &mut PathCache::default());
        wire.wait_millis(500);
        wire.lines();
        seen.extend(used(&wire));
        seen.dedup();
    }
    assert!(seen.len() >= 4 && seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
    for _ in 0..10 {
        wire.wait_millis(1000);
        wire.output();
    }
}
