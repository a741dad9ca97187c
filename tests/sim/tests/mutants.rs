//! The simulation, tested: stacks that are broken on purpose are found, by the invariant that they break, and shrunk to
//! little.

use sim::fault::{Fault, Invariant};
use sim::play::{play, play_with};
use sim::scenario::{CLIENT, SERVER, Scenario};
use sim::shrink::shrink_by;
use sim::world::{Bench, Mutant, Mutation, Watch};

/// Seeds within which a mutant must be found.
const SEEDS: u64 = 40;

fn play_mutant(scenario: &Scenario, side: usize, mutation: Mutation, bench: &mut Bench) -> Result<(), Fault> {
    play_with(scenario, Watch::CLOSELY, bench, None, |world| world.sides[side][0].mutant = Mutant::new(mutation))
        .map(|_| ())
}

/// Every broken stack is found on both sides, by one of these invariants; the whole one passes the same seeds.
#[track_caller]
fn found(mutation: Mutation, by: &[Invariant]) {
    let mut bench = Bench::default();
    for side in [CLIENT, SERVER] {
        let mut faults = 0;
        for seed in 1..=SEEDS {
            let scenario = Scenario::from_seed(seed);
            let Err(fault) = play_mutant(&scenario, side, mutation, &mut bench) else { continue };
            assert!(by.contains(&fault.invariant), "seed {seed}, {mutation:?}: {fault}");
            play(&scenario, Watch::CLOSELY, &mut bench, None).expect("the whole stack passes");
            faults += 1;
        }
        assert!(faults > 0, "{mutation:?} on side {side} passes {SEEDS} seeds");
    }
}

#[test]
fn a_changed_byte_is_found() {
    found(Mutation::WrongByte, &[Invariant::Streams]);
}

#[test]
fn a_retransmission_that_never_comes_is_found() {
    found(Mutation::NoRetransmission, &[Invariant::Endings, Invariant::Time, Invariant::Wire, Invariant::Ledger]);
}

#[test]
fn a_leaked_frame_is_found() {
    found(Mutation::LeakedFrame, &[Invariant::Leak]);
}

#[test]
fn a_frame_that_vanishes_is_found() {
    found(Mutation::SilentDrop, &[Invariant::Ledger]);
}

#[test]
fn an_event_that_is_lost_is_found() {
    found(Mutation::LostEvent, &[Invariant::Time, Invariant::Endings, Invariant::Events, Invariant::Leak]);
}

#[test]
fn timers_that_do_not_fire_are_found() {
    found(Mutation::NoTimers, &[Invariant::Progress, Invariant::Bounds, Invariant::Time]);
}

#[test]
fn a_busy_loop_is_found() {
    found(Mutation::BusyLoop, &[Invariant::Progress]);
}

#[test]
fn an_acknowledgment_of_what_was_not_sent_is_found() {
    found(Mutation::EarlyAck, &[Invariant::Wire]);
}

#[test]
fn an_acknowledgment_that_goes_back_is_found() {
    found(Mutation::OldAck, &[Invariant::Wire, Invariant::Endings]);
}

#[test]
fn a_window_that_shrinks_is_found() {
    found(Mutation::ShrunkWindow, &[Invariant::Wire]);
}

#[test]
fn data_beyond_the_window_is_found() {
    found(Mutation::IgnoredWindow, &[Invariant::Wire]);
}

#[test]
fn a_failure_is_shrunk_to_little() {
    let mut bench = Bench::default();
    let fails =
        |scenario: &Scenario, bench: &mut Bench| play_mutant(scenario, SERVER, Mutation::WrongByte, bench).err();
    let (seed, fault) = (1..)
        .find_map(|seed| {
            let scenario = Scenario::from_seed(seed);
            let large = scenario.jobs.len() > 3;
            fails(&scenario, &mut bench).filter(|_| large).map(|fault| (seed, fault))
        })
        .expect("a seed that fails");
    let (shrunk, fault) = shrink_by(Scenario::from_seed(seed), fault, |scenario| fails(scenario, &mut bench));
    assert_eq!(fault.invariant, Invariant::Streams);
    assert!(shrunk.jobs.len() <= 2, "{shrunk}");
    let words = shrunk.to_string();
    assert!(
        words.contains("path from client: as by default\n") && words.contains("network: as by default\n"),
        "{words}"
    );
}
