//! Measures what the stack costs a request and its answer: two stacks back to back in one thread, frames handed over by
//! reference, no port.
//!
//! ```text
//!   cargo run --release -p netstack --example transaction [CONNECTIONS [SECONDS [4|6]]]
//! ```
//!
//! Prints nanoseconds per transaction for the client's and the server's side. The server's side is the stack's share of
//! the budget of one small request: receive the request, read it, send the answer, build its frame, and take the
//! acknowledgments. Run it under `chrt -f 1 taskset -c N` for steady figures.

#![allow(clippy::disallowed_methods, reason = "a measuring program reads the clock")]

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use netstack::rng::Seed;
use netstack::tcp::{ConnId, ConnectConfig, ListenConfig, Ready};
use netstack::{Frame, FramePool, Instant, Stack, StackConfig};

const REQUEST: usize = 100;
const ANSWER: usize = 150;
const PORT: u16 = 80;

/// One of the two stacks, with the time spent in it.
struct Side {
    stack: Stack,
    spent: Duration,
}

impl Side {
    fn new(last: u8, peer: u8, v6: bool) -> Side {
        let mac = |n| [2, 0, 0, 0, 0, n];
        let config = StackConfig {
            mac: mac(last),
            addresses: vec![format!("{}/{}", address(last, v6), if v6 { 64 } else { 24 }).parse().unwrap()],
            static_neighbors: vec![(address(peer, v6), mac(peer))],
            announce: false,
            ..StackConfig::default()
        };
        let seed = Seed::from_number(u64::from(last));
        let stack =
            Stack::new(config, FramePool::heap(16_384), seed, Instant::ZERO).expect("the configuration is right");
        Side { stack, spent: Duration::ZERO }
    }

    /// One turn of a run loop: frames in, application, frames out.
    fn turn(
        &mut self,
        now: Instant,
        arrived: &mut VecDeque<Frame>,
        out: &mut VecDeque<Frame>,
        mut application: impl FnMut(&mut Stack, ConnId, Ready),
    ) {
        let begun = Clock::now();
        for frame in arrived.drain(..) {
            self.stack.handle_frame(now, frame);
        }
        self.stack.handle_timeout(now);
        while let Some(event) = self.stack.poll_event() {
            application(&mut self.stack, event.conn, event.ready);
        }
        self.stack.settle(now);
        self.stack.poll_transmit(now, out, usize::MAX);
        self.spent += begun.elapsed();
    }
}

fn address(last: u8, v6: bool) -> IpAddr {
    if v6 { IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)]) } else { IpAddr::from([10, 0, 0, last]) }
}

/// Reads what has come; true when a whole message of `len` bytes was consumed.
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

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (connections, seconds, v6) = (number(0, 64), number(1, 3), number(2, 4) == 6);

    let (mut client, mut server) = (Side::new(1, 2, v6), Side::new(2, 1, v6));
    let (mut to_client, mut to_server) = (VecDeque::new(), VecDeque::new());
    server.stack.listen(ListenConfig::port(PORT)).expect("the port is free");
    for token in 0..connections {
        let config = ConnectConfig::to(SocketAddr::new(address(2, v6), PORT), token as u32);
        client.stack.connect(Instant::ZERO, config).expect("a port is free");
    }
    let (request, answer) = (Bytes::from(vec![b'q'; REQUEST]), Bytes::from(vec![b'a'; ANSWER]));

    let epoch = Clock::now();
    let mut transactions = 0u64;
    let mut measured_from = None;
    loop {
        let elapsed = epoch.elapsed();
        let now = Instant::from_nanos(elapsed.as_nanos() as u64);
        // A second to warm up: handshakes, congestion windows, pools at their working size.
        if measured_from.is_none() && elapsed > Duration::from_secs(1) {
            (client.spent, server.spent) = (Duration::ZERO, Duration::ZERO);
            measured_from = Some(transactions);
        }
        if elapsed > Duration::from_secs(1 + seconds) {
            break;
        }
        client.turn(now, &mut to_client, &mut to_server, |stack, conn, ready| {
            let done = ready.contains(Ready::READABLE) && take(stack, conn, ANSWER);
            transactions += u64::from(done);
            if done || ready.contains(Ready::CONNECTED) {
                stack.send(conn, request.clone()).expect("room for one request");
            }
        });
        server.turn(now, &mut to_server, &mut to_client, |stack, conn, ready| {
            if ready.contains(Ready::READABLE) && take(stack, conn, REQUEST) {
                stack.send(conn, answer.clone()).expect("room for one answer");
            }
        });
    }
    let count = (transactions - measured_from.unwrap_or(0)).max(1);
    let per = |spent: Duration| spent.as_nanos() as f64 / count as f64;
    println!("{connections} connections, IPv{}: {count} transactions in {seconds} s", if v6 { 6 } else { 4 });
    println!("client {:.0} ns, server {:.0} ns per transaction", per(client.spent), per(server.spent));
    let frames = server.stack.ip_counters().get(netstack::counters::IpCounter::RxFrames);
    println!("{:.2} frames received by the server per transaction", frames as f64 / transactions as f64);
}
