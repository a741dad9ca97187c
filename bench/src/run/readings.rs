//! What the machine says about a server: the time of its core and its memory.

use std::fs;

/// One look.
#[derive(Clone, Debug)]
pub struct Readings {
    /// Busy time of the server's core, in clock ticks of 10 ms: user, system, interrupts and softirqs alike, so that
    /// work which the kernel does for the server counts.
    core_busy_ticks: Option<u64>,
    /// Resident memory of the server's processes and the kernel's slab (where sockets live), in bytes.
    pub memory_bytes: u64,
}

impl Readings {
    /// Looks at the processes `pid` and its children, and at `core`.
    pub fn take(pid: u32, core: usize) -> Readings {
        let resident: u64 = family(pid).into_iter().filter_map(resident_bytes).sum();
        Readings { core_busy_ticks: core_busy_ticks(core), memory_bytes: resident + slab_bytes().unwrap_or(0) }
    }

    /// Busy microseconds of the core between this reading and `later`.
    pub fn core_us_until(&self, later: &Readings) -> Option<f64> {
        let ticks = later.core_busy_ticks?.saturating_sub(self.core_busy_ticks?);
        Some(ticks as f64 * 10_000.0)
    }
}

fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut all = vec![pid];
    for child in children.split_whitespace().filter_map(|word| word.parse().ok()) {
        all.extend(family(child));
    }
    all
}

fn resident_bytes(pid: u32) -> Option<u64> {
    kilobytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

fn slab_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "Slab:")
}

fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb * 1024)
}

fn core_busy_ticks(core: usize) -> Option<u64> {
    busy_ticks(&fs::read_to_string("/proc/stat").ok()?, core)
}

/// user + system + irq + softirq of one core (proc(5)). Not nice: no server here runs under it, but what else the machine
/// does may.
fn busy_ticks(stat: &str, core: usize) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix(&format!("cpu{core} ")))?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Some([0, 2, 5, 6].iter().filter_map(|&i| fields.get(i)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_core_that_was_asked_for_without_its_idle_time() {
        let stat = "cpu  9 9 9 9 9 9 9 9\ncpu0 1 2 3 100 50 4 5 7\ncpu1 10 0 0 1 1 0 0 0\n";
        assert_eq!(busy_ticks(stat, 0), Some(13));
        assert_eq!(busy_ticks(stat, 1), Some(10));
        assert_eq!(busy_ticks(stat, 2), None);
    }

    #[test]
    fn reads_kilobytes() {
        assert_eq!(kilobytes("VmPeak:\t 9 kB\nVmRSS:\t     12 kB\n", "VmRSS:"), Some(12 * 1024));
    }
}
