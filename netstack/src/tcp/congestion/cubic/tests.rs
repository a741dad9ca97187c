use core::time::Duration;

use super::*;

const MSS: u32 = 1000;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// What RFC 9438's equations 1 and 2 give, in segments.
fn w_cubic(w_max: f64, start: f64, seconds: f64) -> f64 {
    let k = ((w_max - start) / 0.4).cbrt();
    0.4 * (seconds - k).powi(3) + w_max
}

/// A controller with a window of `segments` whose first slow start is over.
fn with_window(segments: u32) -> Cubic {
    let mut cubic = Cubic::new(MSS, 10);
    cubic.carry(segments * MSS, segments * MSS);
    cubic
}

/// A round trip of acknowledgments, one for each segment of the window, spread evenly.
fn round(cubic: &mut Cubic, from_ms: u64, rtt_ms: u64) {
    let segments = u64::from(cubic.window() / MSS);
    for i in 0..segments {
        let now = Instant::from_micros(from_ms * 1000 + i * rtt_ms * 1000 / segments);
        let srtt = Some(Duration::from_millis(rtt_ms));
        cubic.on_ack(&Ack { acked: MSS, limited: true, srtt, ..Ack::new(now, MSS) });
    }
}

#[test]
fn the_cube_root_is_exact() {
    for root in (0u64..3000).chain([1 << 20, 2_097_151, 2_642_245]) {
        let cube = root * root * root;
        assert_eq!(u64::from(cube_root(cube)), root);
        assert_eq!(u64::from(cube_root(cube.saturating_add(3 * root * root))), root);
        assert_eq!(cube_root(cube.saturating_sub(1)), (root as u32).saturating_sub(1));
    }
    assert_eq!(cube_root(u64::MAX), 2_642_245);
}

#[test]
fn the_window_follows_the_curve_of_the_rfc() {
    // A window of 1000 segments is lost at 100 ms: Reno would be back after 300 rounds, half a minute.
    let mut cubic = with_window(1000);
    cubic.on_loss(at(0), 1000 * MSS, MSS);
    assert_eq!(cubic.window(), 700 * MSS);
    let mut table = Vec::new();
    for tenth in 0..160 {
        if tenth % 20 == 0 {
            table.push((tenth / 10, cubic.window() / MSS, w_cubic(1000.0, 700.0, tenth as f64 / 10.0) as u32));
        }
        round(&mut cubic, tenth * 100, 100);
    }
    for &(second, window, formula) in &table {
        assert!(window.abs_diff(formula) <= 1, "after {second} s: {window}, by the formula {formula}");
    }
    let windows: Vec<u32> = table.iter().map(|row| row.1).collect();
    assert_eq!(windows, [700, 857, 947, 988, 999, 1000, 1009, 1047]);
}

#[test]
fn k_is_when_the_plateau_is_reached() {
    let mut epoch = Epoch { w_max: 1000 * MSS, ..Epoch::default() };
    epoch.begin(700 * MSS, MSS, 0);
    // ∛(300/0.4) s
    assert_eq!(epoch.k_ms, 9085);
    assert_eq!(epoch.w_cubic(9085, MSS), 1000 * u64::from(MSS));
    assert!(epoch.w_cubic(0, MSS).abs_diff(700_000) < 100);
    // Symmetric about the plateau.
    assert_eq!(epoch.w_cubic(9085 + 5000, MSS) - 1_000_000, 1_000_000 - epoch.w_cubic(9085 - 5000, MSS));
}

#[test]
fn one_round_trip_adds_half_a_window_at_most() {
    let mut cubic = with_window(100);
    round(&mut cubic, 0, 100);
    // The curve is far above after a minute that counts.
    cubic.on_ack(&Ack { acked: MSS, limited: true, ..Ack::new(at(60_000), MSS) });
    assert_eq!(cubic.window() / MSS, 101);
    round(&mut cubic, 60_000, 100);
    assert!((145..=152).contains(&(cubic.window() / MSS)), "{}", cubic.window());
}

#[test]
fn where_reno_is_faster_the_window_grows_like_renos() {
    // 20 segments at 10 ms: the curve takes K = 2.4 s back, Reno's 9/17 segment a round trip takes 0.11 s.
    let mut cubic = with_window(20);
    cubic.on_loss(at(0), 20 * MSS, MSS);
    assert_eq!(cubic.window(), 14 * MSS);
    (0..10).for_each(|i| round(&mut cubic, i * 10, 10));
    let window = cubic.window();
    assert!(window.abs_diff(14 * MSS + 10 * 9 * MSS / 17) < MSS / 2, "{window}");
    // §4.3: as much as before the loss, and it is Reno: a segment a round trip.
    (10..12).for_each(|i| round(&mut cubic, i * 10, 10));
    let window = cubic.window();
    (12..22).for_each(|i| round(&mut cubic, i * 10, 10));
    assert!((cubic.window() - window).abs_diff(10 * MSS) < MSS, "{window} {}", cubic.window());
}

