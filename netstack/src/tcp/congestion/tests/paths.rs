//! How controllers do on paths of several kinds.

use core::time::Duration;

use super::bottleneck::{Bottleneck, MSS, Path, jain};
use crate::tcp::congestion::{Congestion, CongestionControl, CongestionKind, MAX_WINDOW};

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn controller(kind: CongestionKind) -> Congestion {
    Congestion::new(kind, MSS, 10)
}

fn one(path: Path, kind: CongestionKind) -> Bottleneck {
    let mut net = Bottleneck::new(path, 1);
    net.add(controller(kind));
    net
}

#[test]
fn hystart_leaves_slow_start_before_a_deep_buffer_overflows() {
    for (mbit, rtt_ms) in [(10, 50), (100, 20), (100, 100), (1000, 40)] {
        let path = Path::new(mbit, rtt_ms);
        // Two to four times what the path holds when the queue shows; then five rounds that add a quarter each.
        let path = Path { buffer: 16 * path.bdp(), ..path };
        let mut net = one(path, CongestionKind::Cubic);
        while net.flows[0].cc.ssthresh() == MAX_WINDOW && net.now.as_millis() < 20_000 {
            net.run(Duration::from_millis(1));
        }
        let window = u64::from(net.flows[0].cc.window());
        assert_eq!(net.flows[0].lost, 0, "{mbit} Mbit/s, {rtt_ms} ms");
        assert!(window >= path.bdp() && window < 16 * path.bdp(), "{mbit} Mbit/s, {rtt_ms} ms: left at {window}");
        assert!(net.shares(second(10))[0] >= 98);
    }
}

#[test]
fn newreno_overflows_the_same_buffer() {
    let path = Path::new(100, 20);
    let path = Path { buffer: 16 * path.bdp(), ..path };
    let mut net = one(path, CongestionKind::NewReno);
    net.run(second(2));
    assert!(net.flows[0].lost > path.bdp());
}

/// Percent of the path that one flow gets in the ten seconds after the first five.
fn use_of(path: Path, kind: CongestionKind) -> u64 {
    let mut net = one(path, kind);
    net.run(second(5));
    net.shares(second(10))[0]
}

#[test]
fn a_buffer_of_one_round_trip_keeps_every_path_busy() {
    for (mbit, rtt_ms, newreno, cubic) in [(10, 20, 97, 99), (100, 50, 99, 99), (1000, 50, 99, 99)] {
        let path = Path::new(mbit, rtt_ms);
        let used = [use_of(path, CongestionKind::NewReno), use_of(path, CongestionKind::Cubic)];
        assert!(used[0] >= newreno && used[1] >= cubic, "{mbit} Mbit/s, {rtt_ms} ms: {used:?}");
    }
}

#[test]
fn flows_of_one_kind_share_and_cubic_leaves_newreno_its_part_where_newreno_suffices() {
    let path = Path::new(10, 20);
    for (kinds, fair) in [
        ([CongestionKind::NewReno, CongestionKind::NewReno], 95),
        ([CongestionKind::Cubic, CongestionKind::Cubic], 95),
        ([CongestionKind::Cubic, CongestionKind::NewReno], 90),
    ] {
        let mut net = Bottleneck::new(path, 2);
        net.add(controller(kinds[0]));
        net.run(second(5));
        net.add(controller(kinds[1]));
        net.run(second(20));
        let shares = net.shares(second(60));
        assert!(jain(&shares) >= fair && shares.iter().sum::<u64>() >= 97, "{kinds:?}: {shares:?}");
    }
}
