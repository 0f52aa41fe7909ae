//! The bounds of the driver.

/// How much the driver holds at a time. When a bound is reached, the driver does what the field's
/// doc says, and counts it in [`GossipStats`](crate::GossipStats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GossipConfig {
    /// The number of this member's own messages that may be on their way at a time. Default 1,024;
    /// at least 1.
    ///
    /// At the bound, a further request ends at once as
    /// [`NoReply::Local`](kinfolk_swim::NoReply::Local), which accuses nobody. Any other message is
    /// dropped. Both are counted. The machine's rounds then wait until a quarter of the bound is
    /// free again. Answers to peers do not count here, so that a member under back-pressure still
    /// answers probes.
    pub outbox_max: usize,
    /// The number of peers' requests that may wait for an answer, and the number of answers that
    /// may be on their way at a time. Default 1,024; at least 1. The driver declines and counts a
    /// further request; its sender learns this at once.
    pub answers_max: usize,
    /// The number of calls of the application that may wait. Default 256; at least 1. A further
    /// call waits for room.
    pub commands_max: usize,
}

impl Default for GossipConfig {
    fn default() -> Self {
        Self { outbox_max: 1_024, answers_max: 1_024, commands_max: 256 }
    }
}
