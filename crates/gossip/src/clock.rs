//! The one place of this layer that reads a clock: tokio's, so that tests can make time pass.

use std::time::Duration;

use kinfolk_core::Instant;

/// A clock that began when it was made. Copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: tokio::time::Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// The runtime's name for that point of time; the far future, if it lies beyond what the runtime can name.
    pub fn to_tokio(&self, at: Instant) -> tokio::time::Instant {
        const FAR: Duration = Duration::from_hours(24 * 365);
        self.origin.checked_add(at.since_origin()).unwrap_or_else(|| self.origin + FAR)
    }
}
