//! SYN cookies (RFC 4987 §3.6): a SYN is answered without remembering it. What the handshake agreed on lies in the
//! initial sequence number, which the peer's acknowledgment brings back.
//!
//! ```text
//!   ISS of the SYN-ACK                                       TSval of the SYN-ACK, when the SYN had timestamps
//!   31                         8 7   6   5   4   3   2   1   0    31                       6    5     4    3 2 1 0
//!   +---------------------------+---+----+-----------+-----------+ +-----------------------+-----+------+---------+
//!   |   24 bits of the MAC      |ECN|SACK|   scale   |    MSS    | |  our clock, rounded    | ECN | SACK |  scale  |
//!   +---------------------------+---+----+-----------+-----------+ +-----------------------+-----+------+---------+
//!       the low byte is covered by the MAC's high one              15: the SYN had no window scale option
//! ```
//!
//! The code is SipHash-2-4 of both addresses and ports, the peer's initial sequence number, the low byte and the low
//! bits of the timestamp, so nothing that comes back is believed unproven. Its key lives for one period of 64 s and is
//! derived from the secret that all workers of a process share; the codes of the present period and of the one before
//! are valid: a cookie is good for 64 to 128 s. A guess hits with a probability of 2⁻²³.
//!
//! The other half of the code is the offset of our timestamp clock (RFC 7323 §5.4), which so comes back, too.
//!
//! The segment size is rounded down to one of eight. Without timestamps the window scale is rounded down to one of
//! seven (or none), so a window may count for less than it is, and never for more. With them it is exact.

use core::time::Duration;

use super::isn::Origins;
use super::seq::Seq;
use super::siphash::SipKey;
use super::tuple::Tuple;
use crate::rng::Seed;
use crate::time::Instant;

/// The life of a key.
const PERIOD: Duration = Duration::from_secs(64);
const PERIOD_NANOS: u64 = PERIOD.as_nanos() as u64;

/// The segment sizes that a cookie can say: the floor, the sizes for want of an option (RFC 9293 §3.7.1), those of
/// tunnels and of Ethernet, and of jumbo frames.
const SIZES: [u16; 8] = [216, 536, 1220, 1360, 1400, 1440, 1460, 8960];

/// The shift counts that a cookie can say without timestamps; the first place says that there was no option.
const SHIFTS: [u8; 8] = [0, 0, 2, 4, 6, 7, 8, 10];

/// The low bits of a timestamp that carry options.
const STAMP_BITS: u32 = 6;
const STAMP_MASK: u32 = (1 << STAMP_BITS) - 1;
/// In those bits: no window scale option.
const UNSCALED: u32 = 15;

/// What a SYN offered and the SYN-ACK agreed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Agreed {
    /// The peer's segment size.
    pub(crate) mss: u16,
    /// The peer's shift count, when scaling was agreed.
    pub(crate) scale: Option<u8>,
    pub(crate) sack: bool,
    pub(crate) ecn: bool,
    pub(crate) timestamps: bool,
}

impl Agreed {
    /// The low byte of the sequence number.
    fn byte(&self) -> u8 {
        let size = SIZES.iter().skip(1).filter(|&&size| size <= self.mss).count() as u8;
        let shift = match self.scale {
            Some(shift) => SHIFTS.iter().skip(1).filter(|&&known| known <= shift).count() as u8,
            None => 0,
        };
        size | shift << 3 | u8::from(self.sack) << 6 | u8::from(self.ecn) << 7
    }

    fn from_byte(byte: u8) -> Agreed {
        let shift = usize::from(byte >> 3 & 7);
        Agreed {
            mss: SIZES[usize::from(byte & 7)],
            scale: (shift > 0).then_some(SHIFTS[shift]),
            sack: byte & 0x40 != 0,
            ecn: byte & 0x80 != 0,
            timestamps: false,
        }
    }

    /// The low bits of the timestamp.
    fn stamp(&self) -> u32 {
        self.scale.map_or(UNSCALED, u32::from) | u32::from(self.sack) << 4 | u32::from(self.ecn) << 5
    }

