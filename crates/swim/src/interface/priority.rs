//! The priority of a gossip update.

/// The priority of a gossip update in the queue. A smaller value goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A member failed, left, or refutes a claim.
    Critical,
    /// A member is suspected, or has new tags.
    High,
    /// A member is new, has a new coordinate, or is forgotten.
    Medium,
    /// A broadcast of an application.
    Low,
}

impl Priority {
    /// All priorities, the most urgent first.
    pub(crate) const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];
}
