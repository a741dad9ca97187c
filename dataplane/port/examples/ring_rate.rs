//! Frames a second over `sim::ring`, both directions at once, one thread each side.
//!
//! `cargo run -p port --release --example ring_rate -- [frame bytes] [seconds]`; pin the threads with `taskset` and give
//! them real-time priority for figures that repeat.
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant as Clock};

use netstack::Instant;
use port::sim::ring::{RingConfig, RingEnd, pair};
use port::{Port, PortCounter};

const BURST: usize = 32;

/// Sends as fast as the ring takes frames, drops what comes, and prints the rates.
fn run(name: &str, end: RingEnd, bytes: usize, time: Duration) {
    let mut port = end.into_port();
    let (mut out, mut received) = (VecDeque::new(), Vec::new());
    let start = Clock::now();
    let mut sum = 0u64;
    while start.elapsed() < time {
        for _ in 0..256 {
            while out.len() < BURST {
                let Some(mut frame) = port.pool().alloc() else { break };
                let Some(room) = frame.extend(bytes) else { break };
                room[0] = 1;
                out.push_back(frame);
            }
            port.tx_burst(Instant::ZERO, &mut out);
            port.rx_burst(Instant::ZERO, &mut received, BURST);
            sum += received.drain(..).map(|frame| u64::from(frame.data()[0])).sum::<u64>();
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let counters = port.counters();
    let rate = |which| counters.get(which) as f64 / seconds / 1e6;
    let (sent, got) = (rate(PortCounter::TxFrames), rate(PortCounter::RxFrames));
    println!("{name}: sent {sent:.2} M/s, received {got:.2} M/s of {bytes} bytes ({sum} seen)");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let bytes = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(2.0);
    let time = Duration::from_secs_f64(seconds);
    let (a, b) = match pair(&RingConfig { checksum_offload: true, ..RingConfig::default() }) {
        Ok(ends) => ends,
        Err(error) => return eprintln!("{error}"),
    };
    let far = thread::spawn(move || run("b", b, bytes, time));
    run("a", a, bytes, time);
    if far.join().is_err() {
        eprintln!("the far thread failed");
    }
}
