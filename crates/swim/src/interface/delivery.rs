//! How the driver delivers a message.

use std::time::Duration;

/// What the driver does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The deadline. An answer, or a delivery, after this time is too late.
    pub within: Duration,
    /// What to do if there is no open connection to the member.
    pub dial: Dial,
    /// The kind of traffic that the bytes of the message count as.
    pub traffic: Traffic,
    /// Whether the receiver answers at once, so that the time until its answer is a round trip. A
    /// helper first waits for the answer of another member.
    pub prompt: bool,
}

/// The kind of traffic that the bytes of a message count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// Direct and indirect probes and their answers, with all updates that piggyback on them.
    Probe,
    /// Gossip updates in a message of their own.
    Gossip,
    /// Anti-entropy: digests and exchanges of views.
    AntiEntropy,
    /// Joins.
    Other,
}

/// What the driver does with a message whose receiver has no open connection to this member. A
/// handshake costs a hundred times the CPU of a message. Too many handshakes at once make a whole
/// group late (`docs/decisions/0014-too-little-cpu-is-no-storm.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dial {
    /// The driver dials, before all others: failure detection depends on the message.
    First,
    /// The driver dials when no `First` waits. The message can wait.
    Later,
    /// The driver drops the message. Probes carry the same updates.
    Never,
}
