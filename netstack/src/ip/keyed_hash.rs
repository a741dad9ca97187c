//! A keyed hash for small tables that strangers can fill (neighbours, fragments, path MTUs).
//!
//! Folded 64×64→128-bit multiplication with a secret key, as in wyhash: a few nanoseconds, and without the key nobody
//! can aim at one bucket. It is no message authentication code and is used for nothing but bucket choice.

use core::net::IpAddr;

use crate::rng::Seed;

/// The secret of one table.
#[derive(Clone, Copy)]
pub struct KeyedHash(u64, u64);

impl KeyedHash {
    /// The key for one `purpose`.
    pub fn new(seed: &Seed, purpose: u64) -> KeyedHash {
        let (a, b) = seed.keys(purpose);
        KeyedHash(a, b | 1)
    }

    /// Hash of an address and a number beside it.
    #[inline]
    pub fn address(&self, address: IpAddr, beside: u64) -> u64 {
        let (low, high) = match address {
            IpAddr::V4(v4) => (u64::from(u32::from(v4)), 4),
            IpAddr::V6(v6) => {
                let bits = u128::from(v6);
                (bits as u64, (bits >> 64) as u64)
            }
        };
        fold(fold(low ^ self.0, high ^ self.1) ^ beside, self.1.rotate_left(23) | 1)
    }
}

impl core::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyedHash(..)")
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}
