//! The directory by itself: counts, tags that collide, buckets that are full, workers that race.

use super::*;

fn directory(workers: u16, flows: usize) -> Arc<FlowDirectory> {
    FlowDirectory::new(workers, flows, &Seed::from_number(7))
}

fn flow(number: u32) -> (SocketAddr, SocketAddr) {
    let [a, b, c, d] = number.to_be_bytes();
    (([10, 0, 0, 1], 80).into(), ([10, 1, a, b], u16::from_be_bytes([c, d])).into())
}

#[test]
fn a_flow_has_one_owner_until_it_is_released() {
    let directory = directory(3, 1000);
    let [zero, one, two] = [0, 1, 2].map(|worker| directory.worker(worker));
    let (local, remote) = flow(1);
    let tuple = Tuple::new(local.ip(), local.port(), remote.ip(), remote.port());
    assert_eq!(zero.foreign_owner(&tuple), None);
    assert_eq!(one.claim(local, remote), Claim::Made);
    assert_eq!(zero.claim(local, remote), Claim::Foreign(1));
    assert_eq!((zero.foreign_owner(&tuple), one.foreign_owner(&tuple)), (Some(1), None));
    // Of a worker that does not have it a release changes nothing.
    two.release(local, remote);
    assert_eq!(two.foreign_owner(&tuple), Some(1));
    one.release(local, remote);
    assert_eq!(two.claim(local, remote), Claim::Made);
    assert_eq!((directory.len(), one.foreign_owner(&tuple)), (1, Some(2)));
}

#[test]
fn claims_of_one_worker_count() {
    let directory = directory(2, 1000);
    let [zero, one] = [0, 1].map(|worker| directory.worker(worker));
    let (local, remote) = flow(1);
    assert_eq!([zero.claim(local, remote), zero.claim(local, remote)], [Claim::Made; 2]);
    zero.release(local, remote);
    assert_eq!(one.claim(local, remote), Claim::Foreign(0));
    zero.release(local, remote);
    zero.release(local, remote);
    assert_eq!(one.claim(local, remote), Claim::Made);
}

#[test]
fn a_full_directory_says_so_and_recovers() {
    // 16 buckets of four.
    let directory = directory(2, 1);
    let one = directory.worker(1);
    let made: Vec<u32> = (0..1000).filter(|&n| one.claim(flow(n).0, flow(n).1) == Claim::Made).collect();
    assert_eq!((made.len(), directory.len()), (64, 64));
    made.iter().for_each(|&n| one.release(flow(n).0, flow(n).1));
    assert!(directory.is_empty());
}

#[test]
fn few_flows_find_no_room_and_few_tags_collide() {
    let directory = directory(8, 65_536);
    let workers: Vec<Flows> = (0..8).map(|worker| directory.worker(worker)).collect();
    let (mut full, mut foreign) = (0, 0);
    for n in 0..65_536u32 {
        match workers[n as usize % 8].claim(flow(n).0, flow(n).1) {
            Claim::Made => {}
            Claim::Full => full += 1,
            Claim::Foreign(_) => foreign += 1,
        }
    }
    // As the description promises for as many flows as it was made for.
    assert!(full < 65_536 / 200 && foreign < 65_536 / 2_000, "{full} without room, {foreign} taken for others'");
}

#[test]
fn steering_is_believed_until_too_much_came_elsewhere() {
    let directory = directory(2, 16);
    let flows = directory.worker(0);
    for _ in 0..MISSTEERED_LIMIT - 1 {
        assert!(!flows.note_missteered());
    }
    assert!(directory.trusts_steering());
    assert!(flows.note_missteered());
    assert!(!flows.note_missteered());
    assert!(!directory.trusts_steering());
}

/// Threads fight for a few flows: a winner marks the flow as its own in plain memory, and never finds another's mark.
#[test]
fn workers_that_race_never_share_a_flow() {
    const FLOWS: u32 = 8;
    const ROUNDS: u32 = 20_000;
    let directory = directory(4, 16);
    let marks: [AtomicU32; FLOWS as usize] = core::array::from_fn(|_| AtomicU32::new(0));
    std::thread::scope(|scope| {
        for worker in 0..4u16 {
            let (flows, marks) = (directory.worker(worker), &marks);
            scope.spawn(move || {
                let mut won = 0;
                for round in 0..ROUNDS {
                    let n = (round * 7 + u32::from(worker)) % FLOWS;
                    let (local, remote) = flow(n);
                    if flows.claim(local, remote) == Claim::Made {
                        let mark = &marks[n as usize];
                        assert_eq!(mark.swap(u32::from(worker) + 1, Ordering::Relaxed), 0, "flow {n} has two owners");
                        mark.store(0, Ordering::Relaxed);
                        flows.release(local, remote);
                        won += 1;
                    }
                }
                assert!(won > 0);
            });
        }
    });
    assert!(directory.is_empty());
}
