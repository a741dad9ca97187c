use super::*;
use crate::Ecn;
use crate::frame::TxChecksum;
use crate::ip::PathCache;
use crate::udp::{BindError, Segments, SendError};

const IN4: &[IpCounter] = &[IpCounter::RxIpv4];
const IN6: &[IpCounter] = &[IpCounter::RxIpv6];

#[test]
fn datagrams_in_and_out() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let mut marked = ip4(PEER4, US4, 17, &udp(PEER4, US4, (7, 9), b"question"));
    marked.extend([0; 9]);
    wire.input(&edit4(marked, |h| h[1] = 3));
    wire.input(&ip6(PEER6, US6, 17, &udp(PEER6, US6, (7, 9), b"")));

    let first = wire.stack.poll_datagram().unwrap();
    assert_eq!((first.socket, first.local, first.remote), (socket, (US4, 9).into(), (PEER4, 7).into()));
    assert_eq!((first.ecn, first.payload.data()), (Ecn::Ce, &b"question"[..]));
    let second = wire.stack.poll_datagram().unwrap();
    assert_eq!((second.remote, second.payload.len()), ((PEER6, 7).into(), 0));
    assert!(wire.stack.poll_datagram().is_none());

    wire.stack.udp_send(wire.now, socket, Some(first.local.ip()), first.remote, Ecn::Ect0, b"answer").unwrap();
    wire.stack.udp_send(wire.now, socket, None, second.remote, Ecn::NotEct, b"").unwrap();
    let out = wire.output();
    assert_eq!(describe(&out[0]), "us>peer 10.0.0.1 -> 10.0.0.2 udp 9 -> 7 \"answer\"");
    assert_eq!(out[0][15], 2, "ECT(0)");
    assert_eq!(describe(&out[1]), "us>peer 2001:db8::1 -> 2001:db8::2 udp 9 -> 7 \"\"");
    drop((first, second));
    wire.ledger(&[
        (IpCounter::RxIpv4, 1),
        (IpCounter::RxIpv6, 1),
        (IpCounter::RxDatagrams, 2),
        (IpCounter::TxDatagrams, 2),
    ]);
    wire.nothing_held();
}

#[test]
fn the_socket_of_the_address_comes_first() {
    let mut wire = Wire::new(config());
    let all = wire.stack.udp_bind(None, 9).unwrap();
    let one = wire.stack.udp_bind(Some(US4.into()), 9).unwrap();
    wire.input(&ip4(PEER4, US4, 17, &udp(PEER4, US4, (7, 9), b"4")));
    wire.input(&ip6(PEER6, US6, 17, &udp(PEER6, US6, (7, 9), b"6")));
    assert_eq!(wire.stack.poll_datagram().unwrap().socket, one);
    assert_eq!(wire.stack.poll_datagram().unwrap().socket, all);
    wire.stack.udp_unbind(one);
    wire.input(&ip4(PEER4, US4, 17, &udp(PEER4, US4, (7, 9), b"4")));
    assert_eq!(wire.stack.poll_datagram().unwrap().socket, all);
    assert_eq!(wire.stack.udp_send(wire.now, one, None, (PEER4, 7).into(), Ecn::NotEct, b""), Err(SendError::NotBound));
}

#[test]
fn binding_is_refused_by_name() {
    let mut small = config();
    small.limits.udp_sockets = 2;
    let mut wire = Wire::new(small);
    wire.stack.udp_bind(None, 9).unwrap();
    assert_eq!(wire.stack.udp_bind(None, 9), Err(BindError::InUse));
    assert_eq!(wire.stack.udp_bind(None, 0), Err(BindError::PortZero));
    assert_eq!(wire.stack.udp_bind(Some(PEER4.into()), 9), Err(BindError::NotLocal));
    wire.stack.udp_bind(None, 10).unwrap();
    assert_eq!(wire.stack.udp_bind(None, 11), Err(BindError::Limit));
}

