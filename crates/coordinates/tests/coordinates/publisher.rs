//! When a coordinate is due.

use std::time::Duration;

use kinfolk_coordinates::{Locator, Publisher};
use kinfolk_core::Instant;

use super::support::{at, id, millis};

fn second(second: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(second)
}

/// A member with a single peer, which has stated nothing, at this round trip.
fn far(trip: f64) -> Locator {
    let mut locator = Locator::new(1);
    (0..30).for_each(|_| locator.observe(&id(0), None, millis(trip)));
    locator
}

/// The seconds in which a member states a coordinate, if its true place is another one each second.
fn statements(members: usize, until: u64) -> Vec<u64> {
    let (mut locator, mut publisher) = (Locator::new(1), Publisher::new(Instant::ORIGIN, 2));
    let mut stated = Vec::new();
    for now in 1..=until {
        let place = at([if now % 100 < 50 { 1_000.0 } else { -1_000.0 }, 0.0, 0.0, 0.0]);
        (0..4).for_each(|_| locator.observe(&id(0), Some(&place), millis(20.0)));
        if let Some(due) = publisher.due(second(now), members, &locator) {
            publisher.published(second(now), due);
            stated.push(now);
        }
    }
    stated
}

#[test]
fn nothing_is_due_below_10_ms() {
    let due = |trip| Publisher::new(Instant::ORIGIN, 1).due(second(60), 2, &far(trip));
    assert_eq!((due(0.2), due(9.9)), (None, None));
    let stated = due(10.1).unwrap();
    assert!(stated.height() < Duration::from_millis(10));
}

/// Else single delays of two among many peers would start statements on a local network.
#[test]
fn one_round_trip_to_each_far_peer_does_not_suffice() {
    let after = |round_trips: usize| {
        let mut locator = Locator::new(1);
        (0..8).for_each(|peer| locator.observe(&id(peer), None, millis(0.3)));
        for _ in 0..round_trips {
            (8..10).for_each(|peer| locator.observe(&id(peer), None, millis(30.0)));
        }
        Publisher::new(Instant::ORIGIN, 1).due(second(60), 10, &locator)
    };
    assert_eq!(after(1), None);
    assert!(after(2).is_some());
}

#[test]
fn nothing_is_due_in_the_first_seconds() {
    let mut publisher = Publisher::new(second(100), 1);
    let locator = far(50.0);
    let first = (100..200).find(|now| publisher.due(second(*now), 2, &locator).is_some()).unwrap();
    assert!((106..=110).contains(&first), "{first}");
}

#[test]
fn coordinate_stays_due_until_it_is_stated() {
    let (mut publisher, mut locator) = (Publisher::new(Instant::ORIGIN, 1), far(50.0));
    let due = publisher.due(second(20), 2, &locator).unwrap();
    assert_eq!(publisher.due(second(21), 2, &locator), Some(due));
    publisher.published(second(21), due);
    assert_eq!(publisher.due(second(60), 2, &locator), None);
    // The round trip grows by 1.5 ms, and then by 3 ms.
    (0..30).for_each(|_| locator.observe(&id(0), None, millis(51.5)));
    assert_eq!(publisher.due(second(60), 2, &locator), None);
    (0..30).for_each(|_| locator.observe(&id(0), None, millis(53.0)));
    assert!(publisher.due(second(60), 2, &locator).is_some());
}

#[test]
fn statements_keep_their_distance_and_their_number() {
    let stated = statements(2, 3_600);
    assert!(stated.windows(2).all(|pair| pair[1] - pair[0] >= 6), "{stated:?}");
    // 16 in the burst, and 12 in an hour.
    assert!((20..=28).contains(&stated.len()), "{}", stated.len());
    let burst = stated.iter().filter(|at| **at < 300).count();
    assert!((12..=16).contains(&burst), "{burst}");
}

#[test]
fn distance_of_statements_grows_with_the_group() {
    let shortest = |members| {
        let stated = statements(members, 2_000);
        stated.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap()
    };
    // 10 ms for each member, less a quarter.
    assert!((6..=10).contains(&shortest(800)));
    assert!((75..=125).contains(&shortest(10_000)), "{}", shortest(10_000));
}

#[test]
fn later_statements_of_a_burst_need_a_longer_way() {
    let (mut publisher, mut locator) = (Publisher::new(Instant::ORIGIN, 1), far(100.0));
    let move_by = |locator: &mut Locator, trip: f64| {
        (0..30).for_each(|_| locator.observe(&id(0), None, millis(trip)));
    };
    for number in 1..=14 {
        let now = second(number * 15);
        let due = publisher.due(now, 2, &locator).expect("it moved by 50 ms");
        publisher.published(now, due);
        move_by(&mut locator, if number % 2 == 0 { 100.0 } else { 150.0 });
    }
    let last = publisher.due(second(300), 2, &locator).unwrap();
    publisher.published(second(300), last);
    // 15 of 16 are used, so a tenth of the round trip is needed, less an eighth of that.
    move_by(&mut locator, 105.0);
    assert_eq!(publisher.due(second(320), 2, &locator), None);
    move_by(&mut locator, 115.0);
    assert!(publisher.due(second(320), 2, &locator).is_some());
}

#[test]
fn equal_seeds_state_at_equal_times() {
    assert_eq!(statements(2, 300), statements(2, 300));
}
