//! The decision: what becomes of one frame, and when it arrives.

use core::time::Duration;

use netstack::Instant;
use netstack::ip::protocol;
use netstack::rng::Rng;

use super::config::{LinkConfig, Loss};
use crate::headers::{self, ETHERTYPE_IPV4, Headers};
use crate::{PortCounter, PortCounters};

/// What became of a frame that was offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// On its way; arrives then.
    Carried(Instant),
    /// On its way; arrives when so many later frames have overtaken it, or then at the latest.
    Displaced(u8, Instant),
    /// On its way twice; arrives then and then.
    Duplicated(Instant, Instant),
    /// Lost on the way.
    Lost,
    /// A pure acknowledgment that was thinned out.
    Thinned,
    /// Did not fit the bottleneck's buffer.
    BufferFull,
    /// The path carried nothing.
    Outage,
    /// Did not fit the path's MTU.
    TooBig {
        /// The largest packet that would have passed, in bytes.
        mtu: u16,
        /// The path's router tells the sender.
        signalled: bool,
    },
    /// The cable was pulled (at the port, not on the path).
    LinkDown,
}

impl Fate {
    /// True when the frame arrives.
    pub fn is_carried(self) -> bool {
        matches!(self, Fate::Carried(_) | Fate::Displaced(..) | Fate::Duplicated(..))
    }
}

/// What was decided for one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Whether and when it arrives.
    pub fate: Fate,
    /// Damage: the byte, counted from the first one of the frame, and the bits of it that are flipped.
    pub damage: Option<(usize, u8)>,
    /// Marked with "congestion experienced", if the packet is ECN-capable.
    pub mark: bool,
}

/// One direction of a path. See the module's description.
#[derive(Debug)]
pub struct Impairment {
    config: LinkConfig,
    rng: Rng,
    /// The Gilbert–Elliott chain is in its bad state.
    bad: bool,
    /// Frames of a run that are still to be lost.
    burst_left: u32,
    /// The bottleneck is free from here on.
    idle_at: Instant,
    /// The latest arrival of a frame that was not held back; keeps order under jitter.
    last_arrival: Instant,
    counters: PortCounters,
}

