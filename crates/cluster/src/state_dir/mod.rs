//! The state directory: what one instance of a member keeps for the next. It holds the highest
//! reserved incarnation, the seeds, and the known members.
//!
//! **The incarnation never goes back**, even if the process is killed or the clock is set back. The
//! member reserves 1,000 incarnations ahead ([`AHEAD`]). The protocol takes no incarnation that is
//! not reserved on disk, and the next instance starts above all reserved ones. A statement that
//! needs a higher incarnation waits for the disk, at most [`WRITE_LIMIT`]. If the disk fails, the
//! member continues with a warning: without a refutation it would be declared failed because of a
//! full disk. Then only the views of the other members keep the incarnation from going back
//! (decision 9).
//!
//! **When it writes**: at the start, when a statement waits for it, after a join, a leave, or a
//! forget, at a shutdown, and otherwise at most once in [`SAVE_EVERY`] if something has changed. So
//! after a kill, the changes of the last 5 s may be missing.

mod disk;
mod error;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kinfolk_core::{Incarnation, RegistryView};
use kinfolk_gossip::{Certificates, SwimProtocol};
use kinfolk_transport::NodeIdentity;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub(crate) use disk::Disk;
pub use error::StateError;

use store::Store;

use crate::contacts::SharedContacts;
use crate::record::Record;

/// How far ahead incarnations are reserved: 1,000. An incarnation starts as a time in milliseconds,
/// so this is 1 s. The incarnation of a process that restarts more often than once a second runs
/// ahead of its clock.
const AHEAD: Duration = Duration::from_secs(1);
/// The interval at which changes are written.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How long the member waits for a write. After this time the write continues, and no other write
/// starts before it has ended.
const WRITE_LIMIT: Duration = Duration::from_secs(2);

/// An open state directory and its record.
#[derive(Debug)]
pub(crate) struct Opened {
    store: Store,
    disk: Disk,
    /// The record of the previous instance, with the ceiling of this one.
    pub record: Record,
    /// The certificates in it.
    pub certificates: Certificates,
    /// The first incarnation of this instance.
    pub incarnation: Incarnation,
}

impl Opened {
    /// Opens the directory, reads the record, and reserves the first incarnations of an instance
    /// that starts at `since_epoch`. Blocks on the disk.
    pub(crate) fn open(
        dir: &Path,
        identity: &NodeIdentity,
        since_epoch: Duration,
        disk: Disk,
    ) -> Result<Self, StateError> {
        let (cluster, node) = (identity.cluster(), identity.id());
        let store = Store::open(dir)?;
        let clock = Incarnation::at_start(since_epoch, None);
        let (previous, certificates) = store.read(identity, clock)?.unzip();
        // Above the ceiling, even if the clock was set back since the previous instance.
        let incarnation =
            Incarnation::at_start(since_epoch, previous.as_ref().map(|previous| previous.ceiling));
        let blank = || Record {
            cluster: cluster.clone(),
            node: node.clone(),
            ceiling: incarnation,
            left: false,
            seeds: Vec::new(),
            members: Vec::new(),
            certificates: Vec::new(),
        };
        let record = Record { ceiling: incarnation.later_by(AHEAD), ..previous.unwrap_or_else(blank) };
        // Before the member starts: the protocol must not take an incarnation that is not on disk.
        store.write(&record)?;
        Ok(Self { store, disk, record, certificates: certificates.unwrap_or_default(), incarnation })
    }
}

/// How the task that writes ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// After it has written the last changes.
    AfterSave,
    AtOnce,
}

/// A state directory in use, with a task that writes to it.
#[derive(Debug)]
pub(crate) struct StateDir {
    store: Arc<Store>,
    save_requested: Arc<Notify>,
    end: watch::Sender<Option<End>>,
    /// Carries no value. It closes when the task has ended.
    ended: watch::Receiver<()>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    writes: AtomicU64,
    failures: AtomicU64,
}

impl StateDir {
    pub(crate) fn start(
        opened: Opened,
        contacts: SharedContacts,
        registry: RegistryView,
        protocol: SwimProtocol,
        wanted: watch::Receiver<Incarnation>,
    ) -> Self {
        let store = Arc::new(opened.store);
        let (save_requested, counters) = (Arc::new(Notify::new()), Arc::new(Counters::default()));
        let (end, ending) = watch::channel(None);
        let (running, ended) = watch::channel(());
        let writer = Writer {
            store: Arc::clone(&store),
            disk: opened.disk,
            contacts,
            registry,
            protocol,
            written: opened.record,
            certificates: opened.certificates,
            under_way: None,
            failing: false,
            counters: Arc::clone(&counters),
        };
        let requests = Arc::clone(&save_requested);
        tokio::spawn(async move {
            writer.run(wanted, requests, ending).await;
            drop(running);
        });
        Self { store, save_requested, end, ended, counters }
    }

    /// Requests a write of the changes. Does not wait.
    pub(crate) fn save_soon(&self) {
        self.save_requested.notify_one();
    }

    /// Ends the task without another write, and releases the directory. Does not wait.
    pub(crate) fn signal_stop(&self) {
        self.end.send_replace(Some(End::AtOnce));
        // Here too, because the task may be waiting for a write.
        self.store.close();
    }

