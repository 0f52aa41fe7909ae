//! Two nodes that dial each other at the same time end up with two connections and need one. This is the rule by which
//! both choose the same one, without a message. Pure.

use std::time::Duration;

use kinfolk_core::NodeId;

/// Who dialled a connection, seen from this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// This node.
    Local,
    /// The peer.
    Remote,
}

/// The rule, for one node.
#[derive(Debug, Clone)]
pub(crate) struct Tie {
    local: NodeId,
    window: Duration,
}

impl Tie {
    /// The rule for the node `local`. Dials that come through within `window` of each other count as simultaneous.
    pub(crate) const fn new(local: NodeId, window: Duration) -> Self {
        Self { local, window }
    }

    /// Whose dial wins of two simultaneous ones: that of the node with the lower name.
    pub(crate) fn winner(&self, peer: &NodeId) -> Side {
        if self.local < *peer { Side::Local } else { Side::Remote }
    }

    /// Whether a new connection to `peer` replaces the one there is, which is `age` old.
    ///
    /// A second dial from the same side means that its dialler has given up the first (it restarted, or a request timed
    /// out); so does a dial from the other side that comes long after. Only simultaneous dials are a tie.
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
    fn both_ends_keep_the_lower_names_dial_in_either_order() {
        let (a, b) = (NodeId::new("a").unwrap(), NodeId::new("b").unwrap());
        for age in [Duration::ZERO, WINDOW] {
            // Seen from a, its own dial is local; seen from b, the same connection is remote.
            assert!(tie("a").newer_wins(&b, Side::Remote, age, Side::Local));
            assert!(!tie("a").newer_wins(&b, Side::Local, age, Side::Remote));
            assert!(tie("b").newer_wins(&a, Side::Local, age, Side::Remote));
            assert!(!tie("b").newer_wins(&a, Side::Remote, age, Side::Local));
        }
    }

    #[test]
    fn after_the_window_or_from_the_same_side_the_newer_wins() {
        let b = NodeId::new("b").unwrap();
        let late = WINDOW + Duration::from_nanos(1);
        assert!(tie("a").newer_wins(&b, Side::Local, late, Side::Remote));
        assert!(tie("a").newer_wins(&b, Side::Local, Duration::ZERO, Side::Local));
        assert!(tie("c").newer_wins(&b, Side::Remote, Duration::ZERO, Side::Remote));
    }
}
