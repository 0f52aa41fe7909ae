//! The round trip between two members: measured, or estimated by what they state.

use std::time::Duration;

use kinfolk_core::{Coordinate, NodeId, NodeState, NodeStatus};
use thiserror::Error;

use crate::cluster::Cluster;

/// The round trip between two members, and how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoundTrip {
    /// QUIC measured it, on a connection of this member.
    Measured(Duration),
    /// It follows from the coordinates that the two members state.
    Estimated(Duration),
}

impl RoundTrip {
    /// The time.
    pub const fn time(self) -> Duration {
        match self {
            Self::Measured(time) | Self::Estimated(time) => time,
        }
    }
}

/// Why the round trip between two members is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RoundTripError {
    /// No member of that name is known.
    ///
    /// What to do: check the name. `members` lists the known members.
    #[error("no member is named {node}; `members` lists the known members")]
    Unknown {
        /// The name.
        node: NodeId,
    },
    /// The node has failed or left, as far as this member knows. What it stated of itself may be
    /// wrong when it returns.
    ///
    /// What to do: wait until the node is alive again.
    #[error("{node} is not a member: its state is {}; wait until it is alive again", state.as_str())]
    NotMember {
        /// The node.
        node: NodeId,
        /// Its state in the view of this member: `Failed` or `Left`.
        state: NodeState,
    },
    /// Both names are the same.
    ///
    /// What to do: name two members.
    #[error("a round trip has two ends, and both are {node}; name two members")]
    Same {
        /// The name.
        node: NodeId,
    },
    /// This member has no connection to measure, and one of the two members states no coordinate.
    ///
    /// What to do: nothing, if all round trips are below 10 ms: then no member states one. Wait, if
    /// the member has just started. Otherwise see whether its coordinates are off.
    #[error(
        "cannot estimate the round trip, because {node} states no coordinate: either the round trips to its peers are \
         below 10 ms (then estimates would say nothing), or it started less than a minute ago, or its coordinates are \
         off (`coordinates = false`); ask the agent of one of the two members, which may have a connection to measure"
    )]
    NoCoordinate {
        /// The member.
        node: NodeId,
    },
}

impl Cluster {
    /// Where this member lies in the network, as it states it to all others. `None` while it states
    /// nothing: it has not measured enough yet, all members are near each other, or
    /// [`coordinates`](crate::ClusterConfig::coordinates) is off.
    ///
    /// The coordinate of another member is in its status ([`NodeStatus::coordinate`]).
    pub fn coordinate(&self) -> Option<Coordinate> {
        self.inner.registry.get(self.id())?.coordinate()
    }

    /// The round trip between two members, of which this member may be one. Where this member has a
    /// connection to the other one, it is measured. Otherwise it is estimated by the coordinates
    /// that both state. An estimate costs no traffic. It is off by a few per cent where the
    /// distances are regular, and by more where a route takes a detour. A member that states a
    /// false coordinate makes its own estimates wrong, and no others.
    ///
    /// # Errors
    /// [`RoundTripError`]: one of the two is no member, both are the same, or one states no
    /// coordinate.
    ///
    /// # Examples
    /// ```no_run
    /// # use kinfolk::{Cluster, NodeId, RoundTrip, RoundTripError};
    /// # fn show(cluster: &Cluster, a: &NodeId, b: &NodeId) -> Result<(), RoundTripError> {
    /// match cluster.round_trip(a, b)? {
    ///     RoundTrip::Measured(time) => println!("{time:?}"),
    ///     other => println!("about {:?}", other.time()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn round_trip(&self, from: &NodeId, to: &NodeId) -> Result<RoundTrip, RoundTripError> {
        if from == to {
            return Err(RoundTripError::Same { node: from.clone() });
        }
        let ends = [self.known_member(from)?, self.known_member(to)?];
        let measured = match self.id() {
            me if me == from => self.rtt(to),
            me if me == to => self.rtt(from),
            _ => None,
        };
        if let Some(time) = measured {
            return Ok(RoundTrip::Measured(time));
        }
        let [one, other] = ends.each_ref().map(|node| stated(node));
        Ok(RoundTrip::Estimated(one?.round_trip_to(&other?)))
    }

    fn known_member(&self, id: &NodeId) -> Result<std::sync::Arc<NodeStatus>, RoundTripError> {
        match self.inner.registry.get(id) {
            None => Err(RoundTripError::Unknown { node: id.clone() }),
            Some(node) if !node.state.is_member() => {
                Err(RoundTripError::NotMember { node: id.clone(), state: node.state })
            }
            Some(node) => Ok(node),
        }
    }

    /// How far a member is, for a choice of the nearest; `None` if nothing is known.
    pub(crate) fn distance(&self, to: &NodeId) -> Option<Duration> {
        self.round_trip(self.id(), to).ok().map(RoundTrip::time)
    }
}

fn stated(node: &NodeStatus) -> Result<Coordinate, RoundTripError> {
    node.coordinate().ok_or_else(|| RoundTripError::NoCoordinate { node: node.id.clone() })
}
