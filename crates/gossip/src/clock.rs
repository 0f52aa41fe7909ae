//! The one place of this layer that reads clocks: tokio's, so that tests can make time pass, and
//! the system's wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kinfolk_core::Instant;

/// A clock that began when it was made. Copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: tokio::time::Instant,
    /// The wall clock at the origin, where it goes by this clock; `None` where it is the system's.
    wall_at_origin: Option<Duration>,
}

impl Clock {
    /// A clock that begins now, on a machine with a wall clock.
    pub fn start() -> Self {
        Self { origin: tokio::time::Instant::now(), wall_at_origin: None }
    }

    /// A clock that begins now, on a simulated machine: its wall clock says that it is
    /// `since_epoch` after the Unix epoch, and goes on from there as tokio's clock does.
    pub fn start_at(since_epoch: Duration) -> Self {
        Self { wall_at_origin: Some(since_epoch), ..Self::start() }
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// What the wall clock says, as the time since the Unix epoch. A clock that stands before the
    /// epoch counts as standing at it.
    pub fn since_epoch(&self) -> Duration {
        match self.wall_at_origin {
            Some(at_origin) => at_origin + self.origin.elapsed(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// The runtime's name for that point of time; the far future, if it lies beyond what the runtime can name.
    pub fn to_tokio(&self, at: Instant) -> tokio::time::Instant {
        const FAR: Duration = Duration::from_hours(24 * 365);
        self.origin.checked_add(at.since_origin()).unwrap_or_else(|| self.origin + FAR)
    }
}
