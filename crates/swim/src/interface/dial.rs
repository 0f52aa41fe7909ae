//! Whether a message is worth a new connection.

/// What the driver does where there is no open connection to whom a message goes to. A handshake costs a hundred times what a
/// message does, so that too many at once make a group late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dial {
    /// It dials, before all others: what is known of who is alive depends on it.
    First,
    /// It dials when nothing is left to dial first. What comes of it later is as good.
    Later,
    /// It drops the message. What it says reaches the member on another way.
    Never,
}
