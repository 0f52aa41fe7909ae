//! Who carries out a write while the member goes on.

use std::sync::Arc;
#[cfg(feature = "simulation")]
use std::time::Duration;

use tokio::task::JoinHandle;

use super::error::StateError;
use super::record::Record;
use super::store::Store;

/// How long a write takes on a simulated machine. Not nothing: a crash can come before its end, and
/// what waits for the disk has to wait.
#[cfg(feature = "simulation")]
const SIMULATED_WRITE: Duration = Duration::from_millis(5);

/// Who carries out a write while the member goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Disk {
    /// A thread, for the system's disk makes it wait.
    Threaded,
    /// The runtime itself, on tokio's clock. A thread would bring the order of the system's threads
    /// into a simulation: at a crash in the same moment its write has begun, or is refused.
    #[cfg(feature = "simulation")]
    Simulated,
}

impl Disk {
    /// Begins to write. It goes on if nobody waits for it.
    pub(super) fn write(self, store: Arc<Store>, record: Record) -> JoinHandle<Result<(), StateError>> {
        match self {
            Self::Threaded => tokio::task::spawn_blocking(move || store.write(&record)),
            #[cfg(feature = "simulation")]
            Self::Simulated => tokio::spawn(async move {
                tokio::time::sleep(SIMULATED_WRITE).await;
                store.write(&record)
            }),
        }
    }
}
