use super::*;
use crate::frame::FramePool;
use crate::tcp::memory::MemoryLimits;

const LIMITS: OutOfOrderLimits = OutOfOrderLimits { segments: 8, bytes: 20_000 };

fn held() -> Memory {
    Memory::new(MemoryLimits::of(1 << 30), 100)
}

fn frame(pool: &FramePool, bytes: &[u8]) -> Frame {
    let mut frame = pool.alloc().unwrap();
    frame.extend(bytes.len()).unwrap().copy_from_slice(bytes);
    frame
}

fn drain(state: &mut RecvState, held: &mut Memory) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(chunk) = state.take(held) {
        all.extend_from_slice(&chunk);
    }
    all
}

#[test]
fn gaps_close_and_the_first_bytes_received_win() {
    let pool = FramePool::heap(16);
    let (mut state, mut held) = (RecvState::default(), held());
    assert_eq!(state.store(Seq(10), frame(&pool, b"klmno"), &mut held, LIMITS), Stored::New);
    assert_eq!(state.store(Seq(12), frame(&pool, b"XX"), &mut held, LIMITS), Stored::Duplicate);
    assert_eq!(state.store(Seq(13), frame(&pool, b"XXpq"), &mut held, LIMITS), Stored::New);
    assert_eq!(state.store(Seq(5), frame(&pool, b"fghijXX"), &mut held, LIMITS), Stored::New);
    assert_eq!(state.join(Seq(0), &mut held), 0);
    state.push(frame(&pool, b"abcde"), &mut held);
    assert_eq!(state.join(Seq(5), &mut held), 12);
    assert_eq!(drain(&mut state, &mut held), b"abcdefghijklmnopq");
    assert!(state.is_idle());
    assert_eq!((held.received, held.frames, pool.available()), (0, 0, 16));
}

#[test]
fn limits_of_out_of_order_data_hold() {
    let pool = FramePool::heap(16);
    let (mut state, mut held) = (RecvState::default(), held());
    for n in 0..8 {
        assert_eq!(state.store(Seq(n * 10), frame(&pool, b"x"), &mut held, LIMITS), Stored::New);
    }
    assert_eq!(state.store(Seq(900), frame(&pool, b"x"), &mut held, LIMITS), Stored::Refused);
    state.discard(&mut held);
    // A frame costs 2,048 bytes and its place; one run.
    for n in 0..9 {
        assert_eq!(state.store(Seq(n * 1460), frame(&pool, &[0; 1460]), &mut held, LIMITS), Stored::New);
    }
    assert_eq!(state.store(Seq(9 * 1460), frame(&pool, &[0; 1460]), &mut held, LIMITS), Stored::Refused);
    // The last ones go first; what is left is what is said.
    assert_eq!(state.prune(5_000, &mut held), 7);
    assert_eq!(
        (state.out_of_order_bytes(), state.sack_blocks(4).as_slice()),
        (2 * 1460, &[(Seq(0), Seq(2 * 1460))][..])
    );
    assert_eq!((held.received, held.frames, state.held()), (2 * (2048 + 48 + PIECE), 2, held.received));
    state.discard(&mut held);
    assert_eq!((held.received, held.frames), (0, 0));
}

#[test]
fn settled_data_leaves_its_frames_when_they_are_mostly_empty() {
    let pool = FramePool::heap(64);
    let (mut state, mut held) = (RecvState::default(), held());
    let mut expected = Vec::new();
    for n in 0..20u8 {
        let size = if n % 5 == 4 { 1500 } else { 100 };
        expected.extend(vec![n; size]);
        state.push(frame(&pool, &vec![n; size]), &mut held);
    }
    assert_eq!(held.frames, 20);
    state.settle(&mut held);
    assert_eq!((held.frames, pool.available(), held.compacted), (4, 60, 16));
    // Four frames, and four compact buffers of four times 100 bytes.
    assert_eq!(held.received, 4 * (2048 + 48) + 4 * (400 + 64));
    assert_eq!(state.consume(150, &mut held), 150);
    assert_eq!(drain(&mut state, &mut held), expected[150..]);
    assert_eq!((held.received, held.frames, pool.available()), (0, 0, 64));
}

#[test]
fn beyond_the_budget_of_frames_data_is_copied_on_arrival() {
    let pool = FramePool::heap(8);
    let (mut state, mut held) = (RecvState::default(), Memory::new(MemoryLimits::of(1 << 30), 1));
    state.push(frame(&pool, &[1; 1500]), &mut held);
    state.push(frame(&pool, &[2; 1500]), &mut held);
    state.push(frame(&pool, &[3; 1500]), &mut held);
    assert_eq!((held.frames, held.received, pool.available()), (1, 2096 + 1564 + 1500, 7));
    assert_eq!(state.consume(10_000, &mut held), 4500);
    assert_eq!((held.frames, held.received), (0, 0));
}
