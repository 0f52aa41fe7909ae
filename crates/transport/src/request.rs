//! The errors of a request, and what each error says about the peer. An error is evidence, never a
//! verdict. The failure detector decides whether the peer has failed.

use std::time::Duration;

use kinfolk_core::NodeId;
use thiserror::Error;

use crate::frame::FrameError;
use crate::peer::Target;
use crate::pool::{DialError, Need, PoolError};
use crate::traffic::Traffic;

/// How the transport sends a request or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestOptions {
    /// What to do without an open connection to the peer.
    pub need: Need,
    /// The traffic class for which this node counts the bytes of the message and of its answer.
    pub traffic: Traffic,
    /// Whether the peer answers at once. Then the time from the request to the answer is a round
    /// trip, which [`take_round_trip`](crate::Transport::take_round_trip) returns.
    pub prompt: bool,
}

impl Default for RequestOptions {
    /// `Urgent`, with the traffic class `Other`; the answer may take its time.
    fn default() -> Self {
        Self { need: Need::Urgent, traffic: Traffic::Other, prompt: false }
    }
}

/// Why a request has no answer, or why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The connection pool is full, and no connection in it is idle. Nothing was sent.
    ///
    /// What to do: raise `max_total`, or send to fewer peers at once.
    #[error(
        "nothing sent to {peer}: the connection pool is full ({current} of {max}, none idle); raise `max_total`, or \
         send to fewer peers at once"
    )]
    PoolFull {
        /// The target.
        peer: Target,
        /// The number of connections that count against the limit.
        current: usize,
        /// The limit.
        max: usize,
    },
    /// No connection is open, and the caller wants no dial ([`Need::OpenOnly`]). Nothing was sent.
    ///
    /// What to do: nothing. To send in any case, use another [`Need`].
    #[error("nothing sent to {peer}: no connection is open, and the caller wants no dial")]
    NotConnected {
        /// The target.
        peer: Target,
    },
    /// Too many requests to this peer already wait for a connection or a stream. Nothing was sent.
    ///
    /// What to do: send fewer requests at once, or raise `queue_max` or the pool's `waiters_max`.
    #[error(
        "nothing sent to {peer}: {waiting} requests to it already wait, and the limit is {max}; send fewer at once"
    )]
    QueueFull {
        /// The target.
        peer: Target,
        /// The number of waiting requests.
        waiting: usize,
        /// The limit.
        max: usize,
    },
    /// This node has its maximum of open streams to services of the peer. Nothing was sent.
    ///
    /// What to do: close streams to this peer, or raise `app_streams_max`.
    #[error(
        "cannot open a stream to {peer}: {max} are open, which is the limit `app_streams_max`; close some first"
    )]
    TooManyStreams {
        /// The target.
        peer: Target,
        /// The limit.
        max: usize,
    },
    /// The service name is not valid. Nothing was sent.
    ///
    /// What to do: correct the name in the program that opens the stream.
    #[error(
        "cannot open a stream to {peer}: `{service}` is not a service name; give 1 to 63 of a-z, 0-9, '-', '_', '.' \
         and '/'"
    )]
    BadService {
        /// The target.
        peer: Target,
        /// The name.
        service: String,
    },
    /// No connection is open, and the dial failed.
    ///
    /// What to do: see the [cause](DialError).
    #[error("no connection to {peer}: {cause}")]
    Connect {
        /// The target.
        peer: Target,
        /// Why the dial failed.
        cause: DialError,
    },
    /// Another node answers at the address.
    ///
    /// What to do: correct the address, or the expected name.
    #[error("{peer} is {found}: its certificate has that name; correct the address, or the expected name")]
    WrongPeer {
        /// The target.
        peer: Target,
        /// The expected node.
        expected: NodeId,
        /// The node that answered.
        found: NodeId,
    },
    /// No answer arrived before the deadline.
    ///
    /// What to do: check that the peer runs and that UDP packets reach it. The phase says how far
    /// the request came.
    #[error("no answer from {peer} within {deadline:?} ({phase}); it or the network between may be down")]
    Timeout {
        /// The target.
        peer: Target,
        /// The time limit of the request.
        deadline: Duration,
        /// What the request waited for.
        phase: Phase,
    },
    /// The connection ended before the answer arrived.
    ///
    /// What to do: see the [cause](Ending). In most cases send again.
    #[error("the connection to {peer} ended before the answer arrived: {cause}")]
    Closed {
        /// The target.
        peer: Target,
        /// How the connection ended.
        cause: Ending,
    },
    /// The message is longer than this node's limit. Nothing was sent.
    ///
    /// What to do: send less, or raise `frame_bytes_max` on every node.
    #[error("nothing sent to {peer}: {cause}")]
    TooLarge {
        /// The target.
        peer: Target,
        /// The size and the limit.
        cause: FrameError,
    },
    /// The answer of the peer is not a valid frame.
    ///
    /// What to do: run compatible versions on both nodes.
    #[error("cannot read the answer of {peer}: {cause}")]
    Decode {
        /// The target.
        peer: Target,
        /// What is wrong with the answer.
        cause: FrameError,
    },
    /// The peer took the request, and its program gave no answer.
    ///
    /// What to do: check that the peer's program answers requests of this kind.
    #[error("{peer} took the request and gave no answer; check that its program answers such requests")]
    NoReply {
        /// The peer.
        peer: Target,
    },
    /// The peer is alive and did not take the message.
    ///
    /// What to do: see the [reason](Rejection).
    #[error("{peer} rejected the message: {why}")]
    Rejected {
        /// The peer.
        peer: Target,
        /// The reason.
        why: Rejection,
    },
    /// This node is shutting down.
    ///
    /// What to do: nothing.
    #[error("nothing sent to {peer}: this node is shutting down")]
    ShuttingDown {
        /// The target.
        peer: Target,
    },
}

