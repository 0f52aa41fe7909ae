//! What a caller can get wrong. No state has changed when one of these is returned.

use std::time::Duration;

use kinfolk_core::{NodeId, NodeState};
use thiserror::Error;

/// A configuration value out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that must be above zero is zero.
    #[error("{field} is zero: give a value above zero")]
    Zero {
        /// The field's name.
        field: &'static str,
    },
    /// The direct probe would still wait when the next one starts.
    #[error(
        "probe_timeout ({timeout:?}) must be below probe_interval ({interval:?}), to leave time for indirect probes"
    )]
    ProbeTimeout {
        /// The time-out given.
        timeout: Duration,
        /// The interval given.
        interval: Duration,
    },
    /// Too short a pause is tolerated: a member could be condemned after a single probe.
    #[error("tolerated_pause ({pause:?}) must be at least twice probe_interval ({interval:?})")]
    ToleratedPause {
        /// The pause given.
        pause: Duration,
        /// The interval given.
        interval: Duration,
    },
    /// The quorum is no share of the group.
    #[error("quorum_percent is {found}: give 1 to 100")]
    Quorum {
        /// The value given.
        found: u32,
    },
    /// The policy about members that fail and return is out of its range.
    #[error("flaps: {0}")]
    Flaps(kinfolk_detector::ConfigError),
    /// The suspicion rule is out of its range.
    #[error("suspicion: {0}")]
    Suspicion(#[from] kinfolk_detector::ConfigError),
}

/// A command that cannot be carried out. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The payload is larger than one gossip update may be.
    #[error(
        "the broadcast has {len} bytes: {max} is the limit; send a key by broadcast and the value over a stream"
    )]
    TooLarge {
        /// The payload's length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// This member has left.
    #[error("this member has left the cluster: start it again to be heard")]
    Left,
}

/// Why a member is not forgotten. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ForgetError {
    /// No member of that name is known here.
    #[error(
        "cannot forget {node}: nothing is known of that name here; see `members` for the names that are known"
    )]
    Unknown {
        /// The name.
        node: NodeId,
    },
    /// It is still a member.
    #[error(
        "cannot forget {node}: it is a member, and its state is {}; stop it first, or wait until it is declared failed",
        state.as_str()
    )]
    StillMember {
        /// The member.
        node: NodeId,
        /// Its state: alive or suspect.
        state: NodeState,
    },
    /// It is this member itself.
    #[error("cannot forget {node}: it is this member itself; stop it, then forget it at another member")]
    Ourselves {
        /// Our name.
        node: NodeId,
    },
    /// So many names were forgotten just now that one more would push out a word which no other
    /// member has heard yet.
    #[error(
        "cannot forget {node} yet: {waiting} updates wait to be sent to other members; try again in a second"
    )]
    Busy {
        /// The member that was to be forgotten.
        node: NodeId,
        /// How many updates wait.
        waiting: usize,
    },
    /// This member has left.
    #[error(
        "cannot forget {node}: this member has left the cluster, and no other would hear of it; \
         forget {node} at another member"
    )]
    Left {
        /// The member that was to be forgotten.
        node: NodeId,
    },
}
