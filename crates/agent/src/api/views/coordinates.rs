//! Coordinates of members.

use kinfolk::{Coordinate, NodeId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::micros;

/// The coordinates that members state, ordered by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CoordinatesView {
    /// One entry for each member that states a coordinate.
    pub(crate) coordinates: Vec<StatedCoordinateView>,
}

/// The coordinate of one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatedCoordinateView {
    /// The member.
    #[schema(value_type = String, example = "web-1")]
    pub(crate) name: NodeId,
    #[serde(flatten)]
    pub(crate) coordinate: CoordinateView,
}

/// Where a member lies in the network, by its own measurements. The estimated round trip between
/// two members is the distance of their positions (the root of the sum of the squares), and both
/// heights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CoordinateView {
    /// The position in each dimension, in microseconds: -10,000,000 to 10,000,000.
    pub(crate) position_us: [i32; Coordinate::DIMENSIONS],
    /// The part of each round trip that the position does not explain, in microseconds.
    #[schema(maximum = 10_000_000)]
    pub(crate) height_us: u64,
    /// The relative error of the member's own estimates. At 0.1 they were 10 % off.
    #[schema(minimum = 0.0, maximum = 1.5)]
    pub(crate) error: f64,
}

impl From<Coordinate> for CoordinateView {
    fn from(coordinate: Coordinate) -> Self {
        Self {
            position_us: coordinate.position(),
            height_us: micros(coordinate.height()),
            error: coordinate.error(),
        }
    }
}
