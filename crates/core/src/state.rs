//! The four states of a member, and the one table of how a claim changes a state.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What this member believes of another. The order of the variants is the precedence at equal
/// incarnation.
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
    /// The member belongs to the group and, as far as is known, answers.
    Alive,
    /// Another member could not reach the member. It has some time to refute that (SWIM, section
    /// 4.2). It still belongs to the group.
    Suspect,
    /// The member did not refute in time, or its port was found closed. Kept as a tombstone, then
    /// reaped.
    Failed,
    /// The member stated that it leaves. Kept as a tombstone, then reaped.
    Left,
}

impl NodeState {
    /// All states, in the order of precedence.
    pub const ALL: [Self; 4] = [Self::Alive, Self::Suspect, Self::Failed, Self::Left];

    /// The state after a claim: the transition table.
    ///
    /// `incarnation` says how the claim's incarnation compares with the known one. Only this and
    /// the two states decide. The order of arrival does not.
    #[must_use]
    pub fn after(self, claimed: Self, incarnation: Ordering) -> Self {
        match incarnation {
            Ordering::Less => self,
            // At equal incarnation the state only rises, so an old Alive claim cannot undo a
            // suspicion. Only the member itself can, with a higher incarnation (SWIM, section 4.2).
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
    fn claim_at_equal_incarnation_only_raises_the_state() {
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
    fn higher_incarnation_wins_whatever_the_states() {
        for known in NodeState::ALL {
            for claimed in NodeState::ALL {
                assert_eq!(known.after(claimed, Ordering::Greater), claimed);
                assert_eq!(known.after(claimed, Ordering::Less), known);
            }
        }
    }

    #[test]
    fn each_state_prints_its_name_with_padding() {
        assert_eq!(NodeState::ALL.map(NodeState::as_str), ["alive", "suspect", "failed", "left"]);
        assert_eq!(format!("{Left:<6}|"), "left  |");
    }
}
