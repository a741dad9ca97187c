use super::*;
use crate::icmp::ErrorKind;
use smoltcp::wire::{
    Icmpv4DstUnreachable, Icmpv4TimeExceeded, Icmpv6DstUnreachable, Icmpv6ParamProblem, Icmpv6TimeExceeded,
};

const IN4: &[IpCounter] = &[IpCounter::RxIpv4];
const IN6: &[IpCounter] = &[IpCounter::RxIpv6];

fn quoted4() -> (Ipv4Repr, Vec<u8>) {
    let payload = udp(US4, PEER4, (9, 7), b"lost");
    let repr = Ipv4Repr {
        src_addr: US4,
        dst_addr: PEER4,
        next_header: IpProtocol::Udp,
        payload_len: payload.len(),
        hop_limit: 60,
    };
    (repr, payload)
}

#[test]
fn echo_of_every_size_that_fits() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    for len in [0, 1, 56, 1472] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
        wire.input(&ip4(PEER4, US4, 1, &echo4(&payload)));
        let out = wire.output();
        assert_eq!(describe(&out[0]), format!("us>peer 10.0.0.1 -> 10.0.0.2 icmp 0/0 +{len}"));
        assert_eq!((&out[0][38..42], &out[0][42..]), (&[0x12, 0x34, 0, 5][..], &payload[..]));
    }
    for len in [0, 1, 1452] {
        let payload = vec![b'z'; len];
        wire.input(&ip6(PEER6, US6, 58, &echo6(PEER6, US6, &payload)));
        let out = wire.output();
        assert_eq!(describe(&out[0]), format!("us>peer 2001:db8::1 -> 2001:db8::2 icmpv6 129/0 +{len}"));
        assert_eq!(out[0][62..], payload);
    }
    wire.ledger(&[
        (IpCounter::RxIpv4, 4),
        (IpCounter::RxIpv6, 3),
        (IpCounter::RxEchoRequests, 7),
        (IpCounter::TxEchoReplies, 7),
    ]);
    wire.nothing_held();
}

#[test]
fn a_group_is_answered_from_a_unicast_address() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let all = "ff02::1".parse().unwrap();
    let mut frame = ip6(PEER6, all, 58, &echo6(PEER6, all, b"x"));
    frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 1]);
    wire.input(&frame);
    assert_eq!(wire.lines(), ["us>peer 2001:db8::1 -> 2001:db8::2 icmpv6 129/0 +1"]);
}

#[test]
fn echo_is_refused_by_name() {
    let mut wire = Wire::new(StackConfig { answer_echo: false, ..config() });
    let request = ip4(PEER4, US4, 1, &echo4(b"x"));
    wire.dropped(&request, IpCounter::DropEchoDisabled, &[IpCounter::RxIpv4, IpCounter::RxEchoRequests]);

    let mut tight = config();
    (tight.limits.echo_replies_per_second, tight.limits.echo_replies_burst) = (10, 2);
    let mut wire = Wire::new(tight);
    know_peer(&mut wire);
    for _ in 0..5 {
        wire.input(&request);
    }
    assert_eq!(wire.lines().len(), 2);
    wire.wait_millis(100);
    wire.input(&request);
    assert_eq!(wire.lines().len(), 1);
    wire.ledger(&[
        (IpCounter::RxIpv4, 6),
        (IpCounter::RxEchoRequests, 6),
        (IpCounter::TxEchoReplies, 3),
        (IpCounter::DropEchoRate, 3),
    ]);
    wire.nothing_held();
}

