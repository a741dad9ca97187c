//! How fast one connection is over a grid of paths, in virtual time: the same on every machine.
//!
//! Each cell is one bulk transfer for a fixed time over one bottleneck: goodput is the payload that arrived over what the
//! bottleneck could have carried, both from the first SYN on.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use netstack::tcp::{CongestionKind, ConnOptions, TcpConfig};
use port::PortCounter;
use port::impair::{LinkConfig, Loss};
use serde_json::{Value, json};

use crate::scenario::{Job, Network, SERVER, Scenario};
use crate::world::{Bench, Watch, World};

const MEGABITS: [u64; 3] = [10, 100, 1000];
const RTT_MILLIS: [u64; 2] = [10, 100];
/// Shares of a bandwidth-delay product that the bottleneck buffers, in percent.
const BUFFERS: [(&str, u64); 2] = [("shallow", 25), ("deep", 200)];
/// Loss on the way of the data, in millionths.
const LOSS_PPM: [u32; 4] = [0, 1_000, 10_000, 50_000];
/// Bytes of a full frame.
const FRAME: u64 = 1514;

/// One cell.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// The controller.
    pub kind: CongestionKind,
    /// The bottleneck in Mbit/s.
    pub megabits: u64,
    /// Round-trip time of the empty path in milliseconds.
    pub rtt_millis: u64,
    /// Name and size of the bottleneck's buffer, in percent of the bandwidth-delay product.
    pub buffer: (&'static str, u64),
    /// Random loss in millionths.
    pub loss_ppm: u32,
}

/// What came out of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Payload that arrived, in Mbit/s.
    pub goodput_megabits: f64,
    /// The same as a share of the bottleneck, in percent.
    pub percent: f64,
    /// Segments sent again, in percent of those sent.
    pub retransmitted_percent: f64,
    /// Frames that the buffer did not take.
    pub buffer_drops: u64,
    /// Retransmission timeouts.
    pub timeouts: u64,
}

/// Every cell, the controllers outermost.
pub fn grid() -> Vec<Cell> {
    let mut cells = Vec::new();
    for kind in CongestionKind::ALL {
        for megabits in MEGABITS {
            for rtt_millis in RTT_MILLIS {
                for buffer in BUFFERS {
                    for loss_ppm in LOSS_PPM {
                        cells.push(Cell { kind, megabits, rtt_millis, buffer, loss_ppm });
                    }
                }
            }
        }
    }
    cells
}

impl Cell {
    /// The bandwidth-delay product in bytes.
    fn product(&self) -> u64 {
        self.megabits * 1_000_000 / 8 * self.rtt_millis / 1_000
    }

    fn scenario(&self) -> Scenario {
        let link = LinkConfig {
            rate_bits_per_second: Some(self.megabits * 1_000_000),
            buffer_bytes: (self.product() * self.buffer.1 / 100).max(10 * FRAME) as usize,
            delay: Duration::from_micros(self.rtt_millis * 500),
            ..LinkConfig::default()
        };
        let lossy = LinkConfig { loss: Loss::Random { ppm: self.loss_ppm }, ..link.clone() };
        // Buffers may grow to two products and what a deep queue holds: their limits are not what is measured.
        let buffer = (self.product() * 5).clamp(1 << 20, 96 << 20) as u32;
        let tcp = TcpConfig {
            receive_buffer_max: buffer,
            send_buffer_max: buffer,
            max_out_of_order_bytes: buffer,
            max_out_of_order_segments: 1 << 16,
            ..TcpConfig::default()
        };
        let options = ConnOptions { congestion: Some(self.kind), ..ConnOptions::default() };
        Scenario {
            links: [lossy, link.clone()],
            network: Network { pool_frames: 16_384, ..Network::default() },
            tcp: [tcp.clone(), tcp],
            jobs: vec![Job { options, ..Job::streams([u64::MAX / 2, 0]) }],
            ..Scenario::plain(1, link)
        }
    }

