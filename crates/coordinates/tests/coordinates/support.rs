//! Helpers that the tests share: names, places, and a group whose members see each other's latest
//! coordinates.

use std::time::Duration;

use kinfolk_coordinates::Locator;
use kinfolk_core::{Coordinate, NodeId};

pub(crate) fn id(number: usize) -> NodeId {
    NodeId::new(&format!("n{number}")).expect("a letter and digits are a name")
}

pub(crate) fn millis(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1_000.0)
}

pub(crate) fn as_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// A coordinate at this position in milliseconds, with almost no height, that is sure of itself.
pub(crate) fn at(position: [f64; 4]) -> Coordinate {
    #[expect(clippy::cast_possible_truncation, reason = "the tests use small numbers")]
    let micros = position.map(|part| (part * 1_000.0) as i32);
    Coordinate::new(micros, 10, 50).expect("the tests use places within the bounds")
}

/// Lets each member observe each other one in turn, so many times, with the coordinates that they
/// have at that moment. `trip` gives the round trip of a pair in milliseconds.
pub(crate) fn settled(nodes: usize, rounds: usize, trip: impl Fn(usize, usize) -> f64) -> Vec<Locator> {
    let mut members: Vec<Locator> = (0..nodes).map(|node| Locator::new(node as u64)).collect();
    for _ in 0..rounds {
        for one in 0..nodes {
            for other in (0..nodes).filter(|other| *other != one) {
                let stated = members[other].coordinate();
                members[one].observe(&id(other), Some(&stated), millis(trip(one, other)));
            }
        }
    }
    members
}

/// The largest relative error of the estimates between all members.
pub(crate) fn worst(members: &[Locator], trip: impl Fn(usize, usize) -> f64) -> f64 {
    let mut worst: f64 = 0.0;
    for one in 0..members.len() {
        for other in one + 1..members.len() {
            let estimate = members[one].coordinate().round_trip_to(&members[other].coordinate());
            worst = worst.max((as_millis(estimate) / trip(one, other) - 1.0).abs());
        }
    }
    worst
}
