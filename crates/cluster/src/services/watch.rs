//! Subscriptions that start with the present state, so that nobody misses a change between asking
//! and subscribing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{ClusterEvent, NodeId, RegistryView, Snapshot, Subscription};
use tokio::time::{Instant, timeout_at};

use super::changes::{Change, Instances, Known, status_of};
use super::instance::ServiceInstance;
use crate::cluster::Cluster;

/// How often a watch compares with the whole view. Events about a flapping member are withheld,
/// and a slow subscriber loses events; a second later the watch is right again.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(1);

/// Events after a snapshot, without those that the snapshot holds already. Made by
/// [`Cluster::subscribe_with_snapshot`].
#[derive(Debug)]
pub struct SnapshotSubscription {
    events: Subscription,
    known: Known,
}

impl SnapshotSubscription {
    /// The next event that the snapshot does not hold; `None` after the member has shut down.
    ///
    /// # Cancel safety
    /// No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<ClusterEvent> {
        loop {
            let event = self.events.next().await?;
            if self.known.is_new(&event) {
                return Some(event);
            }
        }
    }
}

/// A change of the instances of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceEvent {
    /// All instances at the start of the watch, ordered by name. Always the first event, and only
    /// the first.
    Present(Vec<ServiceInstance>),
    /// A member offers the service from now on.
    Added(ServiceInstance),
    /// An instance has another address, weight, meta data, or health.
    Changed(ServiceInstance),
    /// A member does not offer the service any more: it withdrew the service, left, or failed.
    Removed(NodeId),
}

impl From<Change> for ServiceEvent {
    fn from(change: Change) -> Self {
        match change {
            Change::Added(instance) => Self::Added(instance),
            Change::Changed(instance) => Self::Changed(instance),
            Change::Removed(node) => Self::Removed(node),
        }
    }
}

/// The present instances of a service, and then each change. Made by
/// [`Cluster::watch_service`].
#[derive(Debug)]
pub struct ServiceWatch {
    events: SnapshotSubscription,
    registry: RegistryView,
    instances: Instances,
    /// The version of the view that the watch compared itself with.
    reconciled: u64,
    next_reconcile: Instant,
    waiting: VecDeque<ServiceEvent>,
}

impl ServiceWatch {
    /// The next event; `None` after the member has shut down.
    ///
    /// # Cancel safety
    /// No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<ServiceEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            match timeout_at(self.next_reconcile, self.events.next()).await {
                Ok(event) => self.follow(&event?),
                Err(_) => self.reconcile(),
            }
        }
    }

    fn follow(&mut self, event: &ClusterEvent) {
        let change = match event {
            ClusterEvent::NodeReaped { id } => self.instances.remove(id),
            ClusterEvent::EventsDropped { .. } => {
                self.reconcile();
                None
            }
            other => status_of(other).and_then(|node| self.instances.follow(node)),
        };
        self.waiting.extend(change.map(ServiceEvent::from));
    }

    fn reconcile(&mut self) {
        self.next_reconcile = Instant::now() + RECONCILE_INTERVAL;
        let snapshot = self.registry.snapshot();
        if snapshot.version() == self.reconciled {
            return;
        }
        self.reconciled = snapshot.version();
        self.waiting.extend(self.instances.reconcile(&snapshot).into_iter().map(ServiceEvent::from));
        // The events that wait in the subscription are older than this view.
        self.events.known = Known::new(&snapshot);
    }
}

impl Cluster {
    /// The present view, and all events after it: each change is either in the snapshot or told by
    /// exactly one event. A subscriber that falls behind by more than 1,000 events loses its oldest
    /// events and gets an [`EventsDropped`](ClusterEvent::EventsDropped) with their number.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn follow(cluster: &kinfolk::Cluster) {
    /// let (snapshot, mut events) = cluster.subscribe_with_snapshot();
    /// println!("{} members now", snapshot.members().count());
    /// while let Some(event) = events.next().await {
    ///     println!("{event:?}");
    /// }
    /// # }
    /// ```
    pub fn subscribe_with_snapshot(&self) -> (Arc<Snapshot>, SnapshotSubscription) {
        // In this order: an event between the two is in both, and is then left out.
        let events = self.subscribe();
        let snapshot = self.members();
        let known = Known::new(&snapshot);
        (snapshot, SnapshotSubscription { events, known })
    }

    /// The instances of a service now, ordered by name. Members that are suspect are among them,
    /// with critical health.
    pub fn services(&self, service: &str) -> Vec<ServiceInstance> {
        let snapshot = self.members();
        let each = snapshot.members().filter_map(|node| ServiceInstance::of(node, service));
        let mut instances: Vec<ServiceInstance> = each.collect();
        for instance in &mut instances {
            instance.rtt = self.rtt(&instance.node);
        }
        instances
    }

    /// Watches a service: first [`ServiceEvent::Present`], then each change once. Round-trip times
    /// are no changes, and are not set.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn follow(cluster: &kinfolk::Cluster) {
    /// let mut watch = cluster.watch_service("db");
    /// while let Some(event) = watch.next().await {
    ///     println!("{event:?}");
    /// }
    /// # }
    /// ```
    pub fn watch_service(&self, service: &str) -> ServiceWatch {
        let (snapshot, events) = self.subscribe_with_snapshot();
        let instances = Instances::new(service, &snapshot);
        let waiting = VecDeque::from([ServiceEvent::Present(instances.present())]);
        ServiceWatch {
            events,
            registry: self.inner.registry.clone(),
            instances,
            reconciled: snapshot.version(),
            next_reconcile: Instant::now() + RECONCILE_INTERVAL,
            waiting,
        }
    }

    /// The round-trip time of the connection to a member, as QUIC measures it; `None` without a
    /// connection. A member keeps connections to its neighbours and to the members that it calls.
    pub fn rtt(&self, node: &NodeId) -> Option<Duration> {
        self.inner.transport.rtt(node)
    }
}
