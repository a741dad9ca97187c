use super::*;

/// Every state with every event, printed; the file beside is the RFC's appendix C as we read it.
#[test]
fn the_transition_table() {
    use NeighborEvent as E;
    use NeighborState as S;
    let mut table = String::new();
    for state in [S::Incomplete, S::Reachable, S::Stale, S::Delay, S::Probe, S::Permanent] {
        let pairs = [(false, false), (false, true), (true, false), (true, true)];
        let heard = [false, true].map(|differs| E::Heard { differs });
        let answered = pairs.map(|(differs, overrides)| E::Answered { differs, overrides });
        let announced = pairs.map(|(differs, overrides)| E::Announced { differs, overrides });
        let rest = [E::Progress, E::Used, E::Timer, E::TimerLast];
        for event in heard.into_iter().chain(answered).chain(announced).chain(rest) {
            let Step { next, take, timer, solicit } = step(state, event);
            let next = next.map_or("gone".into(), |next| format!("{next:?}"));
            let (take, ask) = (if take { " take" } else { "" }, if solicit { " ask" } else { "" });
            table += &format!("{state:?} + {event:?} -> {next} timer={timer:?}{take}{ask}\n");
        }
    }
    assert_eq!(table, include_str!("transitions.txt"));
}

fn table(entries: usize) -> NeighborTable {
    let limits = Limits { entries, incomplete: 2, pending: 3 };
    NeighborTable::new(limits, &Seed::from_number(3), Instant::ZERO)
}

fn host(n: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, n])
}

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

#[test]
fn a_path_to_a_replaced_entry_is_void() {
    let mut table = table(1);
    let at = table.insert_stale(host(1), MAC).unwrap();
    let (_, generation, _) = table.find(host(1)).unwrap();
    assert_eq!(table.mac_for_send(Instant::ZERO, at, generation), Some(MAC));
    assert!(table.insert_stale(host(2), MAC).is_err(), "in use (DELAY): not evicted");
    table.apply(Instant::ZERO, at, NeighborEvent::Announced { differs: true, overrides: true }, [2; 6]);
    let again = table.insert_stale(host(2), MAC).unwrap();
    assert_eq!(again, at);
    assert_eq!(table.mac_for_send(Instant::ZERO, at, generation), None);
    assert!(table.find(host(1)).is_none() && table.find(host(2)).is_some());
}

#[test]
fn the_stale_list_keeps_its_order_through_moves() {
    let mut table = table(4);
    let entries: Vec<u32> = (1..=4).map(|n| table.insert_stale(host(n), MAC).unwrap()).collect();
    let now = Instant::from_millis(1);
    table.apply(now, entries[1], NeighborEvent::Answered { differs: false, overrides: true }, MAC);
    table.apply(now, entries[0], NeighborEvent::Heard { differs: true }, [4; 6]);
    for n in 5..=7 {
        table.insert_stale(host(n), MAC).unwrap();
    }
    let mut known: Vec<_> = table.iter().map(|info| info.address).collect();
    known.sort_unstable();
    assert_eq!(known, [host(2), host(5), host(6), host(7)]);
}

#[test]
fn reachable_ages_within_the_randomised_time() {
    for seed in 0..20 {
        let limits = Limits { entries: 4, incomplete: 2, pending: 3 };
        let mut table = NeighborTable::new(limits, &Seed::from_number(seed), Instant::ZERO);
        let at = table.insert_stale(host(1), MAC).unwrap();
        table.apply(Instant::ZERO, at, NeighborEvent::Answered { differs: false, overrides: true }, MAC);
        let mut aged = None;
        for millis in (0..50_000).step_by(100) {
            assert!(table.poll_expired(Instant::from_millis(millis)).is_none());
            if aged.is_none() && table.find(host(1)).unwrap().2 == NeighborState::Stale {
                aged = Some(millis);
            }
        }
        assert!((15_000..=45_100).contains(&aged.unwrap()), "{aged:?}");
    }
}
