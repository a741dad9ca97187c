//! The receive window: silly windows, rounding, updates, and when it is acknowledged.

use super::rig::{PEER_ISS, Rig, seg};
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
