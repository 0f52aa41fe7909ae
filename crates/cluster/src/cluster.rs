//! A running member: everything of one process that belongs to the group, behind one handle.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kinfolk_core::{
    EventBus, Incarnation, NodeAddr, NodeId, NodeStatus, RegistryCloser, RegistryView, RegistryWriter, Rng,
    Snapshot, Subscription, Tags,
};
use kinfolk_detector::{Evidence, HealthChecker, SuspicionStatus};
use kinfolk_gossip::{Clock, GossipError, LeaveReport, OnForgotten, Parts, Reserve, SwimProtocol};
use kinfolk_transport::{Incoming, Transport, TransportConfig, TransportError};
use parking_lot::Mutex;
use tokio::sync::{OnceCell, watch};

use crate::config::{ClusterConfig, JoinPolicy, ShutdownLimits};
use crate::contacts::{Contacts, SharedContacts};
use crate::error::{ClusterError, JoinError};
use crate::health;
use crate::join::{self, JoinReport};
use crate::memory::{Disk, Memory, Opened};
use crate::reunion::{Reunion, Seeker};
use crate::shutdown::ShutdownReport;
use crate::stats::ClusterStats;
use crate::task::Background;

/// A member of a cluster. Clones share it.
///
/// When the last clone is dropped without a [`shutdown`](Self::shutdown), everything stops at once as in
/// [`shutdown_now`](Self::shutdown_now): the others see a crash.
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
    pub health_loop: Background,
    pub clock: Clock,
    pub stream_timeout: Duration,
    pub read_only_in_minority: bool,
    pub join: JoinPolicy,
    pub limits: ShutdownLimits,
    pub rejoin_after_stop: bool,
    pub rng: Mutex<Rng>,
    pub contacts: SharedContacts,
    pub memory: Option<Memory>,
    pub reunion: Option<Reunion>,
    pub shutdown: OnceCell<ShutdownReport>,
}

impl Cluster {
    /// Starts a member, which is alone until it [joins](Self::join) or is joined. Must be called inside a tokio runtime
    /// with its I/O and time drivers.
    ///
    /// # Errors
    /// [`ClusterError`]: the port is in use, the identity is not taken, the advertised address cannot be dialled, or a
    /// setting is out of its range. Nothing is left open.
    pub fn start(config: ClusterConfig) -> Result<Self, ClusterError> {
        let seed = getrandom::u64().map_err(|error| ClusterError::Randomness(error.to_string()))?;
        Self::start_with(config, seed, (Clock::start(), Disk::Threaded), Transport::bind)
    }