    /// Writes the last changes, and waits until the directory is released.
    pub(crate) async fn stop(&self) {
        // Does not replace an `AtOnce` that is already there.
        self.end.send_if_modified(|end| end.is_none().then(|| *end = Some(End::AfterSave)).is_some());
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// The number of successful and of failed writes.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.counters.writes.load(Ordering::Relaxed), self.counters.failures.load(Ordering::Relaxed))
    }
}

/// The task that writes.
struct Writer {
    store: Arc<Store>,
    disk: Disk,
    contacts: SharedContacts,
    registry: RegistryView,
    protocol: SwimProtocol,
    /// The record in the directory.
    written: Record,
    certificates: Certificates,
    /// A write that took longer than [`WRITE_LIMIT`].
    under_way: Option<JoinHandle<Result<(), StateError>>>,
    /// Whether the last write failed.
    failing: bool,
    counters: Arc<Counters>,
}

impl Writer {
    async fn run(
        mut self,
        mut wanted: watch::Receiver<Incarnation>,
        requests: Arc<Notify>,
        mut ending: watch::Receiver<Option<End>>,
    ) {
        let end = loop {
            let at_least = tokio::select! {
                biased;
                end = end_requested(&mut ending) => break end,
                Ok(()) = wanted.changed() => *wanted.borrow_and_update(),
                () = requests.notified() => Incarnation::ZERO,
                () = sleep(SAVE_EVERY) => Incarnation::ZERO,
            };
            self.save(at_least).await;
        };
        if end == End::AfterSave {
            self.save(Incarnation::ZERO).await;
        }
        self.store.close();
    }

    /// Writes the record if it has changed. Reserves incarnations up to at least `at_least`, and
    /// allows the protocol to take them.
    async fn save(&mut self, at_least: Incarnation) {
        let Some(record) = self.record(at_least) else { return };
        let ceiling = record.ceiling;
        let may_rise = ceiling > self.written.ceiling;
        if record != self.written && self.write(record.clone()).await {
            self.written = record;
        }
        // Also after a failed write: a member that may not refute would be declared failed.
        if may_rise {
            // The protocol may have stopped. Ignore the error.
            let _ = self.protocol.reserved(ceiling).await;
        }
    }

    /// The record to write. `None` after a shutdown has cleared the registry.
    fn record(&self, at_least: Incarnation) -> Option<Record> {
        let mut contacts = self.contacts.lock();
        // The snapshot is taken under the lock. An older view would bring back a member that was
        // forgotten meanwhile.
        let view = self.registry.snapshot();
        let highest = view.get(&self.written.node)?.incarnation.max(at_least);
        contacts.note(&view);
        let written = self.written.ceiling;
        // More is reserved when less than half is left, so that a refutation seldom waits for the
        // disk. A ceiling far above was written while the wall clock was wrong. It is replaced.
        let enough = highest.later_by(AHEAD / 2) <= written && written.is_plausible(highest);
        let ceiling = if enough { written } else { highest.later_by(AHEAD) };
        let der = |fingerprint: &_| Some(self.certificates.get(fingerprint)?.der().clone());
        Some(contacts.record(&self.written, ceiling, der))
    }

    /// Writes the record. Returns whether the write succeeded within [`WRITE_LIMIT`].
    async fn write(&mut self, record: Record) -> bool {
        let mut task = match self.under_way.take() {
            Some(before) if !before.is_finished() => {
                self.under_way = Some(before);
                return self.failed("an earlier write has not ended; check the disk");
            }
            _ => self.disk.write(Arc::clone(&self.store), record),
        };
        match timeout(WRITE_LIMIT, &mut task).await {
            Ok(Ok(Ok(()))) => {
                self.counters.writes.fetch_add(1, Ordering::Relaxed);
                if std::mem::take(&mut self.failing) {
                    // A write succeeded after failed ones. What to do: nothing.
                    tracing::info!("writing the state directory works again");
                }
                true
            }
            Ok(Ok(Err(error))) => self.failed(&error.to_string()),
            Ok(Err(error)) => self.failed(&error.to_string()),
            Err(_) => {
                self.under_way = Some(task);
                self.failed("a write takes longer than 2 s; check the disk")
            }
        }
    }

    /// Counts a failed write. Logs only the first one in a row, so that a full disk does not fill
    /// the log.
    fn failed(&mut self, why: &str) -> bool {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.failing, true) {
            // The kernel refused a write, or the disk is too slow. The member continues, and tries
            // again. After a restart it may know fewer members, or not its last incarnation.
            // What to do: see `why`; free space on the disk, or check the permissions of the
            // directory.
            tracing::warn!(
                why,
                "cannot write the state directory; the next instance may lack the latest changes; \
                 trying again every 5 s"
            );
        }
        false
    }
}

/// Waits until an end is requested. `AtOnce` if the last handle is dropped.
async fn end_requested(ending: &mut watch::Receiver<Option<End>>) -> End {
    ending.wait_for(Option::is_some).await.ok().and_then(|end| *end).unwrap_or(End::AtOnce)
}
