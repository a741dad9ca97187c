use super::*;
use crate::rng::Rng;

fn emitted(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xaa; header.len()];
    header.emit(&mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn a_syn_comes_back_as_it_was_written() {
    let header = Header {
        src_port: 80,
        dst_port: 40_000,
        seq: Seq(7),
        ack: Seq(9),
        flags: SYN | ACK,
        window: 512,
        timestamps: Some(Timestamps { val: 1, ecr: 2 }),
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        fast_open: Cookie::from_body(&[1, 2, 3, 4, 5, 6, 7, 8]),
        sack: Blocks::default(),
    };
    let segment = Segment::parse(&emitted(&header, b"")).unwrap();
    assert_eq!((segment.src_port, segment.dst_port, segment.seq, segment.ack), (80, 40_000, Seq(7), Seq(9)));
    assert_eq!((segment.mss, segment.window_scale, segment.sack_permitted), (Some(1460), Some(7), true));
    assert_eq!((segment.timestamps, segment.fast_open), (header.timestamps, header.fast_open));
    assert_eq!((segment.flags, segment.window, segment.len()), (SYN | ACK, 512, 1));
}

#[test]
fn four_sack_blocks_are_read() {
    let mut sack = Blocks::default();
    for n in 0..5u32 {
        sack.push((Seq(n * 10), Seq(n * 10 + 5)));
    }
    let header = Header { flags: ACK, sack, ..Header::default() };
    let segment = Segment::parse(&emitted(&header, b"abc")).unwrap();
    assert_eq!((segment.sack, segment.payload_len, segment.header_len), (sack, 3, 56));
}

#[test]
fn the_usual_layout_is_recognised() {
    let header = Header { flags: ACK, timestamps: Some(Timestamps { val: 5, ecr: 6 }), ..Header::default() };
    let segment = Segment::parse(&emitted(&header, b"x")).unwrap();
    assert_eq!((segment.timestamps, segment.payload_len), (header.timestamps, 1));
}

#[test]
fn broken_lengths_are_refused_and_broken_options_skipped() {
    let good = emitted(&Header { flags: ACK, ..Header::default() }, b"");
    assert!(Segment::parse(&good[..19]).is_none());
    for offset in [0u8, 4, 6] {
        let mut bad = good.clone();
        bad[12] = offset << 4;
        assert!(Segment::parse(&bad).is_none(), "offset {offset}");
    }
    for options in [[2, 0, 0, 0], [2, 9, 1, 1], [2, 1, 1, 1], [3, 4, 1, 1], [8, 2, 5, 2], [1, 1, 1, 254]] {
        let mut odd = good.clone();
        odd[12] = 6 << 4;
        odd.extend_from_slice(&options);
        let segment = Segment::parse(&odd).unwrap();
        assert!(segment.mss.is_none() && segment.timestamps.is_none() && segment.sack.is_empty());
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut rng = Rng::new(3);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.below(90)).map(|_| rng.next_u64() as u8).collect();
        if let Some(segment) = Segment::parse(&bytes) {
            assert_eq!(segment.header_len + segment.payload_len as usize, bytes.len());
        }
    }
}

#[test]
fn ecn_setup_is_told_from_reflected_bits() {
    let cases = [
        (SYN | ECE | CWR, true),
        (SYN | ECE, false),
        (SYN | CWR, false),
        (SYN, false),
        (SYN | ACK | ECE, true),
        (SYN | ACK | ECE | CWR, false),
        (SYN | ACK, false),
        (ACK | ECE, false),
    ];
    for (flags, setup) in cases {
        let segment = Segment::parse(&emitted(&Header { flags, ..Header::default() }, b"")).unwrap();
        assert_eq!((segment.flags, segment.is_ecn_setup()), (flags, setup), "{flags:#x}");
    }
}
