//! The events that a member sends to its application: changes of the group, as this member sees
//! them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use crate::cause::Cause;
use crate::node::{NodeAddr, NodeId};
use crate::registry::Change;
use crate::state::NodeState;
use crate::status::NodeStatus;

/// An event of the group. Events about one member come in the order in which this process learned
/// of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClusterEvent {
    /// A member is new, or is back after it had failed or left.
    NodeJoined {
        /// What is known of it.
        node: Arc<NodeStatus>,
    },
    /// A member's address, tags, services, or condition changed. A new coordinate alone is no
    /// update.
    NodeUpdated {
        /// What is known of it now.
        node: Arc<NodeStatus>,
    },
    /// A member is suspected. It still belongs to the group; most suspicions end in
    /// [`NodeRecovered`](Self::NodeRecovered).
    NodeSuspected {
        /// What is known of it.
        node: Arc<NodeStatus>,
        /// The accusers and the reason.
        cause: Cause,
    },
    /// A suspected member refuted the suspicion.
    NodeRecovered {
        /// What is known of it.
        node: Arc<NodeStatus>,
    },
    /// A member failed: it was suspected and did not refute in time, or its port was found closed.
    /// Never sent for a mere suspicion.
    NodeFailed {
        /// What is known of it.
        node: Arc<NodeStatus>,
        /// The accusers and the reason.
        cause: Cause,
    },
    /// A member left on purpose.
    NodeLeft {
        /// What is known of it.
        node: Arc<NodeStatus>,
    },
    /// The tombstone of a failed or left member was removed.
    NodeReaped {
        /// The member that the tombstone was about.
        id: NodeId,
    },
    /// A member's silence crossed the phi threshold. Sent once an episode.
    HealthCheckFailed {
        /// The silent member.
        id: NodeId,
        /// The suspicion level at the check.
        phi: f64,
        /// The threshold that was crossed.
        threshold: f64,
        /// For how long this member had heard nothing from it.
        #[serde(rename = "silence_ms", serialize_with = "crate::time::as_millis")]
        silence: Duration,
    },
    /// This member heard again from a member whose health check had failed. This ends the episode.
    HealthCheckRecovered {
        /// The member that was heard from.
        id: NodeId,
        /// How long the episode lasted.
        #[serde(rename = "episode_ms", serialize_with = "crate::time::as_millis")]
        episode: Duration,
    },
    /// A member sent a broadcast to all members.
    Broadcast {
        /// The sender, as the members that forwarded the message state it.
        from: NodeId,
        /// The message.
        payload: Bytes,
    },
    /// Two processes use the same name, and so the same certificate.
    ///
    /// About this member's own name, the other process may also be a former instance. That happens
    /// once, after a restart with a clock that went back.
    ///
    /// About another member's name, this comes instead of [`NodeUpdated`](Self::NodeUpdated) when
    /// the member's address changes back to the previous one within a minute. One `NodeUpdated`
    /// follows when the address has been the same for a minute.
    ///
    /// While the conflict lasts, this event comes at most once a minute.
    NameConflict {
        /// The name.
        id: NodeId,
        /// About this member's own name: where the other process listens. About another name: the
        /// latest address of that name.
        addr: NodeAddr,
        /// How often the two processes outranked each other since the last such event, this time
        /// included.
        count: u64,
    },
    /// For `tolerated_pause`, more than two fifths of the group have been silent or failed, or
    /// fewer members live than the quorum. Either the network is partitioned or many hosts failed.
    ///
    /// Sent once for each partition, and once more if this member's side falls below the quorum
    /// only later.
    PartitionDetected {
        /// Whether fewer members live, as far as this member knows, than the quorum of the group:
        /// 50 % by default.
        minority: bool,
        /// The number of members that live and are not suspected, this member included.
        live: usize,
        /// The highest known size of the group, without the members that left or whose tombstones
        /// were removed.
        known: usize,
    },
    /// Enough members of the group are reachable again. This ends what
    /// [`PartitionDetected`](Self::PartitionDetected) began.
    PartitionHealed {
        /// The number of members that live and are not suspected, this member included.
        live: usize,
        /// The highest known size of the group.
        known: usize,
        /// How long the partition lasted.
        #[serde(rename = "lasted_ms", serialize_with = "crate::time::as_millis")]
        lasted: Duration,
    },
    /// A member fails and returns again and again. From now on its changes of state cause no
    /// events, until its state has not changed for `quiet`. Then [`NodeSettled`](Self::NodeSettled)
    /// reports its state. The registry is always up to date.
    NodeFlapping {
        /// The member.
        id: NodeId,
        /// How often it has returned within the window of the flap policy.
        returns: u32,
        /// For how long its state must not change. Each further return doubles this, up to a bound.
        #[serde(rename = "quiet_ms", serialize_with = "crate::time::as_millis")]
        quiet: Duration,
    },
    /// A member accused others falsely, again and again: they refuted it. It is sick, or it lies.
    /// Its accusations do not count for some minutes.
    MemberDistrusted {
        /// The accuser.
        id: NodeId,
        /// How many of its accusations were refuted, as far as this member knows.
        refuted: u64,
        /// How many of them turned out to be true.
        confirmed: u64,
    },
    /// The state of a [flapping](Self::NodeFlapping) member has not changed for long enough. `node`
    /// holds its state. From now on its changes cause events again.
    NodeSettled {
        /// What is known of it.
        node: Arc<NodeStatus>,
    },
    /// An authority has revoked certificates of a member. All members close their connections to
    /// it, and remove it from their views.
    MemberRevoked {
        /// The member.
        id: NodeId,
    },
    /// The certificate of this member ends soon: in 30, 7, or 1 days. Of a certificate of a short
    /// life, when a third, a tenth, or a thirtieth of it is left.
    CertificateExpires {
        /// The last second of its validity, in seconds since the Unix epoch.
        expires_unix_secs: i64,
        /// The time until its end.
        #[serde(rename = "left_ms", serialize_with = "crate::time::as_millis")]
        left: Duration,
    },
    /// The certificate of this member has expired, and the other members refuse it. Sent once an
    /// hour until it is replaced.
    CertificateExpired {
        /// The last second of its validity, in seconds since the Unix epoch.
        expires_unix_secs: i64,
        /// The time since its end.
        #[serde(rename = "since_ms", serialize_with = "crate::time::as_millis")]
        since: Duration,
    },
    /// This subscriber was too slow. Its oldest unread events were dropped; they were due exactly
    /// at this place.
    EventsDropped {
        /// The number of dropped events.
        count: u64,
    },
}

