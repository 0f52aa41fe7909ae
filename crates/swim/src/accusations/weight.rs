//! How much a charge proves, by how long a member may stall.

use std::time::Duration;

use kinfolk_core::signed::Charge;

/// How much a charge proves. A graver one replaces an earlier one of the same accuser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// A silence shorter than half of the tolerated pause.
    Slight,
    /// Half of the accuser's probes are lost.
    Lossy,
    /// A silence of half of the tolerated pause: enough for a witness, since the watchers notice a
    /// crash up to a cycle of probes apart.
    Grave,
    /// A silence of the whole tolerated pause, or a closed port: enough for a verdict.
    Full,
}

impl Weight {
    /// The weight of a charge, if a member may stall for `tolerated_pause`.
    pub(super) fn of(charge: Charge, tolerated_pause: Duration) -> Self {
        let whole = tolerated_pause.as_millis();
        match charge {
            Charge::PortClosed => Self::Full,
            Charge::Lossy => Self::Lossy,
            Charge::Silent { for_ms } if u128::from(for_ms) >= whole => Self::Full,
            Charge::Silent { for_ms } if u128::from(for_ms) * 2 >= whole => Self::Grave,
            Charge::Silent { .. } => Self::Slight,
        }
    }
}
