use core::cell::RefCell;
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;

use netstack::frame::TxChecksum;
use netstack::rss::Transport;
use netstack::{FramePool, Instant};

use super::*;
use crate::{Port, PortCounter, testing};

/// Sends `count` numbered UDP packets, one each `gap`, and returns the numbers in order of arrival with the times.
fn run(config: SimConfig, seed: u64, count: u16, gap: Duration) -> Vec<(u16, Instant)> {
    let (mut a, mut b) = pair(config, seed);
    for number in 0..count {
        let now = Instant::ZERO + gap * u32::from(number);
        let packet = testing::udp4(2, [10, 0, 0, 1], [10, 0, 0, 2], (7, number), &[0x55; 100]);
        let mut frames = VecDeque::from([testing::frame(a.pool(), &packet)]);
        assert_eq!(a.tx_burst(now, &mut frames), 1);
    }
    let mut arrived = Vec::new();
    while let Some(now) = b.poll_timeout() {
        let mut frames = Vec::new();
        b.rx_burst(now, &mut frames, 64);
        for frame in &frames {
            arrived.push((u16::from_be_bytes([frame.data()[36], frame.data()[37]]), now));
        }
    }
    assert_eq!(a.pool().available(), a.pool().capacity(), "frames return to the sender");
    assert_eq!(b.pool().available(), b.pool().capacity(), "frames return to the receiver");
    arrived
}

fn one_way(link: LinkConfig) -> SimConfig {
    SimConfig { a_to_b: link, ..SimConfig::default() }
}

#[test]
fn an_ideal_wire_delivers_in_order_after_the_delay() {
    let link = LinkConfig { delay: Duration::from_millis(5), ..LinkConfig::default() };
    let arrived = run(one_way(link), 1, 100, Duration::from_millis(1));
    assert_eq!(arrived.len(), 100);
    assert!(
        arrived.iter().enumerate().all(|(i, &(n, at))| usize::from(n) == i && at == Instant::from_millis(5 + i as u64))
    );
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let link = LinkConfig {
        loss: Loss::Random { ppm: 200_000 },
        duplicate_ppm: 100_000,
        reorder_ppm: 100_000,
        reorder_delay: Duration::from_millis(20),
        jitter: Duration::from_millis(3),
        ..LinkConfig::default()
    };
    let run = |seed| run(one_way(link.clone()), seed, 500, Duration::from_millis(1));
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn random_loss_is_as_frequent_as_asked() {
    let link = LinkConfig { loss: Loss::Random { ppm: 100_000 }, ..LinkConfig::default() };
    let arrived = run(one_way(link), 3, 10_000, Duration::from_micros(1)).len();
    assert!((8_800..9_200).contains(&arrived), "{arrived}");
}

#[test]
fn bursty_loss_comes_in_bursts_of_the_given_mean_length() {
    let loss = Loss::GilbertElliott { enter_ppm: 10_000, leave_ppm: 100_000, good_ppm: 0, bad_ppm: 1_000_000 };
    let arrived = run(one_way(LinkConfig { loss, ..LinkConfig::default() }), 5, 20_000, Duration::from_micros(1));
    let lost = 20_000 - arrived.len();
    let bursts = arrived.windows(2).filter(|pair| pair[1].0 - pair[0].0 > 1).count();
    // 1 % in, 10 % out: a share of 1/11 in the bad state, in bursts of ten.
    assert!((1_300..2_400).contains(&lost), "{lost}");
    assert!((7..13).contains(&(lost / bursts)), "{lost} in {bursts}");
}

#[test]
fn reordering_delays_some_frames_and_jitter_none_out_of_order() {
    let held = LinkConfig { reorder_ppm: 50_000, reorder_delay: Duration::from_millis(9), ..LinkConfig::default() };
    let arrived = run(one_way(held), 11, 1_000, Duration::from_millis(1));
    assert_eq!(arrived.len(), 1_000);
    assert!(arrived.windows(2).any(|pair| pair[1].0 < pair[0].0));
    let shaky = LinkConfig { jitter: Duration::from_millis(9), ..LinkConfig::default() };
    let arrived = run(one_way(shaky), 11, 1_000, Duration::from_millis(1));
    assert!(arrived.windows(2).all(|pair| pair[1].0 > pair[0].0));
}

#[test]
fn duplicates_arrive_twice() {
    let link = LinkConfig { duplicate_ppm: 1_000_000, ..LinkConfig::default() };
    let arrived = run(one_way(link), 1, 10, Duration::from_millis(1));
    assert_eq!(arrived.iter().map(|(n, _)| *n).collect::<Vec<_>>(), (0..20).map(|n| n / 2).collect::<Vec<_>>());
}

#[test]
fn a_corrupted_packet_differs_in_one_byte_behind_ethernet() {
    let link = LinkConfig { corrupt_ppm: 1_000_000, ..LinkConfig::default() };
    let (mut a, mut b) = pair(one_way(link), 9);
    let packet = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (7, 8), b"payload");
    for _ in 0..50 {
        a.tx_burst(Instant::ZERO, &mut VecDeque::from([testing::frame(a.pool(), &packet)]));
    }
    let mut frames = Vec::new();
    assert_eq!(b.rx_burst(Instant::ZERO, &mut frames, 64), 50);
    for frame in &frames {
        let flipped = frame.data().iter().zip(&packet).filter(|(x, y)| x != y).count();
        assert_eq!((flipped, &frame.data()[..14]), (1, &packet[..14]));
    }
    assert_eq!(a.counters().get(PortCounter::WireCorrupted), 50);
}

