use super::*;

const IN4: &[IpCounter] = &[IpCounter::RxIpv4, IpCounter::RxFragments];
const IN6: &[IpCounter] = &[IpCounter::RxIpv6, IpCounter::RxFragments];

/// The bytes `from..to` of a UDP packet as an IPv4 fragment.
fn part4(whole: &[u8], id: u16, from: usize, to: usize) -> Vec<u8> {
    part4_of(PEER4, whole, id, from, to)
}

fn part4_of(src: Ipv4Addr, whole: &[u8], id: u16, from: usize, to: usize) -> Vec<u8> {
    let more = if to < whole.len() { 0x2000 } else { 0 };
    edit4(ip4(src, US4, 17, &whole[from..to]), |h| {
        h[4..6].copy_from_slice(&id.to_be_bytes());
        h[6..8].copy_from_slice(&(more | (from / 8) as u16).to_be_bytes());
    })
}

/// The bytes `from..to` of a UDP packet as an IPv6 fragment.
fn part6(whole: &[u8], id: u32, from: usize, to: usize) -> Vec<u8> {
    let place = from as u16 | u16::from(to < whole.len());
    let header = [&[17, 0][..], &place.to_be_bytes(), &id.to_be_bytes()].concat();
    ip6(PEER6, US6, 44, &[&header, &whole[from..to]].concat())
}

fn question4(len: usize) -> Vec<u8> {
    udp(PEER4, US4, (7, 9), &(0..len).map(|i| i as u8).collect::<Vec<_>>())
}

fn question6(len: usize) -> Vec<u8> {
    udp(PEER6, US6, (7, 9), &(0..len).map(|i| i as u8).collect::<Vec<_>>())
}

#[test]
fn whole_in_any_order() {
    let mut wire = Wire::new(config());
    wire.stack.udp_bind(None, 9).unwrap();
    let (four, six) = (question4(3000), question6(3000));
    let cuts = [(0, 1480), (1480, 2960), (2960, 3008)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        for at in order {
            wire.input(&part4(&four, 1, cuts[at].0, cuts[at].1));
            wire.input(&part6(&six, 1, cuts[at].0, cuts[at].1.min(six.len())));
        }
        for _ in 0..2 {
            let datagram = wire.stack.poll_datagram().unwrap();
            assert_eq!(datagram.payload.data(), &four[8..]);
        }
    }
    wire.ledger(&[
        (IpCounter::RxIpv4, 9),
        (IpCounter::RxIpv6, 9),
        (IpCounter::RxFragments, 18),
        (IpCounter::RxReassembled, 6),
        (IpCounter::RxDatagrams, 6),
    ]);
    wire.nothing_held();
}

#[test]
fn the_largest_datagram() {
    let mut wire = Wire::new(config());
    wire.stack.udp_bind(None, 9).unwrap();
    let whole = question4(65_507);
    for from in (0..whole.len()).step_by(1480) {
        wire.input(&part4(&whole, 1, from, (from + 1480).min(whole.len())));
    }
    assert_eq!(wire.stack.poll_datagram().unwrap().payload.len(), 65_507);
    let too_long = edit4(part4(&whole, 2, 0, 40), |h| h[6..8].copy_from_slice(&8191u16.to_be_bytes()));
    wire.ledger(&[
        (IpCounter::RxIpv4, 45),
        (IpCounter::RxFragments, 45),
        (IpCounter::RxReassembled, 1),
        (IpCounter::RxDatagrams, 1),
    ]);
    wire.dropped(&too_long, IpCounter::DropFragmentTooLong, IN4);
    wire.nothing_held();
}

#[test]
fn an_echo_in_fragments_is_answered_when_the_answer_fits() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    for (len, answered) in [(1000, true), (3000, false)] {
        let whole = echo4(&vec![7; len]);
        for from in (0..whole.len()).step_by(504) {
            let to = whole.len().min(from + 504);
            let more = if to < whole.len() { 0x2000 } else { 0u16 };
            wire.input(&edit4(ip4(PEER4, US4, 1, &whole[from..to]), |h| {
                h[6..8].copy_from_slice(&(more | (from / 8) as u16).to_be_bytes());
            }));
        }
        assert_eq!(wire.lines().len(), usize::from(answered), "{len}");
        let refused = wire.stack.ip_counters().get(IpCounter::DropEchoTooBig);
        assert_eq!(refused, u64::from(!answered), "{len}");
    }
}

