//! How a request can fail, and what each failure says about the peer. A failure is evidence, never a verdict: whether
//! the peer has failed is decided elsewhere.

use std::time::Duration;

use kinfolk_core::NodeId;
use thiserror::Error;

use crate::frame::FrameError;
use crate::peer::Target;
use crate::pool::{DialError, Need, PoolError};
use crate::traffic::Traffic;

/// How a request or a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// What to do where there is no open connection to the peer.
    pub need: Need,
    /// What its bytes, and those of its answer, are counted for.
    pub traffic: Traffic,
}

impl Default for Manner {
    /// Urgent, and for anything.
    fn default() -> Self {
        Self { need: Need::Urgent, traffic: Traffic::Other }
    }
}

/// Why a request has no answer, or a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// This node's limit on connections is met. Nothing was sent.
    #[error(
        "nothing sent to {peer}: the connection pool is full ({current} of {max}, none idle); raise `max_total` or \
         send less at once"
    )]
    PoolFull {
        /// To whom.
        peer: Target,
        /// The connections that count against the limit.
        current: usize,
        /// The limit.
        max: usize,
    },
    /// There is no open connection, and the message is not worth a dial ([`Need::OpenOnly`]).
    /// Nothing was sent.
    #[error("nothing sent to {peer}: there is no open connection to it, and this is not worth a new one")]
    NotConnected {
        /// To whom.
        peer: Target,
    },
    /// Too many requests to this peer wait for a connection or a stream already. Nothing was sent.
    #[error(
        "nothing sent to {peer}: {waiting} requests to it wait already, the limit is {max}; send fewer at once"
    )]
    QueueFull {
        /// To whom.
        peer: Target,
        /// How many wait.
        waiting: usize,
        /// The limit.
        max: usize,
    },
    /// This node has as many streams to services of the peer as it allows itself. Nothing was sent.
    #[error("no stream to {peer}: {max} to it are open, the limit `app_streams_max`; close some first")]
    TooManyStreams {
        /// To whom.
        peer: Target,
        /// The limit.
        max: usize,
    },
    /// The name cannot name a service. Nothing was sent.
    #[error(
        "no stream to {peer}: `{service}` cannot name a service; give 1 to 63 of a-z, 0-9, '-', '_', '.' and '/'"
    )]
    BadService {
        /// To whom.
        peer: Target,
        /// The name.
        service: String,
    },
    /// There is no connection and none could be made.
    #[error("no connection to {peer}: {cause}")]
    Connect {
        /// To whom.
        peer: Target,
        /// Why.
        cause: DialError,
    },
    /// Another node than the expected one answers at the address.
    #[error("{peer} is {found}: its certificate names that node; correct the address, or the name")]
    WrongPeer {
        /// To whom.
        peer: Target,
        /// The node that was expected.
        expected: NodeId,
        /// The node that answered.
        found: NodeId,
    },
    /// The deadline passed.
    #[error("no answer from {peer} within {deadline:?} ({phase}); it or the network between may be down")]
    Timeout {
        /// To whom.
        peer: Target,
        /// The time that was given.
        deadline: Duration,
        /// What was being waited for.
        phase: Phase,
    },
    /// The connection ended before the answer was there.
    #[error("the connection to {peer} ended before its answer came: {cause}")]
    Closed {
        /// To whom.
        peer: Target,
        /// How it ended.
        cause: Ending,
    },
    /// The message is over this node's limit. Nothing was sent.
    #[error("nothing sent to {peer}: {cause}")]
    TooLarge {
        /// To whom.
        peer: Target,
        /// The size and the limit.
        cause: FrameError,
    },
    /// The peer answered with something that is no frame.
    #[error("the answer of {peer} cannot be read: {cause}")]
    Decode {
        /// From whom.
        peer: Target,
        /// What is wrong with it.
        cause: FrameError,
    },
    /// The peer took the request and gave no answer: it had none.
    #[error("{peer} took the request and has no answer to it")]
    NoReply {
        /// Who.
        peer: Target,
    },
    /// The peer is alive and did not take the message.
    #[error("{peer} did not take the message: {why}")]
    Rejected {
        /// Who.
        peer: Target,
        /// Why.
        why: Rejection,
    },
    /// This node is shutting down.
    #[error("nothing sent to {peer}: this node is shutting down")]
    ShuttingDown {
        /// To whom.
        peer: Target,
    },
}

