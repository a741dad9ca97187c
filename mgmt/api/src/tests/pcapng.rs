//! Blocks however they are cut, and streams that are no pcapng.

use crate::capture::pcapng::{self, Meter};

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 12) as u32;
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), body, &length.to_le_bytes()].concat()
}

fn packet(interface: u32, stamp: u8) -> Vec<u8> {
    let mut body = interface.to_le_bytes().to_vec();
    body.extend_from_slice(&[stamp; 8]);
    body.extend_from_slice(&[4, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4]);
    block(pcapng::ENHANCED_PACKET, &body)
}

fn stream() -> Vec<u8> {
    let mut bytes = block(pcapng::SECTION_HEADER, &[0; 16]);
    bytes.extend(block(pcapng::INTERFACE_DESCRIPTION, &[1, 0, 0, 0, 0, 0, 4, 0]));
    bytes.extend(packet(0, 1));
    bytes.extend(packet(1, 2));
    bytes.extend(pcapng::statistics(1, [2; 8], 7, 5));
    bytes
}

#[test]
fn blocks_are_told_apart() {
    let bytes = stream();
    let kinds: Vec<u32> = pcapng::blocks(&bytes).map(|block| block.kind).collect();
    assert_eq!(kinds, [pcapng::SECTION_HEADER, 1, 6, 6, 5]);
    let stamps: Vec<_> = pcapng::blocks(&bytes).filter_map(|block| block.packet_stamp()).collect();
    assert_eq!(stamps, [(0, [1; 8]), (1, [2; 8])]);
    assert_eq!(pcapng::blocks(&bytes).map(|block| block.bytes.len()).sum::<usize>(), bytes.len());
}

#[test]
fn blocks_end_at_the_first_impossible_one() {
    let good = packet(0, 1);
    for bad in [vec![6, 0, 0, 0, 4, 0, 0, 0, 1, 1], vec![6, 0, 0, 0, 255, 255, 255, 255], vec![6]] {
        let bytes = [good.clone(), bad].concat();
        assert_eq!(pcapng::blocks(&bytes).count(), 1);
    }
}

#[test]
fn a_meter_counts_at_every_split() {
    let bytes = stream();
    for step in 1..=bytes.len() {
        let mut meter = Meter::default();
        bytes.chunks(step).for_each(|piece| meter.feed(piece));
        assert_eq!((meter.packets(), meter.lost(), meter.bytes()), (2, 5, bytes.len() as u64), "step {step}");
    }
}

#[test]
fn a_meter_survives_what_is_no_pcapng() {
    for bytes in [&[0u8; 100][..], &[0xff; 100], b"HTTP/1.1 200 OK\r\n\r\n"] {
        let mut meter = Meter::default();
        meter.feed(bytes);
        assert_eq!((meter.packets(), meter.bytes()), (0, bytes.len() as u64));
    }
}
