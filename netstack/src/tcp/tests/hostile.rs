//! Random segments around valid numbers, with an application that does random things: nothing panics, the audit holds
//! at each step, and nothing is left at the end.

use bytes::Bytes;

use super::rig::{In, PEER_ISS, Rig, seg};
use crate::rng::Rng;
use crate::tcp::{ConnId, IcmpError, IcmpErrorKind, MemoryLimits, TcpConfig};

const FLAGS: [&str; 12] = ["A", "A", "A", "PA", "FA", "S", "SA", "R", "RA", "F", "", "UPFA"];

fn near(rng: &mut Rng, at: u32) -> u32 {
    let spread = [2, 20, 3000, 70_000, u32::MAX][rng.below(5) as usize];
    at.wrapping_add(rng.below(spread)).wrapping_sub(spread / 2)
}

fn segment(rig: &mut Rig, rng: &mut Rng, id: Option<ConnId>) {
    let info = id.and_then(|id| rig.stack.tcp().info(id));
    let (next, una) =
        info.map_or((1, 1), |info| (info.rcv_nxt.wrapping_sub(PEER_ISS), info.snd_nxt.wrapping_sub(rig.iss.0)));
    let exact = rng.below(2) == 0;
    let (seq, ack) = if exact { (next, una) } else { (near(rng, next), near(rng, una)) };
    let data = vec![rng.next_u64() as u8; [0, 0, 1, 100, 1460][rng.below(5) as usize]];
    let start = near(rng, una);
    let sack = [(start, start.wrapping_add(rng.below(5000))), (near(rng, una), near(rng, una))];
    let window = [0, 1, 1000, 60_000][rng.below(4) as usize];
    let flags = FLAGS[rng.below(FLAGS.len() as u32) as usize];
    let sack = &sack[..rng.below(3) as usize];
    rig.input(In { window, sack, ..seg(flags, seq, ack, &data) });
}

fn application(rig: &mut Rig, rng: &mut Rng, id: ConnId) {
    match rng.below(12) {
        0..4 => {
            let data = Bytes::from(vec![1; 1 + rng.below(4000) as usize]);
            let _ = rig.stack.send(id, data);
        }
        4..7 => rig.stack.consume(id, rng.below(3000) as usize),
        7 => drop(rig.stack.take_chunk(id)),
        8 => rig.stack.close(rig.now, id),
        9 if rng.below(8) == 0 => rig.stack.abort(rig.now, id),
        10 => rig.stack.settle(rig.now),
        _ => {}
    }
}

fn play(seed: u64) {
    let mut rng = Rng::new(seed);
    let active = seed.is_multiple_of(3);
    let config = TcpConfig {
        max_out_of_order_segments: 16,
        receive_buffer: 8000,
        max_held_frames: 8,
        memory: MemoryLimits::of(96 * 1024),
        ..TcpConfig::default()
    };
    let (mut rig, mut id) = if active {
        let (rig, id) = Rig::opening(config);
        (rig, Some(id))
    } else {
        let mut rig = Rig::new(config);
        rig.listen();
        rig.input(seg("S", 0, 0, b""));
        rig.output();
        (rig, None)
    };
    rig.syn.sack_permitted = seed.is_multiple_of(2);
    for _ in 0..120 {
        segment(&mut rig, &mut rng, id);
        while let Some(event) = rig.event() {
            id = Some(event.conn);
        }
        if let Some(id) = id {
            application(&mut rig, &mut rng, id);
            if rng.below(10) == 0 {
                let kind = match rng.below(3) {
                    0 => IcmpErrorKind::Unreachable { hard: rng.below(2) == 0 },
                    _ => IcmpErrorKind::PacketTooBig { mtu: near(&mut rng, 1000) as u16 },
                };
                let (local, remote) = (rig.stack.local(id), rig.stack.remote(id));
                if let (Some(local), Some(remote)) = (local, remote) {
                    rig.icmp(IcmpError { local, remote, seq: near(&mut rng, rig.iss.0), kind });
                }
            }
        }
        rig.output();
        let spread = [1, 50, 500, 70_000][rng.below(4) as usize];
        rig.wait_millis(u64::from(rng.below(spread)));
        rig.audit();
    }
    if let Some(id) = id {
        rig.stack.abort(rig.now, id);
    }
    let listener = rig.listener.take();
    listener.into_iter().for_each(|id| rig.stack.unlisten(id));
    for index in 0..rig.stack.tcp().connection_count() {
        let open: Vec<ConnId> = rig.stack.connections(index, 1).map(|info| info.conn).collect();
        open.into_iter().for_each(|id| rig.stack.abort(rig.now, id));
    }
    rig.nothing_left();
}

#[test]
fn random_segments_break_nothing() {
    for seed in super::simulation::seeds(1000, 150) {
        play(seed);
    }
}
