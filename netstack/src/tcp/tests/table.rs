use std::collections::HashMap;

use super::*;
use crate::rng::Rng;

#[test]
fn it_agrees_with_a_map_through_growth_and_removal() {
    let mut rng = Rng::new(11);
    let mut table = Table::new(&Seed::from_number(1), 0);
    let mut model: HashMap<u32, u32> = HashMap::new();
    // Few distinct low bits, so that chains are long.
    let hash_of = |index: u32| index.wrapping_mul(0x9E37_79B9) & 0xffff_ff3f;
    for step in 0..60_000 {
        let index = rng.below(if step < 30_000 { 20_000 } else { 2000 });
        let present = model.contains_key(&index);
        let found = table
            .find(hash_of(index), |entry| matches!(entry, Entry::Connection(i) | Entry::TimeWait(i) if i == index));
        assert_eq!(found.is_some(), present, "step {step}");
        match (found, rng.below(5)) {
            (None, _) => {
                table.insert(hash_of(index), Entry::Connection(index));
                model.insert(index, 0);
            }
            (Some(entry), 0) => table.replace(hash_of(index), entry, Entry::TimeWait(index)),
            (Some(entry), _) => {
                table.remove(hash_of(index), entry);
                model.remove(&index);
            }
        }
        assert_eq!(table.len(), model.len());
    }
}

#[test]
fn entries_keep_their_kind() {
    for entry in [Entry::Connection(0), Entry::HalfOpen(7), Entry::TimeWait((1 << 30) - 3)] {
        assert_eq!(Entry::unpack(entry.pack()), entry);
    }
}

#[test]
fn the_hash_depends_on_secret_and_on_both_ports() {
    let one = Table::new(&Seed::from_number(1), 0);
    let two = Table::new(&Seed::from_number(2), 0);
    let tuple = |local, remote| Tuple::new([10, 0, 0, 1].into(), local, [10, 0, 0, 2].into(), remote);
    assert_ne!(one.hash(&tuple(80, 1000)), one.hash(&tuple(80, 1001)));
    assert_ne!(one.hash(&tuple(80, 1000)), one.hash(&tuple(1000, 80)));
    assert_ne!(one.hash(&tuple(80, 1000)), two.hash(&tuple(80, 1000)));
}
