//! What a call of the handle can end in.

use kinfolk_core::NodeId;
use kinfolk_swim::{CommandError, ConfigError, NoReply};
use thiserror::Error;

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GossipError {
    /// The configuration is out of its range. Nothing was started.
    #[error("the protocol's configuration cannot be used: {0}")]
    Config(#[from] ConfigError),
    /// The protocol has been stopped. Nothing was done.
    #[error("the protocol has stopped: start the member again")]
    Stopped,
    /// The member through which we wanted to join did not go through with it; the next one may.
    #[error("{peer} did not let us join: {why}")]
    Join {
        /// Whom we asked.
        peer: NodeId,
        /// Why.
        why: &'static str,
    },
    /// The protocol refused: a broadcast is too large, or we have left. Nothing has changed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl GossipError {
    pub(crate) fn join(peer: NodeId, why: NoReply) -> Self {
        let why = match why {
            NoReply::Silent => {
                "it did not answer in time; is it running, and does its firewall let UDP through?"
            }
            NoReply::Refused => "it answered, but not as a member of this cluster; see its log",
            NoReply::Local => "a limit of our own was reached, or we have left; try again",
        };
        Self::Join { peer, why }
    }
}
