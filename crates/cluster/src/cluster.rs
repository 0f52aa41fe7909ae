//! A running member. One handle starts, uses, and stops all its parts.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{
    About, EventBus, Incarnation, NodeAddr, NodeId, NodeStatus, RegistryCloser, RegistryView, RegistryWriter,
    Rng, Snapshot, Subscription,
};
use kinfolk_detector::{Evidence, HealthChecker, SuspicionStatus};
use kinfolk_gossip::{Clock, GossipError, LeaveReport, OnForgotten, OnRevoked, Parts, Reserve, SwimProtocol};
use kinfolk_transport::{
    Incoming, RevokedCertificates, Transport, TransportConfig, TransportError, WallClock,
};
use parking_lot::Mutex;
use tokio::sync::{Notify, OnceCell, watch};

use crate::certificate::{self, CertificateStats};
use crate::config::{ClusterConfig, JoinPolicy, ShutdownLimits};
use crate::contacts::{Contacts, SharedContacts};
use crate::coordinates;
use crate::description::OwnDescription;
use crate::error::{ClusterError, JoinError};
use crate::health;
use crate::join::{self, JoinReport};
use crate::rejoin::{Rejoin, RejoinLoop};
use crate::revocations::{self, Folder};
use crate::services::Usages;
use crate::shutdown::ShutdownReport;
use crate::state_dir::{Disk, Opened, StateDir};
use crate::stats::ClusterStats;
use crate::task::{BackgroundTask, TaskSet};

/// A member of a cluster. Clones share it.
///
/// If the last clone is dropped without a [`shutdown`](Self::shutdown), the member stops at once,
/// as with [`shutdown_now`](Self::shutdown_now). Other members then see a crash.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub transport: Transport,
    pub protocol: SwimProtocol,
    pub registry: RegistryView,
    pub registry_end: RegistryCloser,
    pub events: EventBus,
    pub health: HealthChecker,
    pub health_loop: BackgroundTask,
    pub clock: Clock,
    pub stream_timeout: Duration,
    pub read_only_in_minority: bool,
    pub join: JoinPolicy,
    pub limits: ShutdownLimits,
    pub rejoin_after_stop: bool,
    pub rng: Mutex<Rng>,
    pub contacts: SharedContacts,
    pub state_dir: Option<StateDir>,
    pub rejoin: Option<Rejoin>,
    pub description: OwnDescription,
    pub usages: Usages,
    /// Written by the task that measures, if it runs.
    pub coordinates: coordinates::SharedStats,
    /// Checks, planned absences, coordinates, and the watch over the certificate.
    pub tasks: TaskSet,
    /// The clock by which certificates are valid.
    pub certificate_clock: WallClock,
    pub shutdown: OnceCell<ShutdownReport>,
}

/// A member that may have been dropped.
#[derive(Debug, Clone)]
pub(crate) struct WeakCluster {
    inner: Weak<Inner>,
}

impl WeakCluster {
    /// The member, if an application still holds it.
    pub(crate) fn upgrade(&self) -> Option<Cluster> {
        self.inner.upgrade().map(|inner| Cluster { inner })
    }
}

impl Cluster {
    /// Starts a member. It is alone until it [joins](Self::join) a member, or a member joins
    /// through it. Must be called inside a tokio runtime with its I/O and time drivers.
    ///
    /// # Errors
    /// [`ClusterError`]: the port is in use, the TLS library refuses the identity, other members
    /// cannot dial the advertised address, the state directory cannot be used, or a setting is out
    /// of its range. Nothing stays open.
    pub fn start(config: ClusterConfig) -> Result<Self, ClusterError> {
        let seed = getrandom::u64().map_err(|error| ClusterError::Randomness(error.to_string()))?;
        Self::start_with(config, seed, (Clock::start(), Disk::Threaded), Transport::bind)
    }

