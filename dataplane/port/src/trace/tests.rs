use super::*;
use crate::sim::{SimConfig, pair};
use crate::testing;

#[test]
fn records_say_what_went_by_and_losses_are_counted() {
    let control = TraceControl::new(2);
    let (mut a, b) = pair(SimConfig::default(), 1);
    let mut b = Trace::new(b, &control);
    let packet = testing::udp4(0, [10, 0, 0, 1], [10, 0, 0, 2], (5, 6), b"x");
    let burst = |pool: &FramePool| VecDeque::from([testing::frame(pool, &packet)]);
    a.tx_burst(Instant::ZERO, &mut burst(a.pool()));
    b.rx_burst(Instant::ZERO, &mut Vec::new(), 8);
    assert_eq!(control.next(), None, "it is switched off");
    control.set(true);
    a.tx_burst(Instant::ZERO, &mut burst(a.pool()));
    b.rx_burst(Instant::from_millis(1), &mut Vec::new(), 8);
    b.tx_burst(Instant::from_millis(2), &mut burst(b.pool()));
    b.tx_burst(Instant::from_millis(3), &mut burst(b.pool()));
    assert_eq!((control.lost(), b.counters().get(PortCounter::TraceLost)), (1, 1));
    let first = control.next().unwrap();
    assert_eq!(first.to_string(), "0.001000000s q0 < 10.0.0.1:5 -> 10.0.0.2:6 protocol 17 43 bytes, flags 0x00");
    let second = control.next().unwrap();
    assert_eq!((second.direction, second.at), (Direction::Outbound, Instant::from_millis(2)));
    let arp = TraceRecord::new(Instant::ZERO, Direction::Inbound, 3, &testing::ethernet(0x0806, &[0; 28]));
    assert_eq!(arp.to_string(), "0.000000000s q3 < ethertype 0x0806 42 bytes, flags 0x00");
}