#[test]
fn sending_is_refused_by_name() {
    let mut wire = Wire::new(StackConfig { routes: Vec::new(), ..config() });
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let mut send = |local, remote, len: usize| {
        wire.stack
            .udp_send(wire.now, socket, local, remote, Ecn::NotEct, &vec![0; len])
            .map_err(|error| error.to_string())
    };
    let no_way = Err("the datagram could not leave".into());
    let no_address = Err("no usable source address, or remote port 0".into());
    assert_eq!(send(None, (Ipv4Addr::new(192, 0, 2, 1), 7).into(), 1), no_way);
    assert_eq!(send(None, (US4, 7).into(), 1), no_way, "not to ourselves");
    assert_eq!(send(None, (PEER4, 0).into(), 1), no_address);
    assert_eq!(send(Some(PEER4.into()), (PEER4, 7).into(), 1), no_address);
    assert_eq!(send(Some(US6.into()), (PEER4, 7).into(), 1), no_address);
    assert_eq!(
        send(None, (PEER4, 7).into(), 1473),
        Err("the datagram exceeds the 1472 bytes that fit the path".into())
    );
    wire.ledger(&[(IpCounter::DropNoRoute, 2)]);
    wire.nothing_held();
}

#[test]
fn faults_are_dropped() {
    let mut wire = Wire::new(config());
    wire.stack.udp_bind(None, 9).unwrap();
    let good = udp(PEER4, US4, (7, 9), b"data");
    wire.dropped(&ip4(PEER4, US4, 17, &good[..7]), IpCounter::DropUdpMalformed, IN4);
    let edit = |at: usize, value: u8| {
        let mut bad = good.clone();
        bad[at] = value;
        ip4(PEER4, US4, 17, &bad)
    };
    wire.dropped(&edit(5, 7), IpCounter::DropUdpMalformed, IN4);
    wire.dropped(&edit(5, 13), IpCounter::DropUdpMalformed, IN4);
    wire.dropped(&edit(8, b'x'), IpCounter::DropUdpChecksum, IN4);
    let mut none = udp(PEER6, US6, (7, 9), b"data");
    none[6..8].fill(0);
    wire.dropped(&ip6(PEER6, US6, 17, &none), IpCounter::DropUdpChecksumMissing, IN6);

    let mut none = good.clone();
    none[6..8].fill(0);
    wire.input(&ip4(PEER4, US4, 17, &none));
    assert_eq!(wire.stack.poll_datagram().unwrap().payload.data(), b"data", "RFC 768 allows it over IPv4");
}

#[test]
fn a_partial_checksum_is_taken_where_it_may_be() {
    let mut wire = Wire::new(config());
    wire.stack.udp_bind(None, 9).unwrap();
    let mut partial = udp(PEER4, US4, (7, 9), b"data");
    let sum = smoltcp::wire::checksum::pseudo_header_v4(&PEER4, &US4, IpProtocol::Udp, partial.len() as u32);
    partial[6..8].copy_from_slice(&sum.to_be_bytes());
    let frame = ip4(PEER4, US4, 17, &partial);
    wire.dropped(&frame, IpCounter::DropUdpChecksum, IN4);
    wire.rx_checksum = RxChecksum::MaybePartial;
    wire.input(&frame);
    assert_eq!(wire.stack.poll_datagram().unwrap().payload.data(), b"data");
    wire.rx_checksum = RxChecksum::Verified;
    partial[6..8].copy_from_slice(&[1, 1]);
    wire.input(&ip4(PEER4, US4, 17, &partial));
    assert!(wire.stack.poll_datagram().is_some());
}

#[test]
fn the_port_is_left_the_checksum_when_it_can() {
    let mut wire = Wire::new(StackConfig { tx_checksum_offload: true, vlan: Some(3), ..config() });
    know_peer(&mut wire);
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    wire.stack.udp_send(wire.now, socket, None, (PEER4, 7).into(), Ecn::NotEct, b"data").unwrap();
    let mut out = VecDeque::new();
    wire.stack.poll_transmit(wire.now, &mut out, 9);
    assert_eq!(out[0].tx_checksum, TxChecksum::Offload { start: 38, offset: 6 });
    let sum = smoltcp::wire::checksum::pseudo_header_v4(&US4, &PEER4, IpProtocol::Udp, 12);
    assert_eq!(out[0].data()[44..46], sum.to_be_bytes());
}

