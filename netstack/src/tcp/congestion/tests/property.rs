//! Whatever the calls: windows stay within their bounds, nothing overflows, pacing never stops.

use core::time::Duration;

use crate::rng::Rng;
use crate::tcp::congestion::{Ack, Congestion, CongestionControl, CongestionKind, LostSegment, MAX_WINDOW, RateSample};
use crate::time::Instant;

/// Small values, usual ones and extremes alike.
fn any(rng: &mut Rng, most: u32) -> u32 {
    match rng.below(4) {
        0 => 0,
        1 => most,
        2 => rng.below(20_000).min(most),
        _ => (rng.next_u64() as u32 >> rng.below(32)).min(most),
    }
}

fn any_ack(rng: &mut Rng, now: Instant, mss: u32, delivered: &mut u64) -> Ack {
    let duration = |rng: &mut Rng| Duration::from_micros(u64::from(any(rng, u32::MAX)) << rng.below(12));
    let bytes = any(rng, 1 << 30);
    let prior = delivered.saturating_sub(u64::from(any(rng, u32::MAX)));
    *delivered = delivered.saturating_add(u64::from(bytes));
    let rate = RateSample {
        delivered: any(rng, u32::MAX),
        interval: duration(rng),
        app_limited: rng.below(4) == 0,
        prior_delivered: prior,
        total_delivered: *delivered,
        tx_in_flight: any(rng, u32::MAX),
        lost: any(rng, u32::MAX),
    };
    Ack {
        acked: any(rng, 1 << 30),
        delivered: bytes,
        lost: any(rng, 1 << 30),
        prior_in_flight: any(rng, u32::MAX),
        in_flight: any(rng, u32::MAX),
        limited: rng.below(2) == 0,
        in_recovery: rng.below(4) == 0,
        rtt: (rng.below(4) > 0).then(|| duration(rng)),
        srtt: (rng.below(4) > 0).then(|| duration(rng)),
        rate: (rng.below(4) > 0).then_some(rate),
        ..Ack::new(now, mss)
    }
}

fn any_sequence(seed: u64, kind: CongestionKind) {
    let mut rng = Rng::new(seed);
    let mut now = Instant::from_nanos(rng.next_u64() >> rng.below(64));
    let mut mss = 1 + any(&mut rng, 65_494);
    let mut delivered = 0;
    let mut cc = Congestion::new(kind, mss, rng.below(256) as u8, seed, now);
    for step in 0..400 {
        now += Duration::from_nanos((rng.next_u64() >> 20) >> rng.below(44));
        let in_flight = any(&mut rng, u32::MAX);
        match rng.below(24) {
            0 => cc.on_loss(now, in_flight, mss),
            1 => cc.on_ecn(now, in_flight, mss),
            2 => cc.on_timeout(now, in_flight, mss, rng.below(2) == 0),
            3 => cc.on_undo(now, mss),
            4 => cc.on_recovered(now, mss),
            5 => cc.on_restart(now, mss),
            6 => {
                let new = 1 + any(&mut rng, 65_494);
                cc.on_mss(mss, new);
                mss = new;
            }
            7 => {
                let kind = CongestionKind::ALL[rng.below(CongestionKind::ALL.len() as u32) as usize];
                cc.switch(kind, mss, 10, seed, now);
            }
            8 => {
                let bytes = any(&mut rng, 65_535);
                let (tx_in_flight, lost) = (any(&mut rng, u32::MAX), any(&mut rng, u32::MAX));
                cc.on_lost(now, &LostSegment { bytes, tx_in_flight, lost, app_limited: rng.below(2) == 0 });
            }
            _ => cc.on_ack(&any_ack(&mut rng, now, mss, &mut delivered)),
        }
        let window = cc.window();
        assert!((mss..=MAX_WINDOW).contains(&window), "seed {seed} step {step}: window {window}, mss {mss}, {cc:?}");
        assert!(cc.pacing_rate() != Some(0), "seed {seed} step {step}: {cc:?}");
        assert!(cc.ssthresh() > 0 && cc.ssthresh() <= MAX_WINDOW, "seed {seed} step {step}: {cc:?}");
    }
}

#[test]
fn windows_and_rates_stay_within_bounds_whatever_happens() {
    for kind in CongestionKind::ALL {
        (0..1_000).for_each(|seed| any_sequence(seed, kind));
    }
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    for kind in CongestionKind::ALL {
        assert_eq!(CongestionKind::from_name(kind.name()), Some(kind));
        let cc = Congestion::new(kind, 1460, 10, 0, Instant::ZERO);
        assert_eq!((cc.name(), cc.kind()), (kind.name(), kind));
    }
    assert_eq!(CongestionKind::from_name("vegas"), None);
}
