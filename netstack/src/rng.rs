//! A small seeded generator (SplitMix64) for what need not be a secret: jitter, port choice, sampling.
//!
//! Secrets (ISN, hash keys, cookies) come from the 32 bytes of [`Seed`], which the caller draws from the kernel in
//! production and writes down in a simulation.

/// The stack's only source of randomness (invariant 1).
#[derive(Clone)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// A seed from a number, for simulations that replay.
    pub fn from_number(number: u64) -> Seed {
        let mut rng = Rng::new(number);
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&rng.next_u64().to_le_bytes());
        }
        Seed(bytes)
    }

    /// A pair of 64-bit keys derived for one `purpose` (keys of different purposes are unrelated).
    pub fn keys(&self, purpose: u64) -> (u64, u64) {
        let word = |i: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&self.0[i * 8..i * 8 + 8]);
            u64::from_le_bytes(bytes)
        };
        let mut rng = Rng::new(word(0) ^ purpose.wrapping_mul(0xA24B_AED4_963E_E407));
        let (a, b) = (rng.next_u64(), rng.next_u64());
        (a ^ word(1) ^ word(3).rotate_left(17), b ^ word(2))
    }
}

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// SplitMix64. Not for secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that always gives the same sequence for the same `seed`.
    pub const fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound` (0 when `bound` is 0), with a bias below 2⁻³².
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u32
    }

    /// True with a probability of `parts` in a million.
    #[inline]
    pub fn chance_ppm(&mut self, parts: u32) -> bool {
        self.below(1_000_000) < parts
    }
}
