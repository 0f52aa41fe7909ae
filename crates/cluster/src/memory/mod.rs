//! What a member remembers of one life for the next, in its state directory: how high its incarnation may have risen, the
//! seeds that it was given, and whom it knew.
//!
//! **The incarnation never goes back**, also when the process is killed or the clock is set back: 1,000 incarnations are
//! written down ahead ([`AHEAD`]), the protocol takes none that is not, and the next life begins above all of them. A
//! statement for which more are needed waits for the disk, at most [`WRITE_LIMIT`]. If the disk fails, the member goes on
//! with a warning: to be declared dead because of a full disk would be worse. Then only what the others remember holds
//! the incarnation up.
//!
//! **When it writes**: at the start; when somebody is waiting for it; after a join; and otherwise at most once in
//! [`SAVE_EVERY`], while something has changed. So a killed process may forget the last five seconds' acquaintances.

mod disk;
mod error;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kinfolk_core::{Incarnation, RegistryView};
use kinfolk_gossip::SwimProtocol;
use kinfolk_transport::NodeIdentity;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub(crate) use disk::Disk;
pub use error::StateError;

use store::Store;

use crate::contacts::SharedContacts;
use crate::record::Record;

/// How far ahead of the incarnation that we have others are written down, as the milliseconds that incarnations are at a
/// start: 1,000. A process that is killed and started again more often than once a second runs ahead of its clock.
const AHEAD: Duration = Duration::from_secs(1);
/// How often what has changed is written at the most.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How long a write is waited for. It goes on then, and no other is begun before it has ended.
const WRITE_LIMIT: Duration = Duration::from_secs(2);

/// An open state directory, and what it says.
#[derive(Debug)]
pub(crate) struct Opened {
    store: Store,
    disk: Disk,
    /// What the former life left, with the ceiling of this one.
    pub record: Record,
    /// The incarnation that this life begins with.
    pub incarnation: Incarnation,
}

impl Opened {
    /// Opens the directory, reads it, and reserves the first incarnations of a life that begins `since_epoch`. Waits for
    /// the disk.
    pub(crate) fn open(
        dir: &Path,
        identity: &NodeIdentity,
        since_epoch: Duration,
        disk: Disk,
    ) -> Result<Self, StateError> {
        let (cluster, node) = (identity.cluster(), identity.id());
        let store = Store::open(dir)?;
        let clock = Incarnation::at_start(since_epoch, None);
        let former = store.read((cluster, node), clock)?;
        let incarnation = Incarnation::at_start(since_epoch, former.as_ref().map(|former| former.ceiling));
        let blank = || Record {
            cluster: cluster.clone(),
            node: node.clone(),
            ceiling: incarnation,
            left: false,
            seeds: Vec::new(),
            members: Vec::new(),
        };
        let record = Record { ceiling: incarnation.later_by(AHEAD), ..former.unwrap_or_else(blank) };
        store.write(&record)?;
        Ok(Self { store, disk, record, incarnation })
    }
}

/// How the memory ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// What has changed is written first.
    Saved,
    AtOnce,
}

/// The running memory.
#[derive(Debug)]
pub(crate) struct Memory {
    store: Arc<Store>,
    kick: Arc<Notify>,
    end: watch::Sender<Option<End>>,
    /// Closed when the memory has ended.
    ended: watch::Receiver<()>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    writes: AtomicU64,
    failures: AtomicU64,
}

impl Memory {
    pub(crate) fn start(
        opened: Opened,
        contacts: SharedContacts,
        registry: RegistryView,
        protocol: SwimProtocol,
        wanted: watch::Receiver<Incarnation>,
    ) -> Self {
        let store = Arc::new(opened.store);
        let (kick, counters) = (Arc::new(Notify::new()), Arc::new(Counters::default()));
        let (end, ending) = watch::channel(None);
        let (running, ended) = watch::channel(());
        let keeper = Keeper {
            store: Arc::clone(&store),
            disk: opened.disk,
            contacts,
            registry,
            protocol,
            written: opened.record,
            under_way: None,
            failing: false,
            counters: Arc::clone(&counters),
        };
        let kicked = Arc::clone(&kick);
        tokio::spawn(async move {
            keeper.keep(wanted, kicked, ending).await;
            drop(running);
        });
        Self { store, kick, end, ended, counters }
    }

