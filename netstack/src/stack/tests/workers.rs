//! What workers tell each other of neighbours, and life beside a kernel that owns ARP.

use super::*;
use crate::neighbor::NeighborState;
use crate::{Ecn, NeighborUpdate};

fn send(wire: &mut Wire, to: impl Into<IpAddr>) -> Result<(), crate::udp::SendError> {
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let result = wire.stack.udp_send(wire.now, socket, None, (to.into(), 7).into(), Ecn::NotEct, b"x");
    wire.stack.udp_unbind(socket);
    result
}

#[test]
fn an_answer_that_came_to_another_worker_frees_the_waiting_packet() {
    let mut wire = Wire::new(config());
    send(&mut wire, PEER4).unwrap();
    wire.lines();
    let update = NeighborUpdate { address: PEER4.into(), mac: PEER, confirmed: true, known: false };
    wire.stack.handle_neighbor(wire.now, update);
    assert_eq!(wire.lines(), ["us>peer 10.0.0.1 -> 10.0.0.2 udp 9 -> 7 \"x\""]);
    assert_eq!(wire.stack.neighbors().next().unwrap().state, NeighborState::Reachable);
}

#[test]
fn a_stranger_of_another_worker_stays_one() {
    let mut wire = Wire::new(config());
    let update = |known| NeighborUpdate { address: PEER4.into(), mac: PEER, confirmed: true, known };
    wire.stack.handle_neighbor(wire.now, update(false));
    assert_eq!(wire.stack.neighbors().count(), 0);
    wire.stack.handle_neighbor(wire.now, update(true));
    assert_eq!(wire.stack.neighbors().next().unwrap().state, NeighborState::Stale);
    let own = NeighborUpdate { address: US4.into(), mac: PEER, confirmed: true, known: true };
    wire.stack.handle_neighbor(wire.now, own);
    assert_eq!(wire.stack.neighbors().count(), 1);
}

#[test]
fn with_the_kernel_owning_arp_answers_go_back_and_teach() {
    let mut wire = Wire::new(StackConfig { answer_arp: false, announce: true, ..config() });
    assert_eq!(send(&mut wire, PEER4).map_err(|e| e.to_string()), Err("the datagram could not leave".into()));
    assert_eq!(wire.lines(), Vec::<String>::new(), "never asks, never announces");
    wire.input(&ip4(PEER4, US4, 1, &echo4(b"x")));
    assert_eq!(wire.lines(), ["us>peer 10.0.0.1 -> 10.0.0.2 icmp 0/0 +1"]);
    send(&mut wire, PEER4).unwrap();
    assert_eq!(wire.lines(), ["us>peer 10.0.0.1 -> 10.0.0.2 udp 9 -> 7 \"x\""]);
    let expected = NeighborUpdate { address: PEER4.into(), mac: PEER, confirmed: true, known: true };
    assert_eq!((wire.stack.poll_neighbor(), wire.stack.poll_neighbor()), (Some(expected), None));
    wire.ledger(&[
        (IpCounter::DropNoNeighbor, 1),
        (IpCounter::RxIpv4, 1),
        (IpCounter::RxEchoRequests, 1),
        (IpCounter::TxEchoReplies, 1),
        (IpCounter::NeighborsLearned, 1),
        (IpCounter::TxDatagrams, 1),
    ]);
    // From afar: the gateway is whoever forwarded it.
    wire.input(&ip4(Ipv4Addr::new(192, 0, 2, 1), US4, 1, &echo4(b"x")));
    wire.lines();
    send(&mut wire, Ipv4Addr::new(198, 51, 100, 1)).unwrap();
    assert_eq!(wire.lines(), ["us>peer 10.0.0.1 -> 198.51.100.1 udp 9 -> 7 \"x\""]);
    wire.nothing_held();
}

#[test]
fn static_neighbours_are_never_asked_for() {
    let mut fixed = config();
    fixed.static_neighbors = vec![(PEER4.into(), OTHER)];
    let mut wire = Wire::new(fixed);
    send(&mut wire, PEER4).unwrap();
    assert_eq!(wire.lines(), ["us>other 10.0.0.1 -> 10.0.0.2 udp 9 -> 7 \"x\""]);
    let update = NeighborUpdate { address: PEER4.into(), mac: PEER, confirmed: true, known: true };
    wire.stack.handle_neighbor(wire.now, update);
    send(&mut wire, PEER4).unwrap();
    assert_eq!(wire.lines(), ["us>other 10.0.0.1 -> 10.0.0.2 udp 9 -> 7 \"x\""]);
    let mut bad = config();
    bad.static_neighbors = vec![(Ipv4Addr::new(192, 0, 2, 1).into(), OTHER)];
    let refused = Stack::new(bad, FramePool::heap(4), Seed::from_number(1), Instant::ZERO).err();
    assert_eq!(refused, Some(crate::ConfigError::Neighbor(Ipv4Addr::new(192, 0, 2, 1).into())));
}

