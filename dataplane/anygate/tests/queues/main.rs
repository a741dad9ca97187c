//! Two workers behind one interface that does not tell how it steers, in virtual time, from seeds: flows change their
//! queue at random moments, while connections that were opened from both ends carry data both ways.
//!
//! ```text
//!   client: one stack on both queues of its end ── wire ──┬─ queue 0 ─ worker 0 ─┐
//!                                                         └─ queue 1 ─ worker 1 ─┴─ handover
//! ```
//!
//! Every byte must come back, every connection end in order on both sides, and nothing be left. `QUEUE_SEEDS=n` plays n
//! seeds instead of the default; `QUEUE_SEED=n` plays only that one.

mod application;
mod lab;

use lab::{Lab, Plan};

const DEFAULT_SEEDS: u64 = 400;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn flows_that_change_their_queue_lose_nothing() {
    let seeds = match number("QUEUE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("QUEUE_SEEDS").unwrap_or(DEFAULT_SEEDS),
    };
    let (mut handed_over, mut connections) = (0, 0);
    for seed in seeds.clone() {
        let mut lab = Lab::new(Plan::from_seed(seed));
        let outcome = lab.run().and_then(|()| lab.settle()).and_then(|()| lab.check());
        if let Err(reason) = outcome {
            panic!("{reason}\n{}\nagain: QUEUE_SEED={seed} cargo test -p anygate --test queues", lab.state());
        }
        handed_over += lab.handed_over();
        connections += lab.connections();
    }
    println!("{connections} connections, {handed_over} packets handed over");
    assert!(seeds.clone().count() < 10 || handed_over > connections, "the wrong queues were hardly met");
}
