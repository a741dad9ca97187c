//! The space of scenarios as data: one line for each setting that a seed may change.
//!
//! Each knob draws from a generator of its own (the seed and the knob's name), so that a new line does not change what
//! the others draw: seeds keep most of their meaning.

use std::fmt::Debug;
use std::time::Duration;

use netstack::Instant;
use netstack::rng::Rng;
use netstack::tcp::{
    CongestionKind, ConnOptions, EcnMode, KeepAlive, MemoryLimits, OnMemoryExhausted, SynCookieMode, TcpConfig,
};
use port::impair::{LinkConfig, Loss, Outages, PathMtu};

use super::Network;

/// One setting of a `T`.
pub struct Knob<T> {
    /// The field's name.
    pub name: &'static str,
    draw: fn(&mut T, &mut Rng),
    reset: fn(&mut T),
    differs: fn(&T) -> Option<String>,
}

/// What a setting is when no seed has touched it.
pub trait Base {
    /// The scenario's own defaults.
    fn base() -> Self;
}

impl<T: Base + 'static> Knob<T> {
    /// Draws a value for `seed`.
    pub fn draw(&self, value: &mut T, seed: u64) {
        let mut rng = Rng::new(seed ^ hash(self.name));
        // The first number of generators whose seeds are close is thrown away.
        rng.next_u64();
        (self.draw)(value, &mut rng);
    }

    /// Sets it back.
    pub fn reset(&self, value: &mut T) {
        (self.reset)(value);
    }

    /// The value in words, when it is not the base's.
    pub fn differs(&self, value: &T) -> Option<String> {
        (self.differs)(value)
    }
}

/// Everything drawn anew.
pub fn draw<T: Base + 'static>(knobs: &[Knob<T>], seed: u64) -> T {
    let mut value = T::base();
    knobs.iter().for_each(|knob| knob.draw(&mut value, seed));
    value
}

/// What is not the base's, in words.
pub fn words<T: Base + 'static>(knobs: &[Knob<T>], value: &T) -> String {
    let words: Vec<_> = knobs.iter().filter_map(|knob| knob.differs(value)).collect();
    if words.is_empty() { "as by default".into() } else { words.join(", ") }
}

/// FNV-1a.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn said<V: PartialEq + Debug>(name: &str, value: &V, base: &V) -> Option<String> {
    (value != base).then(|| format!("{name} {value:?}"))
}

