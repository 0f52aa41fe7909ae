//! How a stream of an application can end before its time. The bytes that came or went before it are good.

use std::io;

use kinfolk_core::NodeId;
use thiserror::Error;

use crate::request::Ending;

/// Why an application's stream carries no more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The connection that carried the stream has ended.
    #[error("the connection to {peer} that carried the stream has ended: {cause}")]
    Closed {
        /// The peer.
        peer: NodeId,
        /// How it ended.
        cause: Ending,
    },
    /// The program at the other end let go of its half: it dropped the writer before `finish`, or the reader before the
    /// end.
    #[error("the program on {peer} gave the stream up before its end")]
    GivenUp {
        /// The peer.
        peer: NodeId,
    },
    /// The writer was finished already. A fault of the caller; nothing was sent.
    #[error("the stream to {peer} is finished: nothing more can be sent on it")]
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

/// Why a service is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The name cannot name a service.
    #[error("`{service}` cannot name a service: give 1 to 63 of a-z, 0-9, '-', '_', '.' and '/'")]
    Name {
        /// The name.
        service: String,
    },
    /// The transport has stopped: nothing comes in any more.
    #[error("`{service}` is not accepted: this node has shut down")]
    Stopped {
        /// The name.
        service: String,
    },
    /// Somebody in this program accepts the service already.
    #[error("`{service}` is accepted already: drop the other `Listener` first")]
    Taken {
        /// The name.
        service: String,
    },
}
