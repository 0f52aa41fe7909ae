//! Groups whose round trips have an exact solution: the estimates approach it.

use kinfolk_core::NodeId;
use proptest::prelude::*;

use super::support::{id, settled, worst};

#[test]
fn three_members_of_a_triangle_find_their_places() {
    let trips = [[0.0, 30.0, 40.0], [30.0, 0.0, 50.0], [40.0, 50.0, 0.0]];
    let trip = |one: usize, other: usize| trips[one][other];
    assert!(worst(&settled(3, 30, trip), trip) < 0.03);
}

/// The way over the third member is shorter than the direct one. No places express that, but all
/// estimates are of the right size.
#[test]
fn impossible_triangle_is_off_by_less_than_half() {
    let trips = [[0.0, 20.0, 20.0], [20.0, 0.0, 60.0], [20.0, 60.0, 0.0]];
    let trip = |one: usize, other: usize| trips[one][other];
    let members = settled(3, 100, trip);
    let worst = worst(&members, trip);
    assert!((0.1..0.9).contains(&worst), "{worst}");
}

#[test]
fn members_on_a_line_find_their_places() {
    let trip = |one: usize, other: usize| 20.0 * one.abs_diff(other) as f64;
    let worst = worst(&settled(6, 100, trip), trip);
    assert!(worst < 0.1, "{worst}");
}

#[test]
fn members_on_a_grid_find_their_places() {
    let trip = |one: usize, other: usize| {
        let (x, y) = ((one % 3).abs_diff(other % 3), (one / 3).abs_diff(other / 3));
        30.0 * ((x * x + y * y) as f64).sqrt()
    };
    let worst = worst(&settled(9, 100, trip), trip);
    assert!(worst < 0.1, "{worst}");
}

/// All members are equally far from each other, but not because of where they are: each has a slow
/// access. Four dimensions have no eight such places; heights express them.
#[test]
fn slow_access_becomes_a_height() {
    let trip = |one: usize, other: usize| if one == 0 || other == 0 { 60.0 } else { 20.0 };
    let members = settled(8, 100, trip);
    let worst = worst(&members, trip);
    assert!(worst < 0.35, "{worst}");
    let heights: Vec<_> = members.iter().map(|member| member.coordinate().height()).collect();
    assert!(heights[0] > heights[1] * 2, "{heights:?}");
}

#[test]
fn two_members_at_one_place_move_apart() {
    let members = settled(2, 20, |_, _| 50.0);
    assert!(worst(&members, |_, _| 50.0) < 0.02);
    let (one, other) = (members[0].coordinate().position(), members[1].coordinate().position());
    assert_ne!(one, other);
    assert_ne!(one, [0; 4]);
}

#[test]
fn stated_error_falls_as_estimates_become_right() {
    let trip = |one: usize, other: usize| 20.0 * one.abs_diff(other) as f64;
    let error = |rounds| settled(6, rounds, trip)[3].coordinate().error();
    assert!(error(1) > 0.2 && error(100) < 0.1, "{} {}", error(1), error(100));
}

#[test]
fn peers_are_listed_in_the_order_of_names() {
    let members = settled(4, 1, |_, _| 10.0);
    assert_eq!(members[1].peers().cloned().collect::<Vec<NodeId>>(), [id(0), id(2), id(3)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any places in a plane, at least 5 ms apart.
    #[test]
    fn members_in_a_plane_find_their_places(
        places in prop::collection::vec((0..20_u32, 0..20_u32), 8..13),
    ) {
        let mut places = places;
        places.sort_unstable();
        places.dedup();
        prop_assume!(places.len() >= 7);
        let trip = |one: usize, other: usize| {
            let (x, y) = (places[one].0.abs_diff(places[other].0), places[one].1.abs_diff(places[other].1));
            5.0 * f64::from(x * x + y * y).sqrt()
        };
        let members = settled(places.len(), 40, trip);
        let mut errors = Vec::new();
        for one in 0..members.len() {
            errors.extend((one + 1..members.len()).map(|other| {
                let estimate = members[one].coordinate().round_trip_to(&members[other].coordinate());
                (super::support::as_millis(estimate) / trip(one, other) - 1.0).abs()
            }));
        }
        errors.sort_unstable_by(f64::total_cmp);
        prop_assert!(errors[errors.len() / 2] < 0.1, "{errors:?}");
    }
}
