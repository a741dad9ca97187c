use super::*;

#[test]
fn the_window_is_there_before_slow_start_needs_it() {
    // What a sender in slow start gets through in each round trip, and the window that must hold the next one.
    let mut space = FIRST_SEGMENTS * 1460;
    let mut limit = TcpConfig::default().receive_buffer;
    for round in 1..12 {
        let copied = 14_600 << round;
        assert!(copied <= limit, "round {round}: {copied} bytes in a window of {limit}");
        limit = limit.max(window_for(copied, space, 1460));
        space = copied;
    }
}

#[test]
fn a_steady_rate_wants_two_round_trips_of_it() {
    assert_eq!(window_for(1_000_000, 1_000_000, 1460), 2_000_000 + 16 * 1460);
    assert_eq!(window_for(u32::MAX, 1, 1460), WINDOW_BOUNDS.1);
}

#[test]
fn a_stated_size_is_the_only_one() {
    let config = TcpConfig::default();
    let fixed = ConnOptions { receive_buffer: Some(70_000), send_buffer: Some(0), ..ConnOptions::default() };
    assert_eq!(Sizes::receive(&fixed, &config), Sizes { start: 70_000, most: 70_000 });
    assert_eq!(Sizes::send(&fixed, &config), Sizes { start: 1, most: 1 });
    let tuned = Sizes::receive(&ConnOptions::default(), &config);
    assert_eq!(tuned, Sizes { start: config.receive_buffer, most: config.receive_buffer_max });
    // A maximum below the start is the start.
    let config = TcpConfig { receive_buffer: 9_000, receive_buffer_max: 10, ..config };
    assert_eq!(Sizes::receive(&ConnOptions::default(), &config), Sizes { start: 9_000, most: 9_000 });
}

#[test]
fn the_round_trip_falls_at_once_and_rises_slowly() {
    let mut tuner = Tuner::default();
    let conn_after = |tuner: &mut Tuner, samples: &[u32]| {
        samples.iter().for_each(|&sample| tuner.sample(sample));
        tuner.settle_rtt();
        tuner.rtt_us
    };
    assert_eq!(conn_after(&mut tuner, &[80_000, 90_000]), 80_000);
    assert_eq!(conn_after(&mut tuner, &[70_000, 300_000]), 70_000);
    assert_eq!(conn_after(&mut tuner, &[10_000_000]), 78_750);
    assert_eq!(conn_after(&mut tuner, &[]), 78_750);
    assert_eq!(conn_after(&mut tuner, &[1]), RTT_MIN_US);
}
