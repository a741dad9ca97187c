//! What time does to a connection that is otherwise quiet.

use core::time::Duration;

use super::rig::{Rig, seg};
use crate::counters::TcpCounter;
use crate::tcp::{ConnOptions, EndReason, KeepAlive, ListenConfig, MemoryLimits, TcpConfig};
use crate::time::Instant;

fn with_keep_alive() -> (Rig, crate::tcp::ConnId) {
    let mut rig = Rig::new(TcpConfig::default());
    let keep_alive = KeepAlive { idle: Duration::from_secs(10), interval: Duration::from_secs(2), probes: 3 };
    let options = ConnOptions { keep_alive: Some(keep_alive), ..ConnOptions::default() };
    rig.listener = Some(rig.stack.listen(ListenConfig { options, ..ListenConfig::port(80) }).unwrap());
    let id = rig.accept();
    (rig, id)
}

#[test]
fn keep_alive_probes_a_silent_peer_and_gives_it_up() {
    let (mut rig, id) = with_keep_alive();
    rig.wait(Duration::from_secs(8));
    rig.input(seg("A", 1, 1, b"x"));
    rig.read(id);
    let mut times = Vec::new();
    for _ in 0..300 {
        rig.wait_millis(100);
        for line in rig.output() {
            times.push((rig.now.as_millis() / 1000 - 10, line));
        }
    }
    let times: Vec<(u64, &str)> = times.iter().map(|(at, line)| (*at, &line[..6])).collect();
    assert_eq!(times, [(8, "A 1:1("), (18, "A 0:0("), (20, "A 0:0("), (22, "A 0:0("), (24, "RA 1:1")]);
    let ended = core::iter::from_fn(|| rig.event()).last().unwrap().ended;
    assert_eq!(ended, Some(EndReason::KeepAliveTimedOut));
    rig.nothing_left();
}

#[test]
fn an_answered_probe_keeps_the_connection() {
    let (mut rig, id) = with_keep_alive();
    for _ in 0..600 {
        rig.wait_millis(100);
        if !rig.output().is_empty() {
            rig.input(seg("A", 1, 1, b""));
        }
    }
    assert!(rig.stack.is_open(id));
    assert!((5..8).contains(&rig.count(TcpCounter::TxKeepAlives)), "{}", rig.count(TcpCounter::TxKeepAlives));
}

#[test]
fn without_keep_alive_an_idle_connection_has_no_timer() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("A", 1, 1, b"ask"));
    rig.read(id);
    rig.send(id, b"answer");
    rig.output();
    rig.input(seg("A", 4, 7, b""));
    rig.wait(Duration::from_secs(2));
    assert_eq!(rig.stack.poll_timeout(), Some(Instant::ZERO), "events wait");
    while rig.event().is_some() {}
    assert_eq!(rig.stack.poll_timeout(), None);
    rig.wait(Duration::from_secs(100_000));
    rig.input(seg("A", 4, 7, b"again"));
    assert_eq!(rig.read(id), b"again");
}

#[test]
fn an_idle_connection_holds_no_pooled_state_and_no_frame() {
    let (mut rig, id) = Rig::accepted();
    rig.input(seg("A", 1, 1, b"ask"));
    rig.read(id);
    rig.send(id, b"answer");
    rig.output();
    rig.input(seg("A", 4, 7, b""));
    assert_eq!(rig.stack.tcp().pooled_states(), (0, 0));
    assert_eq!(rig.pool.available(), rig.pool.capacity());
}

#[test]
fn data_that_stays_is_moved_out_of_its_frame() {
    let (mut rig, id) = Rig::accepted();
    for n in 0..20 {
        rig.input(seg("A", 1 + n * 3, 1, b"abc"));
    }
    rig.output();
    assert!(rig.pool.available() < rig.pool.capacity());
    rig.stack.settle(rig.now);
    assert_eq!(rig.pool.available(), rig.pool.capacity());
    assert_eq!(rig.count(TcpCounter::ReceiveCompacted), 20);
    assert_eq!(rig.read(id), b"abc".repeat(20));
    rig.audit();
}

#[test]
fn receive_memory_has_a_limit() {
    let mut rig = Rig::new(TcpConfig { memory: MemoryLimits::of(64 * 1024), ..TcpConfig::default() });
    rig.listen();
    let id = rig.accept();
    // A frame costs 2 KiB and more, whatever is in it.
    for n in 0..40 {
        rig.input(seg("A", 1 + n * 1000, 1, &[0; 1000]));
    }
    let taken = rig.info(id).recv_queued / 1000;
    let dropped = [TcpCounter::DropReceiveMemory, TcpCounter::DropOutOfOrderMemory].map(|which| rig.count(which));
    assert_eq!(dropped, [1, u64::from(39 - taken)]);
    assert!((26..30).contains(&taken), "{taken}");
    rig.read(id);
    rig.input(seg("A", 1 + taken * 1000, 1, &[0; 1000]));
    assert_eq!(rig.info(id).recv_queued, 1000);
}