#[test]
fn the_bottleneck_spaces_marks_and_drops() {
    // 142-byte frames at 1.136 Mbit/s: one each millisecond.
    let link = LinkConfig {
        rate_bits_per_second: Some(1_136_000),
        buffer_bytes: 1_420,
        ecn_threshold_bytes: Some(710),
        ..LinkConfig::default()
    };
    let (mut a, mut b) = pair(one_way(link), 9);
    let packet = testing::udp4(2, [10, 0, 0, 1], [10, 0, 0, 2], (7, 8), &[0; 100]);
    assert_eq!(packet.len(), 142);
    let mut frames: VecDeque<_> = (0..15).map(|_| testing::frame(a.pool(), &packet)).collect();
    a.tx_burst(Instant::ZERO, &mut frames);
    let mut marks = Vec::new();
    for arrival in 1..=10 {
        assert_eq!(b.poll_timeout(), Some(Instant::from_millis(arrival)));
        let mut frames = Vec::new();
        b.rx_burst(Instant::from_millis(arrival), &mut frames, 64);
        marks.extend(frames.iter().map(|frame| frame.data()[15] == 3));
    }
    assert_eq!(b.poll_timeout(), None);
    assert_eq!(marks, [false, false, false, false, false, false, true, true, true, true]);
    let counters = a.counters();
    assert_eq!(counters.get(PortCounter::DropWireBufferFull), 5);
    assert_eq!(counters.get(PortCounter::WireEcnMarked), 4);
}

#[test]
fn an_empty_pool_an_oversize_frame_and_a_pulled_cable_are_counted() {
    let mut config = SimConfig::default();
    config.ends.pool_frames = 2;
    config.ends.mtu = 100;
    let (mut a, mut b) = pair(config, 1);
    for _ in 0..3 {
        a.tx_burst(Instant::ZERO, &mut VecDeque::from([testing::frame(a.pool(), &[7; 60])]));
    }
    a.tx_burst(Instant::ZERO, &mut VecDeque::from([testing::frame(a.pool(), &[7; 119])]));
    let mut frames = Vec::new();
    assert_eq!(b.rx_burst(Instant::ZERO, &mut frames, 64), 2);
    assert_eq!(b.counters().get(PortCounter::DropRxNoFrame), 1);
    assert_eq!(a.counters().get(PortCounter::DropTxOversize), 1);
    a.wire().set_link(false);
    assert!(!a.link_up());
    a.tx_burst(Instant::ZERO, &mut VecDeque::from([testing::frame(a.pool(), &[7; 60])]));
    assert_eq!(a.counters().get(PortCounter::DropTxLinkDown), 1);
    assert_eq!(a.wire().in_flight(), 0);
}

#[test]
fn requested_checksums_are_completed_and_bad_requests_refused() {
    let (mut a, mut b) = pair(SimConfig::default(), 1);
    let packet = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (7, 8), b"odd");
    let partial = testing::partial(a.pool(), packet.clone());
    let mut bad = testing::frame(a.pool(), &packet);
    bad.tx_checksum = TxChecksum::Offload { start: 34, offset: 11 };
    a.tx_burst(Instant::ZERO, &mut VecDeque::from([partial, bad]));
    let mut frames = Vec::new();
    assert_eq!(b.rx_burst(Instant::ZERO, &mut frames, 64), 1);
    assert_eq!(frames[0].data(), packet);
    assert_eq!(a.counters().get(PortCounter::DropTxInvalidChecksum), 1);
}

#[test]
fn an_observer_sees_every_frame_with_its_fate() {
    let link = LinkConfig { loss: Loss::Random { ppm: 1_000_000 }, ..LinkConfig::default() };
    let (mut a, mut b) = pair(one_way(link), 1);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    a.wire().observe(move |event| log.borrow_mut().push((event.from, event.fate, event.bytes.len())));
    a.tx_burst(Instant::ZERO, &mut VecDeque::from([testing::frame(a.pool(), &[7; 60])]));
    b.tx_burst(Instant::ZERO, &mut VecDeque::from([testing::frame(b.pool(), &[7; 61])]));
    assert_eq!(*seen.borrow(), [(Side::A, Fate::Lost, 60), (Side::B, Fate::Carried(Instant::ZERO), 61)]);
}

#[test]
fn flows_are_steered_to_queues_by_their_hash() {
    let mut config = SimConfig::default();
    config.ends.queues = 4;
    let wire = Wire::new(config, 1);
    let mut a = wire.port(Side::A, 0, FramePool::heap(256));
    let mut queues: Vec<_> = (0..4).map(|queue| wire.port(Side::B, queue, FramePool::heap(256))).collect();
    for port in 0..200 {
        let packet = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (port, 80), b"x");
        a.tx_burst(Instant::ZERO, &mut VecDeque::from([testing::frame(a.pool(), &packet)]));
    }
    a.tx_burst(Instant::ZERO, &mut VecDeque::from([testing::frame(a.pool(), &testing::ethernet(0x0806, &[0; 28]))]));
    for queue in &mut queues {
        let steering = queue.capabilities().steering.unwrap();
        let mut frames = Vec::new();
        queue.rx_burst(Instant::ZERO, &mut frames, 256);
        assert!(frames.len() > 20, "{}", frames.len());
        for frame in frames.iter().filter(|frame| frame.data()[12..14] == [8, 0]) {
            let port = u16::from_be_bytes([frame.data()[34], frame.data()[35]]);
            let address = |last| core::net::IpAddr::from([10, 0, 0, last]);
            assert_eq!(steering.queue(Transport::Udp, address(1), address(2), port, 80), queue.info().queue);
        }
    }
    assert_eq!(wire.in_flight(), 0);
}
