//! A TCP speaker that can be made to say anything: one connection to the server, as plain as it gets.

use std::net::IpAddr;

use netstack::Instant;
use netstack::rng::Rng;

use super::frame::{Claim, Draft, icmp};
use crate::check::segment::{ACK, FIN, RST, SYN, Segment, before};
use crate::pattern::Pattern;
use crate::scenario::SERVER;

/// Fits the smallest MTU that a scenario has.
const MOST_PAYLOAD: usize = 1_100;

/// A segment of the honest client, as far as forgers need it.
#[derive(Clone, Copy, Debug)]
pub struct Overheard {
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    seq: u32,
    ack: u32,
    timestamps: Option<(u32, u32)>,
}

/// One connection of a liar.
pub struct Speaker {
    ours: (IpAddr, u16),
    theirs: (IpAddr, u16),
    vlan: Option<u16>,
    /// Our first number.
    pub iss: u32,
    /// Behind what we sent.
    pub snd_nxt: u32,
    /// Their first number, from the SYN-ACK on.
    pub irs: Option<u32>,
    /// What we expect next.
    pub rcv_nxt: u32,
    /// The highest number of theirs that was seen.
    pub rcv_max: u32,
    /// The window that we say.
    pub window: u16,
    /// Our timestamp clock, when we use one; the last value of theirs.
    pub timestamps: Option<(u32, u32)>,
    /// The segment size that our SYN says.
    pub mss: u16,
    /// Our SYN permits SACK.
    pub sack: bool,
    /// The connection was reset.
    pub dead: bool,
    begun: bool,
    unacknowledged: u32,
    overheard: Option<Overheard>,
    /// Frames to be sent.
    pub out: Vec<Vec<u8>>,
}

impl Speaker {
    /// Between `ours` and `theirs`; nothing is sent.
    pub fn new(ours: (IpAddr, u16), theirs: (IpAddr, u16), vlan: Option<u16>, rng: &mut Rng) -> Speaker {
        let iss = rng.next_u64() as u32;
        Speaker {
            ours,
            theirs,
            vlan,
            iss,
            snd_nxt: iss.wrapping_add(1),
            irs: None,
            rcv_nxt: 0,
            rcv_max: 0,
            window: 30_000,
            timestamps: (rng.below(2) == 0).then(|| (rng.next_u64() as u32, 0)),
            mss: 1_400,
            sack: rng.below(2) == 0,
            dead: false,
            begun: false,
            unacknowledged: 0,
            overheard: None,
            out: Vec::new(),
        }
    }

    /// Our address.
    pub fn address(&self) -> IpAddr {
        self.ours.0
    }

    /// True when the SYN was sent.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// True when both sides' numbers are known.
    pub fn is_connected(&self) -> bool {
        self.irs.is_some() && !self.dead
    }

    /// Sends the SYN.
    pub fn open(&mut self, _now: Instant) {
        self.begun = true;
        let mut options = vec![2, 4];
        options.extend(self.mss.to_be_bytes());
        if self.sack {
            options.extend([4, 2, 1, 1]);
        }
        options.extend(self.timestamp_option());
        let syn = Draft { flags: SYN, seq: self.iss, ack: 0, options, ..self.draft() };
        self.send(syn);
    }

    /// Time passes: the clock goes on, and a SYN without an answer is sent again.
    pub fn wait(&mut self, now: Instant) {
        if let Some((clock, _)) = &mut self.timestamps {
            *clock = clock.wrapping_add(10);
        }
        if self.irs.is_none() && !self.dead {
            self.open(now);
        }
    }