#[test]
fn faults_are_dropped() {
    let mut wire = Wire::new(config());
    let mut bad = echo4(b"x");
    bad[8] ^= 1;
    wire.dropped(&ip4(PEER4, US4, 1, &bad), IpCounter::DropIcmpChecksum, IN4);
    wire.dropped(&ip4(PEER4, US4, 1, &bad[..7]), IpCounter::DropIcmpMalformed, IN4);
    let reply = icmp4(&Icmpv4Repr::EchoReply { ident: 1, seq_no: 1, data: b"" });
    wire.dropped(&ip4(PEER4, US4, 1, &reply), IpCounter::DropIcmpType, IN4);
    let mut redirect = vec![5, 1, 0, 0, 10, 0, 0, 9];
    let sum = !smoltcp::wire::checksum::data(&redirect);
    redirect[2..4].copy_from_slice(&sum.to_be_bytes());
    wire.dropped(&ip4(PEER4, US4, 1, &redirect), IpCounter::DropIcmpRedirect, IN4);

    let mut bad = echo6(PEER6, US6, b"x");
    bad[8] ^= 1;
    wire.dropped(&ip6(PEER6, US6, 58, &bad), IpCounter::DropIcmpChecksum, IN6);
    wire.dropped(&ip6(PEER6, US6, 58, &[128, 0]), IpCounter::DropIcmpMalformed, IN6);
    wire.dropped(&ip6(PEER6, US6, 58, &raw6(PEER6, US6, vec![128, 0, 0, 0])), IpCounter::DropIcmpMalformed, IN6);
    wire.dropped(&ip6(PEER6, US6, 58, &raw6(PEER6, US6, vec![129, 0, 0, 0, 0, 0, 0, 0])), IpCounter::DropIcmpType, IN6);
    wire.dropped(&ip6(PEER6, US6, 58, &raw6(PEER6, US6, vec![200, 0, 0, 0, 0, 0, 0, 0])), IpCounter::DropIcmpType, IN6);
    wire.dropped(&ip6(PEER6, US6, 58, &raw6(PEER6, US6, vec![1, 0, 0, 0, 0, 0, 0, 0])), IpCounter::DropIcmpQuote, IN6);
}

#[test]
fn errors_reach_the_socket_that_sent() {
    let mut wire = Wire::new(config());
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let (header, data) = quoted4();
    let unreachable = |reason| Icmpv4Repr::DstUnreachable { reason, header, data: &data };
    for (message, kind) in [
        (unreachable(Icmpv4DstUnreachable::PortUnreachable), ErrorKind::Unreachable { hard: true }),
        (unreachable(Icmpv4DstUnreachable::HostUnreachable), ErrorKind::Unreachable { hard: false }),
        (
            Icmpv4Repr::TimeExceeded { reason: Icmpv4TimeExceeded::TtlExpired, header, data: &data },
            ErrorKind::Unreachable { hard: false },
        ),
    ] {
        wire.input(&ip4(PEER4, US4, 1, &icmp4(&message)));
        let error = wire.stack.poll_datagram_error().unwrap();
        assert_eq!((error.socket, error.local, error.remote), (socket, (US4, 9).into(), (PEER4, 7).into()));
        assert_eq!(error.kind, kind);
    }
    let payload = udp(US6, PEER6, (9, 7), b"lost");
    let header = Ipv6Repr {
        src_addr: US6,
        dst_addr: PEER6,
        next_header: IpProtocol::Udp,
        payload_len: payload.len(),
        hop_limit: 9,
    };
    for (message, kind) in [
        (
            Icmpv6Repr::DstUnreachable { reason: Icmpv6DstUnreachable::PortUnreachable, header, data: &payload },
            ErrorKind::Unreachable { hard: true },
        ),
        (
            Icmpv6Repr::TimeExceeded { reason: Icmpv6TimeExceeded::HopLimitExceeded, header, data: &payload },
            ErrorKind::Unreachable { hard: false },
        ),
        (
            Icmpv6Repr::ParamProblem {
                reason: Icmpv6ParamProblem::UnrecognizedNxtHdr,
                pointer: 6,
                header,
                data: &payload,
            },
            ErrorKind::Unreachable { hard: true },
        ),
    ] {
        wire.input(&ip6(PEER6, US6, 58, &icmp6(PEER6, US6, &message)));
        let error = wire.stack.poll_datagram_error().unwrap();
        assert_eq!((error.local, error.remote, error.kind), ((US6, 9).into(), (PEER6, 7).into(), kind));
    }
    wire.ledger(&[(IpCounter::RxIpv4, 3), (IpCounter::RxIpv6, 3), (IpCounter::RxIcmpErrors, 6)]);
    wire.nothing_held();
}

#[test]
fn packet_too_big_lowers_the_path_mtu_of_that_destination() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let socket = wire.stack.udp_bind(None, 9).unwrap();
    let (header, data) = quoted4();
    let reason = Icmpv4DstUnreachable::FragRequired;
    let mut message = icmp4(&Icmpv4Repr::DstUnreachable { reason, header, data: &data });
    message[6..8].copy_from_slice(&1300u16.to_be_bytes());
    message[2..4].fill(0);
    let sum = !smoltcp::wire::checksum::data(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    wire.input(&ip4(Ipv4Addr::new(10, 0, 0, 254), US4, 1, &message));
    assert_eq!(wire.stack.poll_datagram_error().unwrap().kind, ErrorKind::PacketTooBig { mtu: 1300 });

    let send = |wire: &mut Wire, to: Ipv4Addr, len| {
        wire.stack.udp_send(wire.now, socket, None, (to, 7).into(), crate::Ecn::NotEct, &vec![0; len])
    };
    assert_eq!(send(&mut wire, PEER4, 1273), Err(crate::udp::SendError::TooBig(1272)));
    assert_eq!(send(&mut wire, PEER4, 1272), Ok(()));
    assert_eq!(send(&mut wire, Ipv4Addr::new(10, 0, 0, 7), 1472), Ok(()));
    wire.wait_millis(600_000);
    assert_eq!(send(&mut wire, PEER4, 1472), Ok(()), "forgotten after ten minutes");
}

