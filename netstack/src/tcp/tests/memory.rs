//! Hostile peers against a small budget: each rule of docs/TCP_MEMORY.md is driven to where it applies, and the account,
//! counted anew after every step by the audit, never exceeds the budget.

use std::collections::VecDeque;

use bytes::Bytes;
use core::net::SocketAddr;

use super::rig::{PEER, PEER_ISS, Rig, seg};
use crate::counters::TcpCounter;
use crate::rng::Rng;
use crate::tcp::segment::{ACK, Header, SYN};
use crate::tcp::seq::Seq;
use crate::tcp::{
    ConnId, ConnectConfig, ConnectError, EndReason, MemoryLimits, OnMemoryExhausted, Ready, SendError, SynCookieMode,
    TcpConfig,
};

const KIB: usize = 1024;

/// Many peers of one stack, on ports from 40,000 on.
struct Peers {
    rig: Rig,
    flows: Vec<Flow>,
    /// Connections that were told of room to write, and those that ended.
    writable: Vec<ConnId>,
    ended: Vec<(ConnId, EndReason)>,
}

/// One peer: what it has sent, in numbers behind its SYN, and what it knows of the stack's.
struct Flow {
    id: ConnId,
    port: u16,
    iss: Seq,
    sent: u32,
}

fn config(budget: usize, policy: OnMemoryExhausted) -> TcpConfig {
    TcpConfig {
        memory: MemoryLimits::of(budget),
        on_memory_exhausted: policy,
        max_held_frames: 128,
        syn_cookies: SynCookieMode::Off,
        ..TcpConfig::default()
    }
}

impl Peers {
    fn new(config: TcpConfig, count: u16) -> Peers {
        let mut rig = Rig::new(config);
        rig.syn.sack_permitted = true;
        // After each turn, not after each segment.
        rig.audited = false;
        rig.listen();
        let mut peers = Peers { rig, flows: Vec::new(), writable: Vec::new(), ended: Vec::new() };
        (0..count).for_each(|_| peers.open());
        peers
    }

    fn open(&mut self) {
        let port = 40_000 + self.flows.len() as u16;
        self.rig.ports.1 = port;
        let id = self.rig.accept();
        self.flows.push(Flow { id, port, iss: self.rig.iss, sent: 0 });
    }

    /// `flow` sends `data` at `offset` of its stream, and acknowledges `acked` bytes.
    fn segment(&mut self, flow: usize, offset: u32, acked: u32, data: &[u8]) {
        let flow = &self.flows[flow];
        let header = Header {
            src_port: flow.port,
            dst_port: 80,
            seq: Seq(PEER_ISS) + 1 + offset,
            ack: flow.iss + 1 + acked,
            flags: ACK,
            window: 60_000,
            ..Header::default()
        };
        self.rig.input_raw(&header, data);
    }

    /// `flow` sends what comes next.
    fn next(&mut self, flow: usize, data: &[u8]) {
        self.segment(flow, self.flows[flow].sent, 0, data);
        self.flows[flow].sent += data.len() as u32;
    }

    /// The end of a turn; a millisecond passes.
    fn turn(&mut self) -> usize {
        while let Some(event) = self.rig.event() {
            if event.ready.contains(Ready::WRITABLE) {
                self.writable.push(event.conn);
            }
            self.ended.extend(event.ended.map(|reason| (event.conn, reason)));
        }
        self.rig.stack.settle(self.rig.now);
        let mut out = VecDeque::new();
        while self.rig.stack.poll_transmit(self.rig.now, &mut out, 64) > 0 {}
        self.rig.wait_millis(1);
        self.audit();
        out.len()
    }

    /// The audit counts everything anew, and compares the account with the budget.
    fn audit(&self) {
        self.rig.stack.tcp().audit().unwrap_or_else(|fault| panic!("at {:?}: {fault}", self.rig.now));
    }

    fn open_flows(&self) -> Vec<usize> {
        (0..self.flows.len()).filter(|&flow| self.rig.stack.is_open(self.flows[flow].id)).collect()
    }

    fn count(&self, which: TcpCounter) -> u64 {
        self.rig.count(which)
    }

    fn total(&self) -> usize {
        self.rig.stack.tcp().memory().total()
    }
}

