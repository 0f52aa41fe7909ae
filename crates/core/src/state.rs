//! The four states of a member and the one table of how a claim moves it from one to another.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What is believed of a member. The order of the variants is the precedence at equal incarnation.
///
/// ```text
///            at the same incarnation, only to the right:
///
///            Alive ──────> Suspect ──────> Failed ──────> Left
///              ^              │               │             │
///              └──────────────┴───────────────┴─────────────┘
///            at a higher incarnation: to whatever it claims
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It belongs to the group and, as far as is known, answers.
    Alive,
    /// Somebody could not reach it; it has some time to refute that (SWIM, section 4.2). It still belongs.
    Suspect,
    /// It did not refute in time, or its process is known to be gone. Kept as a tombstone, then reaped.
    Failed,
    /// It said that it leaves. Kept as a tombstone, then reaped.
    Left,
}

impl NodeState {
    /// All states, in their order of precedence.
    pub const ALL: [Self; 4] = [Self::Alive, Self::Suspect, Self::Failed, Self::Left];

    /// The state after a claim: the transition table.
    ///
    /// `incarnation` says how the claim's incarnation compares with the one that is known. This, and nothing else,
    /// decides; the order of arrival does not.
    #[must_use]
    pub fn after(self, claimed: Self, incarnation: Ordering) -> Self {
        match incarnation {
            Ordering::Less => self,
            Ordering::Equal => self.max(claimed),
            Ordering::Greater => claimed,
        }
    }

    /// Whether the member still belongs to the group: it is `Alive` or `Suspect`.
    pub const fn is_member(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }

    /// The state's name in lower case, as the agent prints it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::NodeState::{Alive, Failed, Left, Suspect};
    use super::*;

    #[test]
    fn every_pair_of_state_and_claim_at_the_same_incarnation() {
        #[rustfmt::skip]
        let table = [
            //           Alive    Suspect  Failed  Left      <- claimed
            (Alive,   [Alive,   Suspect, Failed, Left]),
            (Suspect, [Suspect, Suspect, Failed, Left]),
            (Failed,  [Failed,  Failed,  Failed, Left]),
            (Left,    [Left,    Left,    Left,   Left]),
        ];
        for (known, row) in table {
            for (claimed, expected) in NodeState::ALL.into_iter().zip(row) {
                assert_eq!(known.after(claimed, Ordering::Equal), expected, "{known} then {claimed}");
            }
        }
    }

    #[test]
    fn a_higher_incarnation_wins_and_a_lower_one_is_ignored_whatever_the_states() {
        for known in NodeState::ALL {
            for claimed in NodeState::ALL {
                assert_eq!(known.after(claimed, Ordering::Greater), claimed);
                assert_eq!(known.after(claimed, Ordering::Less), known);
            }
        }
    }

    #[test]
    fn each_state_has_its_name_also_in_a_column() {
        assert_eq!(NodeState::ALL.map(NodeState::as_str), ["alive", "suspect", "failed", "left"]);
        assert_eq!(format!("{Left:<6}|"), "left  |");
    }
}