#[test]
fn an_old_router_without_an_mtu_means_the_next_plateau() {
    let mut wire = Wire::new(config());
    let _socket = wire.stack.udp_bind(None, 9).unwrap();
    let (mut header, data) = quoted4();
    header.payload_len = 1480;
    let reason = Icmpv4DstUnreachable::FragRequired;
    let message = icmp4(&Icmpv4Repr::DstUnreachable { reason, header, data: &data });
    wire.input(&ip4(PEER4, US4, 1, &message));
    assert_eq!(wire.stack.poll_datagram_error().unwrap().kind, ErrorKind::PacketTooBig { mtu: 1492 });
}

#[test]
fn errors_about_packets_that_we_did_not_send_are_dropped() {
    let mut wire = Wire::new(config());
    let (header, data) = quoted4();
    let reason = Icmpv4DstUnreachable::PortUnreachable;
    let message = |header, data| ip4(PEER4, US4, 1, &icmp4(&Icmpv4Repr::DstUnreachable { reason, header, data }));
    let unbound = message(header, &data);
    wire.dropped(&unbound, IpCounter::DropIcmpQuote, &[IpCounter::RxIpv4, IpCounter::RxIcmpErrors]);
    let stranger = Ipv4Repr { src_addr: PEER4, ..header };
    wire.dropped(&message(stranger, &data), IpCounter::DropIcmpQuote, IN4);
    wire.dropped(&message(header, &data[..7]), IpCounter::DropIcmpQuote, IN4);
    let other = Ipv4Repr { next_header: IpProtocol::Icmp, ..header };
    wire.dropped(&message(other, &data), IpCounter::DropIcmpQuote, IN4);
}

#[test]
fn our_errors_are_rate_limited_and_quote_within_bounds() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let closed = ip4(PEER4, US4, 17, &udp(PEER4, US4, (5, 6), &[7; 1400]));
    for _ in 0..60 {
        wire.input(&closed);
    }
    let lines = wire.lines();
    assert_eq!((lines.len(), &lines[0][..]), (50, "us>peer 10.0.0.1 -> 10.0.0.2 icmp 3/3 +548"));
    wire.ledger(&[
        (IpCounter::RxIpv4, 60),
        (IpCounter::DropUdpPortClosed, 60),
        (IpCounter::TxIcmpErrors, 50),
        (IpCounter::DropIcmpErrorRate, 10),
    ]);
    wire.wait_millis(1000);
    wire.input(&ip6(PEER6, US6, 17, &udp(PEER6, US6, (5, 6), &[7; 1400])));
    assert_eq!(wire.lines(), ["us>peer 2001:db8::1 -> 2001:db8::2 icmpv6 1/4 +1232"]);
    wire.nothing_held();
}

#[test]
fn errors_that_nobody_fetches_are_bounded() {
    let mut small = config();
    small.limits.udp_errors = 2;
    let mut wire = Wire::new(small);
    wire.stack.udp_bind(None, 9).unwrap();
    let (header, data) = quoted4();
    let reason = Icmpv4DstUnreachable::PortUnreachable;
    let message = icmp4(&Icmpv4Repr::DstUnreachable { reason, header, data: &data });
    for _ in 0..3 {
        wire.input(&ip4(PEER4, US4, 1, &message));
    }
    wire.ledger(&[(IpCounter::RxIpv4, 3), (IpCounter::RxIcmpErrors, 3), (IpCounter::DropUdpErrorQueueFull, 1)]);
}

#[test]
fn control_frames_that_nobody_fetches_are_bounded() {
    let mut small = config();
    small.limits.tx_control_frames = 2;
    let mut wire = Wire::new(small);
    know_peer(&mut wire);
    for _ in 0..3 {
        wire.input(&ip4(PEER4, US4, 1, &echo4(b"x")));
    }
    assert_eq!(wire.lines().len(), 2);
    wire.ledger(&[
        (IpCounter::RxIpv4, 3),
        (IpCounter::RxEchoRequests, 3),
        (IpCounter::TxEchoReplies, 2),
        (IpCounter::DropTxControlFull, 1),
    ]);
    wire.nothing_held();
}
