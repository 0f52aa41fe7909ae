//! A loop in the background that can be told to stop, and waited for: what all loops of a member share.

use std::future::Future;

use tokio::sync::watch;

/// A running loop. Dropping this does not end it.
#[derive(Debug)]
pub(crate) struct Background {
    stop: watch::Sender<bool>,
    /// Closed when the loop has ended.
    ended: watch::Receiver<()>,
}

impl Background {
    /// Runs `work` until it ends or is told to stop, at whatever it awaits then.
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let (running, ended) = watch::channel(());
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => {}
                () = work => {}
            }
            drop(running);
        });
        Self { stop, ended }
    }

    /// Ends the loop and does not wait for it.
    pub(crate) fn signal_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends the loop and waits until it has.
    pub(crate) async fn stop(&self) {
        self.signal_stop();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}