impl Impairment {
    /// A path that does what `config` says, always in the same way for the same `seed`.
    pub fn new(config: LinkConfig, seed: u64) -> Impairment {
        Impairment {
            config,
            rng: Rng::new(seed),
            bad: false,
            burst_left: 0,
            idle_at: Instant::ZERO,
            last_arrival: Instant::ZERO,
            counters: PortCounters::default(),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Changes what happens to the frames offered from now on; the bottleneck keeps its queue.
    pub fn reconfigure(&mut self, config: LinkConfig) {
        self.config = config;
    }

    /// What was done to the frames.
    pub fn counters(&self) -> &PortCounters {
        &self.counters
    }

    pub(super) fn count(&mut self, which: PortCounter) {
        self.counters.bump(which);
    }

    /// Decides on an Ethernet frame that is sent at `now`; `now` never goes back.
    pub fn offer(&mut self, now: Instant, frame: &[u8]) -> Verdict {
        let mut verdict = Verdict { fate: Fate::Lost, damage: None, mark: false };
        verdict.fate = self.pass(now, frame, &mut verdict).unwrap_or_else(|fate| {
            self.count_loss(fate);
            fate
        });
        verdict
    }

    /// Down the path; `Err` is where it ends.
    fn pass(&mut self, now: Instant, frame: &[u8], verdict: &mut Verdict) -> Result<Fate, Fate> {
        if self.config.outages.is_some_and(|outages| outages.cover(now)) {
            return Err(Fate::Outage);
        }
        self.fits_path(now, frame)?;
        self.thin_acks(frame)?;
        let (departure, waiting_bytes) = self.pass_bottleneck(now, frame.len()).ok_or(Fate::BufferFull)?;
        verdict.mark = self.config.ecn_threshold_bytes.is_some_and(|threshold| waiting_bytes > threshold);
        if self.is_lost() {
            return Err(Fate::Lost);
        }
        verdict.damage = self.damage(frame.len());
        Ok(self.arrive(departure))
    }

    fn count_loss(&mut self, fate: Fate) {
        let counter = match fate {
            Fate::BufferFull => PortCounter::DropWireBufferFull,
            Fate::Thinned => PortCounter::DropWireThinned,
            Fate::Outage => PortCounter::DropWireOutage,
            Fate::TooBig { .. } => PortCounter::DropWireTooBig,
            _ => PortCounter::DropWireLoss,
        };
        self.counters.bump(counter);
    }

    fn fits_path(&self, now: Instant, frame: &[u8]) -> Result<(), Fate> {
        let Some(mtu) = self.config.mtu.filter(|mtu| now >= mtu.from) else { return Ok(()) };
        let Some(headers) = Headers::parse(frame).filter(|headers| headers.ip.is_some()) else { return Ok(()) };
        if frame.len().saturating_sub(headers.l3) <= usize::from(mtu.bytes) {
            return Ok(());
        }
        Err(Fate::TooBig { mtu: mtu.bytes, signalled: mtu.signalled })
    }

    fn thin_acks(&mut self, frame: &[u8]) -> Result<(), Fate> {
        let (loss, thinning) = (self.config.ack_loss_ppm, self.config.ack_thinning);
        if (loss == 0 && thinning <= 1) || !is_pure_ack(frame) {
            return Ok(());
        }
        // Drawn, not counted: a count locks on to peers that send in step with it.
        if self.rng.below(thinning) != 0 || self.rng.chance_ppm(loss) {
            return Err(Fate::Thinned);
        }
        Ok(())
    }

    /// When the frame has left the bottleneck, and how many bytes waited before it. `None`: it did not fit.
    fn pass_bottleneck(&mut self, now: Instant, length: usize) -> Option<(Instant, usize)> {
        let Some(rate) = self.config.rate_bits_per_second else { return Some((now, 0)) };
        let rate = rate.max(1);
        let wait = self.idle_at.as_nanos().saturating_sub(now.as_nanos());
        let waiting_bytes = usize::try_from(scale(wait, rate, 8_000_000_000)).unwrap_or(usize::MAX);
        if waiting_bytes.saturating_add(length) > self.config.buffer_bytes.max(length) {
            return None;
        }
        self.idle_at = self.idle_at.max(now).plus_nanos(scale(length as u64, 8_000_000_000, rate));
        Some((self.idle_at, waiting_bytes))
    }

    fn is_lost(&mut self) -> bool {
        match self.config.loss {
            Loss::None => false,
            Loss::Random { ppm } => self.rng.chance_ppm(ppm),
            Loss::Burst { ppm, frames } => {
                if self.burst_left == 0 && self.rng.chance_ppm(ppm) {
                    self.burst_left = frames;
                }
                let lost = self.burst_left > 0;
                self.burst_left = self.burst_left.saturating_sub(1);
                lost
            }
            Loss::GilbertElliott { enter_ppm, leave_ppm, good_ppm, bad_ppm } => {
                if self.rng.chance_ppm(if self.bad { leave_ppm } else { enter_ppm }) {
                    self.bad = !self.bad;
                }
                self.rng.chance_ppm(if self.bad { bad_ppm } else { good_ppm })
            }
        }
    }

    /// Flips bits within one byte behind the Ethernet header: such a change is never a multiple of 2¹⁶ − 1, so the
    /// Internet checksum always finds it, and the receiver can be expected to drop the frame.
    fn damage(&mut self, length: usize) -> Option<(usize, u8)> {
        const ETHERNET: usize = 14;
        if self.config.corrupt_ppm == 0 || length <= ETHERNET || !self.rng.chance_ppm(self.config.corrupt_ppm) {
            return None;
        }
        self.counters.bump(PortCounter::WireCorrupted);
        let at = ETHERNET + self.rng.below((length - ETHERNET) as u32) as usize;
        // Mostly one bit.
        let bits = self.rng.next_u64() as u8;
        Some((at, if self.rng.below(4) == 0 { bits.max(1) } else { 1 << (bits % 8) }))
    }

    fn arrive(&mut self, departure: Instant) -> Fate {
        let first = self.arrival(departure);
        if self.config.duplicate_ppm != 0 && self.rng.chance_ppm(self.config.duplicate_ppm) {
            self.counters.bump(PortCounter::WireDuplicated);
            return Fate::Duplicated(first, self.arrival(departure));
        }
        if self.config.displace_ppm != 0
            && self.config.displace_frames > 0
            && self.rng.chance_ppm(self.config.displace_ppm)
        {
            self.counters.bump(PortCounter::WireReordered);
            let frames = 1 + self.rng.below(u32::from(self.config.displace_frames)) as u8;
            return Fate::Displaced(frames, self.slotted(first + self.config.reorder_delay));
        }
        Fate::Carried(first)
    }

    fn arrival(&mut self, departure: Instant) -> Instant {
        let jitter = self.up_to(self.config.jitter);
        let arrival = (departure + self.config.delay).plus_nanos(jitter).max(self.last_arrival);
        if self.config.reorder_ppm != 0 && self.rng.chance_ppm(self.config.reorder_ppm) {
            self.counters.bump(PortCounter::WireReordered);
            let late = self.up_to(self.config.reorder_delay);
            return self.slotted(arrival.plus_nanos(late));
        }
        self.last_arrival = arrival;
        self.slotted(arrival)
    }

    /// The slot that the frame arrives in.
    fn slotted(&self, arrival: Instant) -> Instant {
        let slot = u64::try_from(self.config.slot.as_nanos()).unwrap_or(u64::MAX);
        if slot == 0 { arrival } else { Instant::from_nanos(arrival.as_nanos().div_ceil(slot).saturating_mul(slot)) }
    }

    /// Nanoseconds, evenly spread up to `limit`.
    fn up_to(&mut self, limit: Duration) -> u64 {
        if limit.is_zero() {
            return 0;
        }
        let span = limit.as_nanos().min(u128::from(u64::MAX)) + 1;
        ((u128::from(self.rng.next_u64()) * span) >> 64) as u64
    }

    /// Does to the bytes what the verdict says.
    pub fn apply(&mut self, verdict: &Verdict, bytes: &mut [u8]) {
        if verdict.mark && headers::mark_congestion(bytes) {
            self.counters.bump(PortCounter::WireEcnMarked);
        }
        if let Some((at, bits)) = verdict.damage
            && let Some(byte) = bytes.get_mut(at)
        {
            *byte ^= bits;
        }
    }
}

/// `value * times / by`, without overflow.
fn scale(value: u64, times: u64, by: u64) -> u64 {
    match value.checked_mul(times) {
        Some(product) => product / by,
        None => u64::try_from(u128::from(value) * u128::from(times) / u128::from(by)).unwrap_or(u64::MAX),
    }
}

/// True for a TCP segment that carries nothing but an acknowledgment.
fn is_pure_ack(frame: &[u8]) -> bool {
    const ACK: u8 = 0x10;
    let Some(Headers { ethertype, l3, ip: Some(ip) }) = Headers::parse(frame) else { return false };
    if ip.protocol != protocol::TCP || ip.ports.is_none() || ip.tcp_flags != ACK {
        return false;
    }
    let be16 = |at: usize| frame.get(at..at + 2).map_or(0, |b| usize::from(u16::from_be_bytes([b[0], b[1]])));
    let end = if ethertype == ETHERTYPE_IPV4 { l3 + be16(l3 + 2) } else { l3 + 40 + be16(l3 + 4) };
    let header = frame.get(ip.l4 + 12).map_or(0, |offset| usize::from(offset >> 4) * 4);
    ip.l4 + header >= end
}