macro_rules! knobs {
    ($(#[$doc:meta])* $list:ident: $type:ty { $($field:ident = |$rng:ident| $value:expr;)+ }) => {
        $(#[$doc])*
        pub const $list: &[Knob<$type>] = &[$(Knob {
            name: stringify!($field),
            draw: |value, $rng| if let Some(drawn) = $value { value.$field = drawn },
            reset: |value| value.$field = <$type>::base().$field,
            differs: |value| said(stringify!($field), &value.$field, &<$type>::base().$field),
        }),+];
    };
}

fn one_in(rng: &mut Rng, n: u32) -> bool {
    rng.below(n) == 0
}

/// A number up to `most`, one time in `n`.
fn rarely(rng: &mut Rng, n: u32, most: u32) -> Option<u32> {
    one_in(rng, n).then(|| rng.below(most))
}

fn micros(number: u32) -> Duration {
    Duration::from_micros(u64::from(number))
}

fn millis(number: u32) -> Duration {
    Duration::from_millis(u64::from(number))
}

knobs! {
    /// What the path does in one direction.
    LINK: LinkConfig {
        rate_bits_per_second = |rng| one_in(rng, 2).then(|| Some(500_000 + (u64::from(rng.below(10_000)).pow(2))));
        buffer_bytes = |rng| Some(if one_in(rng, 2) { 3_000 + rng.below(20_000) } else { 10_000 + rng.below(300_000) } as usize);
        ecn_threshold_bytes = |rng| one_in(rng, 4).then(|| Some(3_000 + rng.below(20_000) as usize));
        loss = |rng| loss(rng);
        ack_loss_ppm = |rng| rarely(rng, 6, 300_000);
        ack_thinning = |rng| rarely(rng, 8, 3).map(|n| n + 1);
        duplicate_ppm = |rng| rarely(rng, 4, 50_000);
        corrupt_ppm = |rng| rarely(rng, 4, 20_000);
        delay = |rng| Some(micros(if one_in(rng, 4) { rng.below(200_000) } else { rng.below(30_000) }));
        jitter = |rng| rarely(rng, 3, 10_000).map(micros);
        reorder_ppm = |rng| rarely(rng, 3, 100_000);
        reorder_delay = |rng| Some(micros(rng.below(30_000)));
        displace_ppm = |rng| rarely(rng, 3, 100_000);
        displace_frames = |rng| Some(1 + rng.below(8) as u8);
        slot = |rng| rarely(rng, 8, 8_000).map(micros);
        outages = |rng| one_in(rng, 8).then(|| Some(outages(rng)));
        mtu = |rng| one_in(rng, 8).then(|| Some(path_mtu(rng)));
    }
}

impl Base for LinkConfig {
    fn base() -> LinkConfig {
        LinkConfig {
            delay: Duration::from_millis(5),
            reorder_delay: Duration::from_millis(10),
            ..LinkConfig::default()
        }
    }
}

fn loss(rng: &mut Rng) -> Option<Loss> {
    match rng.below(6) {
        0 | 1 => None,
        2 => Some(Loss::Burst { ppm: rng.below(8_000), frames: 2 + rng.below(12) }),
        3 => Some(Loss::GilbertElliott {
            enter_ppm: rng.below(20_000),
            leave_ppm: 100_000 + rng.below(400_000),
            good_ppm: rng.below(1_000),
            bad_ppm: 300_000 + rng.below(500_000),
        }),
        4 => Some(Loss::Random { ppm: rng.below(10_000) }),
        _ => Some(Loss::Random { ppm: rng.below(100_000) }),
    }
}

fn outages(rng: &mut Rng) -> Outages {
    Outages {
        first: Instant::ZERO + millis(rng.below(3_000)),
        length: millis(10 + if one_in(rng, 3) { rng.below(8_000) } else { rng.below(500) }),
        pause: millis(200 + rng.below(3_000)),
        count: 1 + rng.below(3),
    }
}

/// A path narrower than the interface, which tells the sender or is a black hole.
fn path_mtu(rng: &mut Rng) -> PathMtu {
    PathMtu {
        bytes: 1_280 + rng.below(220) as u16,
        from: Instant::ZERO + millis(if one_in(rng, 2) { 0 } else { rng.below(2_000) }),
        signalled: rng.below(3) > 0,
    }
}

knobs! {
    /// One side's TCP.
    TCP: TcpConfig {
        timestamps = |rng| one_in(rng, 3).then_some(false);
        sack = |rng| one_in(rng, 3).then_some(false);
        window_scaling = |rng| one_in(rng, 3).then_some(false);
        nagle = |rng| one_in(rng, 4).then_some(true);
        pacing = |rng| one_in(rng, 3).then_some(false);
        ecn = |rng| Some([EcnMode::Off, EcnMode::Passive, EcnMode::Active, EcnMode::Active][rng.below(4) as usize]);
        receive_buffer = |rng| Some(if one_in(rng, 4) { 3_000 + rng.below(8_000) } else { 4_000 + rng.below(300_000) });
        receive_buffer_max = |rng| one_in(rng, 2).then(|| 10_000 + rng.below(1_000_000));
        send_buffer = |rng| Some(4_000 + rng.below(300_000));
        send_buffer_max = |rng| one_in(rng, 2).then(|| 10_000 + rng.below(1_000_000));
        quick_acks = |rng| rarely(rng, 4, 32).map(|n| n as u8);
        syn_cookies = |rng| match rng.below(8) {
            0 => Some(SynCookieMode::Always),
            1 => Some(SynCookieMode::Off),
            _ => None,
        };
        max_out_of_order_segments = |rng| one_in(rng, 6).then(|| 1 + rng.below(16) as usize);
        max_held_frames = |rng| rarely(rng, 6, 64).map(|n| n as usize);
        delayed_ack = |rng| one_in(rng, 4).then(|| millis(1 + rng.below(200)));
        rto_min = |rng| one_in(rng, 4).then(|| millis(10 + rng.below(1_000)));
        time_wait = |rng| one_in(rng, 4).then(|| millis(1_000 + rng.below(60_000)));
        initial_window_segments = |rng| one_in(rng, 6).then(|| 1 + rng.below(20) as u8);
        congestion = |rng| CongestionKind::ALL.get(rng.below(CongestionKind::ALL.len() as u32) as usize).copied();
        memory = |rng| one_in(rng, 12).then(|| MemoryLimits::of(60_000 + rng.below(600_000) as usize));
        on_memory_exhausted = |rng| Some(ON_EXHAUSTED[rng.below(3) as usize]);
        keep_alive = |rng| one_in(rng, 8).then(|| Some(patient_keep_alive(rng)));
    }
}

const ON_EXHAUSTED: [OnMemoryExhausted; 3] =
    [OnMemoryExhausted::ResetLargest, OnMemoryExhausted::ResetOldest, OnMemoryExhausted::Refuse];

impl Base for TcpConfig {
    /// Patience, so that only defects end a connection: in a burst four of five frames are lost, outages last seconds, and
    /// slow readers take longer than the default allows a half-closed connection to be silent.
    fn base() -> TcpConfig {
        TcpConfig {
            reserve_connections: 8,
            max_held_frames: 512,
            time_wait: Duration::from_secs(10),
            syn_retries: 100,
            syn_ack_retries: 20,
            data_retries: 120,
            rto_max: Duration::from_secs(10),
            fin_wait_2: Duration::from_secs(1_500),
            ..TcpConfig::default()
        }
    }
}

fn patient_keep_alive(rng: &mut Rng) -> KeepAlive {
    KeepAlive { idle: millis(200 + rng.below(5_000)), interval: millis(100 + rng.below(3_000)), probes: 200 }
}

knobs! {
    /// The network between the sides.
    NETWORK: Network {
        ipv6 = |rng| one_in(rng, 3).then_some(true);
        vlan = |rng| rarely(rng, 6, 4_094).map(|id| Some(id as u16 + 1));
        mtu = |rng| rarely(rng, 8, 220).map(|n| 1_280 + n as u16);
        queues = |rng| one_in(rng, 6).then(|| if one_in(rng, 2) { 2 } else { 4 });
        tx_checksum = |rng| one_in(rng, 2).then_some(true);
    }
}

impl Base for Network {
    fn base() -> Network {
        Network { pool_frames: 2_048, ..Network::default() }
    }
}

knobs! {
    /// What a connection has instead of its side's configuration.
    OPTIONS: ConnOptions {
        receive_buffer = |rng| one_in(rng, 8).then(|| Some(3_000 + rng.below(100_000)));
        send_buffer = |rng| one_in(rng, 8).then(|| Some(3_000 + rng.below(100_000)));
        nagle = |rng| one_in(rng, 8).then_some(Some(true));
        congestion = |rng| one_in(rng, 8).then(|| CongestionKind::ALL.get(rng.below(3) as usize).copied());
    }
}

impl Base for ConnOptions {
    fn base() -> ConnOptions {
        ConnOptions::default()
    }
}
