use std::collections::VecDeque;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use netstack::frame::{RxChecksum, TxChecksum};
use netstack::{Frame, Instant};
use rustix::event::{PollFd, PollFlags, poll};

use super::*;
use crate::headers::Headers;
use crate::{Blame, Port, PortCounter, testing};

/// Opens an interface, or says why the test is skipped: that needs CAP_NET_ADMIN.
fn open(config: &TapConfig) -> Option<Vec<TapQueue>> {
    match Tap::open(config) {
        Ok(tap) => Some(tap.into_queues()),
        Err(error) if error.blame() == Blame::Host && error.remedy_command().is_some() => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Waits for a UDP packet to `port` and returns it.
fn wait_for_udp(tap: &mut TapPort, port: u16) -> Frame {
    for _ in 0..100 {
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let readable = {
            let fd = tap.wait_fd().expect("a TAP port can be waited for");
            poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout)).expect("poll")
        };
        let mut frames = Vec::new();
        tap.rx_burst(Instant::ZERO, &mut frames, 64);
        assert!(readable > 0 || frames.is_empty());
        for frame in frames {
            let ip = Headers::parse(frame.data()).and_then(|headers| headers.ip);
            if ip.is_some_and(|ip| ip.ports.is_some_and(|(_, to)| to == port)) {
                return frame;
            }
        }
    }
    panic!("nothing came");
}

/// Answers the kernel's ARP request for `our` address.
fn answer_arp(tap: &mut TapPort, our: [u8; 4]) {
    for _ in 0..100 {
        let mut frames = Vec::new();
        tap.rx_burst(Instant::ZERO, &mut frames, 64);
        for request in frames.iter().map(Frame::data).filter(|data| data.get(12..14) == Some(&[8, 6])) {
            if request[38..42] == our {
                let mac = tap.info().mac;
                let mut reply = [&request[6..12], &mac, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &mac, &our].concat();
                reply.extend(&request[22..32]);
                let frame = testing::frame(tap.pool(), &reply);
                assert_eq!(tap.tx_burst(Instant::ZERO, &mut VecDeque::from([frame])), 1);
                return;
            }
        }
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let fd = tap.wait_fd().expect("a TAP port can be waited for");
        poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout)).expect("poll");
    }
    panic!("no ARP request came");
}

#[test]
fn the_kernel_and_the_port_exchange_datagrams_and_the_interface_goes_with_the_port() {
    let name = format!("pt{}", std::process::id());
    let config = TapConfig {
        host_addresses: vec![([198, 18, 77, 1].into(), 30), ("fd77::1".parse().unwrap(), 64)],
        mtu: Some(1400),
        ..TapConfig::new(&name)
    };
    let Some(mut queues) = open(&config) else { return };
    let mut tap = queues.remove(0).into_port(FramePool::heap(64)).unwrap();
    assert!(tap.link_up());
    assert_eq!(tap.info().mtu, 1400);

    let host = UdpSocket::bind("198.18.77.1:0").unwrap();
    host.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    host.send_to(b"ping", "198.18.77.2:4000").unwrap();
    answer_arp(&mut tap, [198, 18, 77, 2]);
    let ping = wait_for_udp(&mut tap, 4000);
    assert_eq!(&ping.data()[42..], b"ping");
    assert_eq!(ping.rx_checksum, RxChecksum::MaybePartial);
    assert!(tap.counters().get(PortCounter::RxPartialChecksum) >= 1);

    let host_port = host.local_addr().unwrap().port();
    let mut pong = testing::udp4(0, [198, 18, 77, 2], [198, 18, 77, 1], (4000, host_port), b"pong!");
    pong[0..6].copy_from_slice(&ping.data()[6..12]);
    let pong = testing::partial(tap.pool(), pong);
    tap.tx_burst(Instant::ZERO, &mut VecDeque::from([pong]));
    let mut buffer = [0; 16];
    let (length, from) = host.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from.port()), (&b"pong!"[..], 4000));

    drop((ping, tap, queues));
    assert!(!Path::new("/sys/class/net").join(&name).exists());
}

#[test]
fn several_queues_open_together() {
    let config = TapConfig { queues: 2, up: false, ..TapConfig::new(format!("pq{}", std::process::id())) };
    let Some(queues) = open(&config) else { return };
    let mut ports: Vec<_> = queues.into_iter().map(|q| q.into_port(FramePool::heap(8)).unwrap()).collect();
    assert_eq!(ports.iter().map(|port| port.info().queue).collect::<Vec<_>>(), [0, 1]);
    // The interface was not brought up: sending says so.
    let frame = testing::frame(ports[1].pool(), &[7; 60]);
    assert!(!ports[1].link_up());
    ports[1].tx_burst(Instant::ZERO, &mut VecDeque::from([frame]));
    assert_eq!(ports[1].counters().get(PortCounter::DropTxLinkDown), 1);
}

#[test]
fn mistakes_of_the_operator_name_the_remedy() {
    for name in ["", "a/b", "much-too-long-a-name", "a b", ".."] {
        let error = Tap::open(&TapConfig::new(name)).err().unwrap();
        assert_eq!(error.blame(), Blame::Operator, "{error}");
    }
    let absent = TapConfig { create: false, queues: 2, ..TapConfig::new("absent0") };
    let error = Tap::open(&absent).err().unwrap();
    assert_eq!(
        error.to_string(),
        "host: there is no interface absent0; to mend it: sudo ip tuntap add dev absent0 mode tap vnet_hdr multi_queue user $(id -un)"
    );
    let loopback = Tap::open(&TapConfig::new("lo")).err().unwrap();
    assert!(loopback.remedy_command().is_some(), "{loopback}");
}

#[test]
fn frames_too_small_for_the_mtu_are_refused() {
    let Some(mut queues) = open(&TapConfig::new(format!("pm{}", std::process::id()))) else { return };
    let pool = FramePool::new(Box::new(netstack::frame::HeapRegion::new(8 * 1024)), 1024, 128);
    let error = queues.remove(0).into_port(pool).err().unwrap();
    assert!(error.to_string().contains("mtu 877"), "{error}");
}

#[test]
fn the_virtio_header_round_trips() {
    let header = vnet::encode(TxChecksum::Offload { start: 34, offset: 16 });
    assert_eq!(vnet::decode(&header), Some(RxChecksum::MaybePartial));
    assert_eq!(vnet::decode(&vnet::encode(TxChecksum::Complete)), Some(RxChecksum::Unknown));
    assert_eq!(vnet::decode(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Some(RxChecksum::Verified));
    assert_eq!(vnet::decode(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0]), None, "segmentation was not asked for");
}