#[test]
fn queues_are_bounded() {
    let mut small = config();
    (small.limits.udp_datagrams, small.limits.tx_frames) = (2, 3);
    let mut wire = Wire::new(small);
    know_peer(&mut wire);
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    for _ in 0..5 {
        wire.input(&ip4(PEER4, US4, 17, &udp(PEER4, US4, (7, 9), b"x")));
        let _ = wire.stack.udp_send(wire.now, socket, None, (PEER4, 7).into(), Ecn::NotEct, b"x");
    }
    assert_eq!((wire.lines().len(), wire.stack.poll_datagram().is_some()), (3, true));
    wire.ledger(&[
        (IpCounter::RxIpv4, 5),
        (IpCounter::RxDatagrams, 2),
        (IpCounter::DropUdpQueueFull, 3),
        (IpCounter::TxDatagrams, 3),
        (IpCounter::DropTxQueueFull, 2),
    ]);
}

#[test]
fn transmission_stops_at_the_number_asked_for_with_control_first() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    for _ in 0..3 {
        wire.stack.udp_send(wire.now, socket, None, (PEER4, 7).into(), Ecn::NotEct, b"x").unwrap();
    }
    wire.input(&ip4(PEER4, US4, 1, &echo4(b"x")));
    let mut out = VecDeque::new();
    assert_eq!(wire.stack.poll_transmit(wire.now, &mut out, 2), 2);
    assert!(describe(out[0].data()).contains("icmp"));
    assert_eq!(wire.stack.poll_transmit(wire.now, &mut out, 9), 2);
}

#[test]
fn a_run_of_datagrams_leaves_from_one_buffer() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let mut path = PathCache::default();
    let mut send = |wire: &mut Wire, payload: &[u8], segment_len| {
        let segments = Segments { payload, segment_len };
        wire.stack.udp_send_segments(wire.now, &mut path, socket, None, (PEER4, 7).into(), Ecn::NotEct, segments)
    };
    assert_eq!(send(&mut wire, b"aabbc", 2), Ok(3));
    let to = "us>peer 10.0.0.1 -> 10.0.0.2 udp 9 -> 7";
    assert_eq!(wire.lines(), [format!("{to} \"aa\""), format!("{to} \"bb\""), format!("{to} \"c\"")]);
    assert_eq!(send(&mut wire, &[0; 3000], 1473), Err(SendError::TooBig(1472)));
    assert_eq!(send(&mut wire, b"", 100), Ok(1), "an empty datagram is one");
    assert_eq!(wire.lines(), [format!("{to} \"\"")]);
    wire.ledger(&[(IpCounter::TxDatagrams, 4)]);
    wire.nothing_held();
}

#[test]
fn a_run_ends_where_the_queue_does() {
    let mut small = config();
    small.limits.tx_frames = 2;
    let mut wire = Wire::new(small);
    know_peer(&mut wire);
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let segments = Segments { payload: b"abc", segment_len: 1 };
    let mut path = PathCache::default();
    let sent = wire.stack.udp_send_segments(wire.now, &mut path, socket, None, (PEER4, 7).into(), Ecn::Ect0, segments);
    assert_eq!((sent, wire.lines().len()), (Ok(2), 2));
    wire.ledger(&[(IpCounter::TxDatagrams, 2), (IpCounter::DropTxQueueFull, 1)]);
}

#[test]
fn datagrams_are_taken_in_batches() {
    let mut wire = Wire::new(config());
    wire.stack.udp_bind(None, 9).unwrap();
    for text in [b"a", b"b", b"c"] {
        wire.input(&ip4(PEER4, US4, 17, &udp(PEER4, US4, (7, 9), text)));
    }
    let mut out = Vec::new();
    assert_eq!((wire.stack.poll_datagrams(&mut out, 2), wire.stack.poll_datagrams(&mut out, 2)), (2, 1));
    assert_eq!(out.iter().flat_map(|datagram| datagram.payload.data()).copied().collect::<Vec<_>>(), b"abc");
}
