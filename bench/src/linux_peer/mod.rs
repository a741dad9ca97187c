//! `anygate-bench linux-peer`: our TCP beside Linux's on paths with loss, delay, reordering and a bottleneck.
//!
//! ```text
//!   Linux client ═══ bridge in user space (the path) ═╤═ Linux endpoint
//!                                                     └═ AnyGate endpoint (AF_XDP)
//! ```
//!
//! The client is the kernel's TCP always. Each cell is measured with our stack at the other end and with the kernel's.
//! Both meet the same path with the same seed: the n-th frame that the bottleneck lets through is lost for both or for
//! neither. Several runs go on at the same time, as long as the machine has room for them; each tells how late its path
//! was and what was lost beside the models, so that a figure of the machine is not taken for one of TCP.

pub mod application;
pub mod bridge;
pub mod cells;
pub mod check;
pub mod dispatch;
pub mod lane;
pub mod ledger;
mod measure;
pub mod namespace;
pub mod ours;
mod page;
pub mod protocol;
pub mod sockets;
pub mod table;
pub mod work;

use crate::error::BenchError;
use crate::host;
use crate::run::machine::{Provenance, provenance};
use anygate::clock::Clock;
use dispatch::Room;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use table::Table;

/// From this round-trip time on, bulk runs are longer.
const LONG_RTT: Duration = Duration::from_millis(50);

/// What `linux-peer` is asked to do.
#[derive(clap::Args, Clone, Debug)]
pub struct LinuxPeerArgs {
    /// A few cells and short runs
    #[arg(long)]
    pub quick: bool,
    /// Only whole transfers over a few bad paths, checked byte for byte; prints JSON, writes no report
    #[arg(long)]
    pub check: bool,
    /// Only cells whose text contains this, as `1 % loss, 10 ms, 100 Mbit/s, deep, download`
    #[arg(long)]
    pub only: Option<String>,
    /// Seconds of each bulk run; without it 5, or 8 over 100 ms
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Runs of each bulk cell and rival; without it the more the more chance decides
    #[arg(long)]
    pub runs: Option<usize>,
    /// Runs at the same time
    #[arg(long, default_value_t = 32)]
    pub lanes: usize,
    /// Processor cores that all runs together may use, roughly; without it half of those there are
    #[arg(long)]
    pub budget: Option<f64>,
    /// Number that every random decision is made from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder for a capture (pcapng) of each run and a trace (CSV) of our windows; use it with --only
    #[arg(long)]
    pub record: Option<PathBuf>,
    /// Where the report goes
    #[arg(long, default_value = "bench/reports")]
    pub out: PathBuf,
}

/// Measures, and writes the report.
pub fn run(args: &LinuxPeerArgs) -> Result<(), BenchError> {
    host::require_root()?;
    namespace::sweep();
    let clock = Clock::start();
    if args.check {
        let checked = check::check(clock)?;
        let text = serde_json::to_string_pretty(&checked).map_err(|e| BenchError::new(e.to_string()))?;
        println!("{text}");
        return Ok(());
    }
    if let Some(folder) = &args.record {
        fs::create_dir_all(folder).map_err(|e| BenchError::io("create the folder of records", e))?;
    }
    // Asked before: the tree may change while it is measured.
    let provenance = provenance();
    let measured = measure::measure(args, clock);
    let mut notes = Vec::new();
    if !host::realtime_allowed() {
        notes.push(
            "real-time priority is not allowed here (chrt -f 1): what else the machine does disturbs the runs".into(),
        );
    }
    let origin = Origin { provenance, method: method(args), notes };
    println!("{}", measured.verdict.text());
    write(args, &origin, &measured)
}

/// Where and how a table was made.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Origin {
    /// When, of what and where.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// How.
    pub method: String,
    /// What a reader should know.
    pub notes: Vec<String>,
}

fn method(args: &LinuxPeerArgs) -> String {
    format!(
        "Linux client; the path is a bridge in user space between veth pairs, MTU 1500, no offloads, either direction alike, loss both ways. \
         Bulk runs of {}, counted from when the connection stands; median of the runs, whose seeds both rivals share. \
         Deep buffers hold 1.5, shallow ones 0.2 times the path's bandwidth-delay product (five frames at least). \
         AnyGate: default settings. Linux: CUBIC, default settings but `tcp_no_metrics_save=1` and buffers of at most {} MiB, which is \
         what holds as much payload as ours.",
        args.seconds.map_or("5 s (8 s over 100 ms)".to_owned(), |seconds| format!("{seconds} s")),
        lane::KERNEL_BUFFER_BYTES >> 20
    )
}

impl LinuxPeerArgs {
    /// Time of a bulk run.
    fn bulk_time(&self, rtt: Duration) -> Duration {
        let usual = match (self.quick, rtt >= LONG_RTT) {
            (true, _) => 3.0,
            (false, false) => 5.0,
            (false, true) => 8.0,
        };
        Duration::from_secs_f64(self.seconds.unwrap_or(usual).max(0.1))
    }

    /// Times of a run of fairness: until it counts, and counted. CUBIC shares the slower the longer the way is.
    fn share_times(&self, rtt: Duration) -> [Duration; 2] {
        let seconds = match (self.quick, rtt >= LONG_RTT) {
            (true, _) => [3, 10],
            (false, false) => [15, 45],
            (false, true) => [30, 60],
        };
        seconds.map(Duration::from_secs)
    }

    /// How much goes on at once.
    fn room(&self) -> Room {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Room { lanes: self.lanes.max(1), budget: self.budget.unwrap_or(cores as f64 / 2.0) }
    }
}

fn write(args: &LinuxPeerArgs, origin: &Origin, table: &Table) -> Result<(), BenchError> {
    #[derive(serde::Serialize)]
    struct Report<'a> {
        #[serde(flatten)]
        origin: &'a Origin,
        #[serde(flatten)]
        table: &'a Table,
    }
    fs::create_dir_all(&args.out).map_err(|e| BenchError::io("create the report folder", e))?;
    let write = |name: &str, text: String| {
        fs::write(args.out.join(name), text).map_err(|e| BenchError::io("write the report", e))
    };
    let json = serde_json::to_string_pretty(&Report { origin, table }).map_err(|e| BenchError::new(e.to_string()))?;
    write("linux-peer.json", json + "\n")?;
    write("linux-peer.md", page::markdown(origin, table))?;
    write("linux-peer.svg", page::heat_map(table))?;
    println!("written: {0}/linux-peer.json, .md, .svg", args.out.display());
    Ok(())
}
