//! What a member with a false coordinate states.

use kinfolk_core::{Coordinate, Rng};

/// A strategy of a member that does not state its true coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// It claims to be 9 s away from the origin.
    Far,
    /// It claims another position each second, up to 1 s from the origin.
    Jumps,
    /// It claims to be 100 ms beside its true position.
    Beside,
    /// It claims to move away from its true position, by 2 ms each second.
    Drifts,
    /// It claims to be where the group is not, at the height of 2 s.
    High,
}

impl Lie {
    pub(super) const ALL: [Self; 5] = [Self::Far, Self::Jumps, Self::Beside, Self::Drifts, Self::High];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Far => "far away",
            Self::Jumps => "jumps",
            Self::Beside => "100 ms beside",
            Self::Drifts => "drifts by 2 ms/s",
            Self::High => "height of 2 s",
        }
    }

    /// The coordinate that the liar states in this second, if its true one is `truth`. It always
    /// claims to be sure.
    pub(super) fn claim(self, truth: &Coordinate, second: i32, rng: &mut Rng) -> Coordinate {
        let [x, y, z, w] = truth.position();
        let height = u32::try_from(truth.height().as_micros()).unwrap_or(u32::MAX);
        let (position, height) = match self {
            Self::Far => ([9_000_000, 0, 0, 0], height),
            Self::Jumps => {
                let mut part = || i32::try_from(rng.below(2_000_001)).unwrap_or(0) - 1_000_000;
                ([part(), part(), part(), part()], height)
            }
            Self::Beside => ([x + 100_000, y, z, w], height),
            Self::Drifts => ([x + second.min(2_000) * 2_000, y, z, w], height),
            Self::High => ([x, y, z, w], 2_000_000),
        };
        Coordinate::new(position, height, 0).expect("within the bounds of a coordinate")
    }
}