    /// Does the same as [`start`](Self::start) on a host of a simulated network, whose wall clock
    /// is `since_epoch` after the Unix epoch. All randomness comes from the host's seed. Writes to
    /// the state directory take time on tokio's clock and use no thread, so that a seed replays the
    /// same history.
    ///
    /// # Errors
    /// The same as for [`start`](Self::start).
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    pub fn start_on(
        config: ClusterConfig,
        host: kinfolk_transport::simulation::Host,
        since_epoch: Duration,
    ) -> Result<Self, ClusterError> {
        let seed = host.seed;
        Self::start_with(config, seed, (Clock::start_at(since_epoch), Disk::Simulated), |config| {
            Transport::bind_on(config, host)
        })
    }

    fn start_with(
        config: ClusterConfig,
        seed: u64,
        (clock, disk): (Clock, Disk),
        bind: impl FnOnce(TransportConfig) -> Result<(Transport, Incoming), TransportError>,
    ) -> Result<Self, ClusterError> {
        let mut rng = Rng::from_seed(seed);
        let revoked = RevokedCertificates::default();
        let (transport, incoming) = bind(transport_config(&config, revoked.clone()))?;
        let addr = dialable_addr(&transport).inspect_err(|_| transport.abort())?;
        let (writer, events) = (RegistryWriter::new(), EventBus::new());
        let (registry, registry_end) = (writer.view(), writer.closer());
        let since_epoch = clock.since_epoch();
        let open = |dir| Opened::open(dir, &config.identity, since_epoch, disk);
        let opened = config.state_dir.as_deref().map(open).transpose().inspect_err(|_| transport.abort())?;
        let in_state_dir = |dir: &PathBuf| Folder::in_state_dir(dir, config.identity.cluster(), disk);
        let folder = config.state_dir.as_ref().map(in_state_dir);
        if let Some(folder) = &folder {
            let kept = folder.load(&config.identity.authorities(), &config.certificate_clock);
            revocations::set_of(kept, &config.certificate_clock, &revoked);
        }
        let revocation_came = Arc::new(Notify::new());
        let at_clock = || Incarnation::at_start(since_epoch, None);
        let incarnation = opened.as_ref().map_or_else(at_clock, |opened| opened.incarnation);
        let about = About { tags: config.tags, services: config.services, ..About::default() };
        let me = NodeStatus::described(config.identity.id().clone(), addr, incarnation, about.clone());
        let health = HealthChecker::new(
            config.swim.adapt(config.health),
            me.id.clone(),
            registry.clone(),
            clock.now(),
        )?;
        let previous = opened.as_ref().map(|opened| &opened.record);
        let contacts = Contacts::new(me.id.clone(), previous);
        let dormant = contacts.has_left();
        let contacts = SharedContacts::new(Mutex::new(contacts));
        let (wanted, wants) = watch::channel(incarnation);
        let reserve = previous.map(|previous| Reserve { up_to: previous.ceiling, wanted });
        let certificates = opened.as_ref().map(|opened| opened.certificates.clone()).unwrap_or_default();
        let parts = Parts {
            identity: config.identity.clone(),
            certificates,
            certificate_clock: config.certificate_clock.clone(),
            revoked,
            on_revoked: folder.is_some().then(|| notify_of_revocation(Arc::clone(&revocation_came))),
            registry: writer,
            events: events.clone(),
            health: health.clone(),
            clock,
            reserve,
            dormant,
            forgotten: Some(remove_forgotten(contacts.clone())),
        };
        let carried = (transport.clone(), incoming);
        let heal_interval = config.swim.heal_interval;
        let protocol = SwimProtocol::start((config.swim, config.gossip), me, rng.next_u64(), carried, parts)?;
        let state_dir = opened.map(|opened| {
            StateDir::start(opened, contacts.clone(), registry.clone(), protocol.clone(), wants)
        });
        let rejoin = heal_interval.map(|interval| {
            Rejoin::start(RejoinLoop {
                transport: transport.clone(),
                protocol: protocol.clone(),
                registry: registry.clone(),
                contacts: contacts.clone(),
                policy: config.join,
                interval,
                rng: rng.fork(),
                clock_warned_at: None,
            })
        });
        let every = config.health.check_interval;
        let health_loop = health::start(health.clone(), every, clock, protocol.clone(), events.clone());
        let tasks = TaskSet::default();
        let certificate_clock = config.certificate_clock;
        tasks.add(certificate::watch(transport.clone(), certificate_clock.clone(), events.clone()));
        if let Some(folder) = folder {
            let (transport, protocol) = (transport.clone(), protocol.clone());
            tasks.add(revocations::watch(folder, transport, protocol, revocation_came));
        }
        let inner = Inner {
            transport,
            protocol,
            registry,
            registry_end,
            events,
            health,
            health_loop,
            clock,
            stream_timeout: config.stream_timeout,
            read_only_in_minority: config.read_only_in_minority,
            join: config.join,
            limits: config.shutdown,
            rejoin_after_stop: config.rejoin_after_stop,
            rng: Mutex::new(rng),
            contacts,
            state_dir,
            rejoin,
            description: OwnDescription::new(about),
            usages: Usages::default(),
            coordinates: coordinates::SharedStats::default(),
            tasks,
            certificate_clock,
            shutdown: OnceCell::new(),
        };
        Ok(Self { inner: Arc::new(inner) }.measuring(config.coordinates))
    }