#[test]
fn the_table_is_bounded_and_those_asked_for_have_their_own_bound() {
    let mut small = config();
    (small.limits.neighbors, small.limits.neighbors_incomplete) = (4, 2);
    let mut wire = Wire::new(small);
    let host = |n| Ipv4Addr::new(10, 0, 0, n);
    let learned = |n| NeighborUpdate { address: host(n).into(), mac: PEER, confirmed: false, known: true };
    for n in 10..13 {
        wire.stack.handle_neighbor(wire.now, learned(n));
    }
    assert!(send(&mut wire, host(20)).is_ok(), "takes the last place");
    assert!(send(&mut wire, host(21)).is_ok(), "the oldest stale neighbour makes room");
    assert!(send(&mut wire, host(22)).is_err(), "the third to be asked for is refused");
    let known: Vec<_> = wire.stack.neighbors().map(|info| info.address).collect();
    assert!(known.len() == 4 && !known.contains(&host(10).into()));
    assert_eq!(wire.stack.ip_counters().get(IpCounter::DropNeighborTable), 1);
    assert_eq!(wire.lines().len(), 2);
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    use crate::config::ConfigError as E;
    let build = |config| Stack::new(config, FramePool::heap(4), Seed::from_number(1), Instant::ZERO).err().unwrap();
    assert_eq!(build(StackConfig { mac: [1; 6], ..config() }), E::Mac);
    assert_eq!(build(StackConfig { mtu: 1279, ..config() }), E::MtuTooSmall(1279));
    assert_eq!(build(StackConfig { mtu: 1921, ..config() }), E::MtuExceedsFrames(1921, 1920));
    assert_eq!(build(StackConfig { vlan: Some(4095), ..config() }), E::Vlan(4095));
    let far = crate::Route { dest: "0.0.0.0/0".parse().unwrap(), via: "192.0.2.1".parse().unwrap() };
    assert_eq!(build(StackConfig { routes: vec![far], ..config() }), E::Gateway(far));
    let mut zero = config();
    zero.limits.tx_frames = 0;
    assert_eq!(build(zero), E::ZeroLimit("tx_frames"));
}

#[test]
fn updates_that_nobody_fetches_are_bounded() {
    let mut small = config();
    small.limits.neighbor_updates = 2;
    let mut wire = Wire::new(StackConfig { answer_arp: false, ..small });
    for last in 2..5 {
        wire.input(&ip4(Ipv4Addr::new(10, 0, 0, last), US4, 1, &echo4(b"x")));
    }
    wire.lines();
    assert_eq!(wire.stack.ip_counters().get(IpCounter::DropNeighborUpdate), 1);
    let told: Vec<_> = core::iter::from_fn(|| wire.stack.poll_neighbor()).map(|update| update.address).collect();
    assert_eq!(told, [IpAddr::from([10, 0, 0, 3]), IpAddr::from([10, 0, 0, 4])], "the newest are kept");
}

#[test]
fn frames_that_cannot_carry_their_headers_are_refused() {
    use crate::ip::{EgressError, PathCache};
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let (src, dst) = (IpAddr::V4(US4), IpAddr::V4(PEER4));
    for (headroom, len, outcome, reason) in [
        (128, 1481, EgressError::TooBig, IpCounter::DropTxTooBig),
        (19, 8, EgressError::Headroom, IpCounter::DropTxHeadroom),
        (33, 8, EgressError::Headroom, IpCounter::DropTxHeadroom),
    ] {
        let mut frame = wire.stack.egress.alloc().unwrap();
        frame.reset(headroom);
        frame.extend(len).unwrap();
        let sent = wire.stack.egress.send(wire.now, &mut PathCache::default(), src, dst, 17, 0, frame);
        assert_eq!(sent, Err(outcome));
        wire.ledger(&[(reason, 1)]);
    }
    let frames: Vec<_> = core::iter::from_fn(|| wire.stack.pool().alloc()).collect();
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let sent = wire.stack.udp_send(wire.now, socket, None, (PEER4, 7).into(), Ecn::NotEct, b"x");
    assert_eq!(sent, Err(crate::udp::SendError::Egress(EgressError::NoFrame)));
    wire.ledger(&[(IpCounter::DropNoFrame, 1)]);
    drop(frames);
    wire.nothing_held();
}

#[test]
fn a_path_follows_its_neighbour_and_outlives_it() {
    use crate::ip::PathCache;
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let mut path = PathCache::default();
    let mut send = |wire: &mut Wire| {
        let mut frame = wire.stack.egress.alloc().unwrap();
        frame.extend(8).unwrap().copy_from_slice(&super::udp(US4, PEER4, (9, 7), b""));
        wire.stack.egress.send(wire.now, &mut path, US4.into(), PEER4.into(), 17, 0, frame).unwrap();
        wire.lines().remove(0)
    };
    assert!(send(&mut wire).starts_with("us>peer"));
    let moved = NeighborUpdate { address: PEER4.into(), mac: OTHER, confirmed: true, known: true };
    wire.stack.handle_neighbor(wire.now, moved);
    assert!(send(&mut wire).starts_with("us>other"), "the path reads the table's MAC address");
    for _ in 0..60 {
        wire.wait_millis(1000);
        wire.lines();
    }
    assert!(send(&mut wire).starts_with("us>other"), "stale, used all the same");
    for _ in 0..12 {
        wire.wait_millis(1000);
        wire.lines();
    }
    assert_eq!(send(&mut wire), "us>all arp request 10.0.0.1 -> 10.0.0.2", "forgotten, asked for anew");
}
