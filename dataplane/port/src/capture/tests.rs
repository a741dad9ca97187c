use std::collections::VecDeque;

use netstack::{FramePool, Instant};

use super::*;
use crate::pcap::{self, Direction};
use crate::sim::{SimConfig, SimPort, pair};
use crate::{Port, PortCounter, testing};

fn packet(port: u16) -> Vec<u8> {
    testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (5000, port), &[0xaa; 300])
}

fn send(port: &mut impl Port, now: Instant, ports: &[u16]) {
    let mut frames: VecDeque<_> = ports.iter().map(|&to| testing::frame(port.pool(), &packet(to))).collect();
    port.tx_burst(now, &mut frames);
}

fn wrapped(control: &CaptureControl) -> (SimPort, Capture<SimPort>) {
    let (a, b) = pair(SimConfig::default(), 1);
    (a, Capture::new(b, control))
}

fn filter(text: &str) -> Filter {
    text.parse().unwrap()
}

#[test]
fn both_directions_are_kept_with_time_direction_and_first_bytes() {
    let control = CaptureControl::default();
    let (mut a, mut b) = wrapped(&control);
    let config = CaptureConfig { snaplen: 100, epoch_unix_nanos: 7_000_000_000, ..CaptureConfig::default() };
    let mut stream = control.start(config).unwrap();
    send(&mut a, Instant::from_millis(1), &[80, 81]);
    let mut frames = Vec::new();
    assert_eq!(b.rx_burst(Instant::from_millis(2), &mut frames, 8), 2);
    send(&mut b, Instant::from_millis(3), &[82]);
    let mut writer = stream.writer(Vec::new()).unwrap();
    assert_eq!(stream.write_to(&mut writer).unwrap(), 3);
    let packets = pcap::read(&writer.into_inner()).unwrap();
    let seen: Vec<_> = packets.iter().map(|p| (p.at_nanos, p.direction, p.original_len, p.bytes.len())).collect();
    let (inbound, outbound) = (Some(Direction::Inbound), Some(Direction::Outbound));
    assert_eq!(
        seen,
        [(7_002_000_000, inbound, 342, 100), (7_002_000_000, inbound, 342, 100), (7_003_000_000, outbound, 342, 100)]
    );
    assert_eq!(b.counters().get(PortCounter::Captured), 3);
}

#[test]
fn nothing_is_kept_before_the_start_and_after_the_stop() {
    let control = CaptureControl::default();
    let (_a, mut b) = wrapped(&control);
    send(&mut b, Instant::ZERO, &[1]);
    let mut stream = control.start(CaptureConfig::default()).unwrap();
    assert_eq!(control.start(CaptureConfig::default()).err(), Some(AlreadyRunning));
    send(&mut b, Instant::ZERO, &[2]);
    control.stop();
    send(&mut b, Instant::ZERO, &[3]);
    assert!(!stream.is_finished(), "one packet is still to be taken");
    let mut ports = Vec::new();
    while stream.next_with(|record| ports.push(record.bytes[37])) {}
    assert_eq!(ports, [2]);
    assert!(stream.is_finished() && !control.is_running());
    // A dropped stream of a stopped capture leaves the next one alone.
    let next = control.start(CaptureConfig::default()).unwrap();
    drop(stream);
    assert!(control.is_running());
    drop(next);
    assert!(!control.is_running());
}

#[test]
fn a_slow_reader_loses_records_but_no_packets() {
    let control = CaptureControl::default();
    let (mut a, mut b) = wrapped(&control);
    let mut stream = control.start(CaptureConfig { records: 4, ..CaptureConfig::default() }).unwrap();
    for _ in 0..3 {
        send(&mut b, Instant::ZERO, &[1, 2, 3]);
    }
    assert_eq!((stream.lost(), b.counters().get(PortCounter::CaptureLost)), (5, 5));
    assert_eq!(a.rx_burst(Instant::ZERO, &mut Vec::new(), 64), 9);
    while stream.next_with(|_| ()) {}
    send(&mut b, Instant::ZERO, &[9]);
    assert!(stream.next_with(|record| assert_eq!(record.bytes[37], 9)));
}

