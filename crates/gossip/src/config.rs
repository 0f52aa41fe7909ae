//! The bounds of the driver.

/// How much the driver holds at a time. At each bound something documented happens and is counted in
/// [`GossipStats`](crate::GossipStats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GossipConfig {
    /// How many messages of our own are on their way at a time. Default 1,024; at least 1. One more
    /// that expects an answer ends at once as [`NoReply::Local`](kinfolk_swim::NoReply::Local),
    /// which accuses nobody; any other is dropped. Both are counted. From the last that fits until
    /// a quarter is free again, the machine's own rounds wait. Answers to peers do not count, so
    /// that a congested member still answers probes.
    pub outbox_max: usize,
    /// How many requests of peers wait for our answer at a time, and how many answers are on their
    /// way at a time. Default 1,024; at least 1. One more is declined, which its sender learns at
    /// once, and counted.
    pub answers_max: usize,
    /// How many commands of the application wait. Default 256; at least 1. One more waits for its turn.
    pub commands_max: usize,
}

impl Default for GossipConfig {
    fn default() -> Self {
        Self { outbox_max: 1_024, answers_max: 1_024, commands_max: 256 }
    }
}
