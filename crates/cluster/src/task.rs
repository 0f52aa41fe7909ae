//! A background task that can be stopped and waited for. All loops of a member use it.

use std::future::Future;

use tokio::sync::watch;

/// A running task. Dropping this value does not end the task.
#[derive(Debug)]
pub(crate) struct BackgroundTask {
    stop: watch::Sender<bool>,
    /// Carries no value. It closes when the task has ended.
    ended: watch::Receiver<()>,
}

impl BackgroundTask {
    /// Runs `work` until it ends or is stopped. A stop cancels it at its current await.
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let (running, ended) = watch::channel(());
        tokio::spawn(async move {
            // Biased, so that a stop takes effect even if `work` is always ready.
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => {}
                () = work => {}
            }
            drop(running);
        });
        Self { stop, ended }
    }

    /// Stops the task and does not wait for its end.
    pub(crate) fn signal_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops the task and waits for its end.
    pub(crate) async fn stop(&self) {
        self.signal_stop();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}
