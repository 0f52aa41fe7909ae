//! How urgently a caller needs a connection.

/// What to do without an open connection to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// Dial before every `Patient` caller. For probes and other traffic that decides who is alive.
    Urgent,
    /// Dial when no `Urgent` dial waits for its permit.
    CanWait,
    /// Do not dial: the message is not worth a handshake.
    OpenOnly,
}
