//! Whether a message is worth a new connection.

/// What the driver does with a message whose receiver has no open connection to this member. A
/// handshake costs a hundred times the CPU of a message. Too many handshakes at once make a whole
/// group late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dial {
    /// The driver dials, before all others: failure detection depends on the message.
    First,
    /// The driver dials when no `First` waits. The message can wait.
    Later,
    /// The driver drops the message. Probes carry the same news.
    Never,
}
