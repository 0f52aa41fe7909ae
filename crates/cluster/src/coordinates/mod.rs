//! Network coordinates: this member measures where it lies and states it, and estimates the round
//! trips between others by what they state.
//!
//! ```text
//!   measure.rs      once a second: one peer's round trip ──> kinfolk-coordinates ──> a statement
//!   turns.rs        which peer that is
//!   round_trip.rs   the round trip between any two members
//! ```

mod measure;
mod round_trip;
mod turns;

pub(crate) use measure::start;
pub use round_trip::{RoundTrip, RoundTripError};

use kinfolk_core::Coordinate;
use parking_lot::Mutex;

/// What a member measures for its coordinate, as a part of the [statistics](crate::ClusterStats).
/// All are 0 if [`coordinates`](crate::ClusterConfig::coordinates) is off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct CoordinateStats {
    /// Where this member lies now, by its own measurements. It may state nothing yet, or another
    /// place near by. `None` before the first measurement.
    pub current: Option<Coordinate>,
    /// The round trips that were taken into account.
    pub samples: u64,
    /// The round trips that were not: of 0, or of more than 10 s.
    pub refused: u64,
    /// The peers whose latest round trips are known: 0 to 64.
    pub peers: usize,
    /// The number of coordinates that this member has stated.
    pub statements: u64,
}

/// The statistics, which the measuring task writes.
#[derive(Debug, Default)]
pub(crate) struct SharedStats(Mutex<CoordinateStats>);

impl SharedStats {
    pub(crate) fn get(&self) -> CoordinateStats {
        *self.0.lock()
    }

    fn set(&self, stats: CoordinateStats) {
        *self.0.lock() = stats;
    }
}
