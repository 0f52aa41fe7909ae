//! What goes before what.

/// What goes before what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A member failed or left, or refutes a claim.
    Critical,
    /// A member is suspected, or has new tags.
    High,
    /// A member is new, or is forgotten.
    Medium,
    /// An application's broadcast.
    Low,
}

impl Priority {
    /// All, the most urgent first.
    pub(crate) const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];
}