#[test]
fn frames_that_the_port_left_are_kept_when_it_takes_them() {
    let config = crate::sim::ring::RingConfig { slots: 2, ..Default::default() };
    let (a, b) = crate::sim::ring::pair(&config).unwrap();
    let control = CaptureControl::default();
    let (mut a, mut b) = (Capture::new(a.into_port(), &control), b.into_port());
    let mut stream = control.start(CaptureConfig::default()).unwrap();
    let mut frames: VecDeque<_> = (0..3).map(|to| testing::frame(a.pool(), &packet(to))).collect();
    assert_eq!(a.tx_burst(Instant::ZERO, &mut frames), 2);
    b.rx_burst(Instant::ZERO, &mut Vec::new(), 8);
    assert_eq!(a.tx_burst(Instant::ZERO, &mut frames), 1);
    let mut ports = Vec::new();
    while stream.next_with(|record| ports.push(record.bytes[37])) {}
    assert_eq!(ports, [0, 1, 2]);
}

#[test]
fn the_stream_crosses_threads() {
    let control = CaptureControl::default();
    let stream = control.start(CaptureConfig::default()).unwrap();
    let reader = std::thread::spawn(move || {
        let mut stream = stream;
        let mut taken = 0;
        while !stream.is_finished() {
            taken += usize::from(stream.next_with(|_| ()));
            std::thread::yield_now();
        }
        (taken, stream.lost())
    });
    let (_a, mut b) = wrapped(&control);
    for _ in 0..1_000 {
        send(&mut b, Instant::ZERO, &[1, 2, 3]);
    }
    control.stop();
    let (taken, lost) = reader.join().unwrap();
    assert_eq!(taken as u64 + lost, 3_000);
    assert_eq!(b.pool().available(), FramePool::capacity(b.pool()));
}

#[test]
fn filters_select_by_host_net_port_and_protocol() {
    let packet = packet(80);
    for (text, expected) in [
        ("", true),
        ("udp", true),
        ("tcp or udp", true),
        ("tcp", false),
        ("not tcp", true),
        ("host 10.0.0.2", true),
        ("src host 10.0.0.2", false),
        ("dst host 10.0.0.2 and port 80", true),
        ("src port 80", false),
        ("src port 5000 and dst port 80", true),
        ("net 10.0.0.0/8", true),
        ("net 11.0.0.0/8", false),
        ("net 0.0.0.0/0", true),
        ("host fe80::1 or net fd00::/8", false),
        ("not (host 10.0.0.1 and (port 81 or port 80))", false),
        ("ip and not arp and not ip6 and not icmp", true),
        ("udp or tcp and port 9", true),
    ] {
        assert_eq!(filter(text).matches(&packet), expected, "{text}");
    }
    assert!(!filter("udp").matches(&[1, 2, 3]));
}

#[test]
fn what_is_no_filter_is_refused_with_a_reason() {
    for (text, reason) in [
        ("prot 80", "'prot' is unknown"),
        ("port", "it ends where a port number is missing"),
        ("port 99999", "'99999' where a port number is expected"),
        ("host example", "'example' where an address is expected"),
        ("net 10.0.0.0/33", "'10.0.0.0/33' where a network as 10.0.0.0/8 is expected"),
        ("src tcp", "'tcp' where 'host', 'net' or 'port' is expected"),
        ("(tcp", "a ')' is missing"),
        ("tcp udp", "'udp' where 'and' or 'or' could follow"),
        ("tcp and", "it ends where a condition is missing"),
    ] {
        assert_eq!(text.parse::<Filter>().unwrap_err().reason, reason);
    }
    assert!("(".repeat(100_000).parse::<Filter>().is_err());
    assert!("not ".repeat(100_000).parse::<Filter>().is_err());
}
