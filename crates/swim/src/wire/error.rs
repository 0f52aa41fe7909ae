//! The errors of encoding and decoding messages.

use thiserror::Error;

/// A message cannot be encoded, or bytes are not a message of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes do not follow the wire format. The sender has a bug or runs another version.
    ///
    /// What to do: run the same version on all members. If they do, report a bug.
    #[error("the bytes are not a message of this protocol: {0}; check that all members run the same version")]
    Malformed(postcard::Error),
    /// A later version sent a message of a kind that this version does not have.
    ///
    /// What to do: nothing, while an upgrade of the members is under way.
    #[error("the message is of kind {kind}, which this version does not have; a later version sent it")]
    UnknownKind {
        /// The number of the kind.
        kind: u32,
    },
    /// The message breaks a bound or a rule that its types cannot express. A received message was
    /// not used. A message to send is a bug of the caller.
    ///
    /// What to do: run the same version on all members, and check the member that sent the message.
    #[error("the message breaks a rule of the protocol: {0}; check the member that sent it")]
    Rule(&'static str),
    /// This member cannot encode the message.
    ///
    /// What to do: report a bug, with the message and the text of the error.
    #[error("cannot encode the message: {0}; this is a bug, report it")]
    Encode(postcard::Error),
}
