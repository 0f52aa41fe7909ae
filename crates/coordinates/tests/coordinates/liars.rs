//! False coordinates among true ones.

use std::time::Duration;

use kinfolk_coordinates::{Locator, Publisher};
use kinfolk_core::{Coordinate, Instant, Rng};
use proptest::prelude::*;

use super::support::{as_millis, at, id, millis};

/// Places of honest peers: 60 to 140 ms from the origin, in all directions.
fn honest(peers: usize) -> Vec<Coordinate> {
    let mut rng = Rng::from_seed(3);
    let place = |_| {
        let way: [f64; 4] = std::array::from_fn(|_| rng.unit() * 2.0 - 1.0);
        let length = way.iter().map(|part| part * part).sum::<f64>().sqrt().max(0.1);
        let far = 60.0 + 80.0 * rng.unit();
        at(way.map(|part| part / length * far))
    };
    (0..peers).map(place).collect()
}

/// Observes the honest peers and the liar in turn, from the origin, for so many rounds.
fn observe(locator: &mut Locator, honest: &[Coordinate], lie: Option<Coordinate>, rounds: usize) {
    let origin = Coordinate::new([0; 4], 10, 0).expect("within the bounds");
    for _ in 0..rounds {
        for (number, place) in honest.iter().enumerate() {
            locator.observe(&id(number), Some(place), origin.round_trip_to(place));
        }
        if let Some(lie) = lie {
            locator.observe(&id(99), Some(&lie), millis(100.0));
        }
    }
}

fn far_from_origin(locator: &Locator) -> f64 {
    as_millis(locator.coordinate().round_trip_to(&Coordinate::new([0; 4], 0, 0).expect("within the bounds")))
}

#[test]
fn liar_among_seven_does_not_move_a_settled_member() {
    let honest = honest(7);
    for far in [0.2, 1.0, 9.9] {
        let lie = at([far * 1_000.0, 0.0, 0.0, 0.0]);
        let mut locator = Locator::new(1);
        observe(&mut locator, &honest, None, 30);
        assert!(far_from_origin(&locator) < 1.0);
        observe(&mut locator, &honest, Some(lie), 200);
        assert!(far_from_origin(&locator) < 2.0, "{far} s: {} ms", far_from_origin(&locator));
    }
}

#[test]
fn liar_among_seven_does_not_mislead_a_new_member() {
    let honest = honest(7);
    let lie = at([5_000.0, 0.0, 0.0, 0.0]);
    let mut locator = Locator::new(1);
    observe(&mut locator, &honest, Some(lie), 100);
    assert!(far_from_origin(&locator) < 5.0, "{} ms", far_from_origin(&locator));
}

/// What is not defended.
#[test]
fn liars_that_agree_and_are_the_majority_move_a_member() {
    let honest = honest(3);
    let shifted = |place: &Coordinate| {
        let [x, y, z, w] = place.position();
        Coordinate::new([x + 500_000, y, z, w], 10, 50).unwrap()
    };
    let lies: Vec<Coordinate> = self::honest(12)[3..].iter().map(shifted).collect();
    let origin = Coordinate::new([0; 4], 10, 0).expect("within the bounds");
    let mut locator = Locator::new(1);
    for _ in 0..100 {
        observe(&mut locator, &honest, None, 1);
        for (number, lie) in (10..).zip(&lies) {
            let true_place = self::honest(12)[number - 7];
            locator.observe(&id(number), Some(lie), origin.round_trip_to(&true_place));
        }
    }
    assert!(far_from_origin(&locator) > 200.0, "{} ms", far_from_origin(&locator));
}

/// Nobody states anything on a fast network, but a liar does. It must not start statements.
#[test]
fn liar_on_a_fast_network_causes_no_statement() {
    for far in [1.0, 5.0, 50.0, 9_000.0] {
        let lie = at([far, 0.0, 0.0, 0.0]);
        let (mut locator, mut publisher) = (Locator::new(1), Publisher::new(Instant::ORIGIN, 1));
        for second in 0..600 {
            let peer = second % 8;
            let stated = (peer == 7).then_some(&lie);
            locator.observe(&id(peer), stated, millis(0.2));
            let now = Instant::ORIGIN + Duration::from_secs(second as u64);
            assert_eq!(publisher.due(now, 8, &locator), None, "{far} ms, second {second}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_single_lie_moves_a_settled_member_little(
        position in prop::array::uniform4(-10_000_000..=10_000_000_i32),
        scale in 1..10_000_i32,
        height in 0..=10_000_000_u32,
    ) {
        let lie = Coordinate::new(position.map(|part| part / scale), height, 0).unwrap();
        let (honest, mut locator) = (honest(9), Locator::new(1));
        observe(&mut locator, &honest, None, 30);
        observe(&mut locator, &honest, Some(lie), 30);
        prop_assert!(far_from_origin(&locator) < 3.0, "{} ms", far_from_origin(&locator));
    }
}
