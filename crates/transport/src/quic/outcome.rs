//! Converts QUIC's errors into the errors of this crate.

use s2n_quic::connection;
use s2n_quic::stream;

use super::code::{CloseCode, Reset};
use crate::frame::FrameError;
use crate::peer::Target;
use crate::request::{Ending, RequestError};

/// Why an exchange on an open connection failed. The caller adds the peer's name.
#[derive(Debug)]
pub(super) enum Fault {
    QueueFull { waiting: usize, max: usize },
    TooManyStreams { max: usize },
    Connection(connection::Error),
    Stream(stream::Error),
    Frame(FrameError),
}

impl Fault {
    /// The error of a request to `peer`.
    pub(super) fn with_peer(self, peer: Target) -> RequestError {
        match self {
            Self::QueueFull { waiting, max } => RequestError::QueueFull { peer, waiting, max },
            Self::TooManyStreams { max } => RequestError::TooManyStreams { peer, max },
            Self::Frame(cause) => RequestError::Decode { peer, cause },
            Self::Connection(error) | Self::Stream(stream::Error::ConnectionError { error, .. }) => {
                RequestError::Closed { peer, cause: ending(error) }
            }
            Self::Stream(stream::Error::StreamReset { error, .. }) => match Reset::from_error(error) {
                Reset::NoReply => RequestError::NoReply { peer },
                Reset::Rejected(why) => RequestError::Rejected { peer, why },
            },
            Self::Stream(error) => {
                RequestError::Closed { peer, cause: Ending::Local { reason: error.to_string() } }
            }
        }
    }
}

impl From<connection::Error> for Fault {
    fn from(error: connection::Error) -> Self {
        Self::Connection(error)
    }
}

impl From<stream::Error> for Fault {
    fn from(error: stream::Error) -> Self {
        Self::Stream(error)
    }
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

/// How a connection ended, from QUIC's error.
pub(super) fn ending(error: connection::Error) -> Ending {
    use connection::Error;
    match error {
        Error::StatelessReset { .. } => Ending::Restarted,
        // s2n-quic closes at once when it has repeated a packet so often that its back-off reaches
        // the maximum. The peer was silent all that time.
        Error::IdleTimerExpired { .. } | Error::NoValidPath { .. } | Error::ImmediateClose { .. } => {
            Ending::Silence
        }
        Error::Application { error, initiator, .. } => {
            let code = CloseCode::from_error(error);
            let reason = code.map_or_else(|| format!("code {error:?}"), |code| code.text().to_owned());
            // The reason decides what the end proves about the peer, so only the peer's own close
            // counts as its statement.
            match (initiator.is_remote(), code) {
                (true, Some(CloseCode::Leave)) => Ending::Left,
                (true, Some(CloseCode::Stopped)) => Ending::Stopped,
                (true, Some(CloseCode::Expired)) => Ending::CertificateExpired,
                (false, Some(CloseCode::Expired)) => Ending::PeerCertificateExpired,
                (
                    true,
                    Some(CloseCode::WrongPeer | CloseCode::OwnName | CloseCode::BadName | CloseCode::Revoked),
                ) => Ending::Refused { reason },
                (true, Some(CloseCode::Unused | CloseCode::Superseded | CloseCode::Unresponsive)) => {
                    Ending::Unused { reason }
                }
                (true, _) => Ending::ByPeer { reason },
                (false, _) => Ending::Local { reason },
            }
        }
        Error::Closed { initiator, .. } | Error::Transport { initiator, .. } if initiator.is_remote() => {
            Ending::ByPeer { reason: error.to_string() }
        }
        error => Ending::Local { reason: error.to_string() },
    }
}
