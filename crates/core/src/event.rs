//! What a member tells its application: the changes of the group, as this member sees them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::cause::Cause;
use crate::node::{NodeAddr, NodeId};
use crate::registry::Change;
use crate::state::NodeState;
use crate::status::NodeStatus;

/// Something happened in the group. Events of one member come in the order in which this process learned of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClusterEvent {
    /// A member is new, or is back after it had failed or left.
    NodeJoined {
        /// What is known of it.
        node: Arc<NodeStatus>,
    },
    /// A member's address or tags changed.
    NodeUpdated {
        /// What is known of it now.
        node: Arc<NodeStatus>,
    },
    /// A member is suspected. It still belongs; most suspicions end in [`NodeRecovered`](Self::NodeRecovered).
    NodeSuspected {
        /// What is known of it.
        node: Arc<NodeStatus>,
        /// Who suspects it, and why.
        cause: Cause,
    },
    /// A suspected member refuted.
    NodeRecovered {
        /// What is known of it.
        node: Arc<NodeStatus>,
    },
    /// A member failed: it was suspected and did not refute in time. Never sent for a mere suspicion.
    NodeFailed {
        /// What is known of it.
        node: Arc<NodeStatus>,
        /// Who accused it, and why.
        cause: Cause,
    },
    /// A member left on purpose.
    NodeLeft {
        /// What is known of it.
        node: Arc<NodeStatus>,
    },
    /// The tombstone of a member that had failed or left was forgotten.
    NodeReaped {
        /// Whose tombstone.
        id: NodeId,
    },
    /// A member's silence crossed the phi threshold: once an episode.
    HealthCheckFailed {
        /// Who is silent.
        id: NodeId,
        /// The suspicion level at the check.
        phi: f64,
        /// The threshold that it crossed.
        threshold: f64,
        /// For how long nothing had been heard from it.
        #[serde(rename = "silence_ms", serialize_with = "crate::time::as_millis")]
        silence: Duration,
    },
    /// A member whose health check had failed was heard from again: it ends the episode.
    HealthCheckRecovered {
        /// Who is back.
        id: NodeId,
        /// For how long it had been in that state.
        #[serde(rename = "episode_ms", serialize_with = "crate::time::as_millis")]
        episode: Duration,
    },
    /// A member broadcast a message to all.
    Broadcast {
        /// Who sent it, as the members that passed it on say.
        from: NodeId,
        /// The message.
        payload: Bytes,
    },
    /// Two processes use one name, and so the same certificate. About this member's own name it may
    /// also be a former instance, once after a restart with a clock that went back. About another
    /// member's name it comes instead of [`NodeUpdated`](Self::NodeUpdated) when its address goes
    /// back to the one before within a minute; one `NodeUpdated` follows when the address has been
    /// the same for a minute. While it lasts, it comes at most once a minute.
    NameConflict {
        /// The name.
        id: NodeId,
        /// About this member's own name: where the other process listens. Else the latest address
        /// of the name.
        addr: NodeAddr,
        /// How often the two outranked each other since the last such event, this time included.
        count: u64,
    },
    /// More than two fifths of the group have been silent or failed for `tolerated_pause`, or fewer live than the quorum:
    /// the network is cut, or it is a disaster. Told once for each such time, and once more where we come to be in the
    /// minority only later.
    PartitionDetected {
        /// Whether fewer live, as far as we know, than the quorum of the group: 50 % by default.
        minority: bool,
        /// How many live and are not suspected, ourselves included.
        live: usize,
        /// How many the group has had at the most, less those that left and those that are forgotten.
        known: usize,
    },
    /// Enough of the group are back: it ends what [`PartitionDetected`](Self::PartitionDetected) began.
    PartitionHealed {
        /// How many live.
        live: usize,
        /// Of how many.
        known: usize,
        /// How long it has lasted.
        #[serde(rename = "lasted_ms", serialize_with = "crate::time::as_millis")]
        lasted: Duration,
    },
    /// A member fails and returns again and again. From now on its coming and going is not told, until it has been the
    /// same for `quiet`: then [`NodeSettled`](Self::NodeSettled) says what it is. The registry is always up to date.
    NodeFlapping {
        /// Who.
        id: NodeId,
        /// How often it has returned lately.
        returns: u32,
        /// For how long it must not change; each further return doubles that, up to a bound.
        #[serde(rename = "quiet_ms", serialize_with = "crate::time::as_millis")]
        quiet: Duration,
    },
    /// A member that was [flapping](Self::NodeFlapping) has been in one state for long enough. Its state is in `node`; from
    /// now on its changes are told again.
    NodeSettled {
        /// What is known of it.
        node: Arc<NodeStatus>,
    },
    /// This subscriber was too slow: the oldest events that it had not read were dropped, exactly here.
    EventsDropped {
        /// How many.
        count: u64,
    },
}