    /// As [`start`](Self::start), on a machine of a simulated network where it is `since_epoch` after the Unix epoch. All
    /// that is left to chance comes from the machine's seed. What it writes to its state directory takes its time on
    /// tokio's clock, and no thread.
    ///
    /// # Errors
    /// As [`start`](Self::start).
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
        let (transport, incoming) = bind(transport_config(&config))?;
        let addr = dialable_addr(&transport).inspect_err(|_| transport.abort())?;
        let (writer, events) = (RegistryWriter::new(), EventBus::new());
        let (registry, registry_end) = (writer.view(), writer.closer());
        let since_epoch = clock.since_epoch();
        let open = |dir| Opened::open(dir, &config.identity, since_epoch, disk);
        let opened = config.state_dir.as_deref().map(open).transpose().inspect_err(|_| transport.abort())?;
        let at_clock = || Incarnation::at_start(since_epoch, None);
        let incarnation = opened.as_ref().map_or_else(at_clock, |opened| opened.incarnation);
        let me = NodeStatus::alive(config.identity.id().clone(), addr, incarnation, config.tags);
        let health = HealthChecker::new(
            config.swim.adapt(config.health),
            me.id.clone(),
            registry.clone(),
            clock.now(),
        )?;
        let former = opened.as_ref().map(|opened| &opened.record);
        let contacts = Contacts::new(me.id.clone(), former);
        let dormant = contacts.has_left();
        let contacts = SharedContacts::new(Mutex::new(contacts));
        let (wanted, wants) = watch::channel(incarnation);
        let reserve = former.map(|former| Reserve { up_to: former.ceiling, wanted });
        let parts = Parts {
            registry: writer,
            events: events.clone(),
            health: health.clone(),
            clock,
            reserve,
            dormant,
            forgotten: Some(forgets(contacts.clone())),
        };
        let carried = (transport.clone(), incoming);
        let heal_interval = config.swim.heal_interval;
        let protocol = SwimProtocol::start((config.swim, config.gossip), me, rng.next_u64(), carried, parts)?;
        let memory = opened
            .map(|opened| Memory::start(opened, contacts.clone(), registry.clone(), protocol.clone(), wants));
        let reunion = heal_interval.map(|interval| {
            Reunion::start(Seeker {
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
            memory,
            reunion,
            shutdown: OnceCell::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Our name.
    pub fn id(&self) -> &NodeId {
        self.inner.protocol.id()
    }

    /// The address at which others reach us.
    pub fn addr(&self) -> NodeAddr {
        self.inner.transport.advertised_addr()
    }

    /// Joins the group through any of the `seeds` (`host:port`; names are resolved at each attempt). Every seed is
    /// tried at each attempt; one that lets us join is enough. Seeds that are ourselves are passed over, so that all
    /// members can be given the same list; with no other seed there is nothing to do.
    ///
    /// # Errors
    /// [`JoinError`] names every seed with its last cause, once all attempts of the [`JoinPolicy`] have failed. The
    /// member runs on, may be joined by others, and can try again.
    ///
    /// # Cancel safety
    /// No attempt is begun after the future is dropped; one that is under way may still succeed.
    pub async fn join(&self, seeds: &[impl AsRef<str>]) -> Result<JoinReport, JoinError> {
        let seeds: Vec<String> = seeds.iter().map(|seed| seed.as_ref().to_owned()).collect();
        let save_soon = || self.inner.memory.iter().for_each(Memory::save_soon);
        if !seeds.is_empty() {
            self.inner.contacts.lock().given(&seeds);
            self.inner.protocol.wake();
        }
        save_soon();
        let under_way = Contacts::join_begins(&self.inner.contacts);
        let joined = join::join(&self.inner, &seeds).await;
        drop(under_way);
        save_soon();
        joined
    }

    /// The group as we see it now: every known node, tombstones included. Costs next to nothing while nothing changes.
    pub fn members(&self) -> Arc<Snapshot> {
        self.inner.registry.snapshot()
    }

    /// The members whose tag `key` has this `value`, ordered by name.
    pub fn nodes_with_tag(&self, key: &str, value: &str) -> Vec<Arc<NodeStatus>> {
        self.inner.registry.with_tag(key, value)
    }

    /// Replaces our tags and tells the others.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if the member has been shut down.
    ///
    /// # Cancel safety
    /// They may be replaced even if the future is dropped.
    pub async fn update_tags(&self, tags: Tags) -> Result<(), ClusterError> {
        Ok(self.inner.protocol.set_tags(tags).await?)
    }

    /// Subscribes to all events from now on. A subscriber that falls behind by more than 1,000 events loses its oldest
    /// ones and is told how many.
    pub fn subscribe(&self) -> Subscription {
        self.inner.events.subscribe()
    }

    /// Sends up to 1,024 bytes to every other member, each of which reads them once as a
    /// [`ClusterEvent::Broadcast`](kinfolk_core::ClusterEvent::Broadcast). Unordered, and not repeated for members that
    /// join later.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if it is too large, or the member has left or been shut down.
    ///
    /// # Cancel safety
    /// It may be sent even if the future is dropped.
    pub async fn broadcast(&self, payload: impl Into<Bytes>) -> Result<(), ClusterError> {
        Ok(self.inner.protocol.broadcast(payload.into()).await?)
    }

    /// Removes a failed or left member from the views of all members, here at once and at the
    /// others by gossip. Nobody contacts its old address again, unless it is a seed. Returns what
    /// was known of the member.
    ///
    /// Without it a tombstone ends after
    /// [`SwimConfig::tombstone_ttl`](kinfolk_swim::SwimConfig::tombstone_ttl). Each member tells
    /// its application a [`ClusterEvent::NodeReaped`](kinfolk_core::ClusterEvent::NodeReaped) as
    /// for any tombstone. A member that holds the forgotten one for alive or suspect keeps it. If
    /// the forgotten member lives after all, or starts again, it joins as ever. The members
    /// remember up to 16,384 forgotten names for the lifetime of a tombstone, so that a member that
    /// missed the word does not bring one back.
    ///
    /// # Errors
    /// [`ClusterError::Forget`] if the member still belongs to the group, is not known, or is this
    /// one, or if this member has left; [`ClusterError::Gossip`] if it has been shut down. Nothing
    /// has changed then.
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
        // Beyond the tombstone an address is remembered, here and at others.
        let remembered = self.inner.contacts.lock().remembers(node);
        let forgotten = self.inner.protocol.forget(node.clone(), remembered).await;
        self.inner.memory.iter().for_each(Memory::save_soon);
        forgotten.map_err(|error| match error {
            GossipError::Forget(why) => ClusterError::Forget(why),
            other => ClusterError::Gossip(other),
        })
    }

    /// The suspicion level of `id` by its silence: 0 right after it was heard from, growing without bound; `None` for
    /// whom we do not watch: by default all but about four members (see [`Mode`](kinfolk_swim::Mode)).
    pub fn phi(&self, id: &NodeId) -> Option<f64> {
        self.inner.health.phi(id, self.inner.clock.now())
    }

    /// Why `id` was suspected, spared or declared failed: our latest findings about it with their evidence, the oldest
    /// first, at most 8. Empty for a member that never gave cause for any.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] once this member has shut down.
    ///
    /// # Cancel safety
    /// Nothing is left behind.
    pub async fn explain(&self, id: &NodeId) -> Result<Vec<Evidence>, ClusterError> {
        Ok(self.inner.protocol.explain(id.clone()).await?)
    }

    /// What this member holds against others at this moment, short of a failure: those that do not
    /// answer its probes, and those that are suspect in its view, ordered by name; and why it holds
    /// a verdict back.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] once this member has shut down.
    ///
    /// # Cancel safety
    /// Nothing is left behind.
    pub async fn suspicions(&self) -> Result<Vec<SuspicionStatus>, ClusterError> {
        Ok(self.inner.protocol.suspicions().await?)
    }

    /// For how long nothing has been heard from `id` itself; `None` for whom we do not watch.
    pub fn silence(&self, id: &NodeId) -> Option<Duration> {
        self.inner.health.silence(id, self.inner.clock.now())
    }

    /// What all layers have counted.
    pub fn stats(&self) -> ClusterStats {
        let (remembered, left) = self.inner.contacts.lock().remembered();
        let (contacts, contacts_met) = self.inner.reunion.as_ref().map(Reunion::counted).unwrap_or_default();
        let (state_writes, state_write_failures) =
            self.inner.memory.as_ref().map(Memory::counted).unwrap_or_default();
        ClusterStats {
            remembered,
            left,
            contacts,
            contacts_met,
            state_writes,
            state_write_failures,
            gossip: self.inner.protocol.stats(),
            transport: self.inner.transport.stats(),
            pool: self.inner.transport.pool().stats(),
            events_dropped: self.inner.events.dropped(),
        }
    }

    /// Leaves the group on purpose, without stopping anything. It is remembered: with this state
    /// directory the next instance declines every contact, and stays alone, until it is given a
    /// seed. A [`shutdown`](Self::shutdown) alone tells the others the same, but by default the
    /// next instance [rejoins](ClusterConfig::rejoin_after_stop) by itself.
    ///
    /// # Errors
    /// [`ClusterError::Gossip`] if the member has been shut down.
    ///
    /// # Cancel safety
    /// The leave goes on when the future is dropped.
    pub async fn leave(&self) -> Result<LeaveReport, ClusterError> {
        self.inner.contacts.lock().leaves();
        let left = self.inner.protocol.leave().await;
        self.inner.memory.iter().for_each(Memory::save_soon);
        Ok(left?)
    }

    /// Stops in order, in six phases, each with its limit: tell the others that we leave; stop the
    /// protocol; stop the health checker; close the connections; clear the registry; close the
    /// event channel. Can be called from any state, and more than once: later calls wait for the
    /// first and return its report.
    ///
    /// # Cancel safety
    /// What is done stays done; call it again to go on.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.inner.shutdown().await
    }

    /// Stops everything at once, without a word to anybody: to the others it is a crash. Does not wait.
    pub fn shutdown_now(&self) {
        self.inner.stop_now();
    }
}

fn forgets(contacts: SharedContacts) -> OnForgotten {
    OnForgotten::new(move |id, incarnation| contacts.lock().forget(id, incarnation))
}

fn dialable_addr(transport: &Transport) -> Result<NodeAddr, ClusterError> {
    let addr = transport.advertised_addr();
    if addr.is_dialable() { Ok(addr) } else { Err(ClusterError::Advertise { addr }) }
}

fn transport_config(config: &ClusterConfig) -> TransportConfig {
    let mut transport = TransportConfig::new(config.listen, config.identity.clone());
    transport.advertise = config.advertise;
    transport.pool = config.pool.clone();
    transport
}