    /// A segment of the server arrived. What it carries must be what the server said.
    pub fn hear(&mut self, _now: Instant, segment: &Segment<'_>) -> Result<(), String> {
        if segment.destination.1 != self.ours.1 {
            return Ok(());
        }
        if segment.has(RST) {
            self.dead = true;
            return Ok(());
        }
        if let (Some((_, recent)), Some((value, _))) = (&mut self.timestamps, segment.timestamps) {
            *recent = value;
        }
        if segment.has(SYN) {
            return self.hear_syn(segment);
        }
        let Some(irs) = self.irs else { return Ok(()) };
        if before(self.rcv_max, segment.end()) {
            self.rcv_max = segment.end();
        }
        let offset = segment.seq.wrapping_sub(irs.wrapping_add(1));
        if offset < 1 << 30
            && let Some(at) = Pattern::of(0, SERVER).mismatch(u64::from(offset), segment.payload)
        {
            return Err(format!("byte {at} of the server's stream is wrong"));
        }
        if segment.seq == self.rcv_nxt && !segment.is_empty() {
            self.rcv_nxt = segment.end();
            self.unacknowledged += 1;
        }
        if self.unacknowledged >= 2 || segment.has(FIN) {
            self.acknowledge();
        }
        Ok(())
    }

    fn hear_syn(&mut self, segment: &Segment<'_>) -> Result<(), String> {
        if self.irs.is_some() || !segment.has(ACK) || segment.ack != self.iss.wrapping_add(1) {
            return Ok(());
        }
        self.irs = Some(segment.seq);
        self.rcv_nxt = segment.end();
        self.rcv_max = segment.end();
        if segment.timestamps.is_none() {
            self.timestamps = None;
        }
        self.acknowledge();
        Ok(())
    }

    /// Says what was received.
    pub fn acknowledge(&mut self) {
        self.unacknowledged = 0;
        let ack = self.draft();
        self.send(ack);
    }

    /// The way out: a FIN, a reset, or nothing.
    pub fn leave(&mut self, how: u32) {
        let flags = match how {
            0 => FIN | ACK,
            1 => RST,
            _ => return,
        };
        let last = Draft { flags, ..self.draft() };
        self.send(last);
    }

    /// An honest acknowledgment, to be changed.
    pub fn draft(&self) -> Draft {
        Draft {
            source: self.ours,
            destination: self.theirs,
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: ACK,
            window: self.window,
            urgent: 0,
            options: self.timestamp_option(),
            payload: Vec::new(),
            offset: None,
        }
    }

    fn timestamp_option(&self) -> Vec<u8> {
        let Some((value, echo)) = self.timestamps else { return Vec::new() };
        timestamp_option(value, echo)
    }

    /// Sends a segment, of what payload fits the smallest MTU.
    pub fn send(&mut self, mut draft: Draft) {
        draft.payload.truncate(MOST_PAYLOAD);
        self.out.push(draft.frame(self.vlan));
    }

    /// Sends data in order, which counts.
    pub fn send_data(&mut self, payload: Vec<u8>) {
        let next = self.snd_nxt.wrapping_add(payload.len().min(MOST_PAYLOAD) as u32);
        let data = Draft { payload, ..self.draft() };
        self.send(data);
        self.snd_nxt = next;
    }

    /// Forges an ICMP error about the server's segment at `seq`, of this connection or an overheard one.
    pub fn forge_icmp(&mut self, seq: u32, claim: Claim, of_the_client: bool) {
        let (us, them) = match self.overheard.filter(|_| of_the_client) {
            Some(overheard) => (overheard.source, overheard.destination),
            None => (self.ours, self.theirs),
        };
        let quoted = Draft { source: them, destination: us, seq, ..self.draft() };
        self.out.push(icmp(self.ours.0, &quoted, claim, self.vlan));
    }

    /// Notes a segment of the honest client.
    pub fn overhear(&mut self, segment: &Segment<'_>) {
        let &Segment { source, destination, seq, ack, timestamps, .. } = segment;
        self.overheard = Some(Overheard { source, destination, seq, ack, timestamps });
    }

    /// The last segment of the honest client, to be forged.
    pub fn forgery(&self) -> Option<Draft> {
        let overheard = self.overheard?;
        let options = overheard.timestamps.map(|(value, echo)| timestamp_option(value, echo)).unwrap_or_default();
        let Overheard { source, destination, seq, ack, .. } = overheard;
        Some(Draft { source, destination, seq, ack, options, ..self.draft() })
    }
}

/// The timestamps option, padded.
pub fn timestamp_option(value: u32, echo: u32) -> Vec<u8> {
    let mut option = vec![1, 1, 8, 10];
    option.extend(value.to_be_bytes());
    option.extend(echo.to_be_bytes());
    option
}
