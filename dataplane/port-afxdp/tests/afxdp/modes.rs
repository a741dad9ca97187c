//! Sleeping and waking, busy polling, checksums that a virtual link leaves partial.

use std::time::{Duration, Instant};

use netstack::frame::RxChecksum;
use port::PortCounter;
use port_afxdp::{BusyPoll, XdpMode};

use crate::common::net::Pair;
use crate::common::packets::sum;
use crate::common::{root, server::Server};
use crate::kernel::ask;
use crate::{SHARED, config, ip};

#[test]
fn an_idle_worker_sleeps_and_a_packet_wakes_it() {
    if !root::may_run("sleep and wake") {
        return;
    }
    for busy_poll in [None, Some(BusyPoll::default())] {
        let pair = Pair::new();
        let mut config = config(XdpMode::Native);
        config.busy_poll = busy_poll;
        let server = Server::start(&pair.server, config).unwrap();
        let mut waits: Vec<_> = (0..11)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(10));
                let start = Instant::now();
                ask(&pair.client, (ip(SHARED[0]), 9000), b"wake up").unwrap();
                start.elapsed()
            })
            .collect();
        let report = server.stop().remove(0);
        // A lost wake-up costs what is left of the sleeper's 100 ms; the median leaves a busy machine its hiccups.
        waits.sort();
        assert!(waits[5] < Duration::from_millis(40), "answers took {waits:?}");
        assert!((1..200).contains(&report.sleeps), "{} sleeps: it spun, or never slept", report.sleeps);
    }
}

#[test]
fn a_veth_peer_with_default_offloads_leaves_checksums_partial_and_we_say_so() {
    if !root::may_run("partial checksums") {
        return;
    }
    for mode in [XdpMode::Native, XdpMode::Generic] {
        let pair = Pair::new();
        let server = Server::start(&pair.server, config(mode)).unwrap();
        assert_eq!(ask(&pair.client, (ip(SHARED[0]), 9000), b"partial").unwrap(), b"partial");
        let report = server.stop().remove(0);
        assert_eq!(report.rx_checksum, Some(RxChecksum::MaybePartial));
        let packet = &report.packets[0];
        let length = ((packet.len() - 34) as u16).to_be_bytes();
        let pseudo = sum(0, &[&packet[26..34], &[0, 17], &length].concat());
        assert_eq!(packet[40..42], pseudo.to_be_bytes(), "{mode:?}: only the pseudo-header's sum is there");
    }
}

#[test]
fn frames_lie_on_huge_pages_or_not_and_both_work() {
    if !root::may_run("huge pages") {
        return;
    }
    for huge_pages in [false, true] {
        let pair = Pair::new();
        let mut config = config(XdpMode::Native);
        config.huge_pages = huge_pages;
        let server = Server::start(&pair.server, config).unwrap();
        assert_eq!(ask(&pair.client, (ip(SHARED[0]), 9000), b"pages").unwrap(), b"pages");
        let report = server.stop().remove(0);
        assert_eq!(report.count(PortCounter::RxFrames), 1);
        assert!(!report.info.zero_copy, "veth has no zero-copy");
    }
}
