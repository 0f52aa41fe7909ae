//! The pool's clock: tokio's, as the plain times that the slots deal in.

use kinfolk_core::Instant;

/// Counts from when the pool was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(tokio::time::Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(super) fn now(self) -> Instant {
        Instant::from_origin(self.0.elapsed())
    }

    /// The same moment for tokio's timers.
    pub(super) fn time_of(self, time: Instant) -> tokio::time::Instant {
        self.0 + time.since_origin()
    }
}
