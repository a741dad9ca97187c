use std::collections::VecDeque;
use std::thread;

use netstack::frame::{RxChecksum, TxChecksum};
use netstack::{Frame, Instant};

use super::*;
use crate::{Port, PortCounter, testing};

const NOW: Instant = Instant::ZERO;

fn ports(config: &RingConfig) -> (RingPort, RingPort) {
    let (a, b) = pair(config).unwrap();
    (a.into_port(), b.into_port())
}

fn receive(port: &mut RingPort) -> Vec<Frame> {
    let mut frames = Vec::new();
    port.rx_burst(NOW, &mut frames, 64);
    frames
}

#[test]
fn frames_cross_both_ways_and_return_to_their_pools() {
    let (mut a, mut b) = ports(&RingConfig::default());
    for round in 0..5_000u32 {
        let mut out = VecDeque::from([testing::frame(a.pool(), &round.to_be_bytes())]);
        assert_eq!(a.tx_burst(NOW, &mut out), 1);
        let received = receive(&mut b);
        assert_eq!(received[0].data(), round.to_be_bytes());
        assert_eq!(b.tx_burst(NOW, &mut received.into()), 1);
        assert_eq!(receive(&mut a)[0].data(), round.to_be_bytes());
    }
    for port in [&mut a, &mut b] {
        port.tx_burst(NOW, &mut VecDeque::new());
        assert_eq!(port.pool().available(), port.pool().capacity());
    }
}

#[test]
fn a_full_ring_leaves_the_rest_with_the_caller() {
    let (mut a, mut b) = ports(&RingConfig { slots: 3, ..RingConfig::default() });
    let mut out: VecDeque<_> = (0..6u8).map(|n| testing::frame(a.pool(), &[n])).collect();
    assert_eq!(a.tx_burst(NOW, &mut out), 4, "slots are rounded up to a power of two");
    assert_eq!(out.len(), 2);
    assert_eq!(a.counters().get(PortCounter::TxRingFull), 1);
    assert_eq!(receive(&mut b).len(), 4);
    assert_eq!(a.tx_burst(NOW, &mut out), 2);
    assert_eq!(receive(&mut b)[1].data(), [5]);
}

#[test]
fn an_empty_pool_leaves_frames_in_the_ring() {
    let (mut a, mut b) = ports(&RingConfig { pool_frames: 4, ..RingConfig::default() });
    let held: Vec<_> = (0..3).map(|_| b.pool().alloc().unwrap()).collect();
    a.tx_burst(NOW, &mut (0..3u8).map(|n| testing::frame(a.pool(), &[n])).collect());
    assert_eq!(receive(&mut b)[0].data(), [0]);
    drop(held);
    let rest: Vec<_> = receive(&mut b).iter().map(|frame| frame.data()[0]).collect();
    assert_eq!(rest, [1, 2]);
}

#[test]
fn offload_leaves_the_sum_alone_and_software_completes_it() {
    for checksum_offload in [true, false] {
        let (mut a, mut b) = ports(&RingConfig { checksum_offload, ..RingConfig::default() });
        assert_eq!(a.capabilities().tx_checksum, checksum_offload);
        let mut frame = testing::frame(a.pool(), &[0; 60]);
        frame.tx_checksum = TxChecksum::Offload { start: 34, offset: 6 };
        a.tx_burst(NOW, &mut VecDeque::from([frame]));
        let received = receive(&mut b);
        let expected = if checksum_offload { RxChecksum::Verified } else { RxChecksum::Unknown };
        assert_eq!(received[0].rx_checksum, expected);
        assert_eq!(received[0].data()[40] == 0xff, !checksum_offload);
    }
}

#[test]
fn the_far_end_is_seen_to_go() {
    let (a, mut b) = ports(&RingConfig::default());
    assert!(b.link_up());
    drop(a);
    assert!(!b.link_up());
}

#[test]
fn impossible_shapes_are_refused() {
    let refused = |config: RingConfig| pair(&config).err();
    assert_eq!(refused(RingConfig { slots: 0, ..RingConfig::default() }), Some(RingConfigError::Slots));
    assert_eq!(refused(RingConfig { headroom: 2048, ..RingConfig::default() }), Some(RingConfigError::FrameSize));
    assert_eq!(refused(RingConfig { pool_frames: 0, ..RingConfig::default() }), Some(RingConfigError::PoolFrames));
}

/// Sends `total` numbered frames and checks that as many come, whole and in order.
fn exchange(end: RingEnd, total: u32) -> usize {
    let mut port = end.into_port();
    let (mut sent, mut expected) = (0, 0);
    let mut out = VecDeque::new();
    let mut received = Vec::new();
    while sent < total || expected < total || !out.is_empty() {
        while out.len() < 16 && sent < total {
            let Some(mut frame) = port.pool().alloc() else { break };
            let length = 4 + (sent as usize * 7) % 120;
            let Some(room) = frame.extend(length) else { break };
            room.fill(sent as u8);
            room[..4].copy_from_slice(&sent.to_be_bytes());
            out.push_back(frame);
            sent += 1;
        }
        let moved = port.tx_burst(NOW, &mut out) + port.rx_burst(NOW, &mut received, 32);
        for frame in received.drain(..) {
            assert_eq!(frame.data()[..4], expected.to_be_bytes());
            assert_eq!(frame.len(), 4 + (expected as usize * 7) % 120);
            assert!(frame.data()[4..].iter().all(|&byte| byte == expected as u8));
            expected += 1;
        }
        if moved == 0 {
            thread::yield_now();
        }
    }
    while port.pool().available() < port.pool().capacity() && port.link_up() {
        port.tx_burst(NOW, &mut VecDeque::new());
        thread::yield_now();
    }
    port.tx_burst(NOW, &mut VecDeque::new());
    port.pool().available()
}

#[test]
fn two_threads_lose_nothing_and_keep_order() {
    // Small enough for Miri, large enough for the indices to go round many times.
    let (total, slots) = if cfg!(miri) { (300, 8) } else { (400_000, 64) };
    let config = RingConfig { slots, pool_frames: 256, frame_size: 512, ..RingConfig::default() };
    let (a, b) = pair(&config).unwrap();
    let far = thread::spawn(move || exchange(b, total));
    assert_eq!(exchange(a, total), 256);
    assert_eq!(far.join().unwrap(), 256);
}
