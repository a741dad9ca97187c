//! How fast one connection is over paths of several kinds: floors that a change to loss recovery or congestion control
//! must not fall through. Virtual time: the same on every machine.

use std::net::IpAddr;
use std::time::Duration;

use netstack::tcp::TcpConfig;
use port::sim::{EndConfig, LinkConfig, Loss, SimConfig};

use crate::network::Network;
use crate::scenario::{HEADER, Job, Scenario};

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

const PATHS: [Path; 5] = [
    path("lan, no loss", 1000, 0, 0, 400.0),
    path("metro, no loss", 100, 5, 0, 75.0),
    path("metro, 0.1 % loss", 100, 5, 1_000, 40.0),
    path("metro, 1 % loss", 100, 5, 10_000, 11.0),
    path("continent, 0.1 % loss", 100, 25, 1_000, 5.0),
];

fn goodput(path: &Path) -> Result<f64, String> {
    let link = LinkConfig {
        rate_bits_per_second: Some(path.megabits * 1_000_000),
        buffer_bytes: 250_000,
        delay: path.one_way,
        ..LinkConfig::default()
    };
    let lossy = LinkConfig { loss: Loss::Random { ppm: path.loss_ppm }, ..link.clone() };
    let tcp = TcpConfig { receive_buffer: 4 << 20, send_buffer: 4 << 20, ..TcpConfig::default() };
    let bytes = 20_000_000;
    let scenario = Scenario {
        seed: 1,
        sim: SimConfig { a_to_b: lossy, b_to_a: link, ends: EndConfig::default() },
        tcp: [tcp.clone(), tcp],
        addresses: [1, 2].map(|last| IpAddr::from([10, 0, 0, last])),
        jobs: vec![Job { start: Duration::ZERO, up: HEADER + bytes, down: 0, request_response: false, slow: None }],
        outage: None,
    };
    let mut network = Network::new(&scenario)?;
    network.run().map_err(|reason| format!("{}: {reason}\n{}", path.name, network.progress()))?;
    Ok(bytes as f64 * 8.0 / network.now.as_nanos() as f64 * 1_000.0)
}

#[test]
fn one_connection_keeps_its_pace() {
    let mut slow = Vec::new();
    for path in &PATHS {
        let rate = goodput(path).unwrap_or_else(|reason| panic!("{reason}"));
        println!("{:24} {rate:8.1} Mbit/s", path.name);
        if rate < path.floor {
            slow.push(format!("{}: {rate:.1} Mbit/s, below {}", path.name, path.floor));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}
