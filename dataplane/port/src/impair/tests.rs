use core::time::Duration;

use netstack::Instant;

use super::*;
use crate::headers::Headers;
use crate::{PortCounter, testing};

fn udp(number: u16, bytes: usize) -> Vec<u8> {
    testing::udp4(2, [10, 0, 0, 1], [10, 0, 0, 2], (7, number), &vec![0; bytes])
}

/// A TCP segment with these flags; nothing but its headers is right.
fn tcp(flags: u8, payload: usize) -> Vec<u8> {
    let mut segment = vec![0; 20 + payload];
    segment[12] = 5 << 4;
    segment[13] = flags;
    testing::ip4(0, [10, 0, 0, 1], [10, 0, 0, 2], 6, &segment)
}

/// Offers `count` numbered packets, one a millisecond; their numbers in order of arrival, with the times.
fn run(config: LinkConfig, count: u16) -> Vec<(u16, Instant)> {
    let mut pipe = Pipe::new(config, 5);
    for number in 0..count {
        pipe.offer(Instant::from_millis(u64::from(number)), &udp(number, 10));
    }
    let mut arrived = Vec::new();
    while let Some(at) = pipe.next_arrival() {
        while let Some(bytes) = pipe.take_due(at) {
            arrived.push((u16::from_be_bytes([bytes[36], bytes[37]]), at));
            pipe.recycle(bytes);
        }
    }
    assert_eq!(pipe.in_flight(), 0);
    arrived
}

#[test]
fn a_displaced_frame_is_overtaken_by_so_many() {
    let link = LinkConfig {
        displace_ppm: 50_000,
        displace_frames: 3,
        reorder_delay: Duration::from_secs(1),
        ..LinkConfig::default()
    };
    let arrived = run(link, 1_000);
    assert_eq!(arrived.len(), 1_000);
    let displaced: Vec<usize> = (0..arrived.len())
        .filter_map(|at| {
            let later = arrived[..at].iter().filter(|(number, _)| *number > arrived[at].0).count();
            (later > 0).then_some(later)
        })
        .collect();
    assert!((30..70).contains(&displaced.len()), "{}", displaced.len());
    // One that is held next to another one may be overtaken once more or less.
    assert!(displaced.iter().all(|later| (1..=4).contains(later)), "{displaced:?}");
    assert!([1, 2, 3].iter().all(|distance| displaced.contains(distance)), "{displaced:?}");
}

#[test]
fn a_displaced_frame_that_nobody_overtakes_arrives_in_the_end() {
    let link = LinkConfig {
        displace_ppm: 1_000_000,
        displace_frames: 3,
        reorder_delay: Duration::from_millis(20),
        delay: Duration::from_millis(5),
        ..LinkConfig::default()
    };
    assert_eq!(run(link, 1), [(0, Instant::from_millis(25))]);
}

#[test]
fn a_burst_loses_a_run_of_frames() {
    let arrived = run(LinkConfig { loss: Loss::Burst { ppm: 10_000, frames: 7 }, ..LinkConfig::default() }, 5_000);
    let gaps: Vec<_> = arrived.windows(2).map(|pair| pair[1].0 - pair[0].0 - 1).filter(|gap| *gap > 0).collect();
    assert!((20..80).contains(&gaps.len()), "{}", gaps.len());
    assert!(gaps.iter().all(|gap| gap % 7 == 0), "{gaps:?}");
}

#[test]
fn nothing_passes_in_an_outage() {
    let outages = Outages {
        first: Instant::from_millis(100),
        length: Duration::from_millis(50),
        pause: Duration::from_millis(150),
        count: 2,
    };
    let arrived = run(LinkConfig { outages: Some(outages), ..LinkConfig::default() }, 1_000);
    let out = |number: &u16| (100..150).contains(number) || (300..350).contains(number);
    assert_eq!(arrived.len(), 900);
    assert!(!arrived.iter().any(|(number, _)| out(number)));
}

#[test]
fn slots_gather_arrivals() {
    let link = LinkConfig { slot: Duration::from_millis(10), ..LinkConfig::default() };
    let arrived = run(link, 21);
    assert_eq!(arrived[1].1, Instant::from_millis(10));
    assert_eq!(arrived[10].1, Instant::from_millis(10));
    assert_eq!(arrived[11].1, Instant::from_millis(20));
    assert!(arrived.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn only_pure_acknowledgments_are_thinned() {
    const ACK: u8 = 0x10;
    const FIN: u8 = 0x01;
    let mut path = Impairment::new(LinkConfig { ack_thinning: 4, ..LinkConfig::default() }, 1);
    let mut passed =
        |frame: &[u8], times: usize| (0..times).filter(|_| path.offer(Instant::ZERO, frame).fate.is_carried()).count();
    assert!((200..300).contains(&passed(&tcp(ACK, 0), 1_000)));
    assert_eq!(passed(&tcp(ACK, 1), 40), 40);
    assert_eq!(passed(&tcp(ACK | FIN, 0), 40), 40);
    assert_eq!(passed(&udp(1, 0), 40), 40);
    assert!((700..800).contains(&path.counters().get(PortCounter::DropWireThinned)));
}

#[test]
fn a_narrow_path_drops_and_reports() {
    let mtu = PathMtu { bytes: 1_000, from: Instant::from_millis(5), signalled: true };
    let mut path = Impairment::new(LinkConfig { mtu: Some(mtu), ..LinkConfig::default() }, 1);
    let (fits, big) = (udp(1, 1_000 - 28), udp(1, 1_001 - 28));
    assert!(path.offer(Instant::ZERO, &big).fate.is_carried());
    assert!(path.offer(Instant::from_millis(5), &fits).fate.is_carried());
    let verdict = path.offer(Instant::from_millis(5), &big);
    assert_eq!(verdict.fate, Fate::TooBig { mtu: 1_000, signalled: true });
    let message = packet_too_big(&big, 1_000).unwrap();
    assert_eq!((&message[..6], &message[6..12]), (&big[6..12], &big[..6]));
    let headers = Headers::parse(&message).unwrap().ip.unwrap();
    assert_eq!((headers.source, headers.destination), ([10, 0, 0, 2].into(), [10, 0, 0, 1].into()));
    assert!(netstack::ip::checksum::verify(&message[14..34]) && netstack::ip::checksum::verify(&message[34..]));
    assert_eq!(message[34..42], [3, 4, message[36], message[37], 0, 0, 0x03, 0xe8]);
    assert_eq!(message[42..], big[14..14 + 512]);
}

#[test]
fn damage_is_always_found_by_the_checksum() {
    let mut path = Impairment::new(LinkConfig { corrupt_ppm: 1_000_000, ..LinkConfig::default() }, 1);
    let whole = udp(9, 33);
    for _ in 0..2_000 {
        let mut frame = whole.clone();
        let verdict = path.offer(Instant::ZERO, &frame);
        path.apply(&verdict, &mut frame);
        assert_eq!(frame.iter().zip(&whole).filter(|(a, b)| a != b).count(), 1);
        let at = verdict.damage.unwrap().0;
        let sum = |bytes: &[u8]| netstack::ip::checksum::of(bytes);
        assert!(sum(&frame[14..34]) != 0 || sum(&frame[34..]) != sum(&whole[34..]), "byte {at}");
    }
}
