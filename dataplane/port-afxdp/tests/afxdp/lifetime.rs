//! Nothing is left behind, however the process ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use port_afxdp::XdpMode;

use crate::common::net::Pair;
use crate::common::{root, server::Server};
use crate::kernel::ask;
use crate::{SHARED, config, ip};

/// Names the namespace in which the child's server runs.
const CHILD: &str = "AGX_CHILD_NAMESPACE";

fn attached(pair: &Pair) -> bool {
    pair.server.ip("-d link show v0").contains("xdp")
}

/// Waits up to two seconds for `condition`: the kernel ends a killed process's descriptors in its own time.
fn eventually(condition: impl Fn() -> bool) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        condition()
    })
}

#[test]
fn dropping_the_device_detaches_and_the_next_one_opens_at_once() {
    if !root::may_run("drop and reopen") {
        return;
    }
    for mode in [XdpMode::Native, XdpMode::Generic] {
        let pair = Pair::new();
        for round in 0..3 {
            let server = Server::start(&pair.server, config(mode)).unwrap();
            assert!(attached(&pair));
            assert_eq!(ask(&pair.client, (ip(SHARED[0]), 9000), &[round]).unwrap(), [round]);
            server.stop();
            assert!(eventually(|| !attached(&pair)), "{mode:?}: the program is gone with its device");
        }
    }
}

#[test]
fn kill_9_leaves_nothing() {
    if !root::may_run("kill -9") {
        return;
    }
    let pair = Pair::new();
    let mut child = spawn(&pair, &[]);
    assert!(attached(&pair));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(eventually(|| !attached(&pair)), "the program is gone with its process");
    // The queue is free again, and so is the interface.
    let server = Server::start(&pair.server, config(XdpMode::Native)).unwrap();
    assert_eq!(ask(&pair.client, (ip(SHARED[0]), 9000), b"again").unwrap(), b"again");
    server.stop();
}

#[test]
fn the_capabilities_that_refusals_name_suffice() {
    if !root::may_run("capabilities") {
        return;
    }
    let pair = Pair::new();
    let only = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw,+bpf,+ipc_lock", "--inh-caps=-all"];
    let mut child = spawn(&pair, &only);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// This test program again, started by `wrapper`, as the process that will be killed. Returns when its server runs.
fn spawn(pair: &Pair, wrapper: &[&str]) -> Child {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new("ip")
        .args(["netns", "exec", pair.server.name()])
        .args(wrapper)
        .arg(program)
        .args(["--exact", "lifetime::the_child_that_is_killed", "--nocapture"])
        .env(CHILD, pair.server.name())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains("child serves")), "the child did not start");
    child
}

/// Does nothing, but when it is started by [`spawn`]: then it serves for ever.
#[test]
fn the_child_that_is_killed() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let (_device, builders) = port_afxdp::AfXdpDevice::open(config(XdpMode::Native)).unwrap();
    let _ports: Vec<_> = builders.into_iter().map(|builder| builder.build().unwrap()).collect();
    println!("child serves");
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}
