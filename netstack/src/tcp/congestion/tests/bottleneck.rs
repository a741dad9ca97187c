//! Controllers alone in virtual time: bulk senders that share one bottleneck.
//!
//! ```text
//!   flow 0 ─ window, pacing ─┐    ┌──────────┐ rate   propagation
//!   flow 1 ─ window, pacing ─┼──▶ │ buffer   │──────▶ ─────────────▶ acknowledged at once, a whole round trip later
//!                            ┘    └──────────┘   ╳ random loss
//! ```
//!
//! The path keeps order, so an acknowledgment shows that everything sent before it and not acknowledged is lost. What is
//! lost is sent again as new data: a controller sees no difference.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BinaryHeap, VecDeque};

use crate::rng::Rng;
use crate::tcp::congestion::{Ack, Congestion, CongestionControl, LostSegment, RateSample};
use crate::time::Instant;

pub(super) const MSS: u32 = 1448;

/// The path that all flows share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    /// Bytes per second.
    pub(super) rate: u64,
    /// Round-trip time without a queue.
    pub(super) rtt: Duration,
    /// Bytes that may wait at the bottleneck.
    pub(super) buffer: u64,
    /// Losses in a million that have nothing to do with the buffer.
    pub(super) loss_ppm: u32,
}

impl Path {
    pub(super) fn new(mbit: u64, rtt_ms: u64) -> Path {
        let (rate, rtt) = (mbit * 125_000, Duration::from_millis(rtt_ms));
        let path = Path { rate, rtt, buffer: 0, loss_ppm: 0 };
        Path { buffer: path.bdp(), ..path }
    }

    pub(super) fn bdp(&self) -> u64 {
        self.rate * self.rtt.as_micros() as u64 / 1_000_000
    }

    fn transmission(&self, bytes: u32) -> Duration {
        Duration::from_nanos(u64::from(bytes) * 1_000_000_000 / self.rate)
    }
}

#[derive(Clone, Copy)]
struct Sent {
    number: u64,
    at: Instant,
    rate: RateSample,
    first_sent: Instant,
    delivered_at: Instant,
}

pub(super) struct Flow {
    pub(super) cc: Congestion,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) timeouts: u32,
    pub(super) max_in_flight: u32,
    pub(super) srtt: Option<Duration>,
    /// Nothing is sent while it is set.
    pub(super) idle: bool,
    outstanding: VecDeque<Sent>,
    next_number: u64,
    recover: Option<u64>,
    limited: bool,
    first_sent: Instant,
    delivered_at: Instant,
    next_send: Instant,
    send_queued: bool,
    timer: Instant,
    timer_queued: bool,
    resent: bool,
}

impl Flow {
    pub(super) fn in_flight(&self) -> u32 {
        self.outstanding.len() as u32 * MSS
    }

    fn rto(&self) -> Duration {
        self.srtt.map_or(Duration::from_secs(1), |srtt| (2 * srtt).max(Duration::from_millis(200)))
    }

    /// Takes a segment for lost.
    fn lose(&mut self, sent: &Sent, now: Instant) {
        self.lost += u64::from(MSS);
        let lost = (self.lost as u32).wrapping_sub(sent.rate.lost);
        let segment = LostSegment { bytes: MSS, tx_in_flight: sent.rate.tx_in_flight, lost, app_limited: false };
        self.cc.on_lost(now, &segment);
    }

