use super::*;

const NOW: Instant = Instant::from_millis(1_000_000);
const LATER: u64 = 2 * PERIOD.as_millis() as u64;

fn cookies(secret: u64) -> SynCookieKeys {
    SynCookieKeys::new(&Seed::from_number(secret), NOW)
}

fn tuple(port: u16) -> Tuple {
    Tuple::new([10, 0, 0, 1].into(), 80, [10, 0, 0, 2].into(), port)
}

fn agreed(mss: u16, scale: Option<u8>) -> Agreed {
    Agreed { mss, scale, sack: true, ecn: false, timestamps: false }
}

#[test]
fn what_was_agreed_on_comes_back() {
    let mut cookies = cookies(1);
    for mss in SIZES {
        for scale in [None, Some(0), Some(2), Some(4), Some(6), Some(7), Some(8), Some(10)] {
            for bits in 0..4 {
                let agreed = Agreed { mss, scale, sack: bits & 1 != 0, ecn: bits & 2 != 0, timestamps: false };
                let iss = cookies.bake(&tuple(1), Seq(7), &agreed, NOW).iss;
                assert_eq!(cookies.check(&tuple(1), Seq(7), iss, None, NOW).map(|found| found.0), Some(agreed));
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_rounded_down() {
    let mut cookies = cookies(1);
    let mut through = |mss, scale| {
        let iss = cookies.bake(&tuple(1), Seq(7), &agreed(mss, scale), NOW).iss;
        let (seen, _) = cookies.check(&tuple(1), Seq(7), iss, None, NOW).unwrap();
        (seen.mss, seen.scale)
    };
    assert_eq!(through(1459, Some(9)), (1440, Some(8)));
    assert_eq!(through(65_535, Some(14)), (8960, Some(10)));
    assert_eq!(through(100, Some(1)), (216, Some(0)));
    assert_eq!(through(1200, Some(5)), (536, Some(4)));
}

#[test]
fn with_timestamps_every_shift_is_exact_and_the_clock_does_not_run_ahead() {
    let mut cookies = cookies(1);
    for scale in (0..=14).map(Some).chain([None]) {
        for clock in [0u32, 5, 63, 64, 1000, u32::MAX] {
            let agreed = Agreed { timestamps: true, ecn: true, ..agreed(1460, scale) };
            let iss = cookies.bake(&tuple(1), Seq(7), &agreed, NOW).iss;
            let value = agreed.timestamp(clock);
            assert!(clock.wrapping_sub(value) <= STAMP_MASK);
            assert_eq!(cookies.check(&tuple(1), Seq(7), iss, Some(value), NOW).map(|found| found.0), Some(agreed));
            // Nothing of it can be changed by the peer.
            assert_eq!(cookies.check(&tuple(1), Seq(7), iss, Some(value ^ 1), NOW).map(|found| found.0), None);
            assert!(cookies.check(&tuple(1), Seq(7), iss, None, NOW).is_none());
        }
    }
}

#[test]
fn a_cookie_is_of_one_connection_one_number_and_one_secret() {
    let (mut cookies, mut same, mut other) = (cookies(1), cookies(1), cookies(2));
    let iss = cookies.bake(&tuple(1), Seq(7), &agreed(1460, None), NOW).iss;
    assert!(same.check(&tuple(1), Seq(7), iss, None, NOW).is_some(), "the worker beside checks it, too");
    assert!(other.check(&tuple(1), Seq(7), iss, None, NOW).is_none());
    assert!(cookies.check(&tuple(2), Seq(7), iss, None, NOW).is_none());
    assert!(cookies.check(&tuple(1), Seq(8), iss, None, NOW).is_none());
    let guessed = (0..100_000).filter(|&n| cookies.check(&tuple(1), Seq(7), Seq(iss.0 + 256 + n), None, NOW).is_some());
    assert!(guessed.count() <= 1);
}

#[test]
fn a_cookie_lives_for_its_period_and_the_next() {
    let mut cookies = cookies(1);
    let begin = Instant::from_millis(NOW.as_millis() / PERIOD.as_millis() as u64 * PERIOD.as_millis() as u64);
    let iss = cookies.bake(&tuple(1), Seq(7), &agreed(1460, None), begin).iss;
    for (after, valid) in [(0, true), (LATER - 1, true), (LATER, false), (1 << 30, false)] {
        let now = begin + Duration::from_millis(after);
        assert_eq!(cookies.check(&tuple(1), Seq(7), iss, None, now).is_some(), valid, "after {after} ms");
    }
}

#[test]
fn sequence_numbers_look_random() {
    let mut cookies = cookies(1);
    let numbers: Vec<u32> =
        (0..4096).map(|port| cookies.bake(&tuple(port), Seq(7), &agreed(1460, None), NOW).iss.0).collect();
    for bit in 0..32 {
        let ones = numbers.iter().filter(|&&number| number >> bit & 1 == 1).count();
        assert!((1800..2300).contains(&ones), "bit {bit}: {ones}");
    }
}
