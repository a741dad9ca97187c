//! Measures what several queues cost where their steering is not known: a claim and its release, and a segment that
//! comes to the wrong queue against one that comes to the right one.
//!
//! ```text
//!   cargo run --release -p anygate --example handover_cost
//! ```
//!
//! Both workers run in this thread, so the figures are work, without the wake-up of another core.

#![allow(clippy::disallowed_methods, reason = "a measuring program reads the clock")]

use anygate::wake::Bell;
use anygate::worker::handover::{self, Handover};
use netstack::rng::Seed;
use netstack::tcp::{ConnectConfig, ListenConfig};
use netstack::{Claim, FlowDirectory, Frame, FramePool, Instant, Stack, StackConfig};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant as Clock;

const ROUNDS: u32 = 2_000_000;
const BURST: usize = 32;

fn nanoseconds(begun: Clock, count: u32) -> f64 {
    begun.elapsed().as_nanos() as f64 / f64::from(count)
}

/// A claim and a release each, of flows spread over a directory for a million.
fn claims(others: u32) -> f64 {
    let directory = FlowDirectory::new(2, 1 << 20, &Seed::from_number(1));
    let (mine, theirs) = (directory.worker(0), directory.worker(1));
    let local = SocketAddr::from(([10, 0, 0, 1], 80));
    let remote = |n: u32| SocketAddr::from(([10, 1, (n >> 24) as u8, (n >> 16) as u8], n as u16));
    (0..others).for_each(|n| {
        theirs.claim(local, remote(n | 1 << 31));
    });
    let begun = Clock::now();
    let mut made = 0;
    for n in 0..ROUNDS {
        let remote = remote(n.wrapping_mul(0x9e37_79b1) >> 1);
        made += u32::from(mine.claim(local, remote) == Claim::Made);
        mine.release(local, remote);
    }
    let spent = nanoseconds(begun, ROUNDS);
    assert!(made > ROUNDS / 100 * 99);
    spent
}

fn stack(last: u8, peer: u8, pool: &FramePool, flows: Option<netstack::Flows>) -> Stack {
    let mac = |n: u8| [2, 0, 0, 0, 0, n];
    let address = |n: u8| IpAddr::from([10, 0, 0, n]);
    let config = StackConfig {
        mac: mac(last),
        addresses: vec![format!("{}/24", address(last)).parse().expect("a prefix")],
        static_neighbors: vec![(address(peer), mac(peer))],
        announce: false,
        flows,
        ..StackConfig::default()
    };
    let mut stack = Stack::new(config, pool.clone(), Seed::from_number(last.into()), Instant::ZERO).expect("a stack");
    stack.listen(ListenConfig::port(80)).expect("a free port");
    stack
}

/// Two workers and a peer, with one connection of the peer's at worker 0.
struct Site {
    workers: [(Stack, Handover); 2],
    pool: FramePool,
    /// An acknowledgment of the connection.
    segment: Vec<u8>,
}

impl Site {
    fn new() -> Site {
        let pool = FramePool::heap(4096);
        let directory: Arc<FlowDirectory> = FlowDirectory::new(2, 1000, &Seed::from_number(1));
        let bells = [(); 2].map(|()| Bell::new().expect("a bell"));
        let mut seats = handover::group(&bells).into_iter();
        let workers = [0, 1].map(|number| {
            let seat = seats.next().expect("one for each");
            (stack(1, 2, &pool, Some(directory.worker(number))), Handover::new(seat))
        });
        let mut site = Site { workers, pool: pool.clone(), segment: Vec::new() };
        let mut peer = stack(2, 1, &pool, None);
        peer.connect(Instant::ZERO, ConnectConfig::to(([10, 0, 0, 1], 80).into(), 0)).expect("a free port");
        let mut frames = VecDeque::new();
        for _ in 0..2 {
            peer.poll_transmit(Instant::ZERO, &mut frames, 1);
            let segment = frames.pop_front().expect("a segment");
            site.segment = segment.data().to_vec();
            site.workers[0].0.handle_frame(Instant::ZERO, segment);
            site.workers[0].0.poll_transmit(Instant::ZERO, &mut frames, 1);
            frames.drain(..).for_each(|frame| peer.handle_frame(Instant::ZERO, frame));
        }
        assert_eq!(site.workers[0].0.connection_count(), 1);
        site
    }

    fn frame(&self) -> Frame {
        let mut frame = self.pool.alloc().expect("a frame");
        frame.extend(self.segment.len()).expect("it fits").copy_from_slice(&self.segment);
        frame
    }

    /// Segments that come to `queue`.
    fn segments(&mut self, queue: usize) -> f64 {
        let begun = Clock::now();
        for _ in 0..ROUNDS / BURST as u32 {
            for _ in 0..BURST {
                let frame = self.frame();
                self.workers[queue].0.handle_frame(Instant::ZERO, frame);
            }
            for (stack, handover) in self.workers.iter_mut().rev() {
                handover.exchange(Instant::ZERO, stack);
            }
        }
        nanoseconds(begun, ROUNDS)
    }
}

fn main() {
    println!("claim and release, empty directory:    {:6.1} ns", claims(0));
    println!("claim and release, 500,000 others:     {:6.1} ns", claims(500_000));
    let mut site = Site::new();
    site.segments(0);
    println!("acknowledgment on its queue:           {:6.1} ns", site.segments(0));
    println!("acknowledgment on the other one:       {:6.1} ns", site.segments(1));
}
