//! Peers that lie: small TCP speakers beside the honest client, on addresses of their own.
//!
//! ```text
//!   client's worker ─┬─ stack ──────────────┐
//!                    └─ liar ─▸ speaker ────┴──▶ port ──▶ server
//! ```
//!
//! A liar opens a connection as anybody would, takes what the server sends, and now and then tells its lie
//! ([`lies::LIES`]). It may do what it wants to its own connection; what must hold is that the server's accounts stay right,
//! that honest connections beside it do not notice, that the server sends right bytes and not many more segments than it is
//! told, and that nothing is left when the liar has gone.

mod frame;
mod lies;
mod speaker;

use core::fmt;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use netstack::rng::Rng;
use netstack::{Frame, FramePool, Instant};

use crate::check::segment::{ACK, Segment};
use crate::fault::{Fault, Invariant};
use crate::scenario::{CLIENT, SERVER, SERVER_PORT, Scenario};
pub use frame::HOP_LIMIT;
pub use lies::LIES;
pub use speaker::Speaker;

/// Segments that the server may send to liars, beyond some for each one that it got.
const FREE_SEGMENTS: u64 = 2_000;

/// A peer that lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Liar {
    /// When it opens.
    pub start: Duration,
    /// What it lies about: an index of [`LIES`].
    pub lie: usize,
    /// Its choices.
    pub seed: u64,
    /// How often it speaks unasked.
    pub words: u32,
    /// Between two times.
    pub pause: Duration,
}

impl fmt::Display for Liar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = LIES.get(self.lie).map_or("nothing", |(name, _)| name);
        write!(f, "at {:?} {name}, {} times each {:?}", self.start, self.words, self.pause)
    }
}

/// The address of liar number `number`, beside the client's.
pub fn address(client: IpAddr, number: usize) -> IpAddr {
    match client {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 64 + (number % 64) as u8])
        }
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[7] = 64 + (number % 64) as u16;
            IpAddr::from(segments)
        }
    }
}

/// A liar at work.
struct AtWork {
    speaker: Speaker,
    liar: Liar,
    rng: Rng,
    speaks_at: Option<Instant>,
    /// Times that it answers with a lie: a liar that always did would never stop.
    answers_left: u32,
}

/// All liars of a scenario.
pub struct Liars {
    at_work: Vec<AtWork>,
    /// Frames that came for them.
    pub received: u64,
    /// Frames that they sent.
    pub sent: u64,
    syn_ack_retries: u64,
    /// What is wrong with what the server sent them.
    fault: Option<Fault>,
}

impl Liars {
    /// The liars of `scenario`; none has begun.
    pub fn new(scenario: &Scenario) -> Liars {
        let server = (scenario.address(SERVER), SERVER_PORT);
        let at_work = scenario.liars.iter().enumerate().map(|(number, liar)| {
            let ours = (address(scenario.address(CLIENT), number), 1_024 + (liar.seed % 60_000) as u16);
            let mut rng = Rng::new(liar.seed);
            AtWork {
                speaker: Speaker::new(ours, server, scenario.network.vlan, &mut rng),
                liar: liar.clone(),
                rng,
                speaks_at: Some(Instant::ZERO + liar.start),
                answers_left: 2 * liar.words,
            }
        });
        let syn_ack_retries = u64::from(scenario.tcp[SERVER].syn_ack_retries);
        Liars { at_work: at_work.collect(), received: 0, sent: 0, syn_ack_retries, fault: None }
    }

    /// Takes a received frame, if it is for a liar.
    pub fn take(&mut self, now: Instant, frame: &[u8]) -> bool {
        if self.at_work.is_empty() {
            return false;
        }
        let Some(segment) = Segment::parse(frame) else { return false };
        let to = segment.destination.0;
        let Some(at_work) = self.at_work.iter_mut().find(|at_work| at_work.speaker.address() == to) else {
            return false;
        };
        self.received += 1;
        if !segment.intact {
            return true;
        }
        if let Err(text) = at_work.speaker.hear(now, &segment) {
            self.fault.get_or_insert_with(|| Invariant::Streams.fault(format!("to {}: {text}", at_work.liar)));
        }
        if at_work.answers_left > 0 && at_work.rng.below(3) == 0 {
            at_work.answers_left -= 1;
            at_work.tell();
        }
        true
    }

    /// Notes what the honest client sends, for those who forge its segments.
    pub fn overhear(&mut self, frames: &VecDeque<Frame>) {
        if self.at_work.is_empty() {
            return;
        }
        let mut segments = frames.iter().rev().filter_map(|frame| Segment::parse(frame.data()));
        let Some(segment) = segments.find(|segment| segment.has(ACK)) else { return };
        self.at_work.iter_mut().for_each(|at_work| at_work.speaker.overhear(&segment));
    }

    /// Puts what the liars have to say into `out`; how many frames.
    pub fn speak(&mut self, now: Instant, pool: &FramePool, out: &mut VecDeque<Frame>) -> usize {
        let mut spoken = 0;
        for at_work in &mut self.at_work {
            at_work.turn(now);
            for bytes in at_work.speaker.out.drain(..) {
                let Some(mut frame) = pool.alloc() else { continue };
                let Some(room) = frame.extend(bytes.len()) else { continue };
                room.copy_from_slice(&bytes);
                out.push_back(frame);
                spoken += 1;
            }
        }
        self.sent += spoken as u64;
        spoken
    }

    /// When the next one speaks unasked.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.at_work.iter().filter_map(|at_work| at_work.speaks_at).min()
    }

    /// What was wrong with what the server sent them.
    pub fn verdict(&self) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        // Each segment may provoke an answer, and a SYN one that is sent again and again.
        let most = self.sent * (8 + self.syn_ack_retries) + FREE_SEGMENTS * self.at_work.len() as u64;
        Invariant::Progress
            .check(self.received <= most, || format!("the liars sent {} segments and got {}", self.sent, self.received))
    }
}

impl AtWork {
    fn turn(&mut self, now: Instant) {
        if self.speaks_at.is_none_or(|at| at > now) {
            return;
        }
        if !self.speaker.has_begun() {
            self.speaker.open(now);
        } else if self.liar.words > 0 {
            self.liar.words -= 1;
            self.speaker.wait(now);
            self.tell();
        } else {
            self.speaker.leave(self.rng.below(3));
            self.speaks_at = None;
            return;
        }
        let pause = u64::try_from(self.liar.pause.as_nanos()).unwrap_or(u64::MAX);
        self.speaks_at = Some(now.plus_nanos(pause / 2 + self.rng.next_u64() % pause.max(1)));
    }

    fn tell(&mut self) {
        if let Some((_, lie)) = LIES.get(self.liar.lie) {
            lie(&mut self.speaker, &mut self.rng);
        }
    }
}
