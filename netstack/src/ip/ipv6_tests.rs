use core::net::IpAddr;

use smoltcp::wire::{IpProtocol, Ipv6Packet};

use super::*;
use crate::frame::FramePool;

#[test]
fn what_is_written_is_what_the_reference_reads() {
    let pool = FramePool::heap(1);
    let (src, dst): (Ipv6Addr, Ipv6Addr) = ("2001:db8::1".parse().unwrap(), "fe80::abcd".parse().unwrap());
    for (protocol, ecn, hop_limit) in [(6, 0, 64), (17, 3, 255), (58, 2, 1)] {
        let mut frame = pool.alloc().unwrap();
        frame.extend(77).unwrap().fill(0xa5);
        let fields = IpHeader { src: IpAddr::V6(src), dst: IpAddr::V6(dst), protocol, ecn, hop_limit };
        assert!(push_header(&mut frame, src, dst, &fields));
        let packet = Ipv6Packet::new_checked(frame.data()).unwrap();
        assert_eq!((packet.src_addr(), packet.dst_addr()), (src, dst));
        assert_eq!((packet.next_header(), packet.hop_limit()), (IpProtocol::from(protocol), hop_limit));
        assert_eq!((packet.traffic_class(), packet.payload_len()), (ecn, 77));
        let expected = Ipv6Header { total_len: 117, next_header: protocol, hop_limit, ecn, src, dst };
        assert_eq!(parse(frame.data()).unwrap(), expected);
    }
}

#[test]
fn a_walk_never_reads_behind_the_packet() {
    let headers = [60, 0, 1, 4, 0, 0, 0, 0, 6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut packet = vec![0; HEADER_LEN];
    packet.extend(headers);
    for len in 0..=packet.len() {
        let outcome = walk(&packet[..len], 0, HEADER_LEN, false);
        let whole = Ok(Upper::Payload { protocol: 6, offset: 64, named_at: 48 });
        assert_eq!(outcome.is_ok(), len == packet.len(), "{len}");
        assert!(outcome.is_err() || outcome == whole);
    }
}
