use super::*;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn reply(options: &[u8]) -> Vec<u8> {
    let mut message = vec![0; HEADER_LEN];
    message[..3].copy_from_slice(&[2, 1, 6]);
    message[4..8].copy_from_slice(&[1, 2, 3, 4]);
    message[16..20].copy_from_slice(&[10, 0, 0, 9]);
    message[28..34].copy_from_slice(&MAC);
    message[236..240].copy_from_slice(&COOKIE);
    message.extend_from_slice(options);
    message
}

const OFFER: [u8; 21] = [53, 1, 2, 54, 4, 10, 0, 0, 1, 1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 14, 16];

#[test]
fn an_offer_is_read() {
    let more = [3, 8, 10, 0, 0, 254, 10, 0, 0, 253, 26, 2, 5, 120, 0, 0, 58, 4, 0, 0, 7, 8, 255, 53, 1];
    let offer = Reply::parse(&reply(&[&OFFER[..], &more].concat()), MAC).unwrap();
    assert_eq!((offer.kind, offer.xid, offer.address), (ReplyKind::Offer, 0x0102_0304, Ipv4Addr::new(10, 0, 0, 9)));
    assert_eq!(offer.server, Some(Ipv4Addr::new(10, 0, 0, 1)));
    assert_eq!(offer.mask, Some(Ipv4Addr::new(255, 255, 255, 0)));
    assert_eq!(offer.router, Some(Ipv4Addr::new(10, 0, 0, 254)));
    assert_eq!((offer.mtu, offer.lease, offer.renewal, offer.rebinding), (Some(1400), Some(3600), Some(1800), None));
    assert!(offer.routes.is_empty());
}

#[test]
fn options_in_other_fields_and_in_parts() {
    let mut message = reply(&[&OFFER[..], &[52, 1, 3, 121, 3, 24, 10, 1, 255]].concat());
    message[FILE][..8].copy_from_slice(&[121, 5, 1, 10, 0, 0, 7, 0]);
    message[SNAME][..9].copy_from_slice(&[121, 5, 0, 0, 0, 0, 0, 255, 9]);
    let offer = Reply::parse(&message, MAC).unwrap();
    let cidr = |text: &str| text.parse::<Cidr>().unwrap();
    let gateway = Ipv4Addr::new(10, 0, 0, 7);
    assert_eq!(offer.routes, [(cidr("10.1.1.0/24"), gateway), (cidr("0.0.0.0/0"), Ipv4Addr::UNSPECIFIED)]);
}

#[test]
fn what_is_broken_is_refused_whole() {
    let parse = |options: &[u8]| Reply::parse(&reply(options), MAC).map(|_| ());
    assert_eq!(parse(&OFFER), Ok(()));
    for broken in [
        &[53, 2, 2, 2][..],
        &[53, 1, 1],
        &[1, 4, 255, 255, 255, 0],
        &[53, 1, 2, 51, 3, 0, 0, 9],
        &[53, 1, 2, 51, 0],
        &[53, 1, 2, 3, 5, 10, 0, 0, 254, 1],
        &[53, 1, 2, 26, 1, 5],
        &[53, 1, 2, 121, 3, 33, 1, 1],
        &[53, 1, 2, 121, 10, 33, 1, 2, 3, 4, 5, 10, 0, 0, 1],
        &[53, 1, 2, 121, 5, 24, 10, 1, 1, 10],
        &[53, 1, 2, 52, 1, 4],
        &[53, 1, 2, 9, 200, 1],
        &[53, 1, 2, 9],
        &[53],
        // Twice the same option stands for one in two parts (RFC 3396).
        &[53, 1, 2, 51, 4, 0, 0, 9, 9, 51, 4, 0, 0, 1, 1],
    ] {
        assert_eq!(parse(broken), Err(Fault::Malformed), "{broken:?}");
    }
    let good = reply(&OFFER);
    assert_eq!(Reply::parse(&good, [2, 0, 0, 0, 0, 2]), Err(Fault::Stranger));
    for at in [0, 1, 2, 236, 239] {
        let mut other = good.clone();
        other[at] ^= 0x40;
        assert_eq!(Reply::parse(&other, MAC), Err(Fault::Malformed), "{at}");
    }
    for len in 0..good.len() - 1 {
        assert!(Reply::parse(&good[..len], MAC).is_err() || len >= HEADER_LEN + 3, "{len}");
    }
}

#[test]
fn requests_as_they_stand_on_the_wire() {
    let request = Request {
        kind: RequestKind::Request,
        xid: 0x0a0b_0c0d,
        elapsed: Duration::from_secs(70_000),
        mac: MAC,
        client_address: Ipv4Addr::UNSPECIFIED,
        requested: Some(Ipv4Addr::new(10, 0, 0, 9)),
        server: Some(Ipv4Addr::new(10, 0, 0, 1)),
        host_name: Some("edge"),
        mtu: 1500,
    };
    let message = request.encode();
    assert_eq!(message.len(), MIN_LEN);
    assert_eq!(message[..12], [1, 1, 6, 0, 10, 11, 12, 13, 0xff, 0xff, 0x80, 0]);
    assert_eq!(message[12..28], [0; 16]);
    assert_eq!(message[28..44], [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let options = [
        &[53, 1, 3, 61, 7, 1, 2, 0, 0, 0, 0, 1, 50, 4, 10, 0, 0, 9, 54, 4, 10, 0, 0, 1][..],
        &[55, 7, 1, 121, 3, 26, 51, 58, 59, 57, 2, 5, 220, 12, 4],
        b"edge",
        &[255, 0],
    ]
    .concat();
    assert_eq!(message[HEADER_LEN..][..options.len()], options);
    let renewal =
        Request { client_address: Ipv4Addr::new(10, 0, 0, 9), requested: None, server: None, ..request }.encode();
    assert_eq!((renewal[10], &renewal[12..16]), (0, &[10, 0, 0, 9][..]));
    let decline = Request { kind: RequestKind::Decline, ..request }.encode();
    assert_eq!(decline[HEADER_LEN..][..25], [&options[..2], &[4], &options[3..24], &[255]].concat());
}
