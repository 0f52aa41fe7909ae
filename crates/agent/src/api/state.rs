//! What the handlers share: the member, its events, and the counters of the API.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use kinfolk::metrics::Metrics;
use kinfolk::{Cluster, NodeIdentity};
use tokio::sync::{Notify, Semaphore};

use super::events::EventHub;
use super::limits;
use super::reload::Reload;
use super::reports::Reports;
use super::views::ApiView;

/// What the handlers share. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct AppState(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) cluster: Cluster,
    pub(super) identity: NodeIdentity,
    pub(super) events: EventHub,
    /// A place for each client that reads events.
    pub(super) event_clients: Arc<Semaphore>,
    event_clients_max: usize,
    pub(super) counters: Counters,
    /// What `/metrics` shows.
    pub(super) metrics: Metrics,
    /// Notified when a request made the agent leave.
    pub(super) left: Arc<Notify>,
    /// Asks for a reload.
    pub(super) reload: Reload,
    /// Where programs report for services whose checks wait for it.
    pub(super) reports: Reports,
    pub(super) started: Instant,
    joined: AtomicBool,
}

/// The counters behind [`ApiView`]. They are for people, so they need no order among each other.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) event_clients_refused: AtomicU64,
    pub(super) events_lost: AtomicU64,
}

impl AppState {
    pub(crate) fn new(
        cluster: Cluster,
        identity: NodeIdentity,
        left: Arc<Notify>,
        (reload, reports): (Reload, Reports),
    ) -> Self {
        let event_clients_max = limits::event_clients_max();
        Self(Arc::new(Shared {
            events: EventHub::new(),
            event_clients: Arc::new(Semaphore::new(event_clients_max)),
            event_clients_max,
            counters: Counters::default(),
            metrics: Metrics::new(&cluster),
            started: Instant::now(),
            joined: AtomicBool::new(false),
            cluster,
            identity,
            left,
            reload,
            reports,
        }))
    }

    /// The agent has joined its cluster, or needs no other member to begin one.
    pub(crate) fn set_joined(&self) {
        self.0.joined.store(true, Relaxed);
    }

    /// The member.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    /// Takes the events of the member until it has been shut down.
    pub(crate) async fn follow(&self, events: kinfolk::Subscription) {
        self.0.events.follow(events).await;
    }

    /// Why the agent is not ready. `None` if it is.
    pub(super) fn not_ready(&self) -> Option<&'static str> {
        let status = self.0.cluster.partition_status();
        let has_others = || self.0.cluster.members().members().nth(1).is_some();
        if !self.0.joined.load(Relaxed) && !has_others() {
            Some("the agent has not joined its cluster; see its log for the reason")
        } else if self.0.cluster.stats().left {
            Some("the agent has left its cluster; start it with --join to bring it back")
        } else if status.read_only {
            Some("the agent is in a minority of its cluster, which is read only; check the network")
        } else {
            None
        }
    }

    /// The counters of the API.
    pub(super) fn api_view(&self) -> ApiView {
        let Shared { counters, event_clients, event_clients_max, .. } = &*self.0;
        let clients = event_clients_max - event_clients.available_permits();
        ApiView {
            requests: counters.requests.load(Relaxed),
            refused: counters.refused.load(Relaxed),
            timed_out: counters.timed_out.load(Relaxed),
            event_clients: u64::try_from(clients).unwrap_or(u64::MAX),
            event_clients_refused: counters.event_clients_refused.load(Relaxed),
            events_lost: counters.events_lost.load(Relaxed),
        }
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Adds one to a counter.
pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Relaxed);
}
