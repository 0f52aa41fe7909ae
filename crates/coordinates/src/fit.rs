//! Moves a place towards the one that explains the measured round trips best: each peer is a spring
//! whose length at rest is the round trip (Vivaldi, section 3).
//!
//! Vivaldi moves by the spring of the observed peer alone. Here all known peers pull at once. The
//! result is steadier, and a peer that does not fit to the others shows.

use crate::point::{Point, Vector, length};

/// The movement of one pass, in multiples of the mean pull. Peers lie in all directions, so the
/// mean of their pulls is much smaller than the way to go. Where all pull in one direction, 2 would
/// overshoot for ever.
const STEP: f64 = 1.5;
/// The number of passes for each observation.
const PASSES: usize = 3;

/// The smallest error of a peer that makes a difference. Also a peer that states an error of 0 has
/// no more weight than this gives it.
const ERROR_MIN: f64 = 0.1;

/// The shortest round trip that makes a difference to a peer's weight, in microseconds: below 2 ms
/// the jitter is as large as the distance.
const NEAR: f64 = 2_000.0;

/// No peer is trusted more than this multiple of the median trust, so that a peer that claims to be
/// sure does not outweigh all others where most are not sure yet, or state nothing.
const TRUST_MAX: f64 = 3.0;

/// A pull is doubted from about this multiple of the usual pull on: it counts the less, the larger
/// it is. The usual pull is one that a quarter of the peers exceed. The median would not do: a
/// place that fits well to most peers would take all members of another region for liars, and stay
/// where it is.
const DOUBT: f64 = 3.0;
/// The smallest usual pull, in microseconds: the jitter of a quiet network.
const PULL_MIN: f64 = 500.0;

/// By which share of its distance from the origin a place is drawn back in each pass. Without it
/// the coordinates of all members might drift away together, because only differences are measured.
const GRAVITY: f64 = 2e-4;

/// Below this distance, in microseconds, two positions are the same.
const SAME: f64 = 1.0;

/// A peer, as a spring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spring {
    pub(crate) place: Point,
    /// The peer's own relative error.
    pub(crate) error: f64,
    /// The length at rest, in microseconds.
    pub(crate) round_trip: f64,
}

impl Spring {
    /// How much longer the measured round trip is than the estimate, in microseconds. If positive,
    /// the peer pushes.
    pub(crate) fn pull(&self, on: &Point) -> f64 {
        self.round_trip - on.round_trip_to(&self.place)
    }

    /// A peer that is sure of its place counts more (section 3.3).
    fn trust(&self) -> f64 {
        1.0 / self.error.max(ERROR_MIN)
    }

    /// A near peer counts more: the same pull is a larger share of its round trip.
    fn nearness(&self) -> f64 {
        1.0 / self.round_trip.max(NEAR).sqrt()
    }
}

/// Moves `place` some steps to where the springs agree best. From a peer at the same position it
/// moves into `direction`, a unit vector.
pub(crate) fn fit(place: &mut Point, springs: &[Spring], direction: &Vector) {
    for _ in 0..PASSES {
        pass(place, springs, direction);
    }
}

fn pass(place: &mut Point, springs: &[Spring], direction: &Vector) {
    let usual = quantile(0.75, springs.iter().map(|spring| spring.pull(place).abs())).max(PULL_MIN);
    let trust_max = TRUST_MAX * median(springs.iter().map(Spring::trust));
    let (mut shift, mut higher, mut weights) = (Vector::default(), 0.0, 0.0);
    for spring in springs {
        let (pull, way) = (spring.pull(place), place.away_from(&spring.place));
        let weight = spring.trust().min(trust_max) * spring.nearness() * fitting(pull / (DOUBT * usual));
        let distance = length(&way);
        let unit = if distance < SAME { *direction } else { way.map(|part| part / distance) };
        for (shift, unit) in shift.iter_mut().zip(unit) {
            *shift += weight * pull * unit;
        }
        // The heights take the share of the pull that they have in the estimate (section 5.4).
        let heights = place.height() + spring.place.height();
        let share = heights / (distance + heights);
        higher += weight * pull * share;
        // A pull changes the estimate by the position and by the height.
        weights += weight * (1.0 + share);
    }
    if weights > 0.0 {
        let step = STEP / weights;
        place.shift(&shift.map(|part| part * step), higher * step);
    }
    place.shrink(GRAVITY);
}

/// How much a spring counts for its pull, in multiples of the largest one that is not doubted: 1
/// down to 0. A quarter at 1, and far beyond that so little that the product with the pull falls,
/// too.
fn fitting(doubt: f64) -> f64 {
    1.0 / (1.0 + doubt * doubt).powi(2)
}

/// The median; of an even number the higher one of the middle. 0 without values.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    quantile(0.5, values)
}

/// The value that this share of the values lies below, rounded up. `share`: from 0 to less than 1.
/// 0 without values.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
fn quantile(share: f64, values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let place = (values.len() as f64 * share) as usize;
    values.get(place).copied().unwrap_or(0.0)
}