#[test]
fn an_overlap_refuses_the_datagram_and_what_follows() {
    for (first, second) in [((0, 1480), (1472, 2960)), ((1480, 2960), (0, 1488)), ((1480, 2960), (1488, 1504))] {
        let mut wire = Wire::new(config());
        wire.stack.udp_bind(None, 9).unwrap();
        let (four, six) = (question4(3000), question6(3000));
        let overlap = |part: &dyn Fn(usize, usize) -> Vec<u8>, wire: &mut Wire, counted: &[IpCounter]| {
            wire.input(&part(first.0, first.1));
            let both: Vec<_> = counted.iter().map(|which| (*which, 1)).collect();
            wire.ledger(&both);
            wire.dropped(&part(second.0, second.1), IpCounter::DropFragmentOverlap, counted);
            for (from, to) in [(0, 1480), (1480, 2960), (2960, 3008)] {
                wire.dropped(&part(from, to), IpCounter::DropFragmentOverlap, counted);
            }
        };
        overlap(&|from, to| part4(&four, 1, from, to), &mut wire, IN4);
        overlap(&|from, to| part6(&six, 1, from, to), &mut wire, IN6);
        assert!(wire.stack.poll_datagram().is_none());
        // When its time is over the number can be used again.
        wire.wait_millis(61_000);
        for (from, to) in [(0, 1480), (1480, 2960), (2960, 3008)] {
            wire.input(&part4(&four, 1, from, to));
        }
        assert!(wire.stack.poll_datagram().is_some());
    }
}

#[test]
fn shapes_that_are_refused() {
    let mut wire = Wire::new(config());
    let (four, six) = (question4(3000), question6(3000));
    let odd = edit4(part4(&four, 1, 0, 1479), |_| {});
    wire.dropped(&odd, IpCounter::DropFragmentMalformed, IN4);
    wire.dropped(&part4(&four, 1, 8, 8), IpCounter::DropFragmentMalformed, IN4);
    wire.dropped(&part6(&six, 1, 0, 1439), IpCounter::DropFragmentMalformed, IN6);
    // A TCP header split over fragments (RFC 1858), and one that is written over from behind (RFC 3128).
    let tcp = |from: u16, len: usize| {
        edit4(ip4(PEER4, US4, 6, &vec![0; len]), |h| h[6..8].copy_from_slice(&(0x2000 | (from / 8)).to_be_bytes()))
    };
    wire.dropped(&tcp(0, 16), IpCounter::DropFragmentTiny, IN4);
    wire.dropped(&tcp(8, 16), IpCounter::DropFragmentTiny, IN4);
    // RFC 7112: the header chain is not in the first fragment.
    let chain = ip6(PEER6, US6, 44, &[60, 0, 0, 1, 0, 0, 0, 9, 17, 1, 1, 4, 0, 0, 0, 0]);
    wire.dropped(&chain, IpCounter::DropFragmentTiny, IN6);

    wire.input(&part4(&four, 2, 0, 1480));
    wire.ledger(&[(IpCounter::RxIpv4, 1), (IpCounter::RxFragments, 1)]);
    wire.input(&part4(&four, 2, 0, 1480));
    wire.ledger(&[(IpCounter::RxIpv4, 1), (IpCounter::RxFragments, 1), (IpCounter::DropFragmentDuplicate, 1)]);
    let end = edit4(part4(&four, 2, 0, 1000), |h| h[6..8].fill(0));
    let early_end = edit4(end, |h| h[7] = 1);
    wire.dropped(&early_end, IpCounter::DropFragmentOverlap, IN4);
}

#[test]
fn two_ends_are_refused() {
    let mut wire = Wire::new(config());
    let four = question4(3000);
    wire.input(&part4(&four, 1, 2960, 3008));
    wire.ledger(&[(IpCounter::RxIpv4, 1), (IpCounter::RxFragments, 1)]);
    let beyond = edit4(part4(&four, 1, 0, 1480), |h| h[6..8].copy_from_slice(&(0x2000u16 | (3008 / 8)).to_be_bytes()));
    wire.dropped(&beyond, IpCounter::DropFragmentTooLong, IN4);
}

