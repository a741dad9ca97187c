use core::net::IpAddr;

use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::*;
use crate::frame::FramePool;

#[test]
fn what_is_written_is_what_the_reference_reads() {
    let pool = FramePool::heap(1);
    let (src, dst) = (Ipv4Addr::new(192, 0, 2, 200), Ipv4Addr::new(198, 51, 100, 255));
    for len in [0, 1, 1480] {
        for (protocol, ecn, hop_limit) in [(6, 0, 64), (17, 3, 255), (1, 2, 1)] {
            let mut frame = pool.alloc().unwrap();
            frame.extend(len).unwrap().fill(0xa5);
            let fields = IpHeader { src: IpAddr::V4(src), dst: IpAddr::V4(dst), protocol, ecn, hop_limit };
            assert!(push_header(&mut frame, src, dst, &fields));
            let packet = Ipv4Packet::new_checked(frame.data()).unwrap();
            assert!(packet.verify_checksum() && packet.dont_frag() && !packet.more_frags());
            assert_eq!((packet.src_addr(), packet.dst_addr()), (src, dst));
            assert_eq!((packet.next_header(), packet.hop_limit()), (IpProtocol::from(protocol), hop_limit));
            assert_eq!((packet.ecn(), usize::from(packet.total_len())), (ecn, len + 20));
            let header = parse(frame.data()).unwrap();
            let expected = Ipv4Header {
                header_len: 20,
                total_len: len + 20,
                protocol,
                ecn,
                identification: 0,
                fragment: None,
                src,
                dst,
            };
            assert_eq!(header, expected);
        }
    }
}

#[test]
fn without_headroom_nothing_is_written() {
    let pool = FramePool::heap(1);
    let mut frame = pool.alloc().unwrap();
    frame.reset(19);
    let any = Ipv4Addr::LOCALHOST;
    let fields = IpHeader { src: IpAddr::V4(any), dst: IpAddr::V4(any), protocol: 6, ecn: 0, hop_limit: 1 };
    assert!(!push_header(&mut frame, any, any, &fields) && frame.is_empty());
}
