//! What an operator needs to see why a member is suspected, spared or declared failed: findings
//! with the evidence that stood behind them, and what is held against a member now.

use std::fmt;
use std::time::Duration;

use kinfolk_core::{Cause, Incarnation, Instant, NodeId, NodeState};
use serde::Serialize;

/// A finding and its evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// When, on the clock of the member that found it.
    #[serde(skip)]
    pub at: Instant,
    /// What was found.
    pub finding: Finding,
    /// Who says so and why.
    #[serde(flatten)]
    pub cause: Cause,
    /// The incarnation of the member that it is about.
    pub incarnation: Incarnation,
    /// Its suspicion level when phi last crossed the threshold during this silence; `None` if it did not, or if we do not
    /// watch it.
    pub phi: Option<f64>,
    /// How long its answers took lately; `None` if we do not watch it.
    pub round_trip: Option<Duration>,
    /// Our own local health at that moment: 0 is well.
    pub local_health: u32,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", content = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finding {
    /// It did not answer us, but a witness: the path between us is at fault.
    PathAtFault,
    /// Neither it nor any witness answered: it is we who are cut off or overloaded, and nothing was said.
    Unheard,
    /// Nobody else answers us either: the verdict is held back.
    Isolated,
    /// Nearly half of the group or more are silent: it may be we who are cut off, and the verdict is held back.
    Held,
    /// It was heard from again, and we accuse it no longer.
    Withdrawn,
    /// It is believed to be in this state from now on.
    State(NodeState),
}

impl Finding {
    /// Why this finding holds a verdict back, as a clause; `None` for a finding that does not.
    pub const fn holds_verdict(self) -> Option<&'static str> {
        match self {
            Self::Unheard => Some("no witness answers this member"),
            Self::Isolated => Some("no member at all answers this member"),
            Self::Held => Some("two fifths of the group or more are silent"),
            Self::PathAtFault | Self::Withdrawn | Self::State(_) => None,
        }
    }
}

/// What a member holds against another at this moment, short of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspicionStatus {
    /// The member that it is about.
    pub id: NodeId,
    /// For how long it has answered none of our probes; `None` if it answers, or if we do not probe
    /// it.
    pub silent_for: Option<Duration>,
    /// For how long it has been suspect in our view, by our own word or another's; `None` if it is
    /// not.
    pub suspect_for: Option<Duration>,
    /// What holds our verdict back, of those findings that [do](Finding::holds_verdict).
    pub held: Option<Finding>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathAtFault => f.pad("path at fault"),
            Self::Unheard => f.pad("unheard"),
            Self::Isolated => f.pad("isolated"),
            Self::Held => f.pad("held back"),
            Self::Withdrawn => f.pad("withdrawn"),
            Self::State(state) => f.pad(state.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_its_name_and_some_say_why_a_verdict_is_held() {
        let table = [
            (Finding::PathAtFault, "path at fault", None),
            (Finding::Unheard, "unheard", Some("no witness answers this member")),
            (Finding::Isolated, "isolated", Some("no member at all answers this member")),
            (Finding::Held, "held back", Some("two fifths of the group or more are silent")),
            (Finding::Withdrawn, "withdrawn", None),
            (Finding::State(NodeState::Suspect), "suspect", None),
        ];
        for (finding, name, why) in table {
            assert_eq!((finding.to_string().as_str(), finding.holds_verdict()), (name, why));
        }
        assert_eq!(format!("{:<8}|", Finding::Unheard), "unheard |");
    }
}