    /// As senders pace when the controller does not say: twice the window in slow start, else a little more than it.
    fn pacing_interval(&self) -> Duration {
        let window = u64::from(self.cc.window());
        let rate = match (self.cc.pacing_rate(), self.srtt) {
            (Some(rate), _) => rate,
            (None, None) => return Duration::ZERO,
            (None, Some(srtt)) => {
                let percent = if self.cc.window() < self.cc.ssthresh() { 200 } else { 120 };
                window * percent * 10_000 / (srtt.as_micros() as u64).max(1)
            }
        };
        Duration::from_nanos(u64::from(MSS) * 1_000_000_000 / rate.max(1))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ack { flow: usize, number: u64 },
    Send { flow: usize },
    Timer { flow: usize },
}

pub(super) struct Bottleneck {
    pub(super) path: Path,
    pub(super) now: Instant,
    pub(super) flows: Vec<Flow>,
    pub(super) max_queue: u64,
    free_at: Instant,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    order: u64,
    rng: Rng,
}

impl Bottleneck {
    pub(super) fn new(path: Path, seed: u64) -> Bottleneck {
        Bottleneck {
            path,
            now: Instant::ZERO,
            flows: Vec::new(),
            max_queue: 0,
            free_at: Instant::ZERO,
            events: BinaryHeap::new(),
            order: 0,
            rng: Rng::new(seed),
        }
    }

    /// A flow that begins to send now.
    pub(super) fn add(&mut self, cc: Congestion) {
        self.flows.push(Flow {
            cc,
            delivered: 0,
            lost: 0,
            timeouts: 0,
            max_in_flight: 0,
            srtt: None,
            idle: false,
            outstanding: VecDeque::new(),
            next_number: 0,
            recover: None,
            limited: false,
            first_sent: self.now,
            delivered_at: self.now,
            next_send: self.now,
            send_queued: false,
            timer: self.now,
            timer_queued: false,
            resent: false,
        });
        self.send(self.flows.len() - 1);
    }

