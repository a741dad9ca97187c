//! How controllers do on paths of several kinds.

use core::time::Duration;

use super::bottleneck::{Bottleneck, MSS, Path, jain};
use crate::tcp::congestion::{Congestion, CongestionControl, CongestionKind, MAX_WINDOW};

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn controller(kind: CongestionKind, net: &Bottleneck) -> Congestion {
    Congestion::new(kind, MSS, 10, net.flows.len() as u64, net.now)
}

fn one(path: Path, kind: CongestionKind) -> Bottleneck {
    let mut net = Bottleneck::new(path, 1);
    let cc = controller(kind, &net);
    net.add(cc);
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
        let cc = controller(kinds[0], &net);
        net.add(cc);
        net.run(second(5));
        let cc = controller(kinds[1], &net);
        net.add(cc);
        net.run(second(20));
        let shares = net.shares(second(60));
        assert!(jain(&shares) >= fair && shares.iter().sum::<u64>() >= 97, "{kinds:?}: {shares:?}");
    }
}

fn bbr(cc: &Congestion) -> &'static str {
    match cc {
        Congestion::Bbr(bbr) => bbr.state(),
        other => other.name(),
    }
}

/// A path with a buffer so deep that only the controller keeps the queue short.
fn deep(mbit: u64, rtt_ms: u64) -> Path {
    let path = Path::new(mbit, rtt_ms);
    Path { buffer: 16 * path.bdp(), ..path }
}

#[test]
fn bbr_finds_the_bandwidth_within_a_few_round_trips_and_stays_within_twice_what_the_path_holds() {
    for (mbit, rtt_ms, round_trips) in [(10, 20, 11), (100, 40, 15), (1000, 100, 20)] {
        let path = deep(mbit, rtt_ms);
        let mut net = one(path, CongestionKind::Bbr);
        let mut before_drain = 0;
        while bbr(&net.flows[0].cc) == "Startup" {
            net.run(path.rtt);
            before_drain += 1;
        }
        net.run(3 * path.rtt);
        // Unloaded round-trip times: the doubling takes log₂ of the path, the plateau three rounds of twice the time.
        assert_eq!(before_drain, round_trips, "{mbit} Mbit/s, {rtt_ms} ms");
        let rate = net.flows[0].cc.pacing_rate().unwrap();
        assert!(rate.abs_diff(path.rate) * 100 <= path.rate * 2, "{rate} of {}", path.rate);
        assert!(net.shares(second(4))[0] >= 95);
        let most = u64::from(net.flows[0].max_in_flight);
        assert!(most <= path.bdp() * 2 + path.bdp() / 10 + 3 * 65_536, "{most} of {}", path.bdp());
        assert_eq!(net.flows[0].lost, 0);
    }
}

#[test]
fn bbr_keeps_the_queue_short_once_it_knows_the_path() {
    let mut net = one(deep(100, 40), CongestionKind::Bbr);
    net.run(second(3));
    net.max_queue = 0;
    assert!(net.shares(second(20))[0] >= 95);
    // A probe is three rounds without growth at 1.25 times the rate.
    assert!(net.max_queue < net.path.bdp(), "{}", net.max_queue);
}

#[test]
fn bbr_bears_random_loss_that_stops_the_others() {
    let mut table = Vec::new();
    for loss_ppm in [0, 1_000, 10_000, 20_000] {
        let path = Path { loss_ppm, ..Path::new(100, 40) };
        table.push(CongestionKind::ALL.map(|kind| use_of(path, kind)));
    }
    // Percent of 100 Mbit/s at 40 ms: NewReno, CUBIC, BBR; without loss, with 0.1, 1 and 2 %.
    assert_eq!(table, [[100, 100, 96], [11, 11, 89], [3, 3, 81], [2, 2, 53]]);
}

#[test]
fn bbr_looks_at_the_unloaded_path_every_five_seconds() {
    let path = deep(100, 40);
    let mut net = one(path, CongestionKind::Bbr);
    let mut visits: Vec<(u64, u64, u32)> = Vec::new();
    let mut inside = false;
    for _ in 0..17_000 {
        net.run(Duration::from_millis(1));
        let (flow, now) = (&net.flows[0], net.now.as_millis());
        let probing = bbr(&flow.cc) == "ProbeRTT";
        match visits.last_mut().filter(|_| probing && inside) {
            Some(visit) => *visit = (visit.0, now - visit.0, visit.2.min(flow.in_flight())),
            None if probing => visits.push((now, 0, flow.in_flight())),
            None => {}
        }
        inside = probing;
    }
    assert_eq!(visits.len(), 3, "{visits:?}");
    for &(at, ms, least) in &visits {
        // 200 ms and a round trip, after the queue drained to half of what the path holds.
        assert!((200..400).contains(&ms) && u64::from(least) <= path.bdp() / 2 + u64::from(MSS), "{visits:?}");
        assert!(at >= 5_000);
    }
    assert!(visits.windows(2).all(|pair| (5_000..5_600).contains(&(pair[1].0 - pair[0].0))), "{visits:?}");
}

#[test]
fn a_bbr_flow_that_comes_later_gets_its_part() {
    let mut net = one(Path::new(100, 40), CongestionKind::Bbr);
    net.run(second(5));
    let cc = controller(CongestionKind::Bbr, &net);
    net.add(cc);
    net.run(second(20));
    let shares = net.shares(second(40));
    assert!(jain(&shares) >= 97 && shares.iter().sum::<u64>() >= 93, "{shares:?}");
}

#[test]
fn bbr_and_cubic_both_live_on_one_path() {
    for (buffer, least) in [(1, 20), (4, 40)] {
        let path = Path::new(100, 40);
        let mut net = one(Path { buffer: buffer * path.bdp(), ..path }, CongestionKind::Bbr);
        let cc = controller(CongestionKind::Cubic, &net);
        net.add(cc);
        net.run(second(10));
        let shares = net.shares(second(60));
        assert!(shares.iter().all(|&share| share >= least), "{buffer}: {shares:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut net = one(Path { loss_ppm: 5_000, ..Path::new(100, 40) }, CongestionKind::Bbr);
        net.run(second(20));
        (net.flows[0].delivered, net.flows[0].lost, net.flows[0].cc.clone())
    };
    assert_eq!(run(), run());
}
