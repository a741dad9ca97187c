use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::rc::Rc;

use netstack::{FramePool, Instant};

use super::*;
use crate::{Port, PortCounter, testing};

fn file() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), "AnyGate").unwrap();
    assert_eq!(writer.add_interface("eth0", 0).unwrap(), 0);
    assert_eq!(writer.add_interface("eth1", 0).unwrap(), 1);
    let packet = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (1000, 53), b"question");
    writer.packet(0, 1_700_000_000_123_456_789, Some(Direction::Inbound), packet.len() as u32, &packet).unwrap();
    writer.packet(1, 1_700_000_000_123_456_790, Some(Direction::Outbound), 1500, &packet[..33]).unwrap();
    writer.packet_with_comment(0, 1_700_000_001_000_000_000, None, 50, &packet, "seed 7").unwrap();
    writer.into_inner()
}

#[test]
fn the_layout_is_the_formats() {
    let file = file();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    // Section header: type, length, magic, version 1.0, unknown section length, option 4 "AnyGate", end.
    assert_eq!((word(0), word(4), word(8), word(12)), (0x0a0d_0d0a, 44, 0x1a2b_3c4d, 1));
    assert_eq!((word(16), word(20), word(24)), (u32::MAX, u32::MAX, 7 << 16 | 4));
    assert_eq!((&file[28..36], word(36), word(40)), (&b"AnyGate\0"[..], 0, 44));
    // Interface: type, length, Ethernet, no snap length, if_name "eth0", if_tsresol 9, end.
    assert_eq!((word(44), word(48), word(52), word(56)), (1, 40, 1, 0));
    assert_eq!((word(60), &file[64..68], word(68), word(72)), (4 << 16 | 2, &b"eth0"[..], 1 << 16 | 9, 9));
    assert_eq!((word(76), word(80)), (0, 40));
    // Enhanced packet: time stamp in two halves, high first.
    let at = 84 + 40;
    assert_eq!((word(at), word(at + 8)), (6, 0));
    let stamp = u64::from(word(at + 12)) << 32 | u64::from(word(at + 16));
    assert_eq!(stamp, 1_700_000_000_123_456_789);
    assert_eq!((word(at + 20), word(at + 24)), (50, 50));
}

#[test]
fn what_is_written_is_read() {
    let packets = read(&file()).unwrap();
    let seen: Vec<_> = packets.iter().map(|p| (p.interface, p.direction, p.original_len, p.bytes.len())).collect();
    assert_eq!(
        seen,
        [(0, Some(Direction::Inbound), 50, 50), (1, Some(Direction::Outbound), 1500, 33), (0, None, 50, 50)]
    );
    assert_eq!(packets[1].at_nanos, 1_700_000_000_123_456_790);
}

#[test]
fn no_truncation_and_no_flipped_byte_panics() {
    let file = file();
    for length in 0..file.len() {
        let _ = read(&file[..length]);
    }
    for position in 0..file.len() {
        for bit in 0..8 {
            let mut broken = file.clone();
            broken[position] ^= 1 << bit;
            let _ = read(&broken);
        }
    }
    assert_eq!(read(b"GIF89a").unwrap_err().reason, "neither pcapng nor pcap");
}

#[test]
fn classic_files_of_both_orders_and_units_are_read() {
    for (magic, nanos) in [(0xa1b2_c3d4u32, 5_000), (0xa1b2_3c4d, 5)] {
        for big_endian in [false, true] {
            let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            let header = [magic, 0, 0, 0, 65535, 1].map(word).concat();
            let record = [[2, 5, 3, 60].map(word).concat(), b"abc".to_vec()].concat();
            let packets = read(&[header, record.clone(), record].concat()).unwrap();
            assert_eq!(packets.len(), 2);
            assert_eq!((packets[1].at_nanos, packets[1].original_len), (2_000_000_000 + nanos, 60));
            assert_eq!(packets[1].bytes, b"abc");
        }
    }
}

#[test]
fn tcpdump_reads_it_with_nanoseconds() {
    let tcpdump = Command::new("tcpdump")
        .args(["-r", "-", "-n", "--nano", "-tt"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut tcpdump) = tcpdump else {
        println!("skipped: tcpdump is not installed");
        return;
    };
    tcpdump.stdin.take().unwrap().write_all(&file()).unwrap();
    let output = String::from_utf8(tcpdump.wait_with_output().unwrap().stdout).unwrap();
    assert!(output.contains("1700000000.123456789"), "{output}");
    assert!(output.contains("IP 10.0.0.1.1000 > 10.0.0.2.53"), "{output}");
}

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_replay_keeps_the_distances_and_records_both_directions() {
    let record = Shared::default();
    let pool = FramePool::heap(8);
    let mut port = ReplayPort::new(read(&file()).unwrap(), pool, &ReplayOptions::default());
    port.record_to(Box::new(record.clone())).unwrap();
    let mut frames = Vec::new();
    let start = Instant::from_millis(10);
    assert_eq!(port.rx_burst(start, &mut frames, 8), 1, "the sent packet is left out, the late one is not due");
    let due = port.poll_timeout().unwrap();
    assert_eq!(due, start.plus_nanos(876_543_211));
    assert_eq!(port.rx_burst(due, &mut frames, 8), 1);
    assert_eq!((port.poll_timeout(), port.remaining(), port.link_up()), (None, 0, false));
    let mut answers: VecDeque<_> = frames.drain(..1).collect();
    assert_eq!(port.tx_burst(due, &mut answers), 1);
    assert_eq!(port.counters().get(PortCounter::TxFrames), 1);
    drop(port);
    let recorded: Vec<_> = read(&record.0.borrow()).unwrap().iter().map(|p| (p.direction, p.at_nanos)).collect();
    let (inbound, outbound) = (Some(Direction::Inbound), Some(Direction::Outbound));
    let (first, second) = (start.as_nanos(), due.as_nanos());
    assert_eq!(recorded, [(inbound, first), (inbound, second), (outbound, second)]);
}

#[test]
fn an_unpaced_replay_delivers_at_once() {
    let options = ReplayOptions { pace: Pace::Unpaced, outbound: true, ..ReplayOptions::default() };
    let mut port = ReplayPort::new(read(&file()).unwrap(), FramePool::heap(2), &options);
    let mut frames = Vec::new();
    assert_eq!(port.rx_burst(Instant::ZERO, &mut frames, 8), 2);
    assert_eq!(port.counters().get(PortCounter::DropRxNoFrame), 1);
}
