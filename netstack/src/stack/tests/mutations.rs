//! Frames with random faults: no panic, no frame lost, and everything that arrives is counted somewhere.

use super::*;
use crate::rng::Rng;
use smoltcp::wire::NdiscNeighborFlags;

fn seeds() -> Vec<Vec<u8>> {
    let advert = NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::SOLICITED,
        target_addr: PEER6,
        lladdr: Some(EthernetAddress(PEER).into()),
    };
    let solicit = NdiscRepr::NeighborSolicit { target_addr: US6, lladdr: Some(EthernetAddress(PEER).into()) };
    let extensions = [&[43, 0, 5, 2, 0, 0, 1, 0][..], &[44, 0, 0, 0, 0, 0, 0, 0], &[17, 0, 0, 1, 0, 0, 0, 9]].concat();
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &PEER, &PEER4.octets(), &[0; 6], &US4.octets()].concat();
    let quoted = packet4(US4, PEER4, 17, &udp(US4, PEER4, (9, 7), b"lost"));
    let mut error = [&[3, 4, 0, 0, 0, 0, 5, 0][..], &quoted].concat();
    let sum = !smoltcp::wire::checksum::data(&error);
    error[2..4].copy_from_slice(&sum.to_be_bytes());
    let quoted6 = packet6(US6, PEER6, 17, 64, &udp(US6, PEER6, (9, 7), b"lost"));
    let error6 = raw6(PEER6, US6, [&[2, 0, 0, 0, 0, 0, 5, 0][..], &quoted6].concat());
    vec![
        eth(BROADCAST, PEER, 0x0806, &arp),
        ip4(PEER4, US4, 1, &echo4(b"payload")),
        ip4(PEER4, US4, 17, &udp(PEER4, US4, (7, 9), b"payload")),
        edit4(ip4(PEER4, US4, 17, &[0; 64]), |h| h[6] = 0x20),
        ip4(PEER4, US4, 1, &error),
        ip4(PEER4, US4, 6, &[0; 20]),
        ip6(PEER6, US6, 58, &echo6(PEER6, US6, b"payload")),
        ip6(PEER6, US6, 17, &udp(PEER6, US6, (7, 9), b"payload")),
        ip6(PEER6, US6, 0, &[&extensions[..], &[0; 64]].concat()),
        ip6(PEER6, US6, 58, &error6),
        eth(US, PEER, 0x86dd, &packet6(PEER6, US6, 58, 255, &icmp6(PEER6, US6, &Icmpv6Repr::Ndisc(advert)))),
        eth(US, PEER, 0x86dd, &packet6(PEER6, US6, 58, 255, &icmp6(PEER6, US6, &Icmpv6Repr::Ndisc(solicit)))),
    ]
}

/// Mends what a random change breaks most: lengths stay, the IPv4 header checksum is made right again.
fn mend(frame: &mut [u8]) {
    if frame.len() >= 34 && frame[12..14] == [8, 0] {
        let end = (14 + usize::from(frame[14] & 15) * 4).clamp(34, frame.len());
        frame[24..26].fill(0);
        let sum = !smoltcp::wire::checksum::data(&frame[14..end]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
}

#[test]
fn random_faults() {
    let mut rng = Rng::new(0xA11CE);
    let seeds = seeds();
    let mut wire = Wire::new(config());
    wire.stack.udp_bind(None, 9).unwrap();
    for round in 0..60_000 {
        let mut frame = seeds[rng.below(seeds.len() as u32) as usize].clone();
        for _ in 0..=rng.below(3) {
            let at = rng.below(frame.len() as u32) as usize;
            frame[at] = rng.next_u64() as u8;
        }
        if rng.below(4) == 0 {
            frame.truncate(rng.below(frame.len() as u32 + 1) as usize);
        }
        if rng.below(2) == 0 {
            mend(&mut frame);
        }
        wire.rx_checksum = [RxChecksum::Unknown, RxChecksum::Verified, RxChecksum::MaybePartial][rng.below(3) as usize];
        wire.input(&frame);
        wire.output();
        while wire.stack.poll_datagram().is_some() || wire.stack.poll_datagram_error().is_some() {}
        if round % 8 == 0 {
            wire.wait_millis(u64::from(rng.below(40_000)));
            wire.output();
        }
    }
    for _ in 0..5 {
        wire.wait_millis(60_000);
        wire.output();
    }
    wire.nothing_held();
    assert_eq!(wire.stack.ip_counters().get(IpCounter::RxFrames), 60_000);
}
