use super::*;
use crate::sim::{SimConfig, pair};
use crate::testing;

/// Sends `count` numbered packets, one a millisecond, through `config` on the sender's port, then receives through
/// `config` on the receiver's; returns the numbers in order of arrival.
fn run(config: &FaultConfig, seed: u64, count: u16) -> (Vec<u16>, PortCounters) {
    let (a, b) = pair(SimConfig::default(), 1);
    let (mut a, mut b) = (Fault::new(a, config.clone(), seed), Fault::new(b, config.clone(), seed + 1));
    let (mut frames, mut arrived) = (Vec::new(), Vec::new());
    for step in 0..u64::from(count) + 1_000 {
        let now = Instant::from_millis(step);
        let mut burst = VecDeque::new();
        if step < u64::from(count) {
            let packet = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (7, step as u16), b"0123456789");
            burst.push_back(testing::frame(a.pool(), &packet));
        }
        a.tx_burst(now, &mut burst);
        assert!(burst.is_empty());
        b.rx_burst(now, &mut frames, 64);
        arrived.extend(frames.drain(..).map(|frame| u16::from_be_bytes([frame.data()[36], frame.data()[37]])));
    }
    assert_eq!((a.poll_timeout(), b.poll_timeout()), (None, None));
    assert_eq!(a.pool().available(), a.pool().capacity());
    assert_eq!(b.pool().available(), b.pool().capacity());
    let mut counters = a.counters();
    counters.merge(&b.counters());
    (arrived, counters)
}

#[test]
fn without_faults_nothing_happens() {
    let (arrived, counters) = run(&FaultConfig::default(), 1, 100);
    assert_eq!(arrived, (0..100).collect::<Vec<_>>());
    assert_eq!(counters.dropped(), 0);
}

#[test]
fn losses_are_counted_and_replay() {
    let faults = Faults { drop_ppm: 100_000, ..Faults::default() };
    let config = FaultConfig { rx: faults.clone(), tx: faults, ..FaultConfig::default() };
    let (arrived, counters) = run(&config, 1, 2_000);
    let lost = counters.get(PortCounter::DropFaultRx) + counters.get(PortCounter::DropFaultTx);
    assert_eq!(arrived.len() as u64 + lost, 2_000);
    assert!((300..460).contains(&lost), "{lost}");
    assert_eq!(run(&config, 1, 2_000).0, arrived);
    assert_ne!(run(&config, 2, 2_000).0, arrived);
}

#[test]
fn doubles_delays_and_reorders() {
    let tx = Faults { duplicate_ppm: 1_000_000, delay: Duration::from_millis(3), ..Faults::default() };
    let (arrived, counters) = run(&FaultConfig { tx, ..FaultConfig::default() }, 1, 50);
    assert_eq!(arrived, (0..100).map(|n| n / 2).collect::<Vec<_>>());
    assert_eq!((counters.get(PortCounter::FaultDelayed), counters.get(PortCounter::FaultDuplicated)), (100, 50));
    let rx = Faults { reorder_ppm: 100_000, reorder_delay: Duration::from_millis(5), ..Faults::default() };
    let (mut arrived, _) = run(&FaultConfig { rx, ..FaultConfig::default() }, 1, 200);
    assert!(arrived.windows(2).any(|pair| pair[1] < pair[0]));
    arrived.sort_unstable();
    assert_eq!(arrived, (0..200).collect::<Vec<_>>());
}

#[test]
fn held_frames_are_bounded() {
    let tx = Faults { delay: Duration::from_millis(100), ..Faults::default() };
    let (arrived, counters) = run(&FaultConfig { tx, max_held: 10, ..FaultConfig::default() }, 1, 50);
    assert_eq!((arrived.len(), counters.get(PortCounter::DropFaultHeld)), (10, 40));
}

#[test]
fn damage_is_one_bit_and_takes_the_verdict_away() {
    let (a, _b) = pair(SimConfig::default(), 1);
    let mut lane = Lane::new(Faults::default(), 3, 1, PortCounter::DropFaultRx);
    let packet = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (1, 2), b"data");
    let mut frame = testing::frame(a.pool(), &packet);
    frame.rx_checksum = netstack::frame::RxChecksum::Verified;
    lane.corrupt(&mut frame, &mut PortCounters::default());
    let flipped: u32 = frame.data().iter().zip(&packet).map(|(x, y)| (x ^ y).count_ones()).sum();
    assert_eq!((flipped, frame.rx_checksum), (1, netstack::frame::RxChecksum::Unknown));
    // Nothing behind Ethernet: nothing to damage, nothing to count.
    let mut counters = PortCounters::default();
    lane.corrupt(&mut testing::frame(a.pool(), &[0; 14]), &mut counters);
    assert_eq!(counters.get(PortCounter::FaultCorrupted), 0);
}