#[test]
fn a_loss_below_the_last_plateau_lowers_it_further() {
    let mut cubic = with_window(1000);
    let w_max = |cubic: &Cubic| cubic.leave_first().epoch.w_max / MSS;
    cubic.on_loss(at(0), 1000 * MSS, MSS);
    assert_eq!((cubic.window() / MSS, w_max(&cubic)), (700, 1000));
    round(&mut cubic, 0, 100);
    let before = cubic.window();
    cubic.on_loss(at(100), before, MSS);
    // (1 + β)/2 of the window
    assert_eq!(w_max(&cubic), before * 17 / 20 / MSS);
    assert_eq!(cubic.window(), before * 7 / 10);
}

#[test]
fn a_timeout_begins_a_curve_at_its_plateau() {
    let mut cubic = with_window(100);
    cubic.on_timeout(at(0), 100 * MSS, MSS, true);
    assert_eq!((cubic.window(), cubic.ssthresh()), (MSS, 70 * MSS));
    cubic.on_timeout(at(500), MSS, MSS, false);
    assert_eq!((cubic.window(), cubic.ssthresh()), (MSS, 70 * MSS));
    (0..8).for_each(|i| round(&mut cubic, 1000 + i * 100, 100));
    let epoch = cubic.leave_first().epoch;
    assert!(epoch.k_ms == 0 && epoch.w_max >= 70 * MSS, "{epoch:?}");
}

#[test]
fn a_spurious_event_is_undone_with_its_curve() {
    let mut cubic = with_window(1000);
    cubic.on_loss(at(0), 1000 * MSS, MSS);
    (0..30).for_each(|i| round(&mut cubic, i * 100, 100));
    let before = cubic;
    cubic.on_loss(at(3000), cubic.window(), MSS);
    assert!(cubic.window() < before.window());
    cubic.on_undo(at(3100), MSS);
    assert_eq!((cubic.window(), cubic.ssthresh()), (before.window(), before.ssthresh()));
    assert_eq!(cubic.leave_first().epoch, before.leave_first().epoch);
    // Nothing is left to undo.
    cubic.on_timeout(at(3200), 10 * MSS, MSS, false);
    cubic.on_undo(at(3300), MSS);
    assert_eq!(cubic.window(), MSS);
    // In the first slow start, the same with a timeout.
    let mut cubic = Cubic::new(MSS, 10);
    cubic.on_timeout(at(0), 10 * MSS, MSS, true);
    cubic.on_undo(at(100), MSS);
    assert_eq!(cubic, Cubic::new(MSS, 10));
}

#[test]
fn time_in_which_the_window_is_not_used_is_no_time_of_the_curve() {
    let mut busy = with_window(1000);
    busy.on_loss(at(0), 1000 * MSS, MSS);
    (0..20).for_each(|i| round(&mut busy, i * 100, 100));
    let mut paused = busy;
    // A minute of small answers.
    for i in 0..=600 {
        paused.on_ack(&Ack { acked: MSS, ..Ack::new(at(2000 + i * 100), MSS) });
    }
    assert_eq!(paused.window(), busy.window());
    (0..20).for_each(|i| round(&mut busy, 2000 + i * 100, 100));
    (0..20).for_each(|i| round(&mut paused, 62_000 + i * 100, 100));
    assert!(paused.window().abs_diff(busy.window()) < MSS, "{} {}", paused.window(), busy.window());
}

#[test]
fn an_idle_time_costs_the_window_but_not_the_threshold() {
    let mut cubic = with_window(100);
    cubic.on_restart(at(0), MSS);
    assert_eq!((cubic.window(), cubic.ssthresh()), (10 * MSS, 100 * MSS));
    let mut cubic = Cubic::new(MSS, 10);
    round(&mut cubic, 0, 100);
    cubic.on_restart(at(5000), MSS);
    assert_eq!((cubic.window(), cubic.ssthresh()), (10 * MSS, MAX_WINDOW));
}

#[test]
fn a_flight_beyond_the_window_does_not_soften_the_reduction() {
    let mut cubic = with_window(100);
    cubic.on_loss(at(0), 130 * MSS, MSS);
    assert_eq!(cubic.window(), 70 * MSS);
    let mut cubic = with_window(100);
    cubic.on_loss(at(0), 40 * MSS, MSS);
    assert_eq!(cubic.window(), 28 * MSS);
    cubic.on_loss(at(0), 0, MSS);
    assert_eq!(cubic.window(), 2 * MSS);
}
