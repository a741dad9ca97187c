//! How fast one connection is over paths of several kinds: floors that a change to loss recovery or congestion control
//! must not fall through. Virtual time: the same on every machine. `anygate-sim table` prints the whole picture.

use std::time::Duration;

use netstack::tcp::{CongestionKind, ConnOptions, TcpConfig};
use port::impair::{LinkConfig, Loss};
use sim::scenario::{Job, Network, Scenario};
use sim::world::{Bench, Watch, World};

const BYTES: u64 = 20_000_000;

struct Path {
    name: &'static str,
    megabits: u64,
    one_way: Duration,
    loss_ppm: u32,
    /// The least that must come out, in Mbit/s of payload.
    floor: f64,
}

const fn path(name: &'static str, megabits: u64, one_way_ms: u64, loss_ppm: u32, floor: f64) -> Path {
    Path { name, megabits, one_way: Duration::from_millis(one_way_ms), loss_ppm, floor }
}

/// Those that are driven by losses; the floors are theirs.
const CONTROLLERS: [CongestionKind; 2] = [CongestionKind::NewReno, CongestionKind::Cubic];

const PATHS: [Path; 5] = [
    path("lan, no loss", 1000, 0, 0, 400.0),
    path("metro, no loss", 100, 5, 0, 75.0),
    path("metro, 0.1 % loss", 100, 5, 1_000, 40.0),
    path("metro, 1 % loss", 100, 5, 10_000, 11.0),
    path("continent, 0.1 % loss", 100, 25, 1_000, 5.0),
];

fn goodput(path: &Path, kind: CongestionKind) -> f64 {
    let link = LinkConfig {
        rate_bits_per_second: Some(path.megabits * 1_000_000),
        buffer_bytes: 250_000,
        delay: path.one_way,
        ..LinkConfig::default()
    };
    let lossy = LinkConfig { loss: Loss::Random { ppm: path.loss_ppm }, ..link.clone() };
    let tcp = TcpConfig { receive_buffer: 4 << 20, send_buffer: 4 << 20, ..TcpConfig::default() };
    let options = ConnOptions { congestion: Some(kind), ..ConnOptions::default() };
    let scenario = Scenario {
        links: [lossy, link.clone()],
        network: Network { pool_frames: 4_096, ..Network::default() },
        tcp: [tcp.clone(), tcp],
        jobs: vec![Job { options, ..Job::streams([BYTES, 0]) }],
        ..Scenario::plain(1, link)
    };
    let mut bench = Bench::default();
    let mut world = World::new(&scenario, Watch::WELL, &mut bench).expect("a world");
    world.run().unwrap_or_else(|fault| panic!("{}: {fault}\n{}", path.name, world.progress()));
    BYTES as f64 * 8.0 / world.now.as_nanos() as f64 * 1_000.0
}

#[test]
fn one_connection_keeps_its_pace() {
    let mut slow = Vec::new();
    for (path, kind) in PATHS.iter().flat_map(|path| CONTROLLERS.map(|kind| (path, kind))) {
        let rate = goodput(path, kind);
        println!("{:24} {:8} {rate:8.1} Mbit/s", path.name, kind.name());
        if rate < path.floor {
            slow.push(format!("{}, {}: {rate:.1} Mbit/s, below {}", path.name, kind.name(), path.floor));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