    /// Sends for `time`.
    pub fn measure(&self, time: Duration, bench: &mut Bench) -> Result<Measured, String> {
        let scenario = self.scenario();
        let mut world = World::new(&scenario, Watch::NOT, bench).map_err(|fault| fault.to_string())?;
        world.run_for(time).map_err(|fault| format!("{self:?}: {fault}\n{}", world.progress()))?;
        let goodput_megabits = world.received(SERVER) as f64 * 8.0 / time.as_secs_f64() / 1e6;
        let tcp = world.sides[0][0].stack.tcp_counters();
        let count = |which| tcp.get(which);
        let again = count(netstack::counters::TcpCounter::TxRetransmits) as f64;
        Ok(Measured {
            goodput_megabits,
            percent: goodput_megabits * 100.0 / self.megabits as f64,
            retransmitted_percent: again * 100.0 / (count(netstack::counters::TcpCounter::TxSegments).max(1) as f64),
            buffer_drops: world.link_counters(0).get(PortCounter::DropWireBufferFull),
            timeouts: count(netstack::counters::TcpCounter::Timeouts),
        })
    }
}

/// Measures `cells` with `threads` threads; in their order.
pub fn measure_all(cells: &[Cell], time: Duration, threads: usize) -> Result<Vec<Measured>, String> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Measured, String>>>> = Mutex::new(vec![None; cells.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut bench = Bench::default();
                while let Some((at, cell)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, cells.get(at)?)))
                {
                    let measured = cell.measure(time, &mut bench);
                    if let Ok(mut results) = results.lock() {
                        results[at] = Some(measured);
                    }
                }
            });
        }
    });
    let results = results.into_inner().map_err(|_| "a thread panicked")?;
    results.into_iter().map(|result| result.unwrap_or_else(|| Err("not measured".into()))).collect()
}

/// The table as text.
pub fn text(cells: &[Cell], measured: &[Measured], time: Duration) -> String {
    let mut text = format!(
        "Goodput of one connection in virtual time ({} s from the SYN on), in percent of the bottleneck; then segments\n\
         sent again in percent, and retransmission timeouts. Buffer: shallow is 25 %, deep 200 % of a bandwidth-delay\n\
         product. Random loss on the way of the data.\n",
        time.as_secs()
    );
    let columns = LOSS_PPM.len();
    let mut controller = "";
    for (row, results) in cells.chunks(columns).zip(measured.chunks(columns)) {
        let Some(first) = row.first() else { continue };
        if controller != first.kind.name() {
            controller = first.kind.name();
            let _ = write!(text, "\n{controller:<10}{:>6} {:>8}", "RTT", "buffer");
            for ppm in LOSS_PPM {
                let _ = write!(text, "{:>19}", format!("loss {} %", f64::from(ppm) / 10_000.0));
            }
            text.push('\n');
        }
        let rate = format!("{} Mbit/s", first.megabits);
        let _ = write!(text, "{rate:<11}{:>3}ms {:>7}", first.rtt_millis, first.buffer.0);
        for result in results {
            let _ = write!(text, "{:>9.1}{:>6.1}{:>4}", result.percent, result.retransmitted_percent, result.timeouts);
        }
        text.push('\n');
    }
    text
}

/// The table as JSON.
pub fn json(cells: &[Cell], measured: &[Measured], time: Duration) -> Value {
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let rows: Vec<Value> = (cells.iter().zip(measured))
        .map(|(cell, result)| {
            json!({
                "controller": cell.kind.name(),
                "megabits": cell.megabits,
                "rtt_ms": cell.rtt_millis,
                "buffer": cell.buffer.0,
                "loss_percent": f64::from(cell.loss_ppm) / 10_000.0,
                "goodput_megabits": round(result.goodput_megabits),
                "goodput_percent": round(result.percent),
                "retransmitted_percent": round(result.retransmitted_percent),
                "buffer_drops": result.buffer_drops,
                "timeouts": result.timeouts,
            })
        })
        .collect();
    json!({ "seconds": time.as_secs(), "rows": rows })
}
