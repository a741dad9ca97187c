use core::time::Duration;

use super::super::{Congestion, RateSample};
use super::*;

const MSS: u32 = 1000;

fn model(cc: &Congestion) -> &Model {
    match cc {
        Congestion::Bbr(bbr) => &bbr.0,
        other => panic!("{other:?}"),
    }
}

/// A path of `rate` bytes per millisecond and `rtt_ms`, on which acknowledgments arrive one by one.
struct Steady {
    bbr: Bbr,
    now: Instant,
    delivered: u64,
    rtt_ms: u64,
    rate: u64,
}

impl Steady {
    fn new(rate: u64, rtt_ms: u64) -> Steady {
        Steady { bbr: Bbr::new(MSS, 10, 1, Instant::ZERO), now: Instant::ZERO, delivered: 0, rtt_ms, rate }
    }

    fn ack(&mut self) -> Ack {
        self.now = self.now.plus_micros(1_000_000 / self.rate);
        let flight = self.rate * self.rtt_ms;
        self.delivered += u64::from(MSS);
        let rate = RateSample {
            delivered: flight as u32,
            interval: Duration::from_millis(self.rtt_ms),
            app_limited: false,
            prior_delivered: self.delivered.saturating_sub(flight),
            total_delivered: self.delivered,
            tx_in_flight: flight as u32,
            lost: 0,
        };
        Ack {
            acked: MSS,
            delivered: MSS,
            prior_in_flight: flight as u32,
            in_flight: flight as u32,
            rtt: Some(Duration::from_millis(self.rtt_ms)),
            srtt: Some(Duration::from_millis(self.rtt_ms)),
            rate: Some(rate),
            ..Ack::new(self.now, MSS)
        }
    }

    fn run(&mut self, acks: u64) {
        for _ in 0..acks {
            let ack = self.ack();
            self.bbr.on_ack(&ack);
        }
    }

    fn run_to(&mut self, state: &str) {
        for _ in 0..1_000_000 {
            if self.bbr.state() == state {
                return;
            }
            self.run(1);
        }
        panic!("{state} was never reached: {:?}", self.bbr);
    }
}

#[test]
fn rates_are_exact_where_it_counts() {
    let rate = Rate::of(1_250_000, Duration::from_millis(100));
    assert_eq!(rate.bytes_per_second(), 12_500_000);
    assert_eq!(rate.bytes_in(40_000_000), 500_000);
    assert_eq!(rate.percent(277).bytes_per_second(), 34_625_000);
    assert_eq!(Rate::of(1000, Duration::ZERO), Rate::ZERO);
    let fastest = Rate::of(u32::MAX, Duration::from_nanos(1));
    assert_eq!(fastest.bytes_per_second(), 65_536_000_000);
    assert!(fastest.bytes_in(u64::MAX) > u64::from(MAX_WINDOW));
    assert!(Rate::INFINITE > fastest && Rate::INFINITE.percent(70) == Rate::INFINITE);
}

#[test]
fn a_plateau_of_three_rounds_ends_startup_and_an_empty_queue_ends_drain() {
    let mut path = Steady::new(1000, 40);
    // The first flight is a round, and raises the baseline; three more do not.
    path.run(1);
    assert_eq!(path.bbr.state(), "Startup");
    let before = path.bbr.pacing_rate().unwrap();
    assert!(before >= 2_700_000, "{before}");
    path.run(3 * 40);
    assert!(path.bbr.0.cycle.full_bw_reached, "{:?}", path.bbr);
    // In flight is what the path holds, so that nothing is to be drained.
    assert_eq!(path.bbr.state(), "ProbeBW_CRUISE");
    assert_eq!(path.bbr.ssthresh(), 40_000);
    assert_eq!(path.bbr.pacing_rate(), Some(989_999));
}

#[test]
fn a_cycle_of_probing_passes_through_its_states_in_order() {
    let mut path = Steady::new(1000, 40);
    let mut seen = Vec::new();
    for _ in 0..200 * 40 {
        path.run(1);
        if seen.last() != Some(&path.bbr.state()) {
            seen.push(path.bbr.state());
        }
    }
    // Without a queue Drain and the first Down end with the acknowledgment that they begin with. On so short a path
    // bandwidth is probed as often as Reno would lose (§5.3.3.8).
    assert_eq!(seen[..5], ["Startup", "ProbeBW_CRUISE", "ProbeBW_REFILL", "ProbeBW_UP", "ProbeBW_DOWN"]);
    assert_eq!(seen[5..10], ["ProbeBW_CRUISE", "ProbeBW_REFILL", "ProbeBW_UP", "ProbeBW_DOWN", "ProbeBW_CRUISE"]);
    assert!(seen[10..].contains(&"ProbeRTT"), "{seen:?}");
}

