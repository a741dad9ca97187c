//! Packets longer than one frame.

use std::os::fd::AsRawFd;
use std::time::Duration;

use port::PortCounter;
use port_afxdp::{MultiBuffer, XdpMode};

use crate::common::net::Pair;
use crate::common::{root, server::Report, server::Server};
use crate::{SHARED, config, ip};

const UDP_SEGMENT: libc::c_int = 103;

/// Sends 20,000 bytes as datagrams of 1,400 in one segmentation-offload packet, and returns what the server saw.
fn offloaded(mode: XdpMode, multi_buffer: MultiBuffer) -> Report {
    let pair = Pair::new();
    let mut config = config(mode);
    config.multi_buffer = multi_buffer;
    let server = Server::start(&pair.server, config).unwrap();
    let socket = crate::kernel::udp(&pair.client, (ip(SHARED[0]), 9000).into());
    let segment: libc::c_int = 1400;
    let (pointer, size) = (core::ptr::from_ref(&segment).cast(), size_of::<libc::c_int>() as u32);
    // SAFETY: `segment` lives during the call, and its size is given.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, UDP_SEGMENT, pointer, size) };
    assert_eq!(set, 0, "UDP_SEGMENT");
    let payload: Vec<u8> = (0..20_000u32).map(|i| i as u8).collect();
    socket.send(&payload).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    server.stop().remove(0)
}

#[test]
fn segmentation_offload_packets_are_joined_in_generic_mode() {
    if !root::may_run("oversize frames") {
        return;
    }
    let report = offloaded(XdpMode::Generic, MultiBuffer::Auto);
    assert_eq!(report.count(PortCounter::RxJoined), 1);
    let packet = &report.packets[0];
    assert_eq!(packet.len(), 14 + 20 + 8 + 20_000);
    assert!(packet[42..].iter().enumerate().all(|(i, &byte)| byte == i as u8), "in order, nothing missing");
    // Its answer is longer than the link takes.
    assert_eq!(report.count(PortCounter::DropTxOversize), 1);
}

#[test]
fn without_multi_buffer_they_are_lost_in_the_kernel_and_counted() {
    if !root::may_run("oversize frames refused") {
        return;
    }
    let report = offloaded(XdpMode::Generic, MultiBuffer::Off);
    assert_eq!(report.packets.len(), 0);
    assert_eq!(report.count(PortCounter::DropRxKernel), 1);
}

#[test]
fn a_native_attach_makes_the_peer_cut_them() {
    if !root::may_run("oversize frames in native mode") {
        return;
    }
    let report = offloaded(XdpMode::Native, MultiBuffer::Auto);
    assert_eq!((report.packets.len(), report.count(PortCounter::RxJoined)), (15, 0));
}

#[test]
fn a_jumbo_mtu_works_in_both_modes() {
    if !root::may_run("jumbo MTU") {
        return;
    }
    for mode in [XdpMode::Native, XdpMode::Generic] {
        let pair = Pair::new();
        pair.server.ip("link set v0 mtu 9000");
        pair.client.ip("link set v0 mtu 9000");
        let server = Server::start(&pair.server, config(mode)).unwrap();
        let socket = crate::kernel::udp(&pair.client, (ip(SHARED[0]), 9000).into());
        socket.send(&[7; 8000]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let report = server.stop().remove(0);
        assert_eq!((report.packets.len(), report.count(PortCounter::RxJoined)), (1, 1), "{mode:?}");
        assert_eq!(report.packets[0].len(), 14 + 20 + 8 + 8000);
    }
}
