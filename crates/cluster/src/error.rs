//! What starting, joining and calling a member can end in. Each says what to do about it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use kinfolk_core::{NodeId, NodeState};
use kinfolk_detector::ConfigError as HealthConfigError;
use kinfolk_gossip::{GossipError, JoinRefusal};
use kinfolk_swim::ForgetError;
use kinfolk_transport::{RequestError, TransportError};
use thiserror::Error;

use crate::memory::StateError;

/// Why a member did not start, or a call did nothing.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The transport did not start: the port, the identity or a limit is at fault. Nothing is left open.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The address that others would be told cannot be dialled.
    #[error("others cannot dial {addr}: give the address that they reach us at as `advertise`")]
    Advertise {
        /// The address.
        addr: kinfolk_core::NodeAddr,
    },
    /// A setting of the health checker is out of its range. Nothing was started.
    #[error("the health checker's configuration cannot be used: {0}")]
    Health(#[from] HealthConfigError),
    /// The protocol refused: a setting out of its range, a broadcast too large, or it has stopped.
    #[error(transparent)]
    Gossip(#[from] GossipError),
    /// A member is not forgotten: it still belongs to the group, is not known, or is this one.
    /// Nothing has changed.
    #[error(transparent)]
    Forget(ForgetError),
    /// The state directory cannot be used. Nothing was started.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system gave no randomness to begin with. Nothing was started.
    #[error("the operating system gave no random number ({0})")]
    Randomness(String),
}

/// Why there is no stream to a member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No member of that name is known. Nothing was sent.
    #[error("no member is named {node}; `members` lists those who are known")]
    Unknown {
        /// The name.
        node: NodeId,
    },
    /// The member has failed or left, as far as is known here. Nothing was sent.
    #[error("{node} is no member any more: it has {}", state.as_str())]
    Gone {
        /// The member.
        node: NodeId,
        /// What is known of it: `Failed` or `Left`.
        state: NodeState,
    },
    /// The name is our own: a program needs no network to talk to itself. Nothing was sent.
    #[error("the stream would lead to this very member")]
    Ourselves,
    /// This member has left the group or been shut down. Nothing was sent.
    #[error("no stream is opened: this member has left or been shut down")]
    Stopped,
    /// The stream was not opened, or not in time.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why a seed did not let us join: the step at which it failed, and what to do.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SeedError {
    /// It has no address.
    #[error("cannot be resolved ({cause}): give it as host:port, with a name that resolves or an address")]
    Resolve {
        /// What the system says.
        cause: String,
    },
    /// The name server did not answer in time.
    #[error("was not resolved within {after:?}: is the name server up?")]
    ResolveTimeout {
        /// How long was waited.
        after: Duration,
    },
    /// Its address is of the other family than the one that this member listens on, so it cannot be
    /// dialled from there.
    #[error(
        "{seed} is of another address family than {listen}, which this node listens on, and cannot be reached from it; let all members \
         listen on one family"
    )]
    Family {
        /// The address of the seed.
        seed: SocketAddr,
        /// The address that this member listens on.
        listen: SocketAddr,
    },
    /// It did not say who it is, or is nobody of this cluster.
    #[error(transparent)]
    Identify(#[from] RequestError),
    /// It did not exchange views with us.
    #[error(transparent)]
    Exchange(#[from] GossipError),
}

impl SeedError {
    /// Whether two wall clocks differ too much.
    pub(crate) fn is_clock(&self) -> bool {
        matches!(self, Self::Exchange(GossipError::Join { why: JoinRefusal::ClocksDiffer { .. }, .. }))
    }
}

/// One seed that did not let us join, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedFailure {
    /// The seed as it was given.
    pub seed: String,
    /// What happened at the last attempt.
    pub cause: SeedError,
}

/// No seed let us join. The member runs on and can try again, unless it was stopped meanwhile.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub struct JoinError {
    /// How often every seed was tried.
    pub attempts: u32,
    /// Every seed with its last cause, in the order given.
    pub seeds: Vec<SeedFailure>,
    /// Whether no more was tried because this member has left or been shut down.
    pub stopped: bool,
}

impl fmt::Display for SeedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.seed, self.cause)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = if self.attempts == 1 { "attempt" } else { "attempts" };
        if self.stopped {
            write!(f, "this member has left or been shut down: start it again to join; ")?;
        }
        write!(f, "no seed let us join in {} {times}", self.attempts)?;
        for (i, seed) in self.seeds.iter().enumerate() {
            write!(f, "{}{seed}", if i == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}