/// Every peer sends full segments into its window and the application reads nothing.
fn slow_readers(peers: &mut Peers, rounds: u32) {
    for _ in 0..rounds {
        for flow in peers.open_flows() {
            let info = peers.rig.info(peers.flows[flow].id);
            // A peer sends again from where it was acknowledged.
            peers.flows[flow].sent = info.rcv_nxt.wrapping_sub(PEER_ISS + 1);
            peers.next(flow, &[7; 1460]);
        }
        peers.turn();
    }
}

#[test]
fn unread_data_is_dropped_when_memory_is_full_and_windows_are_clamped_before() {
    let mut peers = Peers::new(config(512 * KIB, OnMemoryExhausted::Refuse), 32);
    let edges: Vec<u32> = peers.flows.iter().map(|flow| edge(&peers, flow.id)).collect();
    slow_readers(&mut peers, 40);
    assert!(peers.count(TcpCounter::MemoryPressure) == 1 && peers.count(TcpCounter::WindowsClamped) == 32);
    assert!(peers.count(TcpCounter::DropReceiveMemory) > 100);
    assert!(peers.rig.stack.tcp().memory().pressure && peers.total() > 480 * KIB - 4 * KIB);
    assert_eq!((peers.count(TcpCounter::ResetMemory), peers.open_flows().len()), (0, 32));
    for (flow, before) in peers.flows.iter().zip(edges) {
        assert!(edge(&peers, flow.id) >= before, "a right edge moved left");
    }
    // Read, pressure goes, windows open, and data is taken again.
    let ids: Vec<ConnId> = peers.flows.iter().map(|flow| flow.id).collect();
    ids.into_iter().for_each(|id| drop(peers.rig.read(id)));
    peers.turn();
    assert!(!peers.rig.stack.tcp().memory().pressure);
    let dropped = peers.count(TcpCounter::DropReceiveMemory);
    slow_readers(&mut peers, 2);
    assert_eq!(peers.count(TcpCounter::DropReceiveMemory), dropped);
}

fn edge(peers: &Peers, id: ConnId) -> u32 {
    let info = peers.rig.info(id);
    info.rcv_nxt + info.rcv_wnd
}

#[test]
fn slow_readers_are_reset_and_those_who_read_go_on() {
    for policy in [OnMemoryExhausted::ResetLargest, OnMemoryExhausted::ResetOldest] {
        let mut peers = Peers::new(config(512 * KIB, policy), 24);
        let good = peers.flows[0].id;
        let mut received = 0;
        for _ in 0..1_200 {
            slow_readers(&mut peers, 1);
            received += peers.rig.read(good).len();
        }
        assert!(peers.count(TcpCounter::ResetMemory) > 0, "{policy:?}");
        assert!(peers.rig.stack.is_open(good), "{policy:?}: the one who reads is not reset");
        assert!(received > 900 * 1_460, "{policy:?}: {received}");
        assert!(peers.ended.iter().all(|(_, reason)| *reason == EndReason::OutOfMemory));
    }
}

#[test]
fn tiny_segments_at_many_places_cost_what_they_occupy() {
    let mut peers = Peers::new(config(512 * KIB, OnMemoryExhausted::Refuse), 16);
    for place in 0..1_500 {
        for flow in 0..16 {
            peers.segment(flow, 10 + 20 * place, 0, b"x");
        }
        if place % 8 == 0 {
            peers.turn();
        }
    }
    peers.turn();
    assert!(peers.count(TcpCounter::MemoryPressure) >= 1);
    let pruned = peers.count(TcpCounter::OutOfOrderPruned);
    let refused = peers.count(TcpCounter::DropOutOfOrderLimit) + peers.count(TcpCounter::DropOutOfOrderMemory);
    assert!(pruned > 0 && refused > 0, "pruned {pruned}, refused {refused}");
    // What is next in order has the right of way.
    assert_eq!(peers.count(TcpCounter::DropReceiveMemory), 0);
    (0..16).for_each(|flow| peers.next(flow, &[1; 9]));
    assert_eq!(peers.count(TcpCounter::DropReceiveMemory), 0);
}

