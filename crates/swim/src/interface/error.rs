//! The errors of the machine's interface. No state has changed when one of them is returned.

use std::time::Duration;

use kinfolk_core::{NodeId, NodeState};
use thiserror::Error;

/// A configuration value is out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that must be above 0 is 0.
    ///
    /// What to do: set the named field to a value above 0.
    #[error("{field} is 0; it must be above 0")]
    Zero {
        /// The field's name.
        field: &'static str,
    },
    /// A direct probe would still wait for its answer when the next probe starts. Indirect probes
    /// need the rest of the interval.
    ///
    /// What to do: lower `probe_timeout`, or raise `probe_interval`.
    #[error(
        "probe_timeout is {timeout:?}; it must be below probe_interval ({interval:?}), \
         to leave time for indirect probes"
    )]
    ProbeTimeout {
        /// The configured time-out.
        timeout: Duration,
        /// The configured interval.
        interval: Duration,
    },
    /// The tolerated pause is too short: a single missed probe could make a member fail.
    ///
    /// What to do: raise `tolerated_pause`, or lower `probe_interval`.
    #[error(
        "tolerated_pause is {pause:?}; it must be at least twice probe_interval ({interval:?}), \
         so that a single missed probe is no failure"
    )]
    ToleratedPause {
        /// The configured pause.
        pause: Duration,
        /// The configured interval.
        interval: Duration,
    },
    /// The quorum is not a percentage of the group.
    ///
    /// What to do: set `quorum_percent` to a value from 1 to 100.
    #[error("quorum_percent is {found}; it must be from 1 to 100")]
    Quorum {
        /// The configured value.
        found: u32,
    },
    /// The number of required accusers is out of its range.
    ///
    /// What to do: set `accusers_required` to a value from 1 to 4.
    #[error("accusers_required is {found}; it must be from 1 to 4")]
    Accusers {
        /// The configured value.
        found: usize,
    },
    /// A value of the policy for flapping members is out of its range.
    ///
    /// What to do: correct the value that the rest of the message names.
    #[error("flaps: {0}")]
    Flaps(kinfolk_detector::ConfigError),
    /// A value of the suspicion rule is out of its range.
    ///
    /// What to do: correct the value that the rest of the message names.
    #[error("suspicion: {0}")]
    Suspicion(#[from] kinfolk_detector::ConfigError),
}

/// A command cannot be carried out. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The payload of a broadcast is larger than the limit. A broadcast shares its message with
    /// other gossip updates.
    ///
    /// What to do: broadcast a short key, and send the value over a stream to the members that
    /// ask for it.
    #[error(
        "cannot broadcast {len} bytes: the limit is {max}; broadcast a key, and send the value over a stream"
    )]
    TooLarge {
        /// The payload's length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// This member has left the cluster, so it sends nothing any more.
    ///
    /// What to do: start this member again, then repeat the command.
    #[error("cannot run the command: this member has left the cluster; start it again")]
    Left,
}

/// A member cannot be forgotten. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ForgetError {
    /// This member knows no member of that name, and has no tombstone of it.
    ///
    /// What to do: check the name against the output of `members`.
    #[error("cannot forget {node}: no member of that name is known here; see `members` for the known names")]
    Unknown {
        /// The name.
        node: NodeId,
    },
    /// The member is alive or suspect. Only a failed or left member has a tombstone to remove.
    ///
    /// What to do: stop that member, or wait until it is declared failed.
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
    /// The name is that of this member itself.
    ///
    /// What to do: stop this member, then forget it at another member.
    #[error("cannot forget {node}: it is this member itself; stop it, then forget it at another member")]
    ThisMember {
        /// The name of this member.
        node: NodeId,
    },
    /// So many names were forgotten within a short time that a further name would push out a forget
    /// update that no other member has received yet.
    ///
    /// What to do: wait a second, then repeat the command.
    #[error(
        "cannot forget {node} yet: {waiting} updates wait to be sent to other members; try again in a second"
    )]
    Busy {
        /// The member to forget.
        node: NodeId,
        /// The number of waiting updates.
        waiting: usize,
    },
    /// This member has left the cluster, so no other member would receive the forget update.
    ///
    /// What to do: forget the name at another member.
    #[error(
        "cannot forget {node}: this member has left the cluster and cannot tell others; \
         forget {node} at another member"
    )]
    Left {
        /// The member to forget.
        node: NodeId,
    },
}
