//! The rule for a *tie*: two nodes that dial each other at the same time get two connections and
//! need one. With this rule both choose the same connection, without a message. Pure.

use std::time::Duration;

use kinfolk_core::NodeId;

/// The side that dialled a connection, seen from this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// This node dialled.
    Local,
    /// The peer dialled.
    Remote,
}

/// The rule for one node.
#[derive(Debug, Clone)]
pub(crate) struct Tie {
    local: NodeId,
    window: Duration,
}

impl Tie {
    /// The rule for the node `local`. Two dials that succeed within `window` of each other count as
    /// simultaneous.
    pub(crate) const fn new(local: NodeId, window: Duration) -> Self {
        Self { local, window }
    }

    /// The winner of two simultaneous dials: the dial of the node with the lower name. Names are
    /// unique in a cluster, so both sides choose the same one.
    pub(crate) fn winner(&self, peer: &NodeId) -> Side {
        if self.local < *peer { Side::Local } else { Side::Remote }
    }

    /// Whether a new connection to `peer` replaces the existing one, whose age is `age`.
    ///
    /// A second dial from the same side means that the dialler gave up its first connection (it
    /// restarted, or a request timed out). The same is true of a dial from the other side that
    /// comes long after. Only simultaneous dials are a tie.
    pub(crate) fn newer_wins(&self, peer: &NodeId, existing: Side, age: Duration, new: Side) -> bool {
        existing == new || age > self.window || self.winner(peer) == new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(5);

    fn tie(local: &str) -> Tie {
        Tie::new(NodeId::new(local).unwrap(), WINDOW)
    }

    #[test]
    fn both_sides_keep_the_lower_names_dial() {
        let (a, b) = (NodeId::new("a").unwrap(), NodeId::new("b").unwrap());
        for age in [Duration::ZERO, WINDOW] {
            // For a, its own dial is local. For b, the same connection is remote.
            assert!(tie("a").newer_wins(&b, Side::Remote, age, Side::Local));
            assert!(!tie("a").newer_wins(&b, Side::Local, age, Side::Remote));
            assert!(tie("b").newer_wins(&a, Side::Local, age, Side::Remote));
            assert!(!tie("b").newer_wins(&a, Side::Remote, age, Side::Local));
        }
    }

    #[test]
    fn newer_dial_wins_after_the_window_or_same_side() {
        let b = NodeId::new("b").unwrap();
        let late = WINDOW + Duration::from_nanos(1);
        assert!(tie("a").newer_wins(&b, Side::Local, late, Side::Remote));
        assert!(tie("a").newer_wins(&b, Side::Local, Duration::ZERO, Side::Local));
        assert!(tie("c").newer_wins(&b, Side::Remote, Duration::ZERO, Side::Remote));
    }
}
