//! A background task that can be stopped and waited for. All loops of a member use it.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
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

    /// Whether the task has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.has_changed().is_err()
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

/// Tasks that end with the member.
#[derive(Debug, Default)]
pub(crate) struct TaskSet {
    /// Without those that have ended, so that it is bounded by the tasks that run.
    running: Mutex<Vec<Arc<BackgroundTask>>>,
}

impl TaskSet {
    /// Stops this task with the member.
    pub(crate) fn add(&self, task: BackgroundTask) {
        self.add_shared(&Arc::new(task));
    }

    /// As [`add`](Self::add), for a task that another part may stop earlier.
    pub(crate) fn add_shared(&self, task: &Arc<BackgroundTask>) {
        let mut running = self.running.lock();
        running.retain(|task| !task.has_ended());
        running.push(Arc::clone(task));
    }

    /// Stops all tasks and does not wait for their end.
    pub(crate) fn signal_stop(&self) {
        self.running.lock().iter().for_each(|task| task.signal_stop());
    }

    /// Stops all tasks and waits for their end.
    pub(crate) async fn stop(&self) {
        let running = std::mem::take(&mut *self.running.lock());
        for task in &running {
            task.signal_stop();
        }
        for task in running {
            task.stop().await;
        }
    }
}
