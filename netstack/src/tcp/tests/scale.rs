//! Many connections: what one costs, and that the tables hold.

use super::rig::{Rig, seg};
use crate::tcp::control_block::Conn;
use crate::tcp::listen::HalfOpen;
use crate::tcp::time_wait::TimeWait;
use crate::tcp::{ListenConfig, TcpConfig};

#[test]
fn control_blocks_stay_small() {
    assert!(size_of::<Conn>() <= 448, "{}", size_of::<Conn>());
    assert!(size_of::<HalfOpen>() <= 128, "{}", size_of::<HalfOpen>());
    assert!(size_of::<TimeWait>() <= 96, "{}", size_of::<TimeWait>());
}

#[test]
fn a_hundred_thousand_connections_are_served() {
    let mut rig = Rig::new(TcpConfig { reserve_connections: 0, ..TcpConfig::default() });
    rig.stack.listen(ListenConfig { backlog: 16, ..ListenConfig::port(80) }).unwrap();
    rig.stack.listen(ListenConfig { backlog: 16, ..ListenConfig::port(81) }).unwrap();
    let mut ids = Vec::new();
    // Without the audit of every step, which looks at every connection.
    rig.audited = false;
    for n in 0..100_000u32 {
        rig.ports = (80 + (n / 60_000) as u16, 1024 + (n % 60_000) as u16);
        rig.input(seg("S", 0, 0, b""));
        rig.output();
        rig.input(seg("A", 1, 1, b""));
        ids.push((rig.event().unwrap().conn, rig.ports, rig.iss));
    }
    assert_eq!(rig.stack.connection_count(), 100_000);
    for &(id, ports, iss) in ids.iter().step_by(97) {
        (rig.ports, rig.iss) = (ports, iss);
        rig.input(seg("A", 1, 1, b"ask"));
        assert_eq!(rig.stack.peek(id), b"ask");
        rig.stack.consume(id, 3);
        rig.send(id, b"answer");
        assert!(rig.output()[0].starts_with("PA 1:7(6) ack 4 "));
        rig.input(seg("A", 4, 7, b""));
    }
    assert_eq!(rig.stack.tcp().pooled_states(), (0, 0));
    for &(id, ports, iss) in &ids {
        (rig.ports, rig.iss) = (ports, iss);
        rig.stack.abort(rig.now, id);
        rig.output();
    }
    rig.audited = true;
    rig.nothing_left();
}