#[test]
fn what_is_pruned_is_no_longer_acknowledged_selectively() {
    let mut rig = Rig::new(config(256 * KIB, OnMemoryExhausted::Refuse));
    rig.syn.sack_permitted = true;
    rig.listen();
    let id = rig.accept();
    for place in 0..30 {
        rig.input(seg("A", 3_001 + place * 2_000, 1, &[2; 1460]));
    }
    assert!(rig.output()[0].contains("<61001-62461,"));
    assert_eq!(rig.info(id).out_of_order, 30 * 1460);
    // Something else takes the memory.
    rig.stack.send(id, Bytes::from(vec![0; 150 * KIB])).unwrap();
    rig.stack.settle(rig.now);
    rig.audit();
    let left = rig.info(id).out_of_order / 1460;
    assert!(left > 0 && left < 30, "{left}");
    assert_eq!(rig.count(TcpCounter::OutOfOrderPruned), u64::from(30 - left));
    // RFC 2018 §8: blocks but the first never name what is not held; here even the first is gone.
    rig.input(seg("A", 1, 1, b"x"));
    let lines = rig.output();
    let highest = 3_001 + (left - 1) * 2_000;
    assert!(lines.iter().all(|line| !line.contains(&format!("<{}-", highest + 2_000))), "{lines:?}");
    // What was dropped is taken again when memory allows.
    rig.input(seg("A", 2, 1 + 14_600, &[1; 1460]));
    assert_eq!(rig.info(id).out_of_order, left * 1460);
}

#[test]
fn answers_that_nobody_acknowledges_are_bounded_and_their_writers_wait() {
    let mut peers = Peers::new(config(1024 * KIB, OnMemoryExhausted::Refuse), 32);
    let piece = Bytes::from(vec![3; 60 * KIB]);
    let mut refused = Vec::new();
    for flow in 0..32 {
        let id = peers.flows[flow].id;
        if peers.rig.stack.send(id, piece.clone()) == Err(SendError::Full) {
            refused.push(flow);
        }
        peers.turn();
    }
    // 14, with the records of their segments, fill 960 KiB.
    assert_eq!(refused.len(), 18);
    assert_eq!(peers.count(TcpCounter::RefuseSendMemory), 18);
    assert!(peers.rig.stack.tcp().memory().queued > 890 * KIB);
    // A little is taken all the same where nothing is queued.
    let id = peers.flows[refused[0]].id;
    assert_eq!(peers.rig.stack.send(id, Bytes::from_static(b"HTTP/1.1 503 Service Unavailable\r\n")), Ok(()));
    // One peer acknowledges at last: some of those who wait are told, once.
    assert!(peers.writable.is_empty());
    peers.rig.stack.abort(peers.rig.now, peers.flows[0].id);
    peers.turn();
    peers.turn();
    assert_eq!(peers.writable, [peers.flows[refused[0]].id], "there is room for one");
    assert_eq!(peers.rig.stack.send(peers.writable[0], piece.clone()), Ok(()));
    assert_eq!(peers.rig.stack.send(peers.flows[refused[2]].id, piece), Err(SendError::Full));
}

#[test]
fn those_who_never_acknowledge_are_reset_for_those_who_do() {
    let mut peers = Peers::new(config(1024 * KIB, OnMemoryExhausted::ResetLargest), 32);
    let piece = Bytes::from(vec![3; 60 * KIB]);
    for _ in 0..1_500 {
        for flow in peers.open_flows() {
            let id = peers.flows[flow].id;
            let _ = peers.rig.stack.send(id, piece.clone());
            if flow == 31 {
                // The only one that acknowledges, everything that is in flight.
                let info = peers.rig.info(id);
                let acked = info.snd_nxt.wrapping_sub(peers.flows[31].iss.0 + 1);
                peers.segment(31, 0, acked, b"");
            }
        }
        peers.turn();
    }
    assert!(peers.count(TcpCounter::ResetMemory) >= 10, "{}", peers.count(TcpCounter::ResetMemory));
    assert!(peers.rig.stack.is_open(peers.flows[31].id));
}

#[test]
fn what_the_application_closed_is_reset_first() {
    let mut peers = Peers::new(config(512 * KIB, OnMemoryExhausted::ResetLargest), 8);
    let orphan = peers.flows[3].id;
    peers.rig.stack.send(orphan, Bytes::from(vec![1; 20 * KIB])).unwrap();
    peers.rig.stack.close(peers.rig.now, orphan);
    slow_readers(&mut peers, 100);
    assert_eq!(peers.count(TcpCounter::ResetMemoryOrphan), 1);
    assert_eq!(peers.ended[0], (orphan, EndReason::OutOfMemory));
}

