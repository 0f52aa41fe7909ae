//! The pool's clock. It converts tokio's time into the plain time values of the slots. Plain values
//! keep the slots free of tokio, so that tests and loom can choose the time.

use kinfolk_core::Instant;

/// A clock that starts when the pool is created.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(tokio::time::Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(super) fn now(self) -> Instant {
        Instant::from_origin(self.0.elapsed())
    }

    /// The same moment as a time of tokio's timers.
    pub(super) fn time_of(self, time: Instant) -> tokio::time::Instant {
        self.0 + time.since_origin()
    }
}
