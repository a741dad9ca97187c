//! Every refusal names what mends it.

use port::{Blame, PortError};
use port_afxdp::{AfXdpConfig, AfXdpDevice, AttachMode, CopyMode, MultiBuffer, XdpMode};

use crate::common::net::{Namespace, Pair};
use crate::common::root;
use crate::config;

fn refusal(namespace: &Namespace, config: AfXdpConfig) -> PortError {
    namespace.enter(|| AfXdpDevice::open(config)).err().expect("it must be refused")
}

#[track_caller]
fn remedy_contains(error: &PortError, command: &str) {
    assert!(error.remedy_command().is_some_and(|remedy| remedy.contains(command)), "{error}");
}

#[test]
fn a_peer_with_more_transmit_queues_is_named_and_generic_mode_is_the_way_out() {
    if !root::may_run("peer queues") {
        return;
    }
    let pair = Pair::with_queues(2);
    pair.server.exec("ethtool -L v0 rx 1");
    remedy_contains(&refusal(&pair.server, config(XdpMode::Native)), "ethtool -L PEER tx");
    let (device, _builders) = pair.server.enter(|| AfXdpDevice::open(config(XdpMode::Auto))).unwrap();
    assert_eq!(device.mode(), AttachMode::Generic);
    assert!(device.notes()[0].contains("ethtool -L PEER tx"), "{:?}", device.notes());
}

#[test]
fn queues_that_are_not_there_or_not_served_are_refused() {
    if !root::may_run("queue numbers") {
        return;
    }
    let pair = Pair::with_queues(2);
    for wanted in [1, 3] {
        let error = refusal(&pair.server, AfXdpConfig { queues: Some(wanted), ..config(XdpMode::Auto) });
        remedy_contains(&error, &format!("ethtool -L v0 rx {wanted}"));
    }
    let partial = AfXdpConfig { queues: Some(1), partial_queues: true, ..config(XdpMode::Auto) };
    let (_device, builders) = pair.server.enter(|| AfXdpDevice::open(partial)).unwrap();
    assert_eq!(builders.len(), 1);
}

#[test]
fn an_interface_that_has_a_program_already_is_refused() {
    if !root::may_run("second program") {
        return;
    }
    let pair = Pair::new();
    let (_device, _builders) = pair.server.enter(|| AfXdpDevice::open(config(XdpMode::Native))).unwrap();
    remedy_contains(&refusal(&pair.server, config(XdpMode::Native)), "xdp off");
}

#[test]
fn zero_copy_on_a_veth_is_refused_and_says_so() {
    if !root::may_run("zero-copy") {
        return;
    }
    let pair = Pair::new();
    let wanted = AfXdpConfig { copy: CopyMode::ZeroCopy, ..config(XdpMode::Native) };
    let (_device, mut builders) = pair.server.enter(|| AfXdpDevice::open(wanted)).unwrap();
    let error = builders.remove(0).build().err().expect("veth has no zero-copy");
    assert_eq!(error.blame(), Blame::Operator);
    remedy_contains(&error, "copy mode");
}

#[test]
fn an_mtu_beyond_a_frame_without_multi_buffer_is_refused() {
    if !root::may_run("MTU") {
        return;
    }
    let pair = Pair::new();
    pair.server.ip("link set v0 mtu 9000");
    let wanted = AfXdpConfig { multi_buffer: MultiBuffer::Off, ..config(XdpMode::Auto) };
    remedy_contains(&refusal(&pair.server, wanted), "ip link set v0 mtu");
}

#[test]
fn without_privileges_the_command_that_grants_them_is_named() {
    if !root::may_run("privileges") {
        return;
    }
    let pair = Pair::new();
    let error = pair.server.enter(|| {
        // SAFETY: changes the credentials of this one thread only, which ends after the attempt.
        let dropped = unsafe { libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) };
        assert_eq!(dropped, 0);
        AfXdpDevice::open(config(XdpMode::Auto)).err().expect("nobody may not")
    });
    remedy_contains(&error, "setcap cap_net_admin,cap_net_raw,cap_bpf");
}

#[test]
fn a_link_that_is_down_is_noted() {
    if !root::may_run("link down") {
        return;
    }
    let pair = Pair::new();
    pair.server.ip("link set v0 down");
    let (device, _builders) = pair.server.enter(|| AfXdpDevice::open(config(XdpMode::Auto))).unwrap();
    assert!(device.notes().iter().any(|note| note.contains("ip link set v0 up")), "{:?}", device.notes());
}
