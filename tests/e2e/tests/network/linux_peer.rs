//! The bridge with loss, delay and reordering, and both stacks at its ends: whole transfers, checked byte for byte.
//! How fast they are is measured elsewhere (`make linux-peer`), not tested.

use e2e::binaries::bench;
use e2e::{can_run, run, wait_until};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A counter of the path, both directions together.
fn both(checked: &Value, counter: &str) -> u64 {
    let directions = checked["conditions"]["bridge"][counter].as_array().expect("one figure a direction");
    directions.iter().filter_map(Value::as_u64).sum()
}

fn name(checked: &Value) -> String {
    format!("{} · {}", checked["cell"].as_str().expect("a text"), checked["rival"].as_str().expect("a text"))
}

#[test]
fn both_stacks_transfer_every_byte_over_bad_paths() {
    if !can_run(&["ip", "ethtool", "taskset", "chrt"]) {
        return;
    }
    let said = run(Command::new(bench()).args(["linux-peer", "--check"])).success();
    let checked: Vec<Value> = serde_json::from_str(&said).expect("JSON");
    for rival in ["anygate", "linux"] {
        for way in ["download", "upload"] {
            let of = |c: &&Value| c["rival"] == rival && c["cell"].as_str().is_some_and(|cell| cell.ends_with(way));
            assert_eq!(checked.iter().filter(of).count(), 4, "{rival} {way}");
        }
    }
    for transfer in &checked {
        let name = name(transfer);
        assert_eq!(transfer["fault"], Value::Null, "{name}");
        assert_eq!(transfer["bytes"], transfer["expected_bytes"], "{name}");
        assert_eq!(transfer["broken"], 0, "{name}: a connection was reset");
        // What the path was asked to do, it did.
        for (trouble, counter) in [("loss", "lost"), ("reordered", "reordered"), ("duplicated", "duplicated")] {
            let asked = name.contains(trouble) && !name.contains("no loss");
            assert_eq!(both(transfer, counter) > 0, asked, "{name}: {counter}");
        }
    }
}

#[test]
fn a_run_that_is_killed_leaves_no_namespace() {
    if !can_run(&["ip", "ethtool", "taskset", "chrt"]) {
        return;
    }
    let mut killed = Command::new(bench())
        .args(["linux-peer", "--check"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let ours = format!("agl-{}-", killed.id());
    let names = || run(Command::new("ip").args(["netns", "list"])).success();
    // While it sets up, its namespaces have names.
    wait_until("it sets up", Duration::from_secs(10), || names().contains(&ours));
    killed.kill().expect("it runs");
    killed.wait().expect("it ends");
    // The next run removes the names that were left.
    run(Command::new(bench()).args(["linux-peer", "--check"])).success();
    assert!(!names().contains("agl-"), "{}", names());
}
