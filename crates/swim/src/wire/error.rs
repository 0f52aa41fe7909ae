//! Why bytes are no message, or a message makes no bytes.

use thiserror::Error;

/// A message that cannot be encoded, or bytes that are no message of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes do not follow the wire format. The sender is at fault, or speaks another version.
    #[error("not a message of this protocol: {0}")]
    Malformed(postcard::Error),
    /// Bytes are left over behind the message.
    #[error("{0} bytes are left over behind the message")]
    TrailingBytes(usize),
    /// The message breaks a rule that its types cannot hold.
    #[error("the message breaks a rule of the protocol: {0}")]
    Rule(&'static str),
    /// The message cannot be encoded. We are at fault.
    #[error("the message cannot be encoded: {0}")]
    Encode(postcard::Error),
}
