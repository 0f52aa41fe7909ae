//! How full a bounded queue is.

/// The entries of a bounded queue at one moment, and its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fill {
    /// The number of entries.
    pub used: usize,
    /// The most entries that the queue holds.
    pub max: usize,
}

impl Fill {
    /// A queue for `max` entries that has room for `free` more.
    pub const fn with_room(max: usize, free: usize) -> Self {
        Self { used: max.saturating_sub(free), max }
    }
}
