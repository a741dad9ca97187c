use super::*;
use crate::rng::Rng;
use core::net::Ipv4Addr;

/// Random payloads in random cuts and orders, interleaved, with duplicates: each comes out whole, once.
#[test]
fn any_cut_and_order() {
    for seed in 0..50 {
        let mut rng = Rng::new(seed);
        let pool = FramePool::heap(600);
        let mut reassembler = Reassembler::new(&IpLimits::default(), &Seed::from_number(seed), Instant::ZERO);
        let mut parts = Vec::new();
        let mut originals = Vec::new();
        for id in 0..6u32 {
            let len = 100 + rng.below(5000) as usize;
            let payload: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
            let mut begin = 0;
            while begin < len {
                let cut = 24 + 8 * rng.below(160) as usize;
                let end = if begin + cut >= len { len } else { begin + cut };
                parts.push((id, begin, end, end < len));
                begin = end;
            }
            originals.push(payload);
        }
        for i in (1..parts.len()).rev() {
            parts.swap(i, rng.below(i as u32 + 1) as usize);
        }
        let mut whole = vec![0; originals.len()];
        for (id, begin, end, more) in parts {
            for copy in 0..1 + rng.below(2) {
                let mut frame = pool.alloc().unwrap();
                frame.extend(20).unwrap().fill(0);
                frame.extend(end - begin).unwrap().copy_from_slice(&originals[id as usize][begin..end]);
                let fragment = Fragment { protocol: 17, identification: id, offset: begin, more, payload: 20 };
                let meta = meta(PEER, 0);
                match reassembler.insert(Instant::ZERO, &meta, fragment, frame) {
                    Ok(None) => {}
                    Ok(Some(done)) => {
                        assert_eq!(done.frame.data()[20..], originals[id as usize]);
                        whole[id as usize] += 1;
                        break;
                    }
                    Err(reason) => assert_eq!((reason, copy), (IpCounter::DropFragmentDuplicate, 1)),
                }
            }
        }
        assert_eq!(whole, vec![1; originals.len()]);
        assert_eq!((reassembler.held_bytes, reassembler.index.len(), reassembler.sources.len()), (0, 0, 0));
        assert_eq!(pool.available(), pool.capacity());
        assert!(reassembler.next_deadline().is_none());
    }
}

const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn meta(src: Ipv4Addr, ecn: u8) -> IpMeta {
    IpMeta { src: IpAddr::V4(src), dst: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), ecn, ingress_mac: [2; 6] }
}

#[test]
fn congestion_marked_on_one_fragment_marks_the_whole() {
    let pool = FramePool::heap(4);
    let mut reassembler = Reassembler::new(&IpLimits::default(), &Seed::from_number(1), Instant::ZERO);
    let mut insert = |offset, more, ecn| {
        let mut frame = pool.alloc().unwrap();
        frame.extend(16).unwrap().fill(0);
        let fragment = Fragment { protocol: 17, identification: 1, offset, more, payload: 0 };
        reassembler.insert(Instant::ZERO, &meta(PEER, ecn), fragment, frame).unwrap()
    };
    assert!(insert(0, true, 2).is_none());
    assert_eq!(insert(16, false, 3).unwrap().meta.ecn, 3);
}