    /// The same member, which measures its coordinate if it `measures`.
    fn measuring(self, measures: bool) -> Self {
        if measures {
            let seeds = [(); 3].map(|()| self.inner.rng.lock().next_u64());
            self.inner.tasks.add(coordinates::start(self.weak(), seeds));
        }
        self
    }

    /// This member, for a task that must not keep it alive.
    pub(crate) fn weak(&self) -> WeakCluster {
        WeakCluster { inner: Arc::downgrade(&self.inner) }
    }

    /// The name of this member.
    pub fn id(&self) -> &NodeId {
        self.inner.protocol.id()
    }

    /// The address at which other members reach this one.
    pub fn addr(&self) -> NodeAddr {
        self.inner.transport.advertised_addr()
    }

    /// Joins the group through any of the `seeds`, given as `host:port`. Names are resolved again
    /// at each attempt. Each attempt tries all seeds; one success is enough. A seed that is this
    /// member itself is skipped, so that all members can have the same list. Without another seed,
    /// the join succeeds at once.
    ///
    /// # Errors
    /// [`JoinError`] names each seed with its last cause, after all attempts of the [`JoinPolicy`]
    /// have failed. The member continues to run: other members can join through it, and it can try
    /// again.
    ///
    /// # Cancel safety
    /// No attempt starts after the future is dropped. An attempt that is under way may still
    /// succeed.
    pub async fn join(&self, seeds: &[impl AsRef<str>]) -> Result<JoinReport, JoinError> {
        let seeds: Vec<String> = seeds.iter().map(|seed| seed.as_ref().to_owned()).collect();
        let save_soon = || self.inner.state_dir.iter().for_each(StateDir::save_soon);
        // A seed cancels an earlier leave, so a dormant member accepts messages again.
        if !seeds.is_empty() {
            self.inner.contacts.lock().add_seeds(&seeds);
            self.inner.protocol.wake();
        }
        save_soon();
        // While the guard exists, the rejoin loop does not dial the same seeds.
        let under_way = Contacts::join_begins(&self.inner.contacts);
        let joined = join::join(&self.inner, &seeds).await;
        drop(under_way);
        save_soon();
        joined
    }

    /// Replaces the seeds of all joins so far, given as `host:port`. This member contacts them
    /// after a partition, and its next instance does at its start. At most 64 are kept, the last
    /// ones. It does not join: call [`join`](Self::join) for that. A join that is under way goes on
    /// with its own seeds.
    ///
    /// # Examples
    /// ```no_run
    /// # fn moved(cluster: &kinfolk::Cluster) {
    /// cluster.set_seeds(&["10.0.0.2:7946", "10.0.0.3:7946"]);
    /// # }
    /// ```
    pub fn set_seeds(&self, seeds: &[impl AsRef<str>]) {
        let seeds: Vec<String> = seeds.iter().map(|seed| seed.as_ref().to_owned()).collect();
        self.inner.contacts.lock().replace_seeds(&seeds);
        self.inner.state_dir.iter().for_each(StateDir::save_soon);
    }

    /// The present view of the group: each known node, tombstones included. While the view does not
    /// change, a call only clones an `Arc`.
    pub fn members(&self) -> Arc<Snapshot> {
        self.inner.registry.snapshot()
    }