/// What a request waited for when its deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Phase {
    /// The request waited for the connection.
    ///
    /// What to do: check the address, and that UDP packets pass.
    #[error("while connecting")]
    Connecting,
    /// The request waited for its turn on this node, at a limit of this node: for a dial
    /// (`dials_max`) or for a stream (`streams_max`).
    ///
    /// What to do: send fewer requests at once, or give this node more CPU.
    #[error("while waiting for its turn on this node")]
    Queued,
    /// The request was sent. It waited for the answer, or for the confirmation that the message
    /// arrived.
    ///
    /// What to do: check that the peer runs and is not overloaded.
    #[error("after sending")]
    Answer,
    /// As `Answer`, but the peer's transport has since acknowledged packets. The peer's process
    /// runs, and is slow.
    ///
    /// What to do: check the load of the peer.
    #[error("after sending, though its process acknowledges packets")]
    Acknowledged,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Ending {
    /// The peer left the cluster.
    ///
    /// What to do: nothing.
    #[error("the peer left the cluster")]
    Left,
    /// The peer's program stopped its transport and did not leave the cluster.
    ///
    /// What to do: start the program again, if it should run.
    #[error("the program of the peer stopped")]
    Stopped,
    /// The peer's process does not know the connection, because it restarted.
    ///
    /// What to do: send again.
    #[error("the peer restarted; send again")]
    Restarted,
    /// No packet arrived for the idle time-out.
    ///
    /// What to do: check that the peer runs and that UDP packets pass.
    #[error("no packet arrived for the idle time-out")]
    Silence,
    /// The peer does not accept this node's identity, or it is not the expected node.
    ///
    /// What to do: compare the certificates and the cluster of both nodes.
    #[error("the peer refused this node: {reason}")]
    Refused {
        /// The peer's reason.
        reason: String,
    },
    /// The certificate that this node had when the connection was made has expired, so the peer
    /// closed the connection. Only a connection with application streams is still open then, if the
    /// certificate was renewed in time.
    ///
    /// What to do: send again, or open a new stream. If that fails too, renew the certificate of
    /// this node.
    #[error(
        "the certificate that this node had when the connection was made has expired; send again, or open a new stream"
    )]
    CertificateExpired,
    /// The certificate that the peer had when the connection was made has expired, so this node
    /// closed the connection. Only a connection with application streams is still open then, if the
    /// peer's certificate was renewed in time.
    ///
    /// What to do: send again, or open a new stream. If that fails too, renew the certificate of
    /// the peer.
    #[error(
        "the certificate that the peer had when the connection was made has expired; send again, or open a new stream"
    )]
    PeerCertificateExpired,
    /// The peer closed the connection because it was idle on the peer's side. The request came just
    /// too late, and the peer did not process it.
    ///
    /// What to do: send again. It is safe: the peer did nothing with the request.
    #[error("the peer closed the idle connection just before the request arrived ({reason}); send again")]
    Unused {
        /// The peer's reason.
        reason: String,
    },
    /// The peer closed the connection for another reason.
    ///
    /// What to do: send again.
    #[error("the peer closed the connection ({reason}); send again")]
    ByPeer {
        /// The peer's reason.
        reason: String,
    },
    /// This node closed the connection.
    ///
    /// What to do: send again.
    #[error("this node closed the connection ({reason}); send again")]
    Local {
        /// This node's reason.
        reason: String,
    },
}

