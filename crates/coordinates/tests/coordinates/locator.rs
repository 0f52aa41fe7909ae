//! What a locator takes into account, and what it refuses.

use std::time::Duration;

use kinfolk_coordinates::Locator;
use kinfolk_core::{Coordinate, NodeId};
use proptest::prelude::*;

use super::support::{as_millis, at, id, millis};

fn observe_all(locator: &mut Locator, peers: &[Coordinate], trip: impl Fn(usize) -> f64, rounds: usize) {
    for _ in 0..rounds {
        for (number, place) in peers.iter().enumerate() {
            locator.observe(&id(number), Some(place), millis(trip(number)));
        }
    }
}

/// Eight places around the origin, each 100 ms away.
fn around() -> Vec<Coordinate> {
    let place = |axis: usize, far: f64| at(std::array::from_fn(|at| if at == axis { far } else { 0.0 }));
    (0..4).flat_map(|axis| [place(axis, 100.0), place(axis, -100.0)]).collect()
}

#[test]
fn begins_at_the_origin_with_the_largest_error() {
    let start = Locator::new(1).coordinate();
    assert_eq!(start, Coordinate::new([0; 4], 10, Coordinate::ERROR_MAX).unwrap());
    assert_eq!(Locator::new(1).usual_round_trip(), Duration::ZERO);
}

#[test]
fn equal_seeds_and_inputs_give_equal_coordinates() {
    let run = |seed| {
        let mut locator = Locator::new(seed);
        observe_all(&mut locator, &[at([0.0; 4]); 3], |number| 10.0 + number as f64, 5);
        locator.coordinate()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

/// Other machines must compute the same coordinate, so that a simulation can be replayed.
#[test]
fn coordinate_of_a_seed_is_fixed() {
    let mut locator = Locator::new(7);
    observe_all(&mut locator, &around()[..3], |number| 80.0 + number as f64, 10);
    let found = locator.coordinate();
    assert_eq!((found.position(), found.height().as_micros()), ([576, 13_495, 0, 0], 10));
    assert!((found.error() - 0.253).abs() < 1e-9);
}

#[test]
fn impossible_round_trip_is_refused_and_counted() {
    let mut locator = Locator::new(1);
    let longest = Coordinate::DISTANCE_MAX;
    for impossible in [Duration::ZERO, longest + Duration::from_nanos(1), Duration::MAX] {
        locator.observe(&id(0), None, impossible);
    }
    assert_eq!(locator.coordinate(), Locator::new(1).coordinate());
    assert_eq!((locator.stats().refused, locator.stats().observations, locator.stats().peers), (3, 0, 0));
    locator.observe(&id(0), None, longest);
    locator.observe(&id(0), None, Duration::from_nanos(1));
    assert_eq!((locator.stats().refused, locator.stats().observations, locator.stats().peers), (3, 2, 1));
}

#[test]
fn sixty_fifth_peer_replaces_the_one_measured_first() {
    let mut locator = Locator::new(1);
    for number in (0..64).chain([0]) {
        locator.observe(&id(number), None, millis(10.0));
    }
    assert_eq!((locator.stats().peers, locator.stats().evicted), (64, 0));
    locator.observe(&id(64), None, millis(10.0));
    assert_eq!((locator.stats().peers, locator.stats().evicted), (64, 1));
    let known: Vec<&NodeId> = locator.peers().collect();
    assert!(known.contains(&&id(0)) && !known.contains(&&id(1)), "peer 0 was measured again");
}

#[test]
fn forgotten_peer_counts_no_more() {
    let mut locator = Locator::new(1);
    observe_all(&mut locator, &around(), |_| 100.0, 20);
    for number in 1..8 {
        locator.forget(&id(number));
    }
    locator.forget(&id(99));
    assert_eq!(locator.peers().collect::<Vec<_>>(), [&id(0)]);
    for _ in 0..50 {
        locator.observe(&id(0), Some(&around()[0]), millis(10.0));
    }
    let estimate = as_millis(locator.coordinate().round_trip_to(&around()[0]));
    assert!((9.0..11.0).contains(&estimate), "{estimate}");
}

/// The other seven peers have not moved, but the observation of one takes them all into account.
#[test]
fn restated_coordinate_counts_at_the_next_observation() {
    let mut locator = Locator::new(1);
    observe_all(&mut locator, &around(), |_| 100.0, 20);
    let before = locator.coordinate();
    let moved: Vec<Coordinate> = around()
        .iter()
        .map(|place| at(place.position().map(|part| f64::from(part) / 1_000.0 + 40.0)))
        .collect();
    for (number, place) in moved.iter().enumerate() {
        locator.restate(&id(number), Some(place));
    }
    locator.restate(&id(99), Some(&moved[0]));
    assert_eq!((locator.coordinate(), locator.stats().peers), (before, 8));
    for _ in 0..30 {
        locator.observe(&id(0), Some(&moved[0]), millis(100.0));
    }
    let after = locator.coordinate().position();
    assert!(after.iter().all(|part| (35_000..45_000).contains(part)), "{after:?}");
}

#[test]
fn single_long_round_trip_changes_little() {
    let mut locator = Locator::new(1);
    observe_all(&mut locator, &around(), |_| 100.0, 20);
    let before = locator.coordinate();
    locator.observe(&id(0), Some(&around()[0]), Duration::from_secs(9));
    let moved = before.round_trip_to(&locator.coordinate());
    assert!(moved < Duration::from_millis(1), "{moved:?}");
}

#[test]
fn peers_are_lacked_only_on_a_slow_network() {
    let lacks = |trip: f64, peers: usize, members: usize| {
        let mut locator = Locator::new(1);
        (0..peers).for_each(|number| locator.observe(&id(number), None, millis(trip)));
        locator.lacks_peers(members)
    };
    assert!(!lacks(10.0, 0, 100), "nothing is known yet");
    assert!(lacks(2.0, 8, 100) && !lacks(1.9, 8, 100));
    assert!(lacks(10.0, 47, 100) && !lacks(10.0, 48, 100));
    assert!(lacks(10.0, 8, 10) && !lacks(10.0, 9, 10), "there are nine others");
    assert!(!lacks(10.0, 1, 0));
}

proptest! {
    /// Each coordinate is made with its checked constructor, which would panic out of its bounds.
    #[test]
    fn coordinate_stays_within_its_bounds(
        seed in any::<u64>(),
        observed in prop::collection::vec(
            (0..6_usize, prop::option::of(prop::array::uniform4(-10_000_000..=10_000_000_i32)), 0..=10_000_000_u32, any::<u64>()),
            1..60,
        ),
    ) {
        let mut locator = Locator::new(seed);
        for (number, position, height, nanos) in observed {
            let stated = position.map(|position| Coordinate::new(position, height, 0).unwrap());
            locator.observe(&id(number), stated.as_ref(), Duration::from_nanos(nanos % 11_000_000_000));
            let now = locator.coordinate();
            prop_assert!(now.height() >= Duration::from_micros(10));
        }
    }
}