    /// The members whose tag `key` has this `value`, ordered by name.
    pub fn nodes_with_tag(&self, key: &str, value: &str) -> Vec<Arc<NodeStatus>> {
        self.inner.registry.with_tag(key, value)
    }

    /// Subscribes to all events from now on. A subscription holds at most 1,000 unread events.
    /// Beyond that the oldest events are dropped, and the subscriber receives their number.
    pub fn subscribe(&self) -> Subscription {
        self.inner.events.subscribe()
    }

    /// Sends up to 1,024 bytes to each other member, which receives them once as a
    /// [`ClusterEvent::Broadcast`](kinfolk_core::ClusterEvent::Broadcast). Broadcasts arrive in any
    /// order. Members that join later do not receive them.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if the payload is too large, or the member has left or was shut
    /// down.
    ///
    /// # Cancel safety
    /// The broadcast may be sent even if the future is dropped.
    pub async fn broadcast(&self, payload: impl Into<Bytes>) -> Result<(), ClusterError> {
        Ok(self.inner.protocol.broadcast(payload.into()).await?)
    }

    /// Removes a failed or left member from the views of all members, here at once and at the
    /// others by gossip. No member contacts its old address again, unless the address is a seed, or
    /// a member that never knew the forgotten one hears that it is alive: it then asks it. Returns
    /// the last known status of the member.
    ///
    /// Without this call a tombstone ends after
    /// [`SwimConfig::tombstone_ttl`](kinfolk_swim::SwimConfig::tombstone_ttl). Each member
    /// publishes [`ClusterEvent::NodeReaped`](kinfolk_core::ClusterEvent::NodeReaped) to its
    /// application, as for any tombstone. A member in whose view the forgotten member is alive or
    /// suspect keeps it. If the forgotten member is alive after all, or starts again, it joins as
    /// usual. Each member remembers up to 16,384 forgotten names, each for the lifetime of a
    /// tombstone. So a member that missed the update does not bring a tombstone back.
    ///
    /// # Errors
    /// [`ClusterError::Forget`] if the member is alive or suspect, is not known, or is this member,
    /// if this member has left, or if too many updates wait to be sent. [`ClusterError::Gossip`] if
    /// this member was shut down. In each case nothing has changed.
    ///
    /// # Cancel safety
    /// The member may be forgotten even if the future is dropped.
    ///
    /// # Examples
    /// ```no_run
    /// # use kinfolk::{Cluster, ClusterError};
    /// # async fn forget_old_names(cluster: &Cluster) -> Result<(), ClusterError> {
    /// let members = cluster.members();
    /// for node in members.nodes().iter().filter(|node| !node.state.is_member()) {
    ///     cluster.forget(&node.id).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn forget(&self, node: &NodeId) -> Result<Arc<NodeStatus>, ClusterError> {
        // The contacts keep an address longer than the registry keeps the tombstone. So a member
        // can be forgotten whose tombstone has ended.
        let remembered = self.inner.contacts.lock().status_of(node);
        let forgotten = self.inner.protocol.forget(node.clone(), remembered).await;
        self.inner.state_dir.iter().for_each(StateDir::save_soon);
        forgotten.map_err(|error| match error {
            GossipError::Forget(why) => ClusterError::Forget(why),
            other => ClusterError::Gossip(other),
        })
    }

    /// The phi value of `id`, from its silence: 0 right after a heartbeat, and growing without
    /// bound. `None` if this member does not watch `id`. By default a member watches about four
    /// others (see [`Mode`](kinfolk_swim::Mode)).
    pub fn phi(&self, id: &NodeId) -> Option<f64> {
        self.inner.health.phi(id, self.inner.clock.now())
    }

    /// Why `id` was suspected, cleared, or declared failed: the latest findings of this member
    /// about it with their evidence. Oldest first, at most 8. Empty if there is no finding about
    /// `id`.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] after this member has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn explain(&self, id: &NodeId) -> Result<Vec<Evidence>, ClusterError> {
        Ok(self.inner.protocol.explain(id.clone()).await?)
    }

    /// How long ago this member found what [`explain`](Self::explain) returned.
    pub fn age_of(&self, evidence: &Evidence) -> Duration {
        self.inner.clock.now().since(evidence.at)
    }

    /// The members that do not answer the probes of this one, or that are suspect in its view,
    /// ordered by name. Failed members are not included. Each entry says why this member delays its
    /// verdict, if it does.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] after this member has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    pub async fn suspicions(&self) -> Result<Vec<SuspicionStatus>, ClusterError> {
        Ok(self.inner.protocol.suspicions().await?)
    }

    /// The time since the last message from `id` itself. `None` if this member does not watch `id`.
    pub fn silence(&self, id: &NodeId) -> Option<Duration> {
        self.inner.health.silence(id, self.inner.clock.now())
    }

    /// The counters of all layers.
    pub fn stats(&self) -> ClusterStats {
        let (remembered, left) = self.inner.contacts.lock().remembered();
        let (contacts, contacts_succeeded) =
            self.inner.rejoin.as_ref().map(Rejoin::counted).unwrap_or_default();
        let (state_writes, state_write_failures) =
            self.inner.state_dir.as_ref().map(StateDir::counted).unwrap_or_default();
        ClusterStats {
            certificate: CertificateStats::of(&self.identity(), &self.inner.certificate_clock),
            coordinates: self.inner.coordinates.get(),
            remembered,
            left,
            contacts,
            contacts_succeeded,
            state_writes,
            state_write_failures,
            gossip: self.inner.protocol.stats(),
            transport: self.inner.transport.stats(),
            pool: self.inner.transport.pool().stats(),
            events_dropped: self.inner.events.dropped(),
        }
    }

    /// Leaves the group on purpose, without stopping this member. The state directory records the
    /// leave: the next instance declines every contact, and stays alone, until it is given a seed.
    /// A [`shutdown`](Self::shutdown) alone looks the same to other members, but by default the
    /// next instance [rejoins](ClusterConfig::rejoin_after_stop) by itself.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if the member was shut down.
    ///
    /// # Cancel safety
    /// The leave continues when the future is dropped.
    pub async fn leave(&self) -> Result<LeaveReport, ClusterError> {
        // Before the protocol leaves, so that a record that is written meanwhile contains the
        // leave.
        self.inner.contacts.lock().leave();
        let left = self.inner.protocol.leave().await;
        self.inner.state_dir.iter().for_each(StateDir::save_soon);
        Ok(left?)
    }

    /// Stops the member gracefully, in six phases, each with a time limit. Notifies the other
    /// members of the leave, stops the protocol, stops the health checker, closes the connections,
    /// clears the registry, and closes the event bus. Can be called in any state, and more than
    /// once: a later call waits for the first one and returns its report.
    ///
    /// # Cancel safety
    /// Completed phases stay completed. Call it again to continue.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.inner.shutdown().await
    }

    /// Stops the member at once, and does not wait. It notifies no other member, so that they see a
    /// crash.
    pub fn shutdown_now(&self) {
        self.inner.stop_now();
    }
}

/// Removes each forgotten member from the contacts, so that this member does not contact it again.
fn remove_forgotten(contacts: SharedContacts) -> OnForgotten {
    OnForgotten::new(move |id, incarnation| contacts.lock().forget(id, incarnation))
}

fn dialable_addr(transport: &Transport) -> Result<NodeAddr, ClusterError> {
    let addr = transport.advertised_addr();
    if addr.is_dialable() { Ok(addr) } else { Err(ClusterError::Advertise { addr }) }
}

/// Wakes the task that keeps revocations in the state directory.
fn notify_of_revocation(came: Arc<Notify>) -> OnRevoked {
    OnRevoked::new(move |_| came.notify_one())
}

fn transport_config(config: &ClusterConfig, revoked: RevokedCertificates) -> TransportConfig {
    let mut transport = TransportConfig::new(config.listen, config.identity.clone());
    transport.advertise = config.advertise;
    transport.pool = config.pool.clone();
    transport.revoked = revoked;
    transport.certificate_clock = config.certificate_clock.clone();
    transport
}
