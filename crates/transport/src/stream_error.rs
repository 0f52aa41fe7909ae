//! How an application stream can fail. The bytes that were sent or received before the failure are
//! valid.

use std::io;

use kinfolk_core::NodeId;
use thiserror::Error;

use crate::request::Ending;

/// Why an application stream carries no more bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The connection of the stream ended.
    ///
    /// What to do: open a new stream. See also the [cause](Ending).
    #[error("the connection to {peer} that carried the stream ended: {cause}")]
    Closed {
        /// The peer.
        peer: NodeId,
        /// How the connection ended.
        cause: Ending,
    },
    /// The program on the peer dropped its half of the stream early: the writer before `finish`, or
    /// the reader before the end.
    ///
    /// What to do: look at the log of that program, then open a new stream.
    #[error("the program on {peer} dropped the stream before its end; see its log, then open a new stream")]
    GivenUp {
        /// The peer.
        peer: NodeId,
    },
    /// The caller wrote to a stream after `finish`. Nothing was sent.
    ///
    /// What to do: correct the calling program.
    #[error("the stream to {peer} is finished; no more bytes can be sent on it")]
    Finished {
        /// The peer.
        peer: NodeId,
    },
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match error {
            StreamError::Closed { .. } => io::ErrorKind::ConnectionAborted,
            StreamError::GivenUp { .. } => io::ErrorKind::ConnectionReset,
            StreamError::Finished { .. } => io::ErrorKind::BrokenPipe,
        };
        Self::new(kind, error)
    }
}

/// Why a service cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The service name is not valid.
    ///
    /// What to do: correct the name in the calling program.
    #[error("`{service}` is not a service name; give 1 to 63 of a-z, 0-9, '-', '_', '.' and '/'")]
    Name {
        /// The name.
        service: String,
    },
    /// The transport has stopped, so no stream can arrive.
    ///
    /// What to do: nothing, if this node should stop.
    #[error("cannot accept `{service}`: this node has shut down")]
    Stopped {
        /// The name.
        service: String,
    },
    /// Another listener in this program already accepts the service.
    ///
    /// What to do: drop the other `Listener` first.
    #[error("cannot accept `{service}`: another listener accepts it; drop the other `Listener` first")]
    Taken {
        /// The name.
        service: String,
    },
}
