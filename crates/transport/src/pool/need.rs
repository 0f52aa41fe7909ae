//! How much a caller needs a connection.

/// What to do where there is no open connection to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Dial before every `Patient` caller.
    Urgent,
    /// Dial when no `Urgent` dial waits for its turn.
    Patient,
    /// Do not dial: what is to be sent is not worth a handshake.
    OpenOnly,
}
