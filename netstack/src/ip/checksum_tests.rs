use super::*;
use smoltcp::wire::IpProtocol;
use smoltcp::wire::checksum as reference;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn agrees_with_the_reference_at_every_length() {
    let data: Vec<u8> = (0..600u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for len in 0..data.len() {
        assert_eq!(Sum::default().add_bytes(&data[..len]).fold(), reference::data(&data[..len]), "length {len}");
    }
    let ones = vec![0xff; 65_535];
    assert_eq!(Sum::default().add_bytes(&ones).fold(), reference::data(&ones));
}

#[test]
fn pseudo_headers_agree_with_the_reference() {
    for (src, dst) in [("192.0.2.1", "198.51.100.7"), ("2001:db8::1", "fe80::ffff:2")] {
        let (src, dst) = (address(src), address(dst));
        let ours = pseudo_header(src, dst, protocol_tcp(), 1234).fold();
        let theirs = reference::pseudo_header(&src.into(), &dst.into(), IpProtocol::Tcp, 1234);
        assert_eq!(ours, theirs);
    }
}

fn protocol_tcp() -> u8 {
    crate::ip::protocol::TCP
}

#[test]
fn full_partial_and_wrong_checksums() {
    let (src, dst) = (address("192.0.2.1"), address("192.0.2.2"));
    let mut packet = *b"0123456789abcdefXX--rest of the segment";
    let check = |packet: &[u8], known| verify_transport(src, dst, protocol_tcp(), packet, 16, known);

    fill_transport(src, dst, protocol_tcp(), &mut packet, 16, false);
    assert!(check(&packet, RxChecksum::Unknown) && check(&packet, RxChecksum::MaybePartial));
    packet[3] ^= 1;
    assert!(!check(&packet, RxChecksum::Unknown) && !check(&packet, RxChecksum::MaybePartial));
    assert!(check(&packet, RxChecksum::Verified));

    fill_transport(src, dst, protocol_tcp(), &mut packet, 16, true);
    assert!(!check(&packet, RxChecksum::Unknown) && check(&packet, RxChecksum::MaybePartial));
}

#[test]
fn a_field_outside_the_packet_is_no_panic() {
    let (src, dst) = (address("192.0.2.1"), address("192.0.2.2"));
    assert!(!verify_transport(src, dst, 6, &[1, 2, 3], 16, RxChecksum::MaybePartial));
    fill_transport(src, dst, 6, &mut [1, 2, 3], 16, false);
}
