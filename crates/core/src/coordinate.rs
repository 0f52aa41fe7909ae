//! Where a member lies in the network, by its own measurements: two coordinates give an estimate of
//! the round trip between their members. How a member computes its coordinate is not known here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::CoordinateError;

/// A point in a space in which distances are round trips (Vivaldi, Dabek and others, 2004).
///
/// The *height* is the part of each round trip that no position explains: the member's own access
/// link, and its own delay (section 5.4). The *error* says how far the member's estimates were from
/// its measurements. All parts are integers, so that a coordinate has one encoding, and the same
/// estimate on every machine.
///
/// # Examples
/// ```
/// use kinfolk_core::Coordinate;
/// use std::time::Duration;
/// let paris = Coordinate::new([0, 0, 0, 0], 100, 50)?;
/// let tokyo = Coordinate::new([120_000, 160_000, 0, 0], 400, 50)?;
/// assert_eq!(paris.round_trip_to(&tokyo), Duration::from_micros(200_500));
/// assert_eq!(tokyo.error(), 0.05);
/// # Ok::<(), kinfolk_core::CoordinateError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Coordinate {
    /// In microseconds.
    position: [i32; Self::DIMENSIONS],
    /// In microseconds.
    height: u32,
    /// In thousandths.
    error: u16,
}

impl Coordinate {
    /// The number of dimensions of the space, without the height.
    pub const DIMENSIONS: usize = 4;
    /// The largest height, and the largest distance of a position from 0 in each dimension: 10 s,
    /// the longest round trip that a member still waits for.
    pub const DISTANCE_MAX: Duration = Duration::from_secs(10);
    /// The largest error, in thousandths: 1.5. A member without a measurement starts with it.
    pub const ERROR_MAX: u16 = 1_500;

    /// A coordinate at this position (µs, -10 s to 10 s in each dimension), with this height (µs, 0
    /// to 10 s) and relative error (thousandths, 0 to 1,500).
    ///
    /// # Errors
    /// [`CoordinateError`] names the first part that is out of its range.
    pub fn new(position: [i32; Self::DIMENSIONS], height: u32, error: u16) -> Result<Self, CoordinateError> {
        let is_far = |micros: u32| Duration::from_micros(micros.into()) > Self::DISTANCE_MAX;
        if let Some(found) = position.into_iter().find(|micros| is_far(micros.unsigned_abs())) {
            return Err(CoordinateError::Position { found });
        }
        if is_far(height) {
            return Err(CoordinateError::Height { found: height });
        }
        if error > Self::ERROR_MAX {
            return Err(CoordinateError::Error { found: error });
        }
        Ok(Self { position, height, error })
    }

    /// The position in microseconds.
    pub fn position(&self) -> [i32; Self::DIMENSIONS] {
        self.position
    }

    /// The part of each round trip that the position does not explain: 0 to 10 s.
    pub fn height(&self) -> Duration {
        Duration::from_micros(self.height.into())
    }

    /// The relative error of the member's own estimates: 0 to 1.5. At 0.1 they were 10 % off.
    pub fn error(&self) -> f64 {
        f64::from(self.error) / 1_000.0
    }

    /// The estimated round trip between the members of the two coordinates: the distance of the
    /// positions, and both heights (section 5.4). At most 60 s.
    pub fn round_trip_to(&self, other: &Self) -> Duration {
        let squares = self.position.iter().zip(&other.position).map(|(a, b)| {
            let distance = u64::from(a.abs_diff(*b));
            distance * distance
        });
        let distance = squares.sum::<u64>().isqrt();
        Duration::from_micros(distance) + self.height() + other.height()
    }
}

/// A coordinate as it is decoded, before its bounds are checked.
#[derive(Deserialize)]
struct Parts {
    position: [i32; Coordinate::DIMENSIONS],
    height: u32,
    error: u16,
}

impl TryFrom<Parts> for Coordinate {
    type Error = CoordinateError;

    fn try_from(Parts { position, height, error }: Parts) -> Result<Self, CoordinateError> {
        Self::new(position, height, error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: i32 = 10_000_000;
    const HEIGHT_MAX: u32 = 10_000_000;

    fn at(position: [i32; 4], height: u32) -> Coordinate {
        Coordinate::new(position, height, 100).unwrap()
    }

    #[test]
    fn round_trip_is_the_distance_and_both_heights() {
        let (near, far) = (at([1_000, -2_000, 0, 0], 70), at([4_000, 2_000, 0, 0], 30));
        assert_eq!(near.round_trip_to(&far), Duration::from_micros(5_100));
        assert_eq!(near.round_trip_to(&near), Duration::from_micros(140));
    }

    #[test]
    fn farthest_coordinates_have_a_round_trip() {
        let (one, other) = (at([MAX; 4], HEIGHT_MAX), at([-MAX; 4], HEIGHT_MAX));
        assert_eq!(one.round_trip_to(&other), Duration::from_mins(1));
    }

    #[test]
    fn each_part_is_bounded_on_both_sides() {
        for dimension in 0..Coordinate::DIMENSIONS {
            let with = |micros| {
                let mut position = [0; 4];
                position[dimension] = micros;
                Coordinate::new(position, 0, 0)
            };
            assert!(with(MAX).is_ok() && with(-MAX).is_ok());
            for found in [MAX + 1, -MAX - 1, i32::MAX, i32::MIN] {
                assert_eq!(with(found), Err(CoordinateError::Position { found }));
            }
        }
        assert!(Coordinate::new([0; 4], HEIGHT_MAX, 1_500).is_ok());
        let found = HEIGHT_MAX + 1;
        assert_eq!(Coordinate::new([0; 4], found, 0), Err(CoordinateError::Height { found }));
        assert_eq!(Coordinate::new([0; 4], 0, 1_501), Err(CoordinateError::Error { found: 1_501 }));
    }

    #[test]
    fn coordinate_out_of_bounds_is_not_decoded() {
        let valid = postcard::to_stdvec(&([MAX; 4], HEIGHT_MAX, 1_500_u16)).unwrap();
        assert_eq!(
            postcard::from_bytes::<Coordinate>(&valid).unwrap(),
            Coordinate::new([MAX; 4], HEIGHT_MAX, 1_500).unwrap()
        );
        for parts in [([0, 0, 0, MAX + 1], 0, 0), ([0; 4], HEIGHT_MAX + 1, 0), ([0; 4], 0, 1_501_u16)] {
            let bytes = postcard::to_stdvec(&parts).unwrap();
            assert!(postcard::from_bytes::<Coordinate>(&bytes).is_err(), "{parts:?}");
        }
    }

    proptest! {
        #[test]
        fn coordinate_reads_back_from_at_most_22_bytes(
            position in prop::array::uniform4(-MAX..=MAX), height in 0..=HEIGHT_MAX, error in 0..=1_500_u16,
        ) {
            let coordinate = Coordinate::new(position, height, error).unwrap();
            let bytes = postcard::to_stdvec(&coordinate).unwrap();
            prop_assert!(bytes.len() <= 22, "{} bytes", bytes.len());
            prop_assert_eq!(postcard::from_bytes::<Coordinate>(&bytes).unwrap(), coordinate);
        }
    }
}