#[test]
fn nothing_is_opened_when_memory_is_full() {
    let mut peers = Peers::new(config(512 * KIB, OnMemoryExhausted::Refuse), 8);
    peers.rig.stack.send(peers.flows[0].id, Bytes::from(vec![1; 440 * KIB])).unwrap();
    slow_readers(&mut peers, 8);
    let full = peers.total();
    assert!(full > 476 * KIB);
    // A few fit until the last byte of the level.
    let refused = peers.count(TcpCounter::RefuseMemory);
    peers.rig.ports.1 = 50_000;
    let opened = (0..64).filter(|n| {
        let remote = SocketAddr::new(PEER.into(), 9_000 + n);
        match peers.rig.stack.connect(peers.rig.now, ConnectConfig::to(remote, 0)) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error, ConnectError::OutOfMemory);
                false
            }
        }
    });
    let opened = opened.count() as u64;
    assert!(opened < 16, "{opened}");
    let syn = Header { src_port: 50_000, dst_port: 80, seq: Seq(1), flags: SYN, window: 1000, ..Header::default() };
    peers.rig.input_raw(&syn, b"");
    assert_eq!(peers.count(TcpCounter::RefuseMemory), refused + (64 - opened) + 1);
    assert_eq!(peers.rig.stack.tcp().half_open_count(), 0);
}

#[test]
fn a_syn_is_answered_with_a_cookie_when_memory_is_full() {
    let config = TcpConfig { syn_cookies: SynCookieMode::WhenFull, ..config(512 * KIB, OnMemoryExhausted::Refuse) };
    let mut peers = Peers::new(config, 1);
    peers.rig.stack.send(peers.flows[0].id, Bytes::from(vec![1; 420 * KIB])).unwrap();
    slow_readers(&mut peers, 60);
    assert!(peers.rig.stack.tcp().memory().total() >= 476 * KIB);
    peers.rig.ports.1 = 50_000;
    peers.rig.input(seg("S", 0, 0, b""));
    assert!(peers.rig.output()[0].starts_with("SA 0:0(0) ack 1 "));
    assert_eq!(peers.rig.stack.tcp().half_open_count(), 0);
}

/// Peers that do whatever they like, and an application that is slow.
fn play(seed: u64) {
    let mut rng = Rng::new(seed);
    let policies = [OnMemoryExhausted::Refuse, OnMemoryExhausted::ResetLargest, OnMemoryExhausted::ResetOldest];
    let policy = policies[seed as usize % 3];
    let budget = (128 + rng.below(400) as usize) * KIB;
    let mut peers = Peers::new(config(budget, policy), 4 + rng.below(20) as u16);
    for _ in 0..150 {
        for _ in 0..rng.below(12) {
            let open = peers.open_flows();
            let Some(&flow) = open.get(rng.below(open.len().max(1) as u32) as usize) else { break };
            let id = peers.flows[flow].id;
            let info = peers.rig.info(id);
            let next = info.rcv_nxt.wrapping_sub(PEER_ISS + 1);
            let acked = info.snd_una.wrapping_sub(peers.flows[flow].iss.0 + 1);
            let most = [2, 100, 1460][rng.below(3) as usize];
            let size = 1 + rng.below(most) as usize;
            match rng.below(8) {
                0..3 => peers.segment(flow, next, acked, &vec![1; size]),
                3..5 => peers.segment(flow, next + rng.below(60_000), acked, &vec![2; size]),
                5 => {
                    let _ = peers.rig.stack.send(id, Bytes::from(vec![3; size * 64]));
                }
                6 => {
                    let sent = info.snd_nxt.wrapping_sub(peers.flows[flow].iss.0 + 1);
                    peers.segment(flow, next, sent, b"");
                }
                _ if rng.below(4) == 0 => peers.rig.stack.close(peers.rig.now, id),
                _ => peers.rig.stack.consume(id, rng.below(20_000) as usize),
            }
            peers.audit();
            assert!(peers.total() <= budget, "seed {seed}");
        }
        peers.turn();
    }
    for flow in peers.open_flows() {
        peers.rig.stack.abort(peers.rig.now, peers.flows[flow].id);
    }
    let memory = peers.rig.stack.tcp().memory();
    assert_eq!((memory.received, memory.frames, memory.queued), (0, 0, 0), "seed {seed}");
}

#[test]
fn no_peers_and_no_application_take_more_than_the_budget() {
    for seed in super::simulation::seeds(600, 60) {
        play(seed);
    }
}
