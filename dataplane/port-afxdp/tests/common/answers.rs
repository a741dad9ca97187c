//! A stand-in for the stack: answers ARP, NDP, echo and UDP by turning the request around in its frame.

use super::packets::sum;

/// Turns `frame` into its answer; false when it asks for none.
pub fn answer(frame: &mut [u8], mac: [u8; 6]) -> bool {
    let answered = match frame.get(12..14) {
        Some([0x08, 0x06]) => answer_arp(&mut frame[14..], mac),
        Some([0x08, 0x00]) => answer_ipv4(&mut frame[14..]),
        Some([0x86, 0xdd]) => answer_ipv6(&mut frame[14..], mac),
        _ => false,
    };
    if answered {
        frame.copy_within(6..12, 0);
        frame[6..12].copy_from_slice(&mac);
    }
    answered
}

fn answer_arp(arp: &mut [u8], mac: [u8; 6]) -> bool {
    if arp.len() < 28 || arp[6..8] != [0, 1] {
        return false;
    }
    let asked: [u8; 4] = [arp[24], arp[25], arp[26], arp[27]];
    arp[7] = 2;
    arp.copy_within(8..18, 18);
    arp[8..14].copy_from_slice(&mac);
    arp[14..18].copy_from_slice(&asked);
    true
}

fn swap(bytes: &mut [u8], a: usize, b: usize, len: usize) {
    for i in 0..len {
        bytes.swap(a + i, b + i);
    }
}

fn answer_ipv4(packet: &mut [u8]) -> bool {
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    swap(packet, 12, 16, 4);
    let pseudo = sum(0, &[&packet[12..20], &[0, packet[9]], &((total - 20) as u16).to_be_bytes()].concat());
    match (packet[9], packet[20]) {
        (1, 8) => {
            packet[20] = 0;
            set_checksum(&mut packet[20..total], 2, 0);
            true
        }
        (17, _) => answer_udp(&mut packet[20..total], pseudo),
        _ => false,
    }
}

fn answer_ipv6(packet: &mut [u8], mac: [u8; 6]) -> bool {
    let end = 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]]));
    let solicited = packet[6] == 58 && packet[40] == 135;
    if solicited {
        // The target becomes the source; RFC 4861 §4.4: solicited and override, with our link-layer address.
        let target: [u8; 16] = packet[48..64].try_into().expect("16 bytes");
        packet.copy_within(8..24, 24);
        packet[8..24].copy_from_slice(&target);
        packet[40..48].copy_from_slice(&[136, 0, 0, 0, 0x60, 0, 0, 0]);
        packet[64..66].copy_from_slice(&[2, 1]);
        packet[66..72].copy_from_slice(&mac);
    } else {
        swap(packet, 8, 24, 16);
    }
    let length = ((end - 40) as u16).to_be_bytes();
    let pseudo = sum(0, &[&packet[8..40], &length, &[0, packet[6]]].concat());
    match (packet[6], packet[40]) {
        (58, 128) => {
            packet[40] = 129;
            set_checksum(&mut packet[40..end], 2, pseudo);
            true
        }
        (58, 136) if solicited => {
            set_checksum(&mut packet[40..end], 2, pseudo);
            true
        }
        (17, _) => answer_udp(&mut packet[40..end], pseudo),
        _ => false,
    }
}

fn answer_udp(datagram: &mut [u8], pseudo: u16) -> bool {
    swap(datagram, 0, 2, 2);
    set_checksum(datagram, 6, pseudo);
    true
}

fn set_checksum(bytes: &mut [u8], at: usize, pseudo: u16) {
    bytes[at..at + 2].fill(0);
    let checksum = !sum(pseudo, bytes);
    bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}
