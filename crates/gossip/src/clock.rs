//! The only file of this crate that reads clocks: tokio's clock and the system's wall clock. Tests
//! can advance tokio's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kinfolk_core::Instant;

/// A clock that counts from its creation. Copies show the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: tokio::time::Instant,
    /// The simulated wall clock at the origin; `None` if the wall clock is the system's.
    wall_at_origin: Option<Duration>,
}

impl Clock {
    /// A clock that starts now, with the system's wall clock.
    pub fn start() -> Self {
        Self { origin: tokio::time::Instant::now(), wall_at_origin: None }
    }

    /// A clock that starts now, on a simulated host. Its wall clock starts at `since_epoch` after
    /// the Unix epoch and advances with tokio's clock. So a simulation depends on no real clock.
    pub fn start_at(since_epoch: Duration) -> Self {
        Self { wall_at_origin: Some(since_epoch), ..Self::start() }
    }

    /// The time since this clock was created.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// The wall clock, as the time since the Unix epoch. A wall clock before the epoch counts as
    /// zero.
    pub fn since_epoch(&self) -> Duration {
        match self.wall_at_origin {
            Some(at_origin) => at_origin + self.origin.elapsed(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// Converts `at` to tokio's type. If tokio cannot represent `at`, returns a time one year after
    /// the origin: an overflow must not panic, and the timer is set again after each step.
    pub fn to_tokio(&self, at: Instant) -> tokio::time::Instant {
        const FAR: Duration = Duration::from_hours(24 * 365);
        self.origin.checked_add(at.since_origin()).unwrap_or_else(|| self.origin + FAR)
    }
}