#[test]
fn every_limit_holds() {
    let mut small = config();
    (small.limits.fragment_datagrams, small.limits.fragment_datagrams_per_source) = (3, 2);
    (small.limits.fragment_parts, small.limits.fragment_bytes) = (2, 5 * 2048);
    let mut wire = Wire::new(small);
    let four = question4(3000);
    wire.input(&part4(&four, 1, 0, 8));
    wire.input(&part4(&four, 1, 8, 16));
    wire.input(&part4(&four, 2, 0, 8));
    wire.ledger(&[(IpCounter::RxIpv4, 3), (IpCounter::RxFragments, 3)]);
    let refused = |wire: &mut Wire, frame: &[u8], reason| {
        wire.input(frame);
        wire.ledger(&[(IpCounter::RxIpv4, 1), (IpCounter::RxFragments, 1), (reason, 1)]);
    };
    refused(&mut wire, &part4(&four, 1, 16, 24), IpCounter::DropFragmentParts);
    refused(&mut wire, &part4(&four, 3, 0, 8), IpCounter::DropFragmentSource);
    let (b, c) = (Ipv4Addr::new(10, 0, 0, 3), Ipv4Addr::new(10, 0, 0, 4));
    wire.input(&part4_of(b, &four, 1, 0, 8));
    wire.ledger(&[(IpCounter::RxIpv4, 1), (IpCounter::RxFragments, 1)]);
    refused(&mut wire, &part4_of(c, &four, 1, 0, 8), IpCounter::DropFragmentDatagrams);
    wire.input(&part4_of(b, &four, 1, 8, 16));
    wire.ledger(&[(IpCounter::RxIpv4, 1), (IpCounter::RxFragments, 1)]);
    refused(&mut wire, &part4(&four, 2, 8, 16), IpCounter::DropFragmentMemory);
    wire.wait_millis(30_100);
    wire.output();
    assert_eq!(wire.stack.ip_counters().get(IpCounter::DropFragmentTimeout), 5);
    wire.nothing_held();
}

#[test]
fn what_is_not_complete_in_time_is_told_and_freed() {
    let mut wire = Wire::new(config());
    know_peer(&mut wire);
    let (four, six) = (question4(3000), question6(3000));
    wire.input(&part4(&four, 1, 0, 1480));
    wire.input(&part4(&four, 2, 1480, 2960));
    wire.input(&part6(&six, 1, 0, 1440));
    wire.wait_millis(29_900);
    assert!(wire.lines().is_empty());
    wire.wait_millis(200);
    assert_eq!(wire.lines(), ["us>peer 10.0.0.1 -> 10.0.0.2 icmp 11/1 +548"], "only with the first fragment at hand");
    wire.wait_millis(30_000);
    let probe = "us>peer arp request 10.0.0.1 -> 10.0.0.2";
    assert_eq!(wire.lines(), [probe, "us>peer 2001:db8::1 -> 2001:db8::2 icmpv6 3/1 +1232"]);
    wire.ledger(&[
        (IpCounter::RxIpv4, 2),
        (IpCounter::RxIpv6, 1),
        (IpCounter::RxFragments, 3),
        (IpCounter::DropFragmentTimeout, 3),
        (IpCounter::TxIcmpErrors, 2),
        (IpCounter::TxArpRequests, 1),
    ]);
    wire.nothing_held();
}

#[test]
fn the_buffers_are_bounded() {
    let mut small = config();
    small.limits.reassembled_datagrams = 1;
    let mut wire = Wire::new(small);
    wire.stack.udp_bind(None, 9).unwrap();
    let four = question4(2000);
    let whole = |wire: &mut Wire, id| {
        wire.input(&part4(&four, id, 0, 1480));
        wire.input(&part4(&four, id, 1480, 2008));
    };
    whole(&mut wire, 1);
    whole(&mut wire, 2);
    assert_eq!(wire.stack.ip_counters().get(IpCounter::DropFragmentMemory), 1);
    wire.nothing_held();
    drop(wire.stack.poll_datagram());
    whole(&mut wire, 3);
    assert!(wire.stack.poll_datagram().is_some());
}
