use bytes::Bytes;

use super::pair::{CLIENT, Faults, Pair, SERVER};
use crate::rng::Rng;
use crate::tcp::{EndReason, Ready, TcpConfig};

fn bytes(rng: &mut Rng, n: usize) -> Vec<u8> {
    (0..n).map(|_| rng.next_u64() as u8).collect()
}

/// Both ends send `n` bytes and close; the wire has faults. Everything arrives, and nothing is left.
fn exchange(seed: u64, faults: Faults, configs: [TcpConfig; 2], n: usize) {
    let mut rng = Rng::new(seed);
    let mut pair = Pair::new(configs, seed).connected(seed % 2 == 1);
    pair.faults = faults;
    let streams = [bytes(&mut rng, n), bytes(&mut rng, n / 3)];
    let mut queued = [0, 0];
    let mut closed = [false; 2];
    for _ in 0..400_000 {
        for end in [CLIENT, SERVER] {
            let id = pair.id(end);
            let room = pair.stacks[end].send_room(id);
            let left = &streams[end][queued[end]..];
            if !left.is_empty() && room > 0 {
                let piece = left.len().min(1 + rng.below(5000) as usize);
                pair.stacks[end].send(id, Bytes::copy_from_slice(&left[..piece])).unwrap();
                queued[end] += piece;
            } else if left.is_empty() && !closed[end] {
                closed[end] = true;
                pair.stacks[end].close(pair.now, id);
            }
        }
        let before = pair.now;
        pair.run_until("a step", |pair| pair.now > before || pair.seen.iter().all(|seen| seen.ended.is_some()));
        if pair.seen.iter().all(|seen| seen.ended.is_some()) {
            break;
        }
    }
    for end in [CLIENT, SERVER] {
        assert_eq!(pair.seen[end].ended, Some(EndReason::Closed), "seed {seed} end {end}");
        assert!(pair.seen[end].received == streams[1 - end], "seed {seed}: end {end} got something else");
        assert!(pair.happened(end, Ready::PEER_CLOSED | Ready::READABLE), "seed {seed} end {end}");
    }
    pair.faults = Faults::default();
    pair.nothing_left();
}

/// `count` seeds, or `SIM_SEEDS` times as many.
pub(super) fn seeds(first: u64, count: u64) -> core::ops::Range<u64> {
    let times = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    first..first + count * times
}

fn defaults() -> [TcpConfig; 2] {
    [TcpConfig { data_retries: 40, ..TcpConfig::default() }, TcpConfig { data_retries: 40, ..TcpConfig::default() }]
}

#[test]
fn streams_arrive_over_a_clean_wire() {
    exchange(1, Faults::default(), defaults(), 2_000_000);
}

#[test]
fn streams_arrive_whatever_the_wire_does() {
    for seed in seeds(10, 30) {
        let faults = Faults { loss: 30_000, duplicate: 20_000, reorder: 50_000 };
        exchange(seed, faults, defaults(), 60_000);
    }
}

#[test]
fn streams_arrive_through_heavy_loss() {
    for seed in seeds(40, 10) {
        exchange(seed, Faults { loss: 150_000, ..Faults::default() }, defaults(), 20_000);
    }
}

#[test]
fn streams_arrive_without_any_option() {
    let bare = || TcpConfig {
        timestamps: false,
        sack: false,
        window_scaling: false,
        data_retries: 40,
        ..TcpConfig::default()
    };
    for seed in seeds(50, 10) {
        let faults = Faults { loss: 40_000, duplicate: 10_000, reorder: 30_000 };
        exchange(seed, faults, [bare(), bare()], 60_000);
        exchange(seed, faults, [bare(), TcpConfig { data_retries: 40, ..TcpConfig::default() }], 60_000);
    }
}

#[test]
fn streams_arrive_through_small_buffers() {
    let small =
        || TcpConfig { receive_buffer: 3000, send_buffer: 4000, data_retries: 40, nagle: true, ..TcpConfig::default() };
    for seed in seeds(60, 10) {
        exchange(seed, Faults { loss: 20_000, reorder: 20_000, ..Faults::default() }, [small(), small()], 30_000);
    }
}
