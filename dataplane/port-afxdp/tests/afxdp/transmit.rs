//! Sending: bursts longer than a kick takes, tags, foreign and overlong frames. Both ends are ports of ours.

use std::collections::VecDeque;
use std::net::IpAddr;

use netstack::{Frame, FramePool, Instant};
use port::{Port, PortCounter};
use port_afxdp::{AfXdpConfig, AfXdpDevice, AfXdpPort, XdpMode};

use crate::common::net::{Namespace, Pair};
use crate::common::packets::{self, tagged, udp};
use crate::common::{root, server::sleep_on};
use crate::{SHARED, config, ip};

fn open(namespace: &Namespace, config: AfXdpConfig) -> (AfXdpDevice, AfXdpPort) {
    let (device, mut builders) = namespace.enter(|| AfXdpDevice::open(config)).unwrap();
    (device, builders.remove(0).build().unwrap())
}

fn frame(pool: &FramePool, bytes: &[u8]) -> Frame {
    let mut frame = pool.alloc().expect("a free frame");
    frame.extend(bytes.len()).expect("room").copy_from_slice(bytes);
    frame
}

/// Receives until `count` frames are there or nothing comes for a while.
fn receive(port: &mut AfXdpPort, count: usize) -> Vec<Frame> {
    let (mut frames, mut idle) = (Vec::new(), 0);
    while frames.len() < count && idle < 5 {
        if port.rx_burst(Instant::ZERO, &mut frames, 64) == 0 {
            idle += 1;
            sleep_on(port);
        }
    }
    frames
}

fn request(sequence: u16) -> Vec<u8> {
    let (src, dst): (IpAddr, IpAddr) = (ip("10.98.0.1"), ip(SHARED[0]));
    packets::frame(17, src, dst, &udp(1, 9000, &sequence.to_be_bytes()))
}

#[test]
fn a_long_burst_arrives_whole_and_in_order_and_frames_return() {
    if !root::may_run("long burst") {
        return;
    }
    for mode in [XdpMode::Native, XdpMode::Generic] {
        let pair = Pair::new();
        let (_server, mut server) = open(&pair.server, config(mode));
        let (_client, mut client) = open(&pair.client, config(mode));
        let free = client.pool().available();
        let mut queue: VecDeque<_> = (0..200).map(|sequence| frame(client.pool(), &request(sequence))).collect();
        assert_eq!(client.tx_burst(Instant::ZERO, &mut queue), 200);
        let received = receive(&mut server, 200);
        assert_eq!(received.len(), 200, "{mode:?}");
        assert!(received.iter().zip(0..).all(|(frame, sequence)| *frame.data() == request(sequence)));
        drop(received);
        for _ in 0..100 {
            client.tx_burst(Instant::ZERO, &mut queue);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(client.pool().available(), free, "{mode:?}: every sent frame came back");
        assert!(client.counters().get(PortCounter::Wakeups) <= 10);
    }
}

#[test]
fn a_full_ring_leaves_the_rest_in_the_queue() {
    if !root::may_run("full ring") {
        return;
    }
    let pair = Pair::new();
    let (_client, mut client) = open(&pair.client, config(XdpMode::Native));
    let mut queue: VecDeque<_> = (0..400).map(|sequence| frame(client.pool(), &request(sequence))).collect();
    let taken = client.tx_burst(Instant::ZERO, &mut queue);
    assert_eq!(taken, 256, "as many as the ring has entries");
    assert_eq!(queue.len(), 400 - taken);
    assert_eq!(queue[0].data(), request(taken as u16));
    assert_eq!(client.counters().get(PortCounter::TxRingFull), 1);
}

#[test]
fn frames_of_our_vlan_arrive_and_others_do_not() {
    if !root::may_run("VLAN") {
        return;
    }
    for mode in [XdpMode::Native, XdpMode::Generic] {
        let pair = Pair::new();
        let (_server, mut server) = open(&pair.server, AfXdpConfig { vlan: Some(7), ..config(mode) });
        let (_client, mut client) = open(&pair.client, config(mode));
        let sent = [request(0), tagged(8, &request(1)), tagged(7, &request(2))];
        let mut queue: VecDeque<_> = sent.iter().map(|bytes| frame(client.pool(), bytes)).collect();
        client.tx_burst(Instant::ZERO, &mut queue);
        let received = receive(&mut server, 2);
        assert_eq!(received.len(), 1, "{mode:?}");
        assert_eq!(received[0].data(), tagged(7, &request(2)), "{mode:?}: with its tag");
    }
}

#[test]
fn foreign_frames_are_copied_and_overlong_ones_refused() {
    if !root::may_run("foreign frames") {
        return;
    }
    let pair = Pair::new();
    let (_server, mut server) = open(&pair.server, config(XdpMode::Native));
    let (_client, mut client) = open(&pair.client, config(XdpMode::Native));
    let heap = FramePool::heap(2);
    let mut queue = VecDeque::from([frame(&heap, &request(1)), frame(&heap, &[0; 1519])]);
    assert_eq!(client.tx_burst(Instant::ZERO, &mut queue), 2);
    assert_eq!(heap.available(), 2, "both are done with");
    let counters = client.counters();
    assert_eq!((counters.get(PortCounter::TxCopied), counters.get(PortCounter::DropTxOversize)), (1, 1));
    assert_eq!(counters.get(PortCounter::TxFrames), 1);
    assert_eq!(receive(&mut server, 1)[0].data(), request(1));
}

#[test]
fn a_caller_that_holds_every_frame_starves_reception_but_can_still_send() {
    if !root::may_run("starved pool") {
        return;
    }
    let pair = Pair::new();
    let (_server, mut server) = open(&pair.server, config(XdpMode::Native));
    let (_client, mut client) = open(&pair.client, config(XdpMode::Native));
    let mut held = Vec::new();
    for round in 0..20 {
        let mut queue: VecDeque<_> = (0..64).map(|i| frame(client.pool(), &request(round * 64 + i))).collect();
        client.tx_burst(Instant::ZERO, &mut queue);
        held.append(&mut receive(&mut server, 64));
    }
    assert_eq!(held.len(), 1024 - 128, "all but the reserve for answers");
    assert!(server.pool().alloc().is_some(), "an answer can be sent");
    let lost = server.counters().get(PortCounter::DropRxFillRingEmpty);
    assert_eq!(lost as usize, 20 * 64 - held.len(), "every lost frame is counted");
    held.clear();
    let mut queue = VecDeque::from([frame(client.pool(), &request(9999))]);
    server.rx_burst(Instant::ZERO, &mut held, 64);
    client.tx_burst(Instant::ZERO, &mut queue);
    assert_eq!(receive(&mut server, 1)[0].data(), request(9999), "and reception goes on when frames return");
}

#[test]
fn a_link_that_goes_down_is_seen_and_counted() {
    if !root::may_run("link state") {
        return;
    }
    let pair = Pair::new();
    let (_server, mut port) = open(&pair.server, config(XdpMode::Native));
    assert!(port.link_up());
    // The kernel's link watch tells of changes in its own time.
    let mut becomes = |up: bool| {
        (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            port.link_up() == up
        })
    };
    pair.client.ip("link set v0 down");
    assert!(becomes(false));
    pair.client.ip("link set v0 up");
    assert!(becomes(true));
    assert_eq!(port.counters().get(PortCounter::LinkChanges), 2);
}
