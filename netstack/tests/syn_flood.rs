//! A flood of SYNs from forged addresses allocates nothing, holds no frame and asks for no neighbour; each is answered
//! with a cookie, which is good for a connection. Under a counting allocator, and so a test binary of its own.

use core::net::IpAddr;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;

use netstack::ip::{checksum, protocol};
use netstack::rng::{Rng, Seed};
use netstack::tcp::{ListenConfig, Ready, TcpCounter};
use netstack::{Frame, FramePool, Instant, Route, Stack, StackConfig};

struct Counting;

thread_local! {
    // Of this thread only: the test harness has threads of its own.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system allocator unchanged; counting touches no memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const OURS: [u8; 4] = [10, 0, 0, 1];
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 9];
const BACKLOG: usize = 256;
/// MSS 1460, SACK, timestamps, window scale 7.
const OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7];

struct Flooded {
    stack: Stack,
    pool: FramePool,
    now: Instant,
    out: VecDeque<Frame>,
}

impl Flooded {
    fn new() -> Flooded {
        let pool = FramePool::heap(512);
        let config = StackConfig {
            mac: MAC,
            addresses: vec!["10.0.0.1/24".parse().unwrap()],
            routes: vec![Route { dest: "0.0.0.0/0".parse().unwrap(), via: [10, 0, 0, 9].into() }],
            static_neighbors: vec![([10, 0, 0, 9].into(), ROUTER)],
            announce: false,
            ..StackConfig::default()
        };
        let mut stack = Stack::new(config, pool.clone(), Seed::from_number(1), Instant::ZERO).unwrap();
        stack.listen(ListenConfig { backlog: BACKLOG, ..ListenConfig::port(80) }).unwrap();
        Flooded { stack, pool, now: Instant::ZERO, out: VecDeque::with_capacity(64) }
    }

    fn receive(&mut self, from: ([u8; 4], u16), seq: u32, ack: u32, flags: u8, options: &[u8]) {
        let mut frame = self.pool.alloc().expect("frames come back");
        let length = 40 + options.len();
        let bytes = frame.extend(14 + length).unwrap();
        bytes[..6].copy_from_slice(&MAC);
        bytes[6..12].copy_from_slice(&ROUTER);
        bytes[12..34].copy_from_slice(&[
            8,
            0,
            0x45,
            0,
            0,
            length as u8,
            0,
            0,
            64,
            0,
            64,
            6,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        bytes[26..30].copy_from_slice(&from.0);
        bytes[30..34].copy_from_slice(&OURS);
        let sum = checksum::of(&bytes[14..34]);
        bytes[24..26].copy_from_slice(&sum.to_be_bytes());
        bytes[34..54].fill(0);
        bytes[34..36].copy_from_slice(&from.1.to_be_bytes());
        bytes[36..38].copy_from_slice(&80u16.to_be_bytes());
        bytes[38..42].copy_from_slice(&seq.to_be_bytes());
        bytes[42..46].copy_from_slice(&ack.to_be_bytes());
        bytes[46] = ((20 + options.len()) as u8 / 4) << 4;
        bytes[47] = flags;
        bytes[48..50].copy_from_slice(&[0xff, 0xff]);
        bytes[54..].copy_from_slice(options);
        let (source, target) = (IpAddr::from(from.0), IpAddr::from(OURS));
        checksum::fill_transport(source, target, protocol::TCP, &mut bytes[34..], 16, false);
        self.stack.handle_frame(self.now, frame);
    }

    /// `count` SYNs and what is sent for them; how many answers there were.
    fn flood(&mut self, rng: &mut Rng, count: usize) -> usize {
        let mut answers = 0;
        for _ in 0..count {
            self.now = self.now.plus_micros(1);
            let random = rng.next_u64();
            let from =
                ([198, 18 | random as u8 & 1, (random >> 8) as u8, (random >> 16) as u8], (random >> 24) as u16 | 1);
            self.receive(from, (random >> 32) as u32, 0, 2, &OPTIONS);
            self.stack.poll_transmit(self.now, &mut self.out, 64);
            answers += self.out.drain(..).count();
        }
        answers
    }
}

#[test]
fn nothing_is_kept_of_a_flood() {
    let mut flooded = Flooded::new();
    let mut rng = Rng::new(7);
    // The backlog fills, and every buffer finds its size.
    flooded.flood(&mut rng, 2 * BACKLOG);
    let neighbors = flooded.stack.neighbors().count();
    let before = ALLOCATIONS.get();
    let answers = flooded.flood(&mut rng, 50_000);
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(answers, 50_000);
    assert_eq!(flooded.stack.tcp_counters().get(TcpCounter::CookiesSent), 50_000 + BACKLOG as u64);
    assert_eq!(flooded.stack.tcp().half_open_count(), BACKLOG);
    assert_eq!(flooded.pool.available(), flooded.pool.capacity());
    assert_eq!(flooded.stack.neighbors().count(), neighbors);

    // A client among them completes its handshake.
    let client = ([198, 18, 0, 1], 40_000);
    flooded.receive(client, 100, 0, 2, &OPTIONS);
    flooded.stack.poll_transmit(flooded.now, &mut flooded.out, 64);
    let answer = flooded.out.pop_front().expect("a SYN-ACK").data().to_vec();
    let iss = u32::from_be_bytes(answer[38..42].try_into().unwrap());
    let stamp = answer[54..].windows(2).position(|pair| pair == [8, 10]).map(|at| 54 + at + 2).expect("timestamps");
    let mut options = [1, 1, 8, 10, 0, 0, 0, 10, 0, 0, 0, 0];
    options[8..].copy_from_slice(&answer[stamp..stamp + 4]);
    flooded.receive(client, 101, iss.wrapping_add(1), 16, &options);
    let event = flooded.stack.poll_event().expect("a connection");
    assert!(event.ready.contains(Ready::ACCEPTED));
    assert_eq!(flooded.stack.tcp_counters().get(TcpCounter::CookiesValid), 1);
}
