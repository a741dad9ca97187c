//! What one seed means: a path, two configurations, a load.

use std::net::IpAddr;
use std::time::Duration;

use netstack::rng::Rng;
use netstack::tcp::TcpConfig;
use port::sim::{EndConfig, LinkConfig, Loss, SimConfig};

/// One connection: how much goes each way, and how.
#[derive(Clone, Debug)]
pub struct Job {
    pub start: Duration,
    /// Bytes from the client, at least [`HEADER`].
    pub up: usize,
    /// Bytes from the server.
    pub down: usize,
    /// The server answers only when it has everything; else both sides send at once.
    pub request_response: bool,
    /// The server reads this much at a time with this pause between; a slow reader.
    pub slow: Option<(usize, Duration)>,
}

/// A client begins with the number of its job.
pub const HEADER: usize = 4;

#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub sim: SimConfig,
    pub tcp: [TcpConfig; 2],
    /// Addresses of client and server.
    pub addresses: [IpAddr; 2],
    pub jobs: Vec<Job>,
    /// The cable is out from here to there.
    pub outage: Option<(Duration, Duration)>,
}

impl Scenario {
    pub fn from_seed(seed: u64) -> Scenario {
        let mut rng = Rng::new(seed);
        let ends = EndConfig { tx_checksum: one_in(&mut rng, 2), ..EndConfig::default() };
        let sim = SimConfig { a_to_b: link(&mut rng), b_to_a: link(&mut rng), ends };
        let addresses = if one_in(&mut rng, 3) {
            [1, 2].map(|last| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]))
        } else {
            [1, 2].map(|last| IpAddr::from([10, 0, 0, last]))
        };
        let tcp = [tcp(&mut rng), tcp(&mut rng)];
        let jobs = (0..3 + rng.below(12)).map(|_| job(&mut rng)).collect();
        let outage = one_in(&mut rng, 5).then(|| {
            let start = Duration::from_millis(u64::from(rng.below(4_000)));
            (start, start + Duration::from_millis(u64::from(rng.below(8_000))))
        });
        Scenario { seed, sim, tcp, addresses, jobs, outage }
    }
}

fn one_in(rng: &mut Rng, n: u32) -> bool {
    rng.below(n) == 0
}

/// Zero most of the time, else up to `most`.
fn sometimes(rng: &mut Rng, most: u32) -> u32 {
    if one_in(rng, 2) { rng.below(most) } else { 0 }
}

fn link(rng: &mut Rng) -> LinkConfig {
    let loss = match rng.below(4) {
        0 => Loss::None,
        1 => Loss::GilbertElliott {
            enter_ppm: rng.below(20_000),
            leave_ppm: 100_000 + rng.below(400_000),
            good_ppm: 0,
            bad_ppm: 300_000 + rng.below(500_000),
        },
        _ => Loss::Random { ppm: rng.below(80_000) },
    };
    LinkConfig {
        rate_bits_per_second: one_in(rng, 2).then(|| 1_000_000 + u64::from(rng.below(100_000_000))),
        buffer_bytes: 10_000 + rng.below(200_000) as usize,
        ecn_threshold_bytes: one_in(rng, 4).then_some(5_000),
        loss,
        duplicate_ppm: sometimes(rng, 50_000),
        corrupt_ppm: sometimes(rng, 20_000),
        delay: Duration::from_micros(u64::from(rng.below(60_000))),
        jitter: Duration::from_micros(u64::from(sometimes(rng, 10_000))),
        reorder_ppm: sometimes(rng, 100_000),
        reorder_delay: Duration::from_micros(u64::from(rng.below(30_000))),
        ..LinkConfig::default()
    }
}

fn tcp(rng: &mut Rng) -> TcpConfig {
    TcpConfig {
        timestamps: !one_in(rng, 3),
        sack: !one_in(rng, 3),
        window_scaling: !one_in(rng, 3),
        nagle: one_in(rng, 4),
        receive_buffer: 4_000 + rng.below(300_000),
        send_buffer: 4_000 + rng.below(300_000),
        time_wait: Duration::from_secs(10),
        // In a burst four of five frames are lost: patience, so that only defects end a connection.
        syn_retries: 20,
        syn_ack_retries: 20,
        data_retries: 40,
        rto_max: Duration::from_secs(10),
        // Slow readers take longer than the default allows a half-closed connection to be silent.
        fin_wait_2: Duration::from_secs(600),
        ..TcpConfig::default()
    }
}

fn job(rng: &mut Rng) -> Job {
    let bulk = one_in(rng, 4);
    let size = |rng: &mut Rng| if bulk { rng.below(400_000) as usize } else { rng.below(3_000) as usize };
    Job {
        start: Duration::from_millis(u64::from(rng.below(3_000))),
        up: HEADER + size(rng),
        down: size(rng),
        request_response: !bulk || one_in(rng, 3),
        slow: one_in(rng, 8)
            .then(|| (500 + rng.below(5_000) as usize, Duration::from_millis(1 + u64::from(rng.below(100))))),
    }
}

/// The byte at `offset` of what `job` sends up or down.
pub fn pattern(job: usize, up: bool, offset: usize) -> u8 {
    let position = (offset as u64) ^ (job as u64) << 40 ^ u64::from(up) << 63;
    (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as u8
}