impl ClusterEvent {
    /// The member that the event is about; `None` if it is about the group or the subscriber.
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
            | Self::NodeFlapping { id, .. }
            | Self::MemberRevoked { id }
            | Self::MemberDistrusted { id, .. } => Some(id),
            Self::PartitionDetected { .. }
            | Self::PartitionHealed { .. }
            | Self::CertificateExpires { .. }
            | Self::CertificateExpired { .. }
            | Self::EventsDropped { .. } => None,
        }
    }

    /// The events that follow from a change of the registry, in order: none, one, or two.
    ///
    /// A tombstone of a member that was unknown here causes no event: for this application no
    /// member failed or left.
    pub fn of_change(change: &Change, cause: &Cause) -> Vec<Self> {
        let Change::Applied { before, after } = change else { return Vec::new() };
        let node = || Arc::clone(after);
        let cause = || cause.clone();
        let was = before.as_ref().map(|node| node.state);
        let described = before.as_ref().is_some_and(|before| !before.is_described_alike(after));
        let mut events = Vec::new();
        // A member may join and be suspected in one change: a page may bring a new member that is
        // already suspect. The application needs `NodeJoined` before it hears of the suspicion.
        if after.state.is_member() && !was.is_some_and(NodeState::is_member) {
            events.push(Self::NodeJoined { node: node() });
        } else if after.state.is_member() && described {
            events.push(Self::NodeUpdated { node: node() });
        }
        match (was, after.state) {
            (Some(NodeState::Suspect), NodeState::Alive) => events.push(Self::NodeRecovered { node: node() }),
            // Only the incarnation or the accusers changed: the application knows of the suspicion.
            (Some(NodeState::Suspect), NodeState::Suspect) => {}
            (_, NodeState::Suspect) => events.push(Self::NodeSuspected { node: node(), cause: cause() }),
            (Some(NodeState::Alive | NodeState::Suspect), NodeState::Failed) => {
                events.push(Self::NodeFailed { node: node(), cause: cause() });
            }
            (Some(NodeState::Alive | NodeState::Suspect), NodeState::Left) => {
                events.push(Self::NodeLeft { node: node() });
            }
            // Failed to Left or back: the member had already ended for the application.
            _ => {}
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Reason;
    use crate::{About, Coordinate, Incarnation, NodeAddr, Tags};

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
    fn every_pair_of_states_causes_the_expected_events() {
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
    fn event_about_a_member_names_it() {
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
            ClusterEvent::MemberDistrusted { id: id(), refuted: 5, confirmed: 0 },
            ClusterEvent::MemberRevoked { id: id() },
        ];
        for event in about_a {
            assert_eq!(event.node(), Some(&id()), "{event:?}");
        }
        let about_none = [
            ClusterEvent::PartitionDetected { minority: true, live: 1, known: 3 },
            ClusterEvent::PartitionHealed { live: 3, known: 3, lasted: silence },
            ClusterEvent::CertificateExpires { expires_unix_secs: 7, left: silence },
            ClusterEvent::CertificateExpired { expires_unix_secs: 7, since: silence },
            ClusterEvent::EventsDropped { count: 1 },
        ];
        for event in about_none {
            assert_eq!(event.node(), None, "{event:?}");
        }
    }

    #[test]
    fn only_changed_tags_or_address_cause_an_update() {
        let before = status(1, NodeState::Alive);
        let mut moved = NodeStatus::clone(&status(2, NodeState::Alive));
        moved.addr = NodeAddr::new(([127, 0, 0, 1], 2).into());
        assert_eq!(kinds(Some(before.clone()), Arc::new(moved)), ["updated"]);
        let NodeStatus { id, addr, incarnation, .. } = NodeStatus::clone(&status(2, NodeState::Alive));
        let tagged = NodeStatus::alive(id, addr, incarnation, Tags::new([("k", "v")]).unwrap());
        assert_eq!(kinds(Some(before.clone()), Arc::new(tagged)), ["updated"]);
        assert_eq!(kinds(Some(before), status(2, NodeState::Alive)), Vec::<&str>::new());
    }

    #[test]
    fn coordinate_alone_causes_no_update() {
        let at = |incarnation, micros: i32, tags: Tags| {
            let NodeStatus { id, addr, incarnation, .. } =
                NodeStatus::clone(&status(incarnation, NodeState::Alive));
            let coordinate = Coordinate::new([micros; 4], 0, 100).unwrap();
            let about = About::from(tags).with_coordinate(Some(coordinate));
            Arc::new(NodeStatus::described(id, addr, incarnation, about))
        };
        let first = || at(2, 7_000, Tags::empty());
        assert_eq!(kinds(Some(status(1, NodeState::Alive)), first()), Vec::<&str>::new());
        assert_eq!(kinds(Some(first()), at(3, 8_000, Tags::empty())), Vec::<&str>::new());
        assert_eq!(kinds(Some(first()), status(3, NodeState::Alive)), Vec::<&str>::new());
        assert_eq!(kinds(Some(first()), at(3, 8_000, Tags::new([("k", "v")]).unwrap())), ["updated"]);
    }
}
