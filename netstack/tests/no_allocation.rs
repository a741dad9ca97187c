//! Invariant 4: in steady state nothing is allocated per packet. Two stacks back to back under a counting allocator.

use core::net::{IpAddr, SocketAddr};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;

use bytes::Bytes;
use netstack::rng::Seed;
use netstack::tcp::{ConnId, ConnectConfig, ListenConfig, Ready};
use netstack::{Ecn, Frame, FramePool, Instant, Stack, StackConfig};

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
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as `dealloc`, and the caller's promises about `size` are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Pair {
    client: Stack,
    server: Stack,
    to_client: VecDeque<Frame>,
    to_server: VecDeque<Frame>,
    now: Instant,
}

impl Pair {
    fn new(v6: bool) -> Pair {
        let side = |own: u8| {
            let peer = 3 - own;
            let config = StackConfig {
                mac: [2, 0, 0, 0, 0, own],
                static_neighbors: vec![(address(peer, v6), [2, 0, 0, 0, 0, peer])],
                addresses: vec![format!("{}/{}", address(own, v6), if v6 { 64 } else { 24 }).parse().unwrap()],
                ..StackConfig::default()
            };
            Stack::new(config, FramePool::heap(2048), Seed::from_number(u64::from(own)), Instant::ZERO).unwrap()
        };
        let (client, server) = (side(1), side(2));
        Pair { client, server, to_client: VecDeque::new(), to_server: VecDeque::new(), now: Instant::ZERO }
    }

    /// 100 µs pass and each side has one turn.
    fn turn(&mut self, client: impl FnMut(&mut Stack, ConnId, Ready), server: impl FnMut(&mut Stack, ConnId, Ready)) {
        self.now = self.now.plus_nanos(100_000);
        serve(&mut self.client, self.now, &mut self.to_client, &mut self.to_server, client);
        serve(&mut self.server, self.now, &mut self.to_server, &mut self.to_client, server);
    }
}

/// One turn of a run loop: frames in, application, frames out.
fn serve(
    stack: &mut Stack,
    now: Instant,
    arrived: &mut VecDeque<Frame>,
    out: &mut VecDeque<Frame>,
    mut application: impl FnMut(&mut Stack, ConnId, Ready),
) {
    for frame in arrived.drain(..) {
        stack.handle_frame(now, frame);
    }
    stack.handle_timeout(now);
    while let Some(event) = stack.poll_event() {
        application(stack, event.conn, event.ready);
    }
    stack.settle(now);
    stack.poll_transmit(now, out, usize::MAX);
}

fn address(last: u8, v6: bool) -> IpAddr {
    if v6 { IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)]) } else { IpAddr::from([10, 0, 0, last]) }
}

fn take(stack: &mut Stack, conn: ConnId, len: usize) -> bool {
    if stack.recv_len(conn) < len {
        return false;
    }
    let mut left = len;
    while left > 0 {
        let n = stack.peek(conn).len().min(left);
        stack.consume(conn, n);
        left -= n;
    }
    true
}

/// Allocations of `turns` turns of request and answer on 64 connections, after as many to warm up.
fn tcp_allocations(v6: bool, answer_len: usize, turns: usize) -> (u64, u64) {
    let mut pair = Pair::new(v6);
    pair.server.listen(ListenConfig::port(80)).unwrap();
    for token in 0..64 {
        pair.client.connect(Instant::ZERO, ConnectConfig::to(SocketAddr::new(address(2, v6), 80), token)).unwrap();
    }
    let (request, answer) = (Bytes::from(vec![b'q'; 100]), Bytes::from(vec![b'a'; answer_len]));
    let (mut transactions, mut allocations) = (0u64, 0);
    for round in 0..2 {
        let before = ALLOCATIONS.get();
        transactions = 0;
        for _ in 0..turns {
            pair.turn(
                |stack, conn, ready| {
                    let done = ready.contains(Ready::READABLE) && take(stack, conn, answer_len);
                    transactions += u64::from(done);
                    if done || ready.contains(Ready::CONNECTED) {
                        stack.send(conn, request.clone()).unwrap();
                    }
                },
                |stack, conn, ready| {
                    if ready.contains(Ready::READABLE) && take(stack, conn, 100) {
                        stack.send(conn, answer.clone()).unwrap();
                    }
                },
            );
        }
        if round == 1 {
            allocations = ALLOCATIONS.get() - before;
        }
    }
    (allocations, transactions)
}

/// Allocations of `turns` datagrams each way, and as many echo requests answered, after as many to warm up.
fn datagram_allocations(v6: bool, turns: usize) -> (u64, u64) {
    let mut pair = Pair::new(v6);
    let (a, b) = (pair.client.udp_bind(None, 9).unwrap(), pair.server.udp_bind(None, 9).unwrap());
    let (mut received, mut allocations) = (0, 0);
    for round in 0..2 {
        let before = ALLOCATIONS.get();
        received = 0;
        for _ in 0..turns {
            let to = SocketAddr::new(address(2, v6), 9);
            pair.client.udp_send(pair.now, a, None, to, Ecn::Ect0, b"question").unwrap();
            pair.turn(|_, _, _| {}, |_, _, _| {});
            while let Some(datagram) = pair.server.poll_datagram() {
                let to = datagram.remote;
                pair.server
                    .udp_send(pair.now, b, Some(datagram.local.ip()), to, Ecn::NotEct, &datagram.payload.data()[..4])
                    .unwrap();
            }
            received += core::iter::from_fn(|| pair.client.poll_datagram()).count() as u64;
        }
        if round == 1 {
            allocations = ALLOCATIONS.get() - before;
        }
    }
    (allocations, received)
}

/// One test, because the count is the whole process's.
#[test]
fn nothing_is_allocated_per_packet_in_steady_state() {
    for v6 in [false, true] {
        for answer_len in [150, 20_000] {
            let (allocations, transactions) = tcp_allocations(v6, answer_len, 3_000);
            assert!(transactions > 10_000, "only {transactions} transactions took place");
            assert_eq!(allocations, 0, "TCP, IPv6: {v6}, answers of {answer_len} bytes");
        }
        let (allocations, received) = datagram_allocations(v6, 3_000);
        assert!(received > 2_900, "only {received} datagrams came back");
        assert_eq!(allocations, 0, "UDP, IPv6: {v6}");
    }
}
