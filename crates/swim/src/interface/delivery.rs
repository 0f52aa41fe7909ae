//! How a message is delivered.

use std::time::Duration;

/// What the driver does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// For how long it is of use: an answer, or a delivery, after this time comes too late.
    pub within: Duration,
    /// What to do where there is no open connection to the member.
    pub dial: Dial,
    /// What its bytes are for.
    pub traffic: Traffic,
}

/// What the bytes of a message are for, as they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// Probes, also indirect ones, and their answers, with all that rides on them.
    Probe,
    /// News that goes by itself.
    Gossip,
    /// Comparisons and exchanges of views.
    Comparison,
    /// Joins.
    Other,
}

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
