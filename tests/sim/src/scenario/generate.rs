//! From a seed to a scenario. Most are small; some in a hundred are large.

use std::time::Duration;

use netstack::rng::Rng;
use netstack::tcp::SynCookieMode;
use port::impair::LinkConfig;

use crate::hostile::{LIES, Liar};

use super::{CLIENT, Job, Network, Open, Pace, SERVER, Scenario, Talk, knobs};

/// Virtual time after which a run has failed. What is slowest: large loads through the smallest rates, with outages.
const LIMIT: Duration = Duration::from_secs(24 * 3600);

/// How much a scenario is.
#[derive(Clone, Copy)]
struct Size {
    jobs: u32,
    bulk_bytes: u32,
}

impl Size {
    fn draw(rng: &mut Rng) -> Size {
        match rng.below(100) {
            0 => Size { jobs: 60, bulk_bytes: 60_000 },
            1 | 2 => Size { jobs: 4, bulk_bytes: 2_000_000 },
            3..=9 => Size { jobs: 16, bulk_bytes: 100_000 },
            _ => Size { jobs: 5, bulk_bytes: 60_000 },
        }
    }
}

impl Scenario {
    /// What `seed` means. The same for ever, as long as nothing is added to the space of scenarios.
    pub fn from_seed(seed: u64) -> Scenario {
        let mut rng = Rng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5ce9_a210);
        let size = Size::draw(&mut rng);
        let network: Network = knobs::draw(knobs::NETWORK, seed);
        let count = 1 + rng.below(size.jobs) as usize;
        let spread = [0, 200, 3_000][rng.below(3) as usize];
        let side = |side: u64| seed.wrapping_mul(2) + side;
        let mut scenario = Scenario {
            seed,
            links: [link(side(0), seed, &network), link(side(1), seed, &network)],
            tcp: [knobs::draw(knobs::TCP, side(0)), knobs::draw(knobs::TCP, side(1))],
            jobs: (0..count).map(|number| job(seed, number, size, spread, network.queues)).collect(),
            unplugged: unplugged(&mut rng),
            reloads: reloads(&mut rng),
            backlog: if rng.below(8) == 0 { 1 + rng.below(4) as usize } else { 4_096 },
            fast_open: seed % 10 == 3,
            network,
            liars: Vec::new(),
            limit: LIMIT,
        };
        scenario.add_liars(&mut rng);
        if !scenario.is_peaceful() {
            // An end without TIME-WAIT leaves segments behind that a connection from the same port would be taken for.
            scenario.jobs.iter_mut().for_each(|job| job.port_of = None);
        }
        scenario
    }

    fn add_liars(&mut self, rng: &mut Rng) {
        // A liar's frames may come to any queue, and its speaker sits at the first one.
        if self.network.queues > 1 || rng.below(5) > 0 {
            return;
        }
        self.liars = (0..1 + rng.below(3)).map(|_| liar(rng)).collect();
        if self.tcp[SERVER].syn_cookies == SynCookieMode::Off {
            // Without cookies a flood keeps honest clients out of a small backlog, and that is no defect.
            self.backlog = 4_096;
        }
    }
}

/// What the path does in one direction. A part of the seeds has a clean path, where speed lets other things meet.
fn link(own_seed: u64, seed: u64, network: &Network) -> LinkConfig {
    if seed % 8 == 7 {
        return knobs::Base::base();
    }
    let mut link = knobs::draw(knobs::LINK, own_seed);
    if network.queues > 1 {
        // A router's message comes to queue 0, whose worker does not know the connection.
        link.mtu = None;
    }
    link
}

fn unplugged(rng: &mut Rng) -> Option<(Duration, Duration)> {
    (rng.below(12) == 0).then(|| {
        let start = Duration::from_millis(u64::from(rng.below(4_000)));
        (start, start + Duration::from_millis(u64::from(rng.below(8_000))))
    })
}

fn reloads(rng: &mut Rng) -> Vec<Duration> {
    let count = if rng.below(16) == 0 { 1 + rng.below(3) } else { 0 };
    (0..count).map(|_| Duration::from_millis(u64::from(rng.below(3_000)))).collect()
}

fn liar(rng: &mut Rng) -> Liar {
    let slowest = if rng.below(2) == 0 { 20 } else { 1_000 };
    Liar {
        start: Duration::from_millis(u64::from(rng.below(500))),
        lie: rng.below(LIES.len() as u32) as usize,
        seed: rng.next_u64(),
        words: 1 + rng.below(30),
        pause: Duration::from_millis(1 + u64::from(rng.below(slowest))),
    }
}

fn job(seed: u64, number: usize, size: Size, spread: u32, queues: u16) -> Job {
    // A generator of its own for each, so that a shrunk load keeps the jobs that are left as they were.
    let mut rng = Rng::new(seed ^ (number as u64 + 1).wrapping_mul(0xa24b_aed4_963e_e407));
    rng.next_u64();
    let bulk = rng.below(4) == 0;
    let mut bytes = || u64::from(if bulk { rng.below(size.bulk_bytes) } else { rng.below(3_000) });
    let bytes = [bytes(), bytes()];
    let mut job = Job::streams(bytes);
    job.start = Duration::from_millis(u64::from(rng.below(spread + 1)));
    if rng.below(3) > 0 {
        job.talk = Talk::Exchanges(1 + if rng.below(2) == 0 { 0 } else { rng.below(20) });
        job.closes_last = Some(if rng.below(4) == 0 { CLIENT } else { SERVER });
    } else if rng.below(3) == 0 {
        job.closes_last = Some(rng.below(2) as usize);
    }
    for side in [CLIENT, SERVER] {
        job.read[side] = pace(&mut rng, bytes[1 - side], 8);
        job.write[side] = pace(&mut rng, bytes[side], 12);
    }
    job.options = knobs::draw(knobs::OPTIONS, seed ^ (number as u64) << 40);
    match rng.below(24) {
        0 if queues == 1 => job.open = Open::Both,
        1 if queues == 1 && number > 0 => job.port_of = Some(rng.below(number as u32) as usize),
        2 => {
            let side = rng.below(2) as usize;
            job.abort = Some((side, 1 + u64::from(rng.below(bytes[0].max(bytes[1]).max(1) as u32))));
        }
        _ => {}
    }
    job
}

/// Mostly free; else slow, or late: long enough to close a window for longer than a timeout.
fn pace(rng: &mut Rng, total: u64, one_in: u32) -> Pace {
    match rng.below(one_in * 2) {
        0 => {
            // About a hundred times at most.
            let bytes = (500 + u64::from(rng.below(5_000))).max(total / 100);
            Pace { from: Duration::ZERO, bytes, pause: Duration::from_millis(1 + u64::from(rng.below(100))) }
        }
        1 => Pace { from: Duration::from_millis(u64::from(rng.below(20_000))), ..Pace::FREE },
        _ => Pace::FREE,
    }
}
