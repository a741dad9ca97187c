use super::*;

fn suspect(index: u32, held: usize, orphan: bool, since_ms: u32) -> Suspect {
    let id = ConnId { index, generation: 1 };
    Suspect { id, held, orphan, mark: (Seq(index), Seq(index)), since_ms }
}

fn order(policy: OnMemoryExhausted, seen: &[Suspect], now_ms: u32) -> Vec<u32> {
    let mut suspects = Suspects::default();
    seen.iter().for_each(|seen| suspects.note(*seen, policy, now_ms));
    core::iter::from_fn(|| suspects.pop(policy, now_ms)).map(|suspect| suspect.id.index).collect()
}

#[test]
fn orphans_go_first_then_what_stands_still_then_the_largest() {
    let seen = [
        suspect(1, 900, false, 4_900),
        suspect(2, 10, true, 5_000),
        suspect(3, 300, false, 3_000),
        suspect(4, 500, false, 2_000),
        suspect(5, 20, true, 4_000),
        suspect(6, 999, false, 5_000),
    ];
    assert_eq!(order(OnMemoryExhausted::ResetLargest, &seen, 5_000), [5, 2, 4, 3, 6, 1]);
    assert_eq!(order(OnMemoryExhausted::ResetOldest, &seen, 5_000), [5, 2, 4, 3, 1, 6]);
}

#[test]
fn a_stream_that_moves_is_seen_anew() {
    let policy = OnMemoryExhausted::ResetOldest;
    let mut suspects = Suspects::default();
    suspects.note(suspect(1, 100, false, 1_000), policy, 1_000);
    suspects.note(suspect(2, 100, false, 2_000), policy, 2_000);
    // The first one has moved on; the second one is where it was.
    let moved = Suspect { mark: (Seq(7), Seq(7)), ..suspect(1, 100, false, 3_000) };
    suspects.note(moved, policy, 3_000);
    suspects.note(suspect(2, 200, false, 3_000), policy, 3_000);
    let worst = suspects.pop(policy, 4_000).unwrap();
    assert_eq!((worst.id.index, worst.since_ms, worst.held), (2, 2_000, 200));
}

#[test]
fn the_table_keeps_the_worst() {
    let policy = OnMemoryExhausted::ResetLargest;
    let seen: Vec<Suspect> = (0..500).map(|n| suspect(n, (n as usize * 7_919) % 1_009, false, 0)).collect();
    let mut largest: Vec<usize> = seen.iter().map(|suspect| suspect.held).collect();
    largest.sort_unstable_by(|a, b| b.cmp(a));
    let mut suspects = Suspects::default();
    seen.iter().for_each(|seen| suspects.note(*seen, policy, 0));
    let kept: Vec<usize> = core::iter::from_fn(|| suspects.pop(policy, 0)).map(|suspect| suspect.held).collect();
    assert_eq!(kept, largest[..TABLE]);
}
