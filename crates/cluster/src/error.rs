//! The errors of starting, joining, and calling a member. Each message says what to do.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use kinfolk_core::{NameError, NodeId, NodeState, OfferError, TagsError};
use kinfolk_detector::ConfigError as HealthConfigError;
use kinfolk_gossip::{GossipError, JoinRefusal};
use kinfolk_swim::ForgetError;
use kinfolk_transport::{IdentityError, RequestError, TransportError};
use thiserror::Error;

use crate::state_dir::StateError;

/// Why a member did not start, or why a call failed. A failed call has changed nothing.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The transport did not start: the port, the identity, or a limit is the cause. Nothing stays
    /// open.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Other members cannot dial the advertised address, because its IP address or its port is
    /// unspecified. Nothing was started.
    ///
    /// What to do: set `advertise` to the address at which other members reach this one.
    #[error(
        "cannot advertise {addr}: other members cannot dial it; give the address at which they reach this \
         member as `advertise`"
    )]
    Advertise {
        /// The address that cannot be dialled.
        addr: kinfolk_core::NodeAddr,
    },
    /// A setting of the health checker is out of its range. Nothing was started.
    ///
    /// What to do: change the setting that the message names to a value in its range.
    #[error("cannot start the health checker: {0}")]
    Health(#[from] HealthConfigError),
    /// The certificate, the key, or an authority cannot be used. Nothing has changed.
    #[error(transparent)]
    Identity(IdentityError),
    /// All certificates that the revocation covers have ended. Nobody needs it any more.
    ///
    /// What to do: nothing. If they should be valid, check the clock.
    #[error("the revocation covers only certificates that ended {until} s after 1970; check the clock")]
    RevocationEnded {
        /// The last second of these certificates, in seconds since the Unix epoch.
        until: u64,
    },
    /// This member keeps 4,096 revocations already.
    ///
    /// What to do: replace the authority. Certificates of the former one need no revocation then.
    #[error("4,096 revocations are kept already; replace the authority instead")]
    RevocationsFull,
    /// The protocol refused: a setting is out of its range, a broadcast is too large, or the
    /// protocol has stopped.
    #[error(transparent)]
    Gossip(#[from] GossipError),
    /// The protocol refused to forget a member: it is alive or suspect, is not known, or is this
    /// member. Nothing has changed.
    #[error(transparent)]
    Forget(ForgetError),
    /// A tag exceeds a bound. Nothing has changed.
    #[error(transparent)]
    Tags(#[from] TagsError),
    /// A service exceeds a bound, or this member does not offer it. Nothing has changed.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// The name of a service is not a DNS label in lower case. Nothing has changed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The state directory cannot be used. Nothing was started.
    #[error(transparent)]
    State(#[from] StateError),
    /// The operating system gave no random number for the seed of the random number generator.
    /// Nothing was started.
    ///
    /// What to do: check why `getrandom` fails on this host, for example because a sandbox denies
    /// it.
    #[error(
        "cannot get a random number from the operating system: {0}; check whether a sandbox denies \
         `getrandom`"
    )]
    Randomness(String),
}

/// Why no stream to a member was opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No member of that name is known. Nothing was sent.
    ///
    /// What to do: check the name. `members` lists the known members.
    #[error("no member is named {node}; `members` lists the known members")]
    Unknown {
        /// The name.
        node: NodeId,
    },
    /// The node has failed or left, as far as this member knows. Nothing was sent.
    ///
    /// What to do: use another member, or wait until this node is alive again.
    #[error(
        "{node} is not a member: its state is {}; use another member, or wait until it is alive again",
        state.as_str()
    )]
    NotMember {
        /// The node.
        node: NodeId,
        /// Its state in the view of this member: `Failed` or `Left`.
        state: NodeState,
    },
    /// The name is that of this member: a program needs no network to reach itself. Nothing was
    /// sent.
    ///
    /// What to do: call the service directly, or open the stream to another member.
    #[error("cannot open a stream to this member itself; call the service directly")]
    Ourselves,
    /// This member has left the group or was shut down. Nothing was sent.
    ///
    /// What to do: start this member again.
    #[error("cannot open a stream: this member has left or was shut down; start it again")]
    Stopped,
    /// The request for the stream failed, or its time limit passed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Why a join through a seed failed. Each variant is one step of the join. The messages continue
/// the name of the seed, as in "host:7946: cannot be resolved".
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The seed has no address.
    ///
    /// What to do: give the seed as host:port, with an IP address or a name that resolves.
    #[error("cannot be resolved ({cause}); give it as host:port, with an address or a name that resolves")]
    Resolve {
        /// The error of the system.
        cause: String,
    },
    /// The name server did not answer in time.
    ///
    /// What to do: check that the name server is up, or give the seed as an IP address.
    #[error("cannot be resolved: no answer within {after:?}; check the name server, or give an IP address")]
    ResolveTimeout {
        /// The time limit.
        after: Duration,
    },
    /// The address of the seed is IPv4 and the listen address of this member is IPv6, or the
    /// reverse. The socket cannot dial it.
    ///
    /// What to do: let all members listen on one address family.
    #[error(
        "cannot dial {seed}: it is of another address family than {listen}, on which this node listens; \
         let all members listen on one family"
    )]
    Family {
        /// The address of the seed.
        seed: SocketAddr,
        /// The address that this member listens on.
        listen: SocketAddr,
    },
    /// The handshake with the seed failed, or the seed is not a member of this cluster.
    #[error(transparent)]
    Identify(#[from] RequestError),
    /// The exchange of views with the seed failed.
    #[error(transparent)]
    Exchange(#[from] GossipError),
}

impl SeedError {
    /// Whether the cause is that two wall clocks differ too much.
    pub(crate) fn is_clock(&self) -> bool {
        matches!(self, Self::Exchange(GossipError::Join { why: JoinRefusal::ClocksDiffer { .. }, .. }))
    }
}

/// A seed through which this member could not join, and the cause.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedFailure {
    /// The seed as it was given.
    pub seed: String,
    /// The cause at the last attempt.
    pub cause: SeedError,
}

/// No seed let this member join. The member continues to run and can try again, unless it was
/// stopped meanwhile.
///
/// What to do: follow the cause of each seed in the message. If `stopped` is set, start the member
/// again.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub struct JoinError {
    /// How many times each seed was tried.
    pub attempts: u32,
    /// Each seed with its last cause, in the order given.
    pub seeds: Vec<SeedFailure>,
    /// Whether the join ended early because this member has left or was shut down.
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
            write!(f, "this member has left or was shut down; start it again to join; ")?;
        }
        write!(f, "no seed let us join in {} {times}", self.attempts)?;
        for (i, seed) in self.seeds.iter().enumerate() {
            write!(f, "{}{seed}", if i == 0 { ": " } else { "; " })?;
        }
        Ok(())
    }
}
