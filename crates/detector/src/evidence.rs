//! Explanations for the operator: why a member is suspected, is not suspected, or was declared
//! failed. A finding carries its evidence.

use std::fmt;
use std::time::Duration;

use kinfolk_core::{Cause, Incarnation, Instant, NodeId, NodeState};
use serde::Serialize;

/// A finding and its evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// When it was found, on the clock of the member that found it.
    #[serde(skip)]
    pub at: Instant,
    /// What was found.
    pub finding: Finding,
    /// The accusers and the reason.
    #[serde(flatten)]
    pub cause: Cause,
    /// The incarnation of the subject.
    pub incarnation: Incarnation,
    /// The subject's suspicion level when phi last crossed the threshold during this silence.
    /// `None` if phi did not cross it, or if this member does not watch the subject.
    pub phi: Option<f64>,
    /// How long the subject's answers took lately; `None` if this member does not watch it.
    pub round_trip: Option<Duration>,
    /// This member's local health at that moment; 0 is healthy.
    pub local_health: u32,
}

/// What a member found out about a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", content = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// The subject did not answer this member, but it answered a witness. The path between this
    /// member and the subject is faulty.
    PathAtFault,
    /// Neither the subject nor any witness answered. This member itself is isolated or overloaded,
    /// so it does not accuse the subject.
    Unheard,
    /// No other member answers this member either, so the verdict is held back.
    Isolated,
    /// More than two fifths of the group are silent. This member itself may be cut off, so the
    /// verdict is held back.
    Held,
    /// The subject said that it is in maintenance, so its silence is no failure.
    InMaintenance,
    /// The subject was heard from again, and this member withdrew its accusation.
    Withdrawn,
    /// The subject accused others falsely, again and again. Its accusations do not count for some
    /// minutes.
    Distrusted,
    /// The subject is believed to be in this state from now on.
    State(NodeState),
}

impl Finding {
    /// Why this finding holds a verdict back, as a clause; `None` if it does not.
    pub const fn holds_verdict(self) -> Option<&'static str> {
        match self {
            Self::Unheard => Some("no witness answers this member"),
            Self::Isolated => Some("no member at all answers this member"),
            Self::Held => Some("more than two fifths of the group are silent"),
            Self::InMaintenance => Some("the member is in maintenance"),
            Self::PathAtFault | Self::Withdrawn | Self::Distrusted | Self::State(_) => None,
        }
    }
}

/// The evidence that a member has against another at this moment, short of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspicionStatus {
    /// The subject.
    pub id: NodeId,
    /// For how long the subject has answered none of this member's probes; `None` if it answers, or
    /// if this member does not probe it.
    pub silent_for: Option<Duration>,
    /// For how long the subject has been suspect in this member's view, by its own accusation or
    /// another member's; `None` if it is not suspect.
    pub suspect_for: Option<Duration>,
    /// The finding that holds this member's verdict back, see
    /// [`holds_verdict`](Finding::holds_verdict).
    pub held: Option<Finding>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathAtFault => f.pad("path at fault"),
            Self::Unheard => f.pad("unheard"),
            Self::Isolated => f.pad("isolated"),
            Self::Held => f.pad("held back"),
            Self::InMaintenance => f.pad("in maintenance"),
            Self::Withdrawn => f.pad("withdrawn"),
            Self::Distrusted => f.pad("distrusted"),
            Self::State(state) => f.pad(state.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_print_their_name_and_reason() {
        let table = [
            (Finding::PathAtFault, "path at fault", None),
            (Finding::Unheard, "unheard", Some("no witness answers this member")),
            (Finding::Isolated, "isolated", Some("no member at all answers this member")),
            (Finding::Held, "held back", Some("more than two fifths of the group are silent")),
            (Finding::InMaintenance, "in maintenance", Some("the member is in maintenance")),
            (Finding::Withdrawn, "withdrawn", None),
            (Finding::Distrusted, "distrusted", None),
            (Finding::State(NodeState::Suspect), "suspect", None),
        ];
        for (finding, name, why) in table {
            assert_eq!((finding.to_string().as_str(), finding.holds_verdict()), (name, why));
        }
        assert_eq!(format!("{:<8}|", Finding::Unheard), "unheard |");
    }
}
