//! The receive window: silly windows, rounding, updates, and when it is acknowledged.

use bytes::Bytes;
use core::time::Duration;

use super::pair::{CLIENT, Pair, SERVER};
use super::rig::{PEER_ISS, Rig, seg};
use crate::counters::TcpCounter;
use crate::tcp::{ConnId, TcpConfig};

/// A connection whose buffer begins with `start` bytes and grows to 32 MiB, which takes a window scale of 10.
fn accepted(start: u32) -> (Rig, ConnId) {
    let mut rig = Rig::new(TcpConfig { receive_buffer: start, ..TcpConfig::default() });
    rig.syn.window_scale = Some(0);
    rig.listen();
    let id = rig.accept();
    (rig, id)
}

#[test]
fn a_window_closes_also_when_a_peer_sends_less_than_the_scale_can_say() {
    let limit = 16_384;
    let (mut rig, id) = accepted(limit);
    let mut edge = rig.info(id).rcv_nxt + rig.info(id).rcv_wnd;
    let mut closed = false;
    for _ in 0..30_000 {
        let received = rig.info(id).rcv_nxt.wrapping_sub(PEER_ISS);
        rig.input(seg("A", received, 1, b"x"));
        rig.stack.settle(rig.now);
        rig.wait_millis(50);
        closed |= rig.output().iter().any(|line| line.ends_with("win 0"));
        let info = rig.info(id);
        assert!(info.rcv_nxt + info.rcv_wnd >= edge, "the right edge moved left");
        edge = info.rcv_nxt + info.rcv_wnd;
    }
    assert!(closed);
    assert!(rig.info(id).recv_queued <= limit + limit / 4 + 2 * 1024, "{:?}", rig.info(id));
    // Read, it opens at once.
    rig.read(id);
    assert!(rig.output()[0].ends_with("win 16"));
}

#[test]
fn a_start_in_bulk_is_acknowledged_at_once_and_a_gap_starts_that_anew() {
    let (mut rig, id) = Rig::accepted();
    let full = [7; 1460];
    let mut seq = 1;
    for n in 0..40 {
        rig.input(seg("A", seq, 1, &full));
        rig.read(id);
        seq += 1460;
        // Each of the first 32; then every second one.
        let acked = !rig.output().is_empty();
        assert_eq!(acked, n < 32 || n % 2 == 1, "segment {n}");
    }
    rig.input(seg("A", seq + 1460, 1, &full));
    assert_eq!(rig.output().len(), 1);
    rig.input(seg("A", seq, 1, &full));
    rig.read(id);
    assert_eq!(rig.output().len(), 1);
    seq += 2 * 1460;
    for n in 0..20 {
        rig.input(seg("A", seq, 1, &full));
        rig.read(id);
        seq += 1460;
        assert_eq!(!rig.output().is_empty(), n < 15 || n % 2 == 0, "segment {n} after the gap");
    }
}

#[test]
fn windows_and_send_queues_grow_until_a_gigabit_over_100_ms_is_full() {
    const FULL: usize = 12_500_000;
    let mut pair = Pair::plain();
    pair.delay = Duration::from_millis(50);
    let mut pair = pair.connected(false);
    let id = pair.id(CLIENT);
    let piece = Bytes::from(vec![7; 64 * 1024]);
    let (mut received, mut round_trips) = (0, 0);
    while received < FULL {
        round_trips += 1;
        assert!(round_trips < 25, "{received} bytes in a round trip");
        pair.seen[SERVER].received.clear();
        for _ in 0..20 {
            while pair.stacks[CLIENT].send_room(id) > 0 {
                pair.stacks[CLIENT].send(id, piece.clone()).unwrap();
            }
            pair.run_for(Duration::from_millis(5));
        }
        received = pair.seen[SERVER].received.len();
    }
    let window = pair.stacks[SERVER].connections(0, 1).next().map_or(0, |info| info.rcv_wnd);
    assert!(window as usize > FULL, "{window}");
    assert_eq!(pair.counter(CLIENT, TcpCounter::TxRetransmits), 0);
}
