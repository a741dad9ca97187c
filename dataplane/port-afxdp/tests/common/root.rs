//! The one place that decides whether a test that needs privileges runs.

/// True when this process may load programs and make namespaces. Otherwise the test is skipped with a line that starts
/// with `SKIPPED:`, or fails when `ANYGATE_REQUIRE_ROOT=1` says that it has to run.
pub fn may_run(test: &str) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    // CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN: attaching, AF_XDP sockets, namespaces.
    let missing: Vec<_> = [(12, "cap_net_admin"), (13, "cap_net_raw"), (21, "cap_sys_admin")]
        .into_iter()
        .filter_map(|(bit, name)| (capabilities & 1 << bit == 0).then_some(name))
        .collect();
    if missing.is_empty() {
        return true;
    }
    let reason = format!("SKIPPED: {test}: needs root (missing {})", missing.join(", "));
    assert!(std::env::var_os("ANYGATE_REQUIRE_ROOT").is_none_or(|value| value != "1"), "{reason}");
    // Past the harness's capture, and in one write on a line of its own, so that skips can be counted.
    use std::io::Write;
    let _ = std::io::stderr().write_all(format!("\n{reason}\n").as_bytes());
    false
}
