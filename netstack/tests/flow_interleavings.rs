//! The directory's claims under every interleaving of two workers: loom in the place of the processor's atomics.

mod atomic {
    pub use loom::sync::atomic::{AtomicU64, Ordering};
}

/// As in `netstack::flows`, for the file below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Made.
    Made,
    /// Another's.
    Foreign(u16),
    /// No room.
    Full,
}

#[path = "../src/flows/words.rs"]
#[allow(dead_code, reason = "what the tests need of it")]
mod words;

use loom::sync::Arc;
use loom::thread;

use words::Words;

/// Two hashes of one bucket with different tags.
const SYN: u64 = 0x1234 << 48;
const OTHER: u64 = 0x4321 << 48;

/// One SYN comes to two queues at once: one worker has the flow, and the other is told who.
#[test]
fn a_syn_on_two_queues_has_one_owner() {
    loom::model(|| {
        let words = Arc::new(Words::new(2, 1));
        let other = words.clone();
        let there = thread::spawn(move || other.claim(SYN, 1));
        let here = words.claim(SYN, 0);
        let there = there.join().unwrap();
        let winner = words.owner(SYN).unwrap();
        let expected = |worker| if winner == worker { Claim::Made } else { Claim::Foreign(winner) };
        assert_eq!((here, there), (expected(0), expected(1)));
        assert_eq!(words.len(), 1);
    });
}

/// One worker gives a flow up while another claims it and a neighbour in the same bucket: nothing is lost or doubled.
#[test]
fn a_release_and_claims_of_one_bucket_do_not_disturb_each_other() {
    loom::model(|| {
        let words = Arc::new(Words::new(2, 1));
        assert_eq!(words.claim(SYN, 0), Claim::Made);
        let other = words.clone();
        let there = thread::spawn(move || (other.claim(OTHER, 1), other.claim(SYN, 1)));
        words.release(SYN, 0);
        let (neighbour, taken) = there.join().unwrap();
        assert_eq!(neighbour, Claim::Made);
        assert_eq!(words.owner(OTHER), Some(1));
        match taken {
            Claim::Made => assert_eq!(words.owner(SYN), Some(1)),
            Claim::Foreign(0) => assert_eq!(words.owner(SYN), None),
            other => panic!("{other:?}"),
        }
    });
}
