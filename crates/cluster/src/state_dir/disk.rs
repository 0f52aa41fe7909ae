//! Where a write to the state directory runs, while the member continues.

use std::sync::Arc;
#[cfg(feature = "simulation")]
use std::time::Duration;

use tokio::task::JoinHandle;

use super::error::StateError;
use super::store::Store;
use crate::record::Record;

/// The duration of a write on a simulated host. It is above zero, so that a crash can occur before
/// its end, and so that a statement that waits for the disk does wait.
#[cfg(feature = "simulation")]
const SIMULATED_WRITE: Duration = Duration::from_millis(5);

/// Where a write runs while the member continues.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Disk {
    /// In a thread, because a write to a real disk blocks.
    Threaded,
    /// In a task, on tokio's clock. With a thread, a simulation would depend on the scheduler of
    /// the system: at a crash, the thread's write may have started or not.
    #[cfg(feature = "simulation")]
    Simulated,
}

impl Disk {
    /// Starts a write. It continues if the caller drops the handle.
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

    /// Runs other work on the disk. `None` if its thread ended without a result.
    pub(crate) async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self {
            Self::Threaded => tokio::task::spawn_blocking(work).await.ok(),
            #[cfg(feature = "simulation")]
            Self::Simulated => {
                tokio::time::sleep(SIMULATED_WRITE).await;
                Some(work())
            }
        }
    }
}
