use super::*;
use crate::rng::Rng;

fn seqs(pairs: &[(u32, u32)]) -> Vec<Range> {
    pairs.iter().map(|&(a, b)| (Seq(a), Seq(b))).collect()
}

#[test]
fn ranges_merge_and_count() {
    let mut set = RangeSet::default();
    assert_eq!(set.insert(Seq(10), Seq(20), 8), Some(10));
    assert_eq!(set.insert(Seq(30), Seq(40), 8), Some(10));
    assert_eq!(set.insert(Seq(20), Seq(25), 8), Some(5));
    assert_eq!(set.ranges, seqs(&[(10, 25), (30, 40)]));
    assert_eq!(set.insert(Seq(5), Seq(35), 8), Some(10));
    assert_eq!((set.ranges.clone(), set.bytes()), (seqs(&[(5, 40)]), 35));
    assert_eq!(set.insert(Seq(50), Seq(60), 1), None);
    set.remove_before(Seq(15));
    assert_eq!((set.ranges.clone(), set.bytes()), (seqs(&[(15, 40)]), 25));
}

#[test]
fn ranges_agree_with_a_bitmap() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let base = Seq(u32::MAX - 100);
        let (mut set, mut model) = (RangeSet::default(), [false; 300]);
        let mut floor = 0;
        for _ in 0..60 {
            let start = floor + rng.below(300 - floor);
            let end = start + rng.below(300 - start + 1).min(30);
            let new = (start..end).filter(|&i| !model[i as usize]).count() as u32;
            assert_eq!(set.insert(base + start, base + end, 1000), Some(new), "seed {seed}");
            (start..end).for_each(|i| model[i as usize] = true);
            if rng.below(8) == 0 {
                floor += rng.below(20).min(299 - floor);
                set.remove_before(base + floor);
                (0..floor).for_each(|i| model[i as usize] = false);
            }
            assert_eq!(set.bytes() as usize, model.iter().filter(|b| **b).count(), "seed {seed}");
            let probe = rng.below(300);
            assert_eq!(set.covering(base + probe).is_some(), model[probe as usize], "seed {seed}");
        }
    }
}

#[test]
fn the_latest_block_comes_first_and_a_duplicate_before_it() {
    let mut held = RangeSet::default();
    let mut reporter = Reporter::default();
    for start in [100, 300, 500, 700, 900] {
        held.insert(Seq(start), Seq(start + 100), 16);
        reporter.note(Seq(start));
    }
    assert_eq!(reporter.blocks(&held, 3).as_slice(), seqs(&[(900, 1000), (700, 800), (500, 600)]));
    reporter.note_duplicate(Seq(20), Seq(30));
    assert_eq!(reporter.blocks(&held, 3).as_slice(), seqs(&[(20, 30), (900, 1000), (700, 800)]));
    held.insert(Seq(800), Seq(900), 16);
    assert_eq!(reporter.blocks(&held, 4).as_slice(), seqs(&[(700, 1000), (500, 600), (300, 400)]));
}