impl ClusterEvent {
    /// The member that it is about; `None` for what is about the group or the subscriber.
    pub fn node(&self) -> Option<&NodeId> {
        match self {
            Self::NodeJoined { node }
            | Self::NodeUpdated { node }
            | Self::NodeSuspected { node, .. }
            | Self::NodeRecovered { node }
            | Self::NodeFailed { node, .. }
            | Self::NodeLeft { node }
            | Self::NodeSettled { node } => Some(&node.id),
            Self::NodeReaped { id }
            | Self::HealthCheckFailed { id, .. }
            | Self::HealthCheckRecovered { id, .. }
            | Self::Broadcast { from: id, .. }
            | Self::NameConflict { id, .. }
            | Self::NodeFlapping { id, .. } => Some(id),
            Self::PartitionDetected { .. } | Self::PartitionHealed { .. } | Self::EventsDropped { .. } => {
                None
            }
        }
    }

    /// The events that a change of the registry means, in order: none, one, or two.
    ///
    /// A tombstone of a member that was never known here is no event: nobody who was a member has gone.
    pub fn of_change(change: &Change, cause: &Cause) -> Vec<Self> {
        let Change::Applied { before, after } = change else { return Vec::new() };
        let node = || Arc::clone(after);
        let cause = || cause.clone();
        let was = before.as_ref().map(|node| node.state);
        let described = before.as_ref().is_some_and(|b| (b.addr, &b.tags) != (after.addr, &after.tags));
        let mut events = Vec::new();
        if after.state.is_member() && !was.is_some_and(NodeState::is_member) {
            events.push(Self::NodeJoined { node: node() });
        } else if after.state.is_member() && described {
            events.push(Self::NodeUpdated { node: node() });
        }
        match (was, after.state) {
            (Some(NodeState::Suspect), NodeState::Alive) => events.push(Self::NodeRecovered { node: node() }),
            (Some(NodeState::Suspect), NodeState::Suspect) => {}
            (_, NodeState::Suspect) => events.push(Self::NodeSuspected { node: node(), cause: cause() }),
            (Some(NodeState::Alive | NodeState::Suspect), NodeState::Failed) => {
                events.push(Self::NodeFailed { node: node(), cause: cause() });
            }
            (Some(NodeState::Alive | NodeState::Suspect), NodeState::Left) => {
                events.push(Self::NodeLeft { node: node() });
            }
            _ => {}
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Reason;
    use crate::{Incarnation, NodeAddr, Tags};

    fn status(incarnation: u64, state: NodeState) -> Arc<NodeStatus> {
        let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
        let id = NodeId::new("a").unwrap();
        Arc::new(NodeStatus::alive(id, addr, Incarnation::new(incarnation), Tags::empty()).with_state(state))
    }

    fn kinds(before: Option<Arc<NodeStatus>>, after: Arc<NodeStatus>) -> Vec<&'static str> {
        let cause = Cause::by(NodeId::new("b").unwrap(), Reason::Reported);
        let name = |event: &ClusterEvent| match event {
            ClusterEvent::NodeJoined { .. } => "joined",
            ClusterEvent::NodeUpdated { .. } => "updated",
            ClusterEvent::NodeSuspected { .. } => "suspected",
            ClusterEvent::NodeRecovered { .. } => "recovered",
            ClusterEvent::NodeFailed { .. } => "failed",
            ClusterEvent::NodeLeft { .. } => "left",
            _ => "other",
        };
        ClusterEvent::of_change(&Change::Applied { before, after }, &cause).iter().map(name).collect()
    }

    #[test]
    fn every_pair_of_states_means_the_events_it_should() {
        use NodeState::{Alive, Failed, Left, Suspect};
        #[rustfmt::skip]
        let table: [(Option<NodeState>, [&[&str]; 4]); 5] = [
            // before            to Alive        to Suspect               to Failed    to Left
            (None,           [&["joined"],    &["joined", "suspected"], &[],         &[]]),
            (Some(Alive),    [&[],            &["suspected"],           &["failed"], &["left"]]),
            (Some(Suspect),  [&["recovered"], &[],                      &["failed"], &["left"]]),
            (Some(Failed),   [&["joined"],    &["joined", "suspected"], &[],         &[]]),
            (Some(Left),     [&["joined"],    &["joined", "suspected"], &[],         &[]]),
        ];
        for (before, row) in table {
            for (after, expected) in NodeState::ALL.into_iter().zip(row) {
                let found = kinds(before.map(|state| status(1, state)), status(2, after));
                assert_eq!(found, expected, "{before:?} to {after}");
            }
        }
    }

    #[test]
    fn every_event_about_a_member_names_it() {
        let id = || NodeId::new("a").unwrap();
        let (node, cause) = (|| status(1, NodeState::Alive), || Cause::by(id(), Reason::Reported));
        let silence = Duration::from_secs(1);
        let about_a = [
            ClusterEvent::NodeJoined { node: node() },
            ClusterEvent::NodeUpdated { node: node() },
            ClusterEvent::NodeSuspected { node: node(), cause: cause() },
            ClusterEvent::NodeRecovered { node: node() },
            ClusterEvent::NodeFailed { node: node(), cause: cause() },
            ClusterEvent::NodeLeft { node: node() },
            ClusterEvent::NodeSettled { node: node() },
            ClusterEvent::NodeReaped { id: id() },
            ClusterEvent::HealthCheckFailed { id: id(), phi: 8.0, threshold: 8.0, silence },
            ClusterEvent::HealthCheckRecovered { id: id(), episode: silence },
            ClusterEvent::Broadcast { from: id(), payload: Bytes::new() },
            ClusterEvent::NameConflict { id: id(), addr: node().addr, count: 1 },
            ClusterEvent::NodeFlapping { id: id(), returns: 3, quiet: silence },
        ];
        for event in about_a {
            assert_eq!(event.node(), Some(&id()), "{event:?}");
        }
        let about_none = [
            ClusterEvent::PartitionDetected { minority: true, live: 1, known: 3 },
            ClusterEvent::PartitionHealed { live: 3, known: 3, lasted: silence },
            ClusterEvent::EventsDropped { count: 1 },
        ];
        for event in about_none {
            assert_eq!(event.node(), None, "{event:?}");
        }
    }

    #[test]
    fn changed_tags_or_address_are_an_update_and_a_refutation_alone_is_none() {
        let before = status(1, NodeState::Alive);
        let mut moved = NodeStatus::clone(&status(2, NodeState::Alive));
        moved.addr = NodeAddr::new(([127, 0, 0, 1], 2).into());
        assert_eq!(kinds(Some(before.clone()), Arc::new(moved)), ["updated"]);
        let mut tagged = NodeStatus::clone(&status(2, NodeState::Alive));
        tagged.tags = Tags::new([("k", "v")]).unwrap();
        assert_eq!(kinds(Some(before.clone()), Arc::new(tagged)), ["updated"]);
        assert_eq!(kinds(Some(before), status(2, NodeState::Alive)), Vec::<&str>::new());
    }
}
