//! The API's side of a reload: a request to the one task that reads the files, and its answer.

use tokio::sync::{mpsc, oneshot};

use super::problem::{Code, Problem};
use super::views::ReloadedView;

/// How many reloads may wait. One that waits has not read the files yet, so more than a few say
/// nothing new.
const WAITING_MAX: usize = 4;

/// What came of a reload. After an error everything is as before.
pub(crate) type Reloaded = Result<ReloadedView, Problem>;

/// Asks for reloads.
#[derive(Debug, Clone)]
pub(crate) struct Reload(mpsc::Sender<oneshot::Sender<Reloaded>>);

/// The requests for reloads. Each waits for its answer.
pub(crate) type ReloadRequests = mpsc::Receiver<oneshot::Sender<Reloaded>>;

impl Reload {
    /// A way to ask for reloads, and their requests.
    pub(crate) fn new() -> (Self, ReloadRequests) {
        let (requests, received) = mpsc::channel(WAITING_MAX);
        (Self(requests), received)
    }

    /// Asks for a reload, and does not wait for it. A reload that waits already serves as well.
    pub(crate) fn request(&self) {
        let (answer, _) = oneshot::channel();
        let _one_waits = self.0.try_send(answer);
    }

    /// Reads everything again.
    ///
    /// # Errors
    /// Which file cannot be used, and why; or the agent stops, or too many reloads wait.
    ///
    /// # Cancel safety
    /// The reload goes on even if the future is dropped.
    pub(crate) async fn run(&self) -> Reloaded {
        let (answer, answered) = oneshot::channel();
        if let Err(mpsc::error::TrySendError::Full(_)) = self.0.try_send(answer) {
            let detail = format!("{WAITING_MAX} reloads wait already; try again when they have ended");
            return Err(Problem::new(Code::Busy, detail));
        }
        let stops =
            || Problem::new(Code::Unavailable, "the agent stops, and reads no file any more; start it again");
        answered.await.unwrap_or_else(|_| Err(stops()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reloads_beyond_the_bound_are_refused() {
        let (reload, mut requests) = Reload::new();
        let waiting: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                tokio::spawn({
                    let reload = reload.clone();
                    async move { reload.run().await }
                })
            })
            .collect();
        while requests.len() < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        assert_eq!(reload.run().await.unwrap_err().code, Code::Busy);
        reload.request();
        for _ in 0..WAITING_MAX {
            requests.recv().await.unwrap().send(Ok(ReloadedView::default())).unwrap();
        }
        for answered in waiting {
            assert_eq!(answered.await.unwrap(), Ok(ReloadedView::default()));
        }
        drop(requests);
        assert_eq!(reload.run().await.unwrap_err().code, Code::Unavailable);
    }
}
