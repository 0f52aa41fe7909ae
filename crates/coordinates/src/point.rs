//! A place in the space of coordinates while it is computed: in microseconds, with fractions. The
//! coordinates that members state are whole numbers ([`Coordinate`]).

use std::time::Duration;

use kinfolk_core::Coordinate;

/// The smallest height: 10 µs, less than any round trip between two hosts. A height changes in
/// proportion to itself, so at 0 it would stay there.
const HEIGHT_MIN: f64 = 10.0;

/// A position and a height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    position: [f64; Coordinate::DIMENSIONS],
    height: f64,
}

/// A position relative to another one: a direction, or a movement.
pub(crate) type Vector = [f64; Coordinate::DIMENSIONS];

impl Point {
    /// Where each member begins, and where a peer that has stated no coordinate is assumed to be: a
    /// member states one as soon as it is elsewhere.
    pub(crate) const ORIGIN: Self = Self { position: [0.0; Coordinate::DIMENSIONS], height: HEIGHT_MIN };

    /// The estimated round trip: the distance of the positions, and both heights.
    pub(crate) fn round_trip_to(&self, other: &Self) -> f64 {
        length(&self.away_from(other)) + self.height + other.height
    }

    /// The way from `other` to this point, without the heights.
    pub(crate) fn away_from(&self, other: &Self) -> Vector {
        std::array::from_fn(|at| self.position[at] - other.position[at])
    }

    /// By how much an estimate from here may differ from the same estimate from `other`.
    pub(crate) fn moved_from(&self, other: &Self) -> f64 {
        length(&self.away_from(other)) + (self.height - other.height).abs()
    }

    pub(crate) fn height(&self) -> f64 {
        self.height
    }

    /// Moves the point, and keeps it within the bounds of a coordinate.
    pub(crate) fn shift(&mut self, by: &Vector, higher: f64) {
        let far = micros(Coordinate::DISTANCE_MAX);
        for (at, by) in self.position.iter_mut().zip(by) {
            *at = (*at + by).clamp(-far, far);
        }
        self.height = (self.height + higher).clamp(HEIGHT_MIN, far);
    }

    /// Brings the position nearer to the origin, by this share of its distance.
    pub(crate) fn shrink(&mut self, share: f64) {
        self.position.iter_mut().for_each(|at| *at *= 1.0 - share);
    }

    /// The point as a member states it, with a relative error that is at most
    /// [`Coordinate::ERROR_MAX`].
    pub(crate) fn coordinate(&self, error: f64) -> Coordinate {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "all parts are within the bounds of a coordinate"
        )]
        let made = Coordinate::new(
            self.position.map(|at| at.round() as i32),
            self.height.round() as u32,
            ((error * 1_000.0).round() as u16).min(Coordinate::ERROR_MAX),
        );
        made.expect("`shift` keeps the point within the bounds of a coordinate")
    }
}

impl From<&Coordinate> for Point {
    fn from(stated: &Coordinate) -> Self {
        let height = micros(stated.height()).max(HEIGHT_MIN);
        Self { position: stated.position().map(f64::from), height }
    }
}

/// The length of a vector.
pub(crate) fn length(vector: &Vector) -> f64 {
    vector.iter().map(|part| part * part).sum::<f64>().sqrt()
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
