//! The cells of the table: every path that is measured.

use super::work::{Control, Way};
use port::impair::{LinkConfig, Loss};
use serde::Serialize;
use std::time::Duration;

/// Bytes of a full frame on the path, Ethernet header included: what the bottleneck's rate counts.
pub const FRAME_BYTES: u64 = 1514;
/// The least that a shallow buffer holds.
const SHALLOW_FRAMES: u64 = 5;

/// The bottleneck's buffer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Buffer {
    /// A fifth of the bandwidth-delay product, five frames at least.
    Shallow,
    /// The bandwidth-delay product.
    Bdp,
    /// One and a half times the bandwidth-delay product.
    Deep,
}

impl Buffer {
    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Buffer::Shallow => "shallow",
            Buffer::Bdp => "1 BDP",
            Buffer::Deep => "deep",
        }
    }
}

/// What the path does beside delay and rate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// So many frames in a million are lost, each on its own, either way.
    Loss(u32),
    /// One frame in a hundred is lost, in bursts of four on average (Gilbert–Elliott).
    Bursts,
    /// One frame in a hundred is held back for up to a tenth of the round-trip time.
    MildReorder,
    /// One frame in twenty is held back for up to half of the round-trip time.
    StrongReorder,
    /// One frame in a hundred arrives twice.
    Duplicates,
}

impl Trouble {
    /// As a column of the report says it.
    pub fn text(self) -> String {
        match self {
            Trouble::Loss(0) => "no loss".into(),
            Trouble::Loss(ppm) => format!("{} % loss", f64::from(ppm) / 10_000.0),
            Trouble::Bursts => "1 % loss in bursts".into(),
            Trouble::MildReorder => "1 % reordered".into(),
            Trouble::StrongReorder => "5 % reordered".into(),
            Trouble::Duplicates => "1 % duplicated".into(),
        }
    }

    /// Chance that a frame is lost.
    fn loss(self) -> f64 {
        match self {
            Trouble::Loss(ppm) => f64::from(ppm) / 1e6,
            Trouble::Bursts => 0.01,
            _ => 0.0,
        }
    }
}

/// One path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Path {
    /// Its trouble.
    pub trouble: Trouble,
    /// Round-trip time without a queue, milliseconds.
    pub rtt_ms: u32,
    /// Rate of the bottleneck, either way; 0 for none.
    pub mbit: u32,
    /// Its buffer.
    pub buffer: Buffer,
}

impl Path {
    /// Round-trip time without a queue.
    pub fn rtt(&self) -> Duration {
        Duration::from_millis(self.rtt_ms.into())
    }

    /// Bytes that fill the path.
    pub fn bdp_bytes(&self) -> u64 {
        u64::from(self.mbit) * 1_000_000 / 8 * u64::from(self.rtt_ms) / 1000
    }

    /// Bytes of the bottleneck's buffer.
    pub fn buffer_bytes(&self) -> u64 {
        match self.buffer {
            Buffer::Shallow => (self.bdp_bytes() / 5).max(SHALLOW_FRAMES * FRAME_BYTES),
            Buffer::Bdp => self.bdp_bytes().max(SHALLOW_FRAMES * FRAME_BYTES),
            Buffer::Deep => self.bdp_bytes() * 3 / 2,
        }
    }

    /// One direction; both are alike.
    pub fn link(&self) -> LinkConfig {
        let mut link = LinkConfig {
            rate_bits_per_second: (self.mbit > 0).then(|| u64::from(self.mbit) * 1_000_000),
            buffer_bytes: self.buffer_bytes() as usize,
            delay: self.rtt() / 2,
            ..LinkConfig::default()
        };
        match self.trouble {
            Trouble::Loss(0) => {}
            Trouble::Loss(ppm) => link.loss = Loss::Random { ppm },
            Trouble::Bursts => {
                // A bad state of four frames on average that loses all, met so often that 1 % are lost.
                link.loss =
                    Loss::GilbertElliott { enter_ppm: 2525, leave_ppm: 250_000, good_ppm: 0, bad_ppm: 1_000_000 };
            }
            Trouble::MildReorder => (link.reorder_ppm, link.reorder_delay) = (10_000, self.rtt() / 10),
            Trouble::StrongReorder => (link.reorder_ppm, link.reorder_delay) = (50_000, self.rtt() / 2),
            Trouble::Duplicates => link.duplicate_ppm = 10_000,
        }
        link
    }

