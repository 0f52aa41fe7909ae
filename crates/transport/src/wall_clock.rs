//! The wall clock by which certificates are valid.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The clock that says whether a certificate is valid now. By default the system's. Tests move it.
/// Cloning is cheap.
#[derive(Clone, Default)]
pub struct WallClock(Option<Arc<dyn Fn() -> Duration + Send + Sync>>);

impl WallClock {
    /// The clock of the system.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that reads the time since the Unix epoch from `read`, for tests.
    pub fn of(read: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(read)))
    }

    /// The time since the Unix epoch. A time before it counts as zero.
    pub fn since_epoch(&self) -> Duration {
        match &self.0 {
            Some(read) => read(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// Whether it is another clock than the system's.
    pub(crate) fn is_moved(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_moved() { "a moved clock" } else { "the clock of the system" })
    }
}