/// What was being waited for when a deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Phase {
    /// The connection.
    #[error("while connecting")]
    Connecting,
    /// A turn on this node, at a limit of its own: for a dial (`dials_max`) or for a stream
    /// (`streams_max`).
    #[error("while waiting for its turn on this node")]
    Queued,
    /// The answer, or the confirmation that the message has arrived.
    #[error("after sending")]
    Answer,
    /// The same, and the peer's transport has acknowledged packets of ours since: its process runs, and is late.
    #[error("after sending, though its process acknowledges packets")]
    Acknowledged,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Ending {
    /// The peer left the cluster.
    #[error("it left the cluster")]
    Left,
    /// The peer's program ended its transport without leaving the cluster.
    #[error("its program has stopped")]
    Stopped,
    /// The peer's process does not know the connection: it has restarted.
    #[error("it has restarted; send again")]
    Restarted,
    /// Nothing was heard for the idle time-out.
    #[error("nothing was heard of it any more")]
    Silence,
    /// The peer does not accept this node's identity, or is not the node that it was taken for.
    #[error("it refused this node: {reason}")]
    Refused {
        /// Its reason.
        reason: String,
    },
    /// The peer closed it because nothing was in flight on it, as it saw it: the request came just too late and was not
    /// taken up.
    #[error("it closed the idle connection just before the request came ({reason}); send again")]
    Unused {
        /// Its reason.
        reason: String,
    },
    /// The peer closed it for another reason.
    #[error("it closed it ({reason}); send again")]
    ByPeer {
        /// Its reason.
        reason: String,
    },
    /// This node closed it.
    #[error("this node closed it ({reason}); send again")]
    Local {
        /// Our reason.
        reason: String,
    },
}

/// Why a living peer did not take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Its queue of messages is full.
    #[error("its queue is full; send less, or later")]
    Busy,
    /// The message is over its limit.
    #[error("it is larger than the limit there; set `frame_bytes_max` to the same value on every node")]
    TooLarge,
    /// It could not read the message.
    #[error("it cannot read it; both nodes must run compatible versions")]
    Unreadable,
    /// Nobody there accepts the service that a stream was opened to.
    #[error("no program there accepts this service; start it there, or correct the name")]
    UnknownService,
    /// It has as many streams of this node to its services as it allows.
    #[error("it has as many streams of this node as its `app_streams_max` allows; close some first")]
    TooManyStreams,
    /// It gave up waiting for the rest of the message.
    #[error("the message did not arrive there in time")]
    TooSlow,
}

/// What a failure says about the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// The peer's process is alive and answered, if not as wished.
    Answered,
    /// Somebody answered, and one side does not accept the other's identity.
    Refused,
    /// It has not answered, but its process acknowledges what this node sends.
    Late,
    /// Nothing was heard.
    Silent,
    /// The peer said that it leaves or stops.
    Departed,
    /// The peer's process is alive, and another one than that which the connection was made with.
    Restarted,
    /// Nothing about the peer: the reason lies in this node, or in the path near it.
    Local,
}

