//! What is redirected, and that the rest still reaches the kernel.

use std::io::ErrorKind;

use port::PortCounter;
use port_afxdp::{AttachMode, LocalAddress, Service, XdpMode};

use crate::common::net::Pair;
use crate::common::{root, server::Server};
use crate::kernel::{ask, connects, listen, pings};
use crate::{EXCLUSIVE, SHARED, config, exclusive, ip};

/// Both modes must behave the same.
fn in_both_modes(test: &str, check: impl Fn(XdpMode, AttachMode)) {
    if !root::may_run(test) {
        return;
    }
    check(XdpMode::Native, AttachMode::Native);
    check(XdpMode::Generic, AttachMode::Generic);
}

#[test]
fn services_come_to_us_and_everything_else_to_the_kernel() {
    in_both_modes("services and the kernel", |mode, attached| {
        let pair = Pair::new();
        let server = Server::start(&pair.server, config(mode)).unwrap();
        assert_eq!(server.device.mode(), attached);
        for address in SHARED.map(ip) {
            assert_eq!(ask(&pair.client, (address, 9000), b"ours").unwrap(), b"ours");
            let _ssh = listen(&pair.server, (address, 2222));
            assert!(connects(&pair.client, (address, 2222)), "{address}: the kernel's TCP still works");
            assert!(pings(&pair.client, address), "{address}: the kernel answers echo");
            let refused = ask(&pair.client, (address, 9001), b"kernel").unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{address}: the kernel answers other ports");
        }
        let report = server.stop().remove(0);
        assert_eq!(report.packets.len(), 2, "only the two datagrams came to us");
        assert_eq!((report.counters.dropped(), report.held_frames), (0, 0));
    });
}

#[test]
fn an_exclusive_address_answers_arp_ndp_echo_and_udp() {
    in_both_modes("exclusive address", |mode, _| {
        let pair = Pair::new();
        let server = Server::start(&pair.server, exclusive(mode)).unwrap();
        for address in EXCLUSIVE.map(ip) {
            assert!(pings(&pair.client, address), "{address}: resolved and answered by us");
            assert_eq!(ask(&pair.client, (address, 1), b"any port").unwrap(), b"any port");
        }
        for address in SHARED.map(ip) {
            assert!(pings(&pair.client, address), "{address}: still the kernel's");
        }
        assert_eq!(server.stop().remove(0).counters.dropped(), 0);
    });
}

#[test]
fn fragments_of_a_datagram_come_to_us() {
    in_both_modes("fragments", |mode, _| {
        let pair = Pair::new();
        let server = Server::start(&pair.server, config(mode)).unwrap();
        for address in SHARED.map(ip) {
            let socket = crate::kernel::udp(&pair.client, (address, 9000).into());
            socket.send(&[7; 4000]).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        let report = server.stop().remove(0);
        let fragments = |ethertype: [u8; 2]| report.packets.iter().filter(|packet| packet[12..14] == ethertype).count();
        assert_eq!(fragments([0x08, 0x00]), 3, "4,000 bytes take three fragments");
        assert_eq!(fragments([0x86, 0xdd]), 3);
    });
}

#[test]
fn services_change_while_attached() {
    in_both_modes("update", |mode, _| {
        let pair = Pair::new();
        let mut empty = config(mode);
        empty.services.clear();
        let mut server = Server::start(&pair.server, empty).unwrap();
        let address = ip(SHARED[0]);
        let refused = |port| ask(&pair.client, (address, port), b"?").unwrap_err().kind();
        assert_eq!(refused(9000), ErrorKind::ConnectionRefused);

        let addresses = [LocalAddress::shared(address)];
        server.device.update(&[Service::udp(None, 9000)], &addresses).unwrap();
        assert_eq!(ask(&pair.client, (address, 9000), b"now").unwrap(), b"now");
        server.device.update(&[Service::udp(Some(address), 9001)], &addresses).unwrap();
        assert_eq!(refused(9000), ErrorKind::ConnectionRefused);
        assert_eq!(ask(&pair.client, (address, 9001), b"moved").unwrap(), b"moved");
        server.stop();
    });
}

#[test]
fn each_queue_has_a_worker_and_flows_spread_where_the_link_tells_the_queue() {
    in_both_modes("two queues", |mode, _| {
        let pair = Pair::with_queues(2);
        let server = Server::start(&pair.server, config(mode)).unwrap();
        for flow in 0..64u8 {
            let answer = ask(&pair.client, (ip(SHARED[0]), 9000), &[flow]).unwrap();
            assert_eq!(answer, [flow]);
        }
        let reports = server.stop();
        let received: Vec<_> = reports.iter().map(|report| report.count(PortCounter::RxFrames)).collect();
        assert_eq!(received.iter().sum::<u64>(), 64);
        // In generic mode a veth does not record the queue of a packet: all of them count as queue 0.
        let spread = received.iter().all(|&count| count > 0);
        assert_eq!(spread, mode == XdpMode::Native, "{mode:?}: {received:?}");
        assert_eq!(reports.iter().map(|report| report.info.queue).collect::<Vec<_>>(), [0, 1]);
    });
}