/// Why a peer that is alive did not take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The queue of messages at the peer is full.
    ///
    /// What to do: send less, or send later. If it repeats, check the load of the peer, or raise
    /// its `inbox_max`.
    #[error("its queue is full; send less, or send later")]
    Busy,
    /// The message is longer than the peer's limit.
    ///
    /// What to do: set `frame_bytes_max` to the same value on every node.
    #[error(
        "the message is longer than the limit there; set `frame_bytes_max` to the same value on every node"
    )]
    TooLarge,
    /// The peer cannot read the message.
    ///
    /// What to do: run compatible versions on both nodes.
    #[error("the peer cannot read the message; run compatible versions on both nodes")]
    Unreadable,
    /// No program on the peer accepts the service of the stream.
    ///
    /// What to do: start that program on the peer, or correct the service name.
    #[error("no program there accepts this service; start it there, or correct the name")]
    UnknownService,
    /// The peer has its maximum of open streams from this node to its services.
    ///
    /// What to do: close streams to this peer, or raise `app_streams_max` there.
    #[error("this node has as many streams there as `app_streams_max` of the peer allows; close some first")]
    TooManyStreams,
    /// The rest of the message did not arrive within the peer's `frame_timeout`.
    ///
    /// What to do: check the network between the nodes, and the load of this node.
    #[error("the message did not arrive there in time; check the network between the nodes")]
    TooSlow,
}

/// What a failed request says about the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// The peer's process is alive and answered, but the answer is an error.
    Answered,
    /// A process answered, and one side does not accept the identity of the other.
    Refused,
    /// No answer arrived, but the peer's process acknowledges packets of this node.
    Late,
    /// Nothing arrived from the peer.
    Silent,
    /// The peer announced that it leaves or stops.
    Departed,
    /// The peer's process is alive, and is a newer one than the connection was made with.
    Restarted,
    /// Nothing about the peer. The cause lies in this node, or in the network near it.
    Local,
}

impl RequestError {
    /// What this error says about the peer.
    ///
    /// - `Local`, a limit of this node: `PoolFull`, `NotConnected`, `QueueFull`, `TooManyStreams`,
    ///   `Timeout` with `Queued`, `Connect` with `NotBegun`.
    /// - `Local`, an error of the caller or of this program: `TooLarge`, `BadService`, `Connect`
    ///   with `Other`.
    /// - `Local`, the end of this node, or its own close of the connection: `ShuttingDown`,
    ///   `Connect` with `Stopped`, `Closed` with `Local` or `PeerCertificateExpired`.
    /// - `Local`, a path that is too narrow for QUIC's packets: `Connect` with `PathTooSmall`.
    /// - `Late`, no answer, but acknowledgements: `Timeout` with `Acknowledged`.
    /// - `Silent`, no answer: `Timeout` with `Connecting` or `Answer`, `Connect` with `Silent`,
    ///   `Closed` with `Silence`.
    /// - `Silent`, no way to send: `Connect` with `Unreachable`. It does not count as `Local`,
    ///   because an isolated node must notice its state by the silence of all others.
    /// - `Refused`, one side refuses the other's identity or protocol: `WrongPeer`, `Closed` with
    ///   `Refused` or `CertificateExpired`, `Connect` with `RefusedByPeer`, `PeerRefused`,
    ///   `WrongPeer`, `OwnName` or `Protocol`.
    /// - `Answered`, the peer is alive and gives no usable answer: `Decode`, `NoReply`, `Rejected`,
    ///   `Connect` with `Busy`, `Closed` with `Unused` or `ByPeer`.
    /// - `Departed`, the peer announces its end: `Closed` with `Left` or `Stopped`.
    /// - `Restarted`, the peer runs a newer process: `Connect` or `Closed` with `Restarted`.
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
                Ending::Refused { .. } | Ending::CertificateExpired => Evidence::Refused,
                Ending::Unused { .. } | Ending::ByPeer { .. } => Evidence::Answered,
                Ending::Local { .. } | Ending::PeerCertificateExpired => Evidence::Local,
            },
        }
    }

    /// Converts an error of the pool.
    pub(crate) fn of_pool(peer: Target, error: PoolError) -> Self {
        match error {
            PoolError::PoolFull { current, max } => Self::PoolFull { peer, current, max },
            PoolError::NotConnected { .. } => Self::NotConnected { peer },
            PoolError::QueueFull { waiting, max, .. } => Self::QueueFull { peer, waiting, max },
            PoolError::Dial { cause, .. } => Self::of_dial(peer, cause),
            PoolError::Closed => Self::ShuttingDown { peer },
        }
    }

    /// Converts the error of a dial.
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