impl RequestError {
    /// What this failure says about the peer.
    ///
    /// - `Local`, a limit of this node: `PoolFull`, `NotConnected`, `QueueFull`, `TooManyStreams`, `Timeout` with
    ///   `Queued`, `Connect` with `NotBegun`.
    /// - `Local`, a fault of the caller or of this program: `TooLarge`, `BadService`, `Connect`
    ///   with `Other`.
    /// - `Local`, the end of this node, or its own close of the connection: `ShuttingDown`,
    ///   `Connect` with `Stopped`, `Closed` with `Local`.
    /// - `Local`, a path that takes no packet of QUIC: `Connect` with `PathTooSmall`.
    /// - `Late`, no answer, but acknowledgements: `Timeout` with `Acknowledged`.
    /// - `Silent`, no answer: `Timeout` with `Connecting` or `Answer`, `Connect` with `Silent`,
    ///   `Closed` with `Silence`.
    /// - `Silent`, no way to send: `Connect` with `Unreachable`. A node that has lost its network
    ///   must notice that by the silence of all others.
    /// - `Refused`, one side refuses the other's identity or protocol: `WrongPeer`, `Closed` with
    ///   `Refused`, `Connect` with `RefusedByPeer`, `PeerRefused`, `WrongPeer`, `OwnName` or
    ///   `Protocol`.
    /// - `Answered`, the peer lives and gives no answer: `Decode`, `NoReply`, `Rejected`, `Connect`
    ///   with `Busy`, `Closed` with `Unused` or `ByPeer`.
    /// - `Departed`, the peer says that it ends: `Closed` with `Left` or `Stopped`.
    /// - `Restarted`, the peer's process is another one now: `Connect` or `Closed` with
    ///   `Restarted`.
    pub fn evidence(&self) -> Evidence {
        match self {
            Self::PoolFull { .. }
            | Self::NotConnected { .. }
            | Self::QueueFull { .. }
            | Self::TooManyStreams { .. }
            | Self::BadService { .. }
            | Self::TooLarge { .. }
            | Self::ShuttingDown { .. }
            | Self::Timeout { phase: Phase::Queued, .. } => Evidence::Local,
            Self::Timeout { phase: Phase::Acknowledged, .. } => Evidence::Late,
            Self::Timeout { phase: Phase::Connecting | Phase::Answer, .. } => Evidence::Silent,
            Self::WrongPeer { .. } => Evidence::Refused,
            Self::Decode { .. } | Self::NoReply { .. } | Self::Rejected { .. } => Evidence::Answered,
            Self::Connect { cause, .. } => match cause {
                DialError::Silent { .. } | DialError::Unreachable { .. } => Evidence::Silent,
                DialError::Busy => Evidence::Answered,
                DialError::Restarted => Evidence::Restarted,
                DialError::PathTooSmall { .. }
                | DialError::NotBegun { .. }
                | DialError::Stopped
                | DialError::Other { .. } => Evidence::Local,
                DialError::RefusedByPeer { .. }
                | DialError::PeerRefused { .. }
                | DialError::WrongPeer { .. }
                | DialError::OwnName
                | DialError::Protocol { .. } => Evidence::Refused,
            },
            Self::Closed { cause, .. } => match cause {
                Ending::Left | Ending::Stopped => Evidence::Departed,
                Ending::Restarted => Evidence::Restarted,
                Ending::Silence => Evidence::Silent,
                Ending::Refused { .. } => Evidence::Refused,
                Ending::Unused { .. } | Ending::ByPeer { .. } => Evidence::Answered,
                Ending::Local { .. } => Evidence::Local,
            },
        }
    }

    /// The same failure in the pool's words.
    pub(crate) fn of_pool(peer: Target, error: PoolError) -> Self {
        match error {
            PoolError::PoolFull { current, max } => Self::PoolFull { peer, current, max },
            PoolError::NotConnected { .. } => Self::NotConnected { peer },
            PoolError::QueueFull { waiting, max, .. } => Self::QueueFull { peer, waiting, max },
            PoolError::Dial { cause, .. } => Self::of_dial(peer, cause),
            PoolError::Closed => Self::ShuttingDown { peer },
        }
    }

    /// A failed dial.
    pub(crate) fn of_dial(peer: Target, cause: DialError) -> Self {
        match (cause, &peer.id) {
            (DialError::WrongPeer { found }, Some(expected)) => {
                Self::WrongPeer { expected: expected.clone(), found, peer }
            }
            (DialError::Stopped, _) => Self::ShuttingDown { peer },
            (cause, _) => Self::Connect { peer, cause },
        }
    }
}

#[cfg(test)]
mod tests;