    /// Has what changed written soon.
    pub(crate) fn save_soon(&self) {
        self.kick.notify_one();
    }

    /// Ends it without another write, and gives the directory up. Does not wait.
    pub(crate) fn signal_stop(&self) {
        self.end.send_replace(Some(End::AtOnce));
        self.store.close();
    }

    /// Has what changed written, and waits until the directory is given up.
    pub(crate) async fn stop(&self) {
        self.end.send_if_modified(|end| end.is_none().then(|| *end = Some(End::Saved)).is_some());
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// How often it was written, and how often that failed.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.counters.writes.load(Ordering::Relaxed), self.counters.failures.load(Ordering::Relaxed))
    }
}

/// The task that writes.
struct Keeper {
    store: Arc<Store>,
    disk: Disk,
    contacts: SharedContacts,
    registry: RegistryView,
    protocol: SwimProtocol,
    /// What is in the directory.
    written: Record,
    /// The write that was not waited for any longer.
    under_way: Option<JoinHandle<Result<(), StateError>>>,
    failing: bool,
    counters: Arc<Counters>,
}

impl Keeper {
    async fn keep(
        mut self,
        mut wanted: watch::Receiver<Incarnation>,
        kicked: Arc<Notify>,
        mut ending: watch::Receiver<Option<End>>,
    ) {
        let end = loop {
            let at_least = tokio::select! {
                biased;
                end = told(&mut ending) => break end,
                Ok(()) = wanted.changed() => *wanted.borrow_and_update(),
                () = kicked.notified() => Incarnation::ZERO,
                () = sleep(SAVE_EVERY) => Incarnation::ZERO,
            };
            self.save(at_least).await;
        };
        if end == End::Saved {
            self.save(Incarnation::ZERO).await;
        }
        self.store.close();
    }

    /// Writes what has changed, and lets the protocol rise to `at_least`, and further where that is written.
    async fn save(&mut self, at_least: Incarnation) {
        let Some(record) = self.record(at_least) else { return };
        let ceiling = record.ceiling;
        let may_rise = ceiling > self.written.ceiling;
        if record != self.written && self.write(record.clone()).await {
            self.written = record;
        }
        if may_rise {
            // If it has stopped there is nothing more to allow.
            let _ = self.protocol.reserved(ceiling).await;
        }
    }

    /// What should be written; `None` once the registry is emptied.
    fn record(&self, at_least: Incarnation) -> Option<Record> {
        let mut contacts = self.contacts.lock();
        // Taken under the lock: an older view would bring back a member that was forgotten
        // meanwhile.
        let view = self.registry.snapshot();
        let highest = view.get(&self.written.node)?.incarnation.max(at_least);
        contacts.note(&view);
        let written = self.written.ceiling;
        // A ceiling far above was taken by a wall clock that was set right since.
        let enough = highest.later_by(AHEAD / 2) <= written && written.is_plausible(highest);
        let ceiling = if enough { written } else { highest.later_by(AHEAD) };
        Some(contacts.record(&self.written, ceiling))
    }

    /// Whether the record is written.
    async fn write(&mut self, record: Record) -> bool {
        let mut task = match self.under_way.take() {
            Some(before) if !before.is_finished() => {
                self.under_way = Some(before);
                return self.failed("an earlier write has not ended; see whether the disk works");
            }
            _ => self.disk.write(Arc::clone(&self.store), record),
        };
        match timeout(WRITE_LIMIT, &mut task).await {
            Ok(Ok(Ok(()))) => {
                self.counters.writes.fetch_add(1, Ordering::Relaxed);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the state directory can be written again");
                }
                true
            }
            Ok(Ok(Err(error))) => self.failed(&error.to_string()),
            Ok(Err(error)) => self.failed(&error.to_string()),
            Err(_) => {
                self.under_way = Some(task);
                self.failed("a write takes longer than 2 s; see whether the disk works")
            }
        }
    }

    /// Counts it, and warns of the first in a row.
    fn failed(&mut self, why: &str) -> bool {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(
                why,
                "cannot write the state directory: a restart will remember less; trying again every 5 s"
            );
        }
        false
    }
}

/// Waits until it is told how to end.
async fn told(ending: &mut watch::Receiver<Option<End>>) -> End {
    ending.wait_for(Option::is_some).await.ok().and_then(|end| *end).unwrap_or(End::AtOnce)
}