    /// Runs for `time`.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(&Reverse((at, _, event))) = self.events.peek() {
            if at > end {
                break;
            }
            self.events.pop();
            self.now = at;
            match event {
                Event::Ack { flow, number } => self.acknowledge(flow, number),
                Event::Send { flow } => {
                    self.flows[flow].send_queued = false;
                    self.send(flow);
                }
                Event::Timer { flow } => self.timer(flow),
            }
        }
        self.now = end;
    }

    /// Runs for `time`; the bytes per second that each flow got of the path, in percent.
    pub(super) fn shares(&mut self, time: Duration) -> Vec<u64> {
        let before: Vec<u64> = self.flows.iter().map(|flow| flow.delivered).collect();
        self.run(time);
        let whole = self.path.rate * time.as_millis() as u64 / 1_000;
        self.flows.iter().zip(before).map(|(flow, before)| (flow.delivered - before) * 100 / whole).collect()
    }

    /// Bytes that wait at the bottleneck.
    pub(super) fn queue(&self) -> u64 {
        (self.free_at - self.now).as_nanos() as u64 * self.path.rate / 1_000_000_000
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, event)));
    }

    /// Sends what window and pacing allow.
    pub(super) fn send(&mut self, index: usize) {
        loop {
            let now = self.now;
            let flow = &mut self.flows[index];
            let in_flight = flow.in_flight();
            let full = in_flight + MSS > flow.cc.window();
            flow.limited = full;
            if full || flow.idle {
                break;
            }
            if flow.next_send > now {
                if !flow.send_queued {
                    flow.send_queued = true;
                    let at = flow.next_send;
                    self.at(at, Event::Send { flow: index });
                }
                break;
            }
            if in_flight == 0 {
                (flow.first_sent, flow.delivered_at, flow.timer) = (now, now, now);
            }
            let number = flow.next_number;
            flow.next_number += 1;
            flow.next_send = flow.next_send.max(now) + flow.pacing_interval();
            let rate = RateSample {
                prior_delivered: flow.delivered,
                tx_in_flight: in_flight + MSS,
                // Until it is acknowledged: what was lost before it left.
                lost: flow.lost as u32,
                ..RateSample::default()
            };
            let (first_sent, delivered_at) = (flow.first_sent, flow.delivered_at);
            flow.outstanding.push_back(Sent { number, at: now, rate, first_sent, delivered_at });
            flow.max_in_flight = flow.max_in_flight.max(in_flight + MSS);
            if !flow.timer_queued {
                flow.timer_queued = true;
                let at = now + flow.rto();
                self.at(at, Event::Timer { flow: index });
            }
            self.enqueue(index, number);
        }
    }

    fn enqueue(&mut self, flow: usize, number: u64) {
        let queue = self.queue() + u64::from(MSS);
        if queue > self.path.buffer {
            return;
        }
        self.max_queue = self.max_queue.max(queue);
        self.free_at = self.free_at.max(self.now) + self.path.transmission(MSS);
        if !self.rng.chance_ppm(self.path.loss_ppm) {
            self.at(self.free_at + self.path.rtt, Event::Ack { flow, number });
        }
    }

    fn acknowledge(&mut self, index: usize, number: u64) {
        let now = self.now;
        let flow = &mut self.flows[index];
        let mut ack = Ack::new(now, MSS);
        ack.prior_in_flight = flow.in_flight();
        let slow_start = flow.cc.window() < flow.cc.ssthresh();
        ack.limited = flow.limited || (slow_start && ack.prior_in_flight > flow.cc.window() / 2);
        let mut arrived = None;
        while let Some(&sent) = flow.outstanding.front().filter(|sent| sent.number <= number) {
            flow.outstanding.pop_front();
            if sent.number == number {
                arrived = Some(sent);
            } else {
                flow.lose(&sent, now);
                ack.lost += MSS;
            }
        }
        // One that a timeout took for lost.
        let Some(sent) = arrived else { return };
        flow.delivered += u64::from(MSS);
        (flow.first_sent, flow.delivered_at, flow.timer, flow.resent) = (sent.at, now, now, false);
        let rtt = now - sent.at;
        flow.srtt = Some(flow.srtt.map_or(rtt, |srtt| (srtt * 7 + rtt) / 8));
        ack.acked = MSS;
        ack.delivered = MSS;
        ack.in_flight = flow.in_flight();
        (ack.rtt, ack.srtt) = (Some(rtt), flow.srtt);
        ack.rate = Some(RateSample {
            delivered: (flow.delivered - sent.rate.prior_delivered) as u32,
            interval: (sent.at - sent.first_sent).max(now - sent.delivered_at),
            total_delivered: flow.delivered,
            lost: (flow.lost as u32).wrapping_sub(sent.rate.lost),
            ..sent.rate
        });
        if ack.lost > 0 && flow.recover.is_none() {
            flow.recover = Some(flow.next_number);
            flow.cc.on_loss(now, ack.prior_in_flight, MSS);
        } else if flow.recover.is_some_and(|recover| number >= recover) {
            flow.recover = None;
            flow.cc.on_recovered(now, MSS);
        }
        ack.in_recovery = flow.recover.is_some();
        flow.cc.on_ack(&ack);
        self.send(index);
    }

    fn timer(&mut self, index: usize) {
        let now = self.now;
        let flow = &mut self.flows[index];
        flow.timer_queued = false;
        if flow.outstanding.is_empty() {
            return;
        }
        let due = flow.timer + flow.rto();
        if now < due {
            flow.timer_queued = true;
            self.at(due, Event::Timer { flow: index });
            return;
        }
        let in_flight = flow.in_flight();
        while let Some(sent) = flow.outstanding.pop_front() {
            flow.lose(&sent, now);
        }
        flow.recover = None;
        flow.timeouts += 1;
        flow.cc.on_timeout(now, in_flight, MSS, !flow.resent);
        flow.resent = true;
        flow.timer = now;
        self.send(index);
    }
}

/// Jain's index of fairness, in percent.
pub(super) fn jain(shares: &[u64]) -> u64 {
    let sum: u64 = shares.iter().sum();
    let squares: u64 = shares.iter().map(|share| share * share).sum();
    100 * sum * sum / (shares.len() as u64 * squares).max(1)
}
