use super::*;
use crate::rng::Rng;

fn delivery() -> Delivery {
    Delivery::new(Instant::from_millis(900), None, 0, Seq(0), Seq(0))
}

fn record(start: Seq, len: u32, at: u64) -> Record {
    Record::new(start, len, 0, Instant::from_nanos(at), Snapshot::default())
}

/// Ten records of 100 numbers each, from 1000 on.
fn ten() -> Scoreboard {
    let mut board = Scoreboard::default();
    (0..10).for_each(|n| board.push(record(Seq(1000 + n * 100), 100, u64::from(n))));
    board
}

fn state(board: &Scoreboard) -> (u32, u32, u32) {
    (board.in_flight(), board.sacked(), board.lost())
}

fn audit(board: &Scoreboard, una: u32, nxt: u32) {
    board.audit(Seq(una), Seq(nxt)).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn acknowledgments_and_blocks_deliver_each_record_once() {
    let (mut board, mut told) = (ten(), delivery());
    board.sack(Seq(1300), Seq(1600), &mut told);
    assert_eq!((told.bytes, told.sacked, state(&board)), (300, 300, (700, 300, 0)));
    board.sack(Seq(1250), Seq(1750), &mut told);
    assert_eq!((told.bytes, board.sacked_segments()), (400, 4), "1600 to 1700; what is covered in part does not count");
    board.acknowledge(Seq(1450), &mut told);
    assert_eq!((told.bytes, state(&board), board.fack()), (700, (300, 250, 0), Seq(1700)));
    audit(&board, 1450, 2000);
    board.acknowledge(Seq(2000), &mut told);
    assert_eq!((told.bytes, state(&board), board.is_empty()), (1000, (0, 0, 0), true));
}

#[test]
fn what_is_lost_again_goes_before_what_comes_later() {
    let mut board = ten();
    for n in [3, 4, 5] {
        assert_eq!(board.mark_lost(n), 100);
        assert_eq!(board.mark_lost(n), 0, "once");
    }
    assert_eq!((state(&board), board.next_lost().unwrap().0), ((700, 0, 300), 3));
    board.resend(3, Instant::from_nanos(50), Snapshot::default(), false);
    assert_eq!((board.repeated(), board.next_lost().unwrap().0, board.oldest().unwrap().0), (100, 4, 0));
    board.mark_lost(3);
    assert_eq!((board.repeated(), board.next_lost().unwrap().0), (0, 3));
    board.unmark_lost();
    assert_eq!((state(&board), board.oldest().unwrap().0, board.repeated()), ((1000, 0, 0), 3, 100));
    audit(&board, 1000, 2000);
}

#[test]
fn a_timeout_takes_everything_for_lost_but_the_latest() {
    let (mut board, mut told) = (ten(), delivery());
    board.sack(Seq(1200), Seq(1300), &mut told);
    board.mark_lost(7);
    let mut bytes = 0;
    board.mark_all_lost(Instant::from_nanos(8), false, |record| bytes += record.len);
    assert_eq!(bytes, 700);
    assert_eq!((state(&board), board.oldest().unwrap().0), ((100, 100, 800), 9));
    let mut bytes = 0;
    board.mark_all_lost(Instant::from_nanos(99), true, |record| bytes += record.len);
    assert_eq!(bytes, 200, "what was SACKed, too");
    let mut order = Vec::new();
    while let Some((key, record)) = board.next_lost() {
        order.push(record.start.0);
        board.resend(key, Instant::from_nanos(100), Snapshot::default(), false);
    }
    assert!(order.is_sorted() && order.len() == 10, "{order:?}");
    audit(&board, 1000, 2000);
}

#[test]
fn smaller_segments_cut_what_is_not_sacked() {
    let (mut board, mut told) = (ten(), delivery());
    board.push(Record::new(Seq(2000), 31, mark::FIN, Instant::ZERO, Snapshot::default()));
    board.sack(Seq(1100), Seq(1200), &mut told);
    board.recut(30);
    assert_eq!(state(&board), (0, 100, 931));
    assert_eq!(board.last().map(|(_, record)| (record.len, record.has(mark::FIN))), Some((21, true)));
    audit(&board, 1000, 2031);
    // From 1200 on the records are 30 numbers long.
    board.sack(Seq(1030), Seq(1590), &mut told);
    assert_eq!(board.sacked(), 560);
    audit(&board, 1000, 2031);
}

/// The same operations on an array of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Number {
    Flight,
    Lost,
    Sacked,
}

#[test]
fn records_agree_with_a_model_of_single_numbers() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let base = Seq(u32::MAX - 500);
        let (mut board, mut model, mut cuts) = (Scoreboard::default(), Vec::new(), vec![0u32]);
        let mut una = 0usize;
        for step in 0..200u64 {
            match rng.below(6) {
                0 | 1 => {
                    let len = 1 + rng.below(20);
                    board.push(record(base + model.len() as u32, len, step));
                    model.extend((0..len).map(|_| Number::Flight));
                    cuts.push(model.len() as u32);
                }
                2 => {
                    una += rng.below((model.len() - una) as u32 + 1) as usize / 3;
                    board.acknowledge(base + una as u32, &mut delivery());
                    cuts.retain(|cut| *cut as usize > una);
                    cuts.insert(0, una as u32);
                }
                3 => {
                    let from = una as u32 + rng.below((model.len() - una) as u32 + 1);
                    let to = from + rng.below(60);
                    board.sack(base + from, base + to, &mut delivery());
                    for pair in cuts.windows(2).filter(|pair| pair[0] >= from && pair[1] <= to) {
                        model[pair[0] as usize..pair[1] as usize].fill(Number::Sacked);
                    }
                }
                4 => {
                    if let Some((key, record)) = board.oldest() {
                        let start = record.start.since(base) as usize;
                        model[start..start + record.len as usize].fill(Number::Lost);
                        board.mark_lost(key);
                    }
                }
                _ => {
                    if let Some((key, record)) = board.next_lost() {
                        let start = record.start.since(base) as usize;
                        model[start..start + record.len as usize].fill(Number::Flight);
                        board.resend(key, Instant::from_nanos(step), Snapshot::default(), false);
                    }
                }
            }
            let count = |which| model[una..].iter().filter(|number| **number == which).count() as u32;
            let counted = (count(Number::Flight), count(Number::Sacked), count(Number::Lost));
            assert_eq!(state(&board), counted, "seed {seed} step {step}");
            board
                .audit(base + una as u32, base + model.len() as u32)
                .unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        }
    }
}

#[test]
fn blocks_that_cover_the_same_again_and_again_cost_nothing() {
    let mut board = Scoreboard::default();
    let segments = 200_000;
    (0..segments).for_each(|n| board.push(record(Seq(n * 10), 10, u64::from(n))));
    // A hostile peer: every segment in a block that begins at the second one.
    let mut told = delivery();
    for n in 2..segments {
        board.sack(Seq(10), Seq(n * 10), &mut told);
        board.sack(Seq(10 * (n / 2)), Seq(n * 10), &mut told);
    }
    assert_eq!(board.sacked_segments(), segments - 2);
}