    /// The latest timestamp, no later than `clock`, that says what was agreed on.
    pub(crate) fn timestamp(&self, clock: u32) -> u32 {
        let stamp = self.stamp();
        clock.wrapping_sub(clock.wrapping_sub(stamp) & STAMP_MASK)
    }
}

/// A key and the period that it is for.
#[derive(Clone, Copy)]
struct Epoch {
    period: u64,
    key: SipKey,
}

/// The secrets of cookies: those of this period and of the one before.
pub(crate) struct SynCookieKeys {
    master: SipKey,
    now: Epoch,
    before: Epoch,
}

impl SynCookieKeys {
    pub(crate) fn new(secret: &Seed, now: Instant) -> SynCookieKeys {
        let (k0, k1) = secret.keys(u64::from_le_bytes(*b"syn-cook"));
        let master = SipKey::new(k0, k1);
        let epoch = |period| Epoch { period, key: master.derive(period) };
        let period = period_of(now);
        SynCookieKeys { master, now: epoch(period), before: epoch(period.wrapping_sub(1)) }
    }

    /// Where our numbers begin in the answer to a SYN with the sequence number `irs`.
    pub(crate) fn bake(&mut self, tuple: &Tuple, irs: Seq, agreed: &Agreed, now: Instant) -> Origins {
        self.rotate(now);
        let byte = agreed.byte();
        let code = code(&self.now.key, tuple, irs, byte, agreed.timestamps.then(|| agreed.stamp()));
        code.origins(byte)
    }

    /// What was agreed on when `iss` was sent in answer to a SYN with the number `irs`, and where our numbers began; `None`
    /// when it never was, or too long ago. `echo` is the timestamp that came back.
    pub(crate) fn check(
        &mut self,
        tuple: &Tuple,
        irs: Seq,
        iss: Seq,
        echo: Option<u32>,
        now: Instant,
    ) -> Option<(Agreed, Origins)> {
        self.rotate(now);
        let byte = iss.0 as u8 ^ (iss.0 >> 24) as u8;
        let stamp = echo.map(|echo| echo & STAMP_MASK);
        let origins = [&self.now, &self.before]
            .into_iter()
            .map(|epoch| code(&epoch.key, tuple, irs, byte, stamp).origins(byte))
            .find(|origins| origins.iss == iss)?;
        let agreed = Agreed::from_byte(byte);
        let agreed = match stamp {
            Some(stamp) => {
                let scale = Some(stamp & 15).filter(|&scale| scale != UNSCALED).map(|scale| scale as u8);
                Agreed { scale, timestamps: true, ..agreed }
            }
            None => agreed,
        };
        Some((agreed, origins))
    }

    #[inline]
    fn rotate(&mut self, now: Instant) {
        let period = period_of(now);
        if period != self.now.period {
            self.turn(period);
        }
    }

    #[cold]
    fn turn(&mut self, period: u64) {
        let before = period.wrapping_sub(1);
        let key = if self.now.period == before { self.now.key } else { self.master.derive(before) };
        self.before = Epoch { period: before, key };
        self.now = Epoch { period, key: self.master.derive(period) };
    }
}

/// How long after a cookie its acknowledgment may still be one.
pub(crate) const LIFETIME: Duration = Duration::from_secs(2 * PERIOD.as_secs());

fn period_of(now: Instant) -> u64 {
    now.as_nanos() / PERIOD_NANOS
}

/// The authentication code: 24 bits of it are sent.
struct Code(u64);

impl Code {
    fn origins(&self, byte: u8) -> Origins {
        let code = self.0 as u32 & 0x00ff_ffff;
        let iss = Seq(code << 8 | u32::from(byte ^ (code >> 16) as u8));
        Origins { iss, ts_offset: (self.0 >> 32) as u32 }
    }
}

fn code(key: &SipKey, tuple: &Tuple, irs: Seq, byte: u8, stamp: Option<u32>) -> Code {
    let stamp = stamp.map_or(0, |stamp| stamp << 1 | 1);
    Code(tuple.mac(key, irs.0, stamp << 8 | u32::from(byte)))
}

#[cfg(test)]
#[path = "tests/cookie.rs"]
mod tests;