    /// Megabits a second that a run will carry at most, roughly. With loss, twice what
    /// the macroscopic model of Mathis et al. gives a Reno flow.
    pub fn expected_mbit(&self) -> f64 {
        let loss = self.trouble.loss();
        let rate = f64::from(self.mbit);
        if loss == 0.0 {
            return rate;
        }
        let reno = 1.22 * 1448.0 * 8.0 / 1e6 / self.rtt().as_secs_f64() / loss.sqrt();
        rate.min(2.0 * reno)
    }

    /// For progress and reports.
    pub fn text(&self) -> String {
        format!("{}, {} ms, {} Mbit/s, {}", self.trouble.text(), self.rtt_ms, self.mbit, self.buffer.name())
    }
}

/// A path and which way the bytes go on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct BulkCell {
    /// The path.
    #[serde(flatten)]
    pub path: Path,
    /// Which way.
    pub way: Way,
}

impl BulkCell {
    /// For progress and selection.
    pub fn text(&self) -> String {
        format!("{}, {}", self.path.text(), self.way.name())
    }

    /// Runs of the cell: the more chance decides, the more.
    pub fn runs(&self) -> usize {
        match self.path.trouble {
            Trouble::Loss(0) if self.path.buffer == Buffer::Deep => 3,
            Trouble::Loss(..=1_000) => 7,
            Trouble::Loss(..=10_000) | Trouble::Bursts => 11,
            Trouble::Loss(_) => 15,
            _ => 5,
        }
    }
}

/// A path and the size of the answers that are asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct RequestCell {
    /// The path.
    #[serde(flatten)]
    pub path: Path,
    /// Bytes of an answer.
    pub answer_bytes: u64,
}

impl RequestCell {
    /// For progress and selection.
    pub fn text(&self) -> String {
        format!("{}, request of {} bytes", self.path.text(), self.answer_bytes)
    }
}

/// Flows of both rivals on one path.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ShareCell {
    /// The path.
    pub path: Path,
    /// Our flows and the kernel's.
    pub flows: [usize; 2],
    /// How they send.
    pub control: Control,
    /// Fairness is demanded of it; the others are for information.
    pub counts: bool,
}

impl ShareCell {
    /// Runs of the cell.
    pub fn runs(&self) -> usize {
        if self.counts { 3 } else { 1 }
    }

    /// For progress and selection.
    pub fn text(&self) -> String {
        let [ours, kernel] = self.flows;
        let Control { ours: control, kernel: kernels } = self.control;
        let ours = (ours > 0).then(|| format!("{ours} × anygate {}", control.name()));
        let kernels = (kernel > 0).then(|| format!("{kernel} × linux {kernels}"));
        let flows: Vec<String> = ours.into_iter().chain(kernels).collect();
        format!("{}, {}", self.path.text(), flows.join(" beside "))
    }
}

