//! Handles, tokens, and what becomes of them.

use super::rig::{PEER, Rig, US, seg};
use crate::config::StackConfig;
use crate::frame::FramePool;
use crate::ip::Cidr;
use crate::rng::Seed;
use crate::rss::{Steering, Transport};
use crate::stack::Stack;
use crate::tcp::{ConnectConfig, SendError};
use crate::time::Instant;
use bytes::Bytes;
use core::net::SocketAddr;

#[test]
fn a_dead_id_finds_nothing() {
    let (mut rig, id) = Rig::accepted();
    rig.stack.abort(rig.now, id);
    assert_eq!((rig.stack.peek(id), rig.stack.recv_len(id), rig.stack.send_room(id)), (&b""[..], 0, 0));
    assert_eq!(rig.stack.send(id, Bytes::from_static(b"x")), Err(SendError::NoConnection));
    assert!(rig.stack.local(id).is_none() && rig.stack.remote(id).is_none() && rig.stack.take_chunk(id).is_none());
    rig.stack.close(rig.now, id);
    rig.stack.consume(id, 5);
    rig.output();
    let next = rig.accept();
    assert_eq!((next.index(), next == id), (id.index(), false));
    assert!(!rig.stack.is_open(id) && rig.stack.is_open(next));
}

#[test]
fn tokens_and_addresses_belong_to_the_connection() {
    let (mut rig, id) = Rig::accepted();
    rig.stack.set_token(id, 99);
    rig.input(seg("A", 1, 1, b"x"));
    assert_eq!(rig.event().unwrap().token, 99);
    assert_eq!(rig.stack.token(id), Some(99));
    assert_eq!(rig.stack.local(id), Some(SocketAddr::new(US.into(), 80)));
    assert_eq!(rig.stack.remote(id), Some(SocketAddr::new(PEER.into(), 40_000)));
    assert_eq!(rig.stack.connections(0, 10).map(|info| info.token).collect::<Vec<_>>(), [99]);
}

#[test]
fn consuming_goes_over_chunks() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("A", 1, 1, b"abc"));
    rig.input(seg("A", 4, 1, b"def"));
    assert_eq!(rig.stack.peek(id), b"abc");
    rig.stack.consume(id, 4);
    assert_eq!((rig.stack.peek(id), rig.stack.recv_len(id)), (&b"ef"[..], 2));
    rig.stack.consume(id, 400);
    assert_eq!(rig.stack.recv_len(id), 0);
    rig.audit();
}

#[test]
fn replies_to_steered_opens_come_to_the_own_queue() {
    let key: Vec<u8> = (0..40).map(|n: u32| (n * 37 + 11) as u8).collect();
    let indirection: Vec<u16> = (0..128).map(|n| n % 4).collect();
    let steering = Steering::new(&key, indirection, 2).unwrap();
    let config = StackConfig {
        addresses: vec![Cidr::new(US.into(), 24).unwrap()],
        steering: Some(steering.clone()),
        ..StackConfig::default()
    };
    let mut stack = Stack::new(config, FramePool::heap(64), Seed::from_number(5), Instant::ZERO).unwrap();
    let mut ports = std::collections::BTreeSet::new();
    for _ in 0..500 {
        let id = stack.connect(Instant::ZERO, ConnectConfig::to(SocketAddr::new(PEER.into(), 443), 0)).unwrap();
        let local = stack.local(id).unwrap();
        assert_eq!(steering.queue(Transport::Tcp, PEER.into(), local.ip(), 443, local.port()), 2);
        assert!(ports.insert(local.port()));
    }
    let sorted_runs = ports.iter().zip(ports.iter().skip(1)).filter(|(a, b)| **b - **a == 1).count();
    assert!(sorted_runs < 50, "ports are not given out in a row");
}