#[test]
fn a_probe_with_too_much_loss_bounds_what_is_in_flight() {
    let mut path = Steady::new(1000, 40);
    path.run_to("ProbeBW_UP");
    let lost = LostSegment { bytes: MSS, tx_in_flight: 50_000, lost: MSS, app_limited: false };
    path.bbr.on_lost(path.now, &lost);
    assert_eq!(path.bbr.state(), "ProbeBW_UP", "2 % is borne");
    path.bbr.on_lost(path.now, &LostSegment { lost: 2 * MSS, ..lost });
    assert_eq!(path.bbr.state(), "ProbeBW_DOWN");
    // 2 % of what was in flight before the segment had been lost already.
    assert_eq!(path.bbr.0.bounds.inflight_longterm, 49_000);
    // Once for each probe.
    path.bbr.on_lost(path.now, &LostSegment { lost: 20 * MSS, ..lost });
    assert_eq!(path.bbr.0.bounds.inflight_longterm, 49_000);
    // The next probe turns back where the loss was (§5.3.3.6).
    path.run_to("ProbeBW_UP");
    let mut ack = path.ack();
    ack.in_flight = 49_500;
    path.bbr.on_ack(&ack);
    assert_eq!(path.bbr.state(), "ProbeBW_DOWN");
    path.run_to("ProbeBW_REFILL");
    assert!(!path.bbr.0.cycle.prev_probe_too_high);
}

#[test]
fn losses_while_cruising_lower_the_short_term_bounds_until_the_next_probe() {
    let mut path = Steady::new(1000, 40);
    path.run_to("ProbeBW_CRUISE");
    let rate = path.bbr.pacing_rate().unwrap();
    path.bbr.on_lost(path.now, &LostSegment { bytes: MSS, tx_in_flight: 40_000, lost: MSS, app_limited: false });
    path.bbr.on_loss(path.now, 40_000, MSS);
    assert_eq!(path.bbr.pacing_rate(), Some(rate));
    path.run(41);
    // The path still delivers as much: max(latest, 0.7 of what was).
    assert_eq!(path.bbr.0.bounds.bw_shortterm, path.bbr.0.path.max_bw());
    path.rate = 500;
    for _ in 0..4 {
        path.bbr.on_lost(path.now, &LostSegment { bytes: MSS, tx_in_flight: 40_000, lost: MSS, app_limited: false });
        path.run(21);
    }
    let bound = path.bbr.0.bounds.bw_shortterm;
    assert!(bound < path.bbr.0.path.max_bw() && bound.bytes_per_second() >= 500_000, "{bound:?}");
    path.run_to("ProbeBW_REFILL");
    assert_eq!(path.bbr.0.bounds.bw_shortterm, Rate::INFINITE);
}

#[test]
fn an_undone_loss_restores_the_bounds_and_the_probe() {
    let mut path = Steady::new(1000, 40);
    path.run_to("ProbeBW_UP");
    let window = path.bbr.window();
    let lost = LostSegment { bytes: MSS, tx_in_flight: 50_000, lost: 10 * MSS, app_limited: false };
    path.bbr.on_lost(path.now, &lost);
    path.bbr.on_loss(path.now, 50_000, MSS);
    assert_eq!(path.bbr.state(), "ProbeBW_DOWN");
    path.run(2);
    path.bbr.on_undo(path.now, MSS);
    assert_eq!(path.bbr.state(), "ProbeBW_REFILL");
    assert_eq!(path.bbr.0.bounds.inflight_longterm, bounds::INFINITE);
    assert!(path.bbr.window() >= window);
}

#[test]
fn a_timeout_leaves_one_segment_and_recovery_gives_the_window_back() {
    let mut path = Steady::new(1000, 40);
    path.run_to("ProbeBW_CRUISE");
    let window = path.bbr.window();
    path.bbr.on_timeout(path.now, 40_000, MSS, true);
    assert_eq!(path.bbr.window(), MSS);
    path.run(1);
    assert_eq!(path.bbr.window(), 4 * MSS);
    path.bbr.on_recovered(path.now, MSS);
    assert_eq!(path.bbr.window(), window);
}

#[test]
fn an_echoed_mark_ends_startup_and_lowers_bounds_later() {
    let mut path = Steady::new(1000, 40);
    path.run(5);
    path.bbr.on_ecn(path.now, 40_000, MSS);
    path.run(1);
    assert_eq!(path.bbr.state(), "ProbeBW_DOWN");
    path.run_to("ProbeBW_UP");
    path.bbr.on_ecn(path.now, 60_000, MSS);
    assert_eq!((path.bbr.state(), path.bbr.0.bounds.inflight_longterm), ("ProbeBW_DOWN", 60_000));
}

#[test]
fn after_an_idle_time_it_sends_at_the_rate_that_it_knows() {
    let mut path = Steady::new(1000, 40);
    path.run_to("ProbeBW_DOWN");
    let window = path.bbr.window();
    path.now += Duration::from_secs(60);
    path.bbr.on_restart(path.now, MSS);
    assert_eq!((path.bbr.window(), path.bbr.pacing_rate()), (window, Some(989_999)));
    path.run(1);
    assert_ne!(path.bbr.state(), "ProbeRTT", "the idle time drained the queue");
}

#[test]
fn another_controller_goes_on_from_what_the_path_holds() {
    let mut path = Steady::new(1000, 40);
    path.run_to("ProbeBW_CRUISE");
    let mut cc = Congestion::Bbr(path.bbr.clone());
    cc.switch(super::super::CongestionKind::Cubic, MSS, 10, 0, path.now);
    assert_eq!((cc.name(), cc.window(), cc.ssthresh()), ("cubic", path.bbr.window(), 40_000));
    cc.switch(super::super::CongestionKind::Bbr, MSS, 10, 0, path.now);
    assert_eq!((cc.window(), model(&cc).cycle.phase), (path.bbr.window(), Phase::Startup));
}