/// All cells of fairness.
pub fn share_cells(quick: bool) -> Vec<ShareCell> {
    let cell = |mbit, rtt_ms, buffer, flows| ShareCell {
        path: Path { trouble: Trouble::Loss(0), rtt_ms, mbit, buffer },
        flows,
        control: Control::cubic(),
        counts: true,
    };
    let usual = |flows| cell(100, 20, Buffer::Bdp, flows);
    if quick {
        return vec![usual([1, 1])];
    }
    // Either beside itself shows what fairness CUBIC has of its own on that path.
    let with_itself = |cell: ShareCell| {
        let flows = cell.flows.iter().sum();
        [cell.flows, [0, flows], [flows, 0]].map(|flows| ShareCell { flows, counts: flows == cell.flows, ..cell })
    };
    let mixed = [
        usual([1, 1]),
        cell(10, 40, Buffer::Bdp, [1, 1]),
        cell(100, 100, Buffer::Bdp, [1, 1]),
        cell(100, 20, Buffer::Shallow, [1, 1]),
        cell(100, 20, Buffer::Deep, [1, 1]),
        cell(1000, 20, Buffer::Bdp, [1, 1]),
        usual([2, 2]),
        cell(100, 100, Buffer::Bdp, [2, 2]),
    ];
    let mut cells: Vec<ShareCell> = mixed.into_iter().flat_map(with_itself).collect();
    cells.push(ShareCell { control: Control { kernel: "bbr", ..Control::cubic() }, counts: false, ..usual([1, 1]) });
    cells
}

const LOSSES_PPM: [u32; 4] = [0, 1_000, 10_000, 50_000];
const RTTS_MS: [u32; 2] = [10, 100];
const RATES_MBIT: [u32; 3] = [10, 100, 1000];

/// All bulk cells; with `quick` a few that meet every mechanism once.
pub fn bulk_cells(quick: bool) -> Vec<BulkCell> {
    let mut paths = Vec::new();
    for trouble in LOSSES_PPM.map(Trouble::Loss) {
        for rtt_ms in RTTS_MS {
            for mbit in RATES_MBIT {
                paths.extend([Buffer::Shallow, Buffer::Deep].map(|buffer| Path { trouble, rtt_ms, mbit, buffer }));
            }
        }
    }
    for trouble in [Trouble::Bursts, Trouble::MildReorder, Trouble::StrongReorder, Trouble::Duplicates] {
        paths.extend(RTTS_MS.map(|rtt_ms| Path { trouble, rtt_ms, mbit: 100, buffer: Buffer::Deep }));
    }
    if quick {
        paths.retain(|path| {
            path.mbit == 100 && path.rtt_ms == 10 || path.mbit == 10 && path.trouble == Trouble::Loss(0)
        });
    }
    let ways = [Way::Download, Way::Upload];
    paths.into_iter().flat_map(|path| ways.map(|way| BulkCell { path, way })).collect()
}

/// All cells of short requests.
pub fn request_cells(quick: bool) -> Vec<RequestCell> {
    let mut cells = Vec::new();
    for trouble in LOSSES_PPM.map(Trouble::Loss) {
        for rtt_ms in RTTS_MS {
            let path = Path { trouble, rtt_ms, mbit: 100, buffer: Buffer::Deep };
            cells.extend([1024, 65_536].map(|answer_bytes| RequestCell { path, answer_bytes }));
        }
    }
    if quick {
        cells.retain(|cell| cell.path.rtt_ms == 10);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_there_once() {
        let mut cells = bulk_cells(false);
        assert_eq!(cells.len(), (4 * 2 * 3 * 2 + 4 * 2) * 2);
        cells.sort();
        cells.dedup();
        assert_eq!(cells.len(), 112);
        assert_eq!(request_cells(false).len(), 16);
        assert!(bulk_cells(true).len() < 40);
    }

    #[test]
    fn buffers_follow_the_path() {
        let path = |mbit, rtt_ms, buffer| Path { trouble: Trouble::Loss(0), rtt_ms, mbit, buffer };
        assert_eq!(path(100, 100, Buffer::Deep).buffer_bytes(), 1_875_000);
        assert_eq!(path(100, 100, Buffer::Shallow).buffer_bytes(), 250_000);
        assert_eq!(path(10, 10, Buffer::Shallow).buffer_bytes(), 5 * FRAME_BYTES);
    }

    #[test]
    fn a_lossy_path_is_expected_to_carry_little() {
        let path = Path { trouble: Trouble::Loss(50_000), rtt_ms: 100, mbit: 1000, buffer: Buffer::Deep };
        assert!(path.expected_mbit() < 3.0);
        assert_eq!(Path { trouble: Trouble::Loss(0), ..path }.expected_mbit(), 1000.0);
    }
}
