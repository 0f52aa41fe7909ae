//! Choosing an instance of a service.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kinfolk_core::{Health, Instant, NodeId, Rng};
use kinfolk_select::{Choice, Instance, Pool, PoolBuilder, Ring};
use parking_lot::Mutex;
use thiserror::Error;

use super::instance::ServiceInstance;
use super::lease::Lease;
use super::usage::{InFlight, Usage};
use crate::cluster::Cluster;

/// For how long a pool keeps its round-trip times. QUIC measures a neighbour about once in 4 s.
const RTT_AGE_MAX: Duration = Duration::from_secs(5);

/// Why there is no instance to choose.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SelectError {
    /// No member offers the service.
    ///
    /// What to do: see whether a member offers it under this name (`Cluster::services`), or wait
    /// for one (`Cluster::watch_service`).
    #[error("no member offers the service {service}; check the name, or wait until a member offers it")]
    NotOffered {
        /// The name of the service.
        service: String,
    },
    /// Members offer the service, and the filters and the health leave none of them.
    ///
    /// What to do: see the health and the tags of the instances (`Cluster::services`), or select
    /// with fewer filters.
    #[error(
        "none of the {offered} instances of {service} can be chosen: {matching} match the filters, and of these \
         {maintenance} are in maintenance; loosen the filters, or wait"
    )]
    NoneLeft {
        /// The name of the service.
        service: String,
        /// How many members offer the service.
        offered: usize,
        /// How many of them match the filters.
        matching: usize,
        /// How many of these are in maintenance.
        maintenance: usize,
    },
}

/// Narrows down the instances.
type Narrow = Arc<dyn Fn(PoolBuilder) -> PoolBuilder + Send + Sync>;

/// Chooses instances of one service. Made by [`Cluster::select`]; keep it: it holds a pool that is
/// built again only when the view, the health, or the round-trip times have changed.
///
/// First the filters, in any order, then a strategy:
/// ```no_run
/// # fn call(cluster: &kinfolk::Cluster) -> Result<(), kinfolk::SelectError> {
/// let db = cluster.select("db").tag("role", "replica").same_zone_first("zone", 2);
/// let lease = db.least_loaded()?;
/// println!("calling {}, because: {}", lease.addr(), lease.explain());
/// lease.success();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Selector {
    cluster: Cluster,
    service: Arc<str>,
    narrow: Vec<Narrow>,
    usage: Arc<Usage>,
    cached: Arc<Mutex<Option<Arc<Cached>>>>,
    rng: Arc<Mutex<Rng>>,
}

/// A pool, and what it was built from.
#[derive(Debug)]
struct Cached {
    pool: Pool,
    /// The calls in flight at each instance; [`Instance::index`] is the place in it.
    in_flight: Vec<InFlight>,
    matching: usize,
    maintenance: usize,
    view: u64,
    ejections: u64,
    /// When it must be built again although nothing has changed.
    until: Instant,
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Selects among the instances of a service. All selectors of a service share the calls in
    /// flight, the turns of round robin, and the ejected instances.
    pub fn select(&self, service: &str) -> Selector {
        let rng = self.inner.rng.lock().fork();
        Selector {
            cluster: self.clone(),
            service: Arc::from(service),
            narrow: Vec::new(),
            usage: self.inner.usages.of(service),
            cached: Arc::default(),
            rng: Arc::new(Mutex::new(rng)),
        }
    }
}

impl Selector {
    fn narrowed(mut self, narrow: impl Fn(PoolBuilder) -> PoolBuilder + Send + Sync + 'static) -> Self {
        self.narrow.push(Arc::new(narrow));
        self.cached = Arc::default();
        self
    }

    /// Keeps only instances whose member has this tag with this value.
    #[must_use]
    pub fn tag(self, key: &str, value: &str) -> Self {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.narrowed(move |pool| pool.tag(&key, &value))
    }

    /// Keeps only instances whose meta data has this value, such as a version.
    #[must_use]
    pub fn meta(self, key: &str, value: &str) -> Self {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.narrowed(move |pool| pool.meta(&key, &value))
    }

    /// Keeps only instances that are at least this well.
    #[must_use]
    pub fn health(self, worst: Health) -> Self {
        self.narrowed(move |pool| pool.health(worst))
    }

    /// Keeps only the instances for which this holds. It runs when the pool is built, not for each
    /// choice.
    #[must_use]
    pub fn filter(self, keep: impl Fn(&Instance) -> bool + Send + Sync + 'static) -> Self {
        self.narrowed(move |pool| pool.filter(&keep))
    }

    /// If fewer than this percentage of the instances are well, all of them count but those in
    /// maintenance. Default 50.
    #[must_use]
    pub fn panic_threshold(self, percent: u8) -> Self {
        self.narrowed(move |pool| pool.panic_threshold(percent))
    }

    /// Prefers the instances with the same value of this tag as this member, while there are at
    /// least `min` of them. Without the tag on this member it does nothing.
    #[must_use]
    pub fn same_zone_first(self, tag: &str, min: usize) -> Self {
        let (tag, cluster) = (tag.to_owned(), self.cluster.clone());
        self.narrowed(move |pool| match cluster.inner.description.get().tags.get(&tag) {
            Some(own) => pool.same_zone_first(&tag, own, min),
            None => pool,
        })
    }

    /// Uses only this many instances, the same ones for as long as they are there: so that a
    /// thousand clients do not each hold a thousand connections.
    #[must_use]
    pub fn subset(self, size: usize) -> Self {
        let me = self.cluster.id().clone();
        self.narrowed(move |pool| pool.subset(&me, size))
    }

    /// How much longer than the shortest round trip one may be for [`nearest`](Self::nearest).
    /// Default 500 us.
    #[must_use]
    pub fn nearest_margin(self, margin: Duration) -> Self {
        self.narrowed(move |pool| pool.nearest_margin(margin))
    }

    /// The instance whose turn it is. Weights do not count.
    ///
    /// # Errors
    /// [`SelectError`] if there is no instance to choose.
    pub fn round_robin(&self) -> Result<Lease, SelectError> {
        self.choose(|_, pool| pool.round_robin(self.usage.next_turn()))
    }

    /// An instance by chance, each with the same probability.
    ///
    /// # Errors
    /// [`SelectError`] if there is no instance to choose.
    pub fn random(&self) -> Result<Lease, SelectError> {
        self.choose(|_, pool| pool.random(&mut self.rng.lock()))
    }

    /// An instance by chance, by its weight.
    ///
    /// # Errors
    /// [`SelectError`] if there is no instance to choose.
    pub fn weighted(&self) -> Result<Lease, SelectError> {
        self.choose(|_, pool| pool.weighted(&mut self.rng.lock()))
    }

    /// The instance with fewer of this member's calls in flight, of two that are drawn by weight.
    ///
    /// # Errors
    /// [`SelectError`] if there is no instance to choose.
    pub fn least_loaded(&self) -> Result<Lease, SelectError> {
        self.choose(|cached, pool| pool.least_loaded(&mut self.rng.lock(), |at| cached.load(at)))
    }

    /// An instance by chance among the nearest, by the round-trip times of this member's
    /// connections. Without a connection it is estimated by the coordinates of the two members
    /// ([`Cluster::round_trip`]). Instances of which nothing is known count as far, unless no round
    /// trip is known.
    ///
    /// # Errors
    /// [`SelectError`] if there is no instance to choose.
    pub fn nearest(&self) -> Result<Lease, SelectError> {
        self.choose(|_, pool| pool.nearest(&mut self.rng.lock()))
    }

    /// The instance that holds a key, by weighted rendezvous hashing. All members with the same
    /// filters and equal views choose the same one.
    ///
    /// # Errors
    /// [`SelectError`] if there is no instance to choose.
    pub fn for_key(&self, key: impl AsRef<[u8]>) -> Result<Lease, SelectError> {
        self.choose(|_, pool| pool.for_key(key))
    }

    /// As [`for_key`](Self::for_key), but no instance gets more than `percent` percent of its share
    /// of this member's calls in flight; then the key goes to the next one.
    ///
    /// # Errors
    /// [`SelectError`] if there is no instance to choose.
    pub fn for_key_bounded(&self, key: impl AsRef<[u8]>, percent: u32) -> Result<Lease, SelectError> {
        self.choose(|cached, pool| pool.for_key_bounded(key, percent, |at| cached.load(at)))
    }

    /// The instances that hold the copies of a key, the best first: `count` of them, or all if
    /// there are fewer. With `zone`, the name of a tag, the copies are spread over its values.
    ///
    /// # Errors
    /// [`SelectError`] if there is no instance to choose.
    pub fn replicas(
        &self,
        key: impl AsRef<[u8]>,
        count: usize,
        zone: Option<&str>,
    ) -> Result<Vec<Lease>, SelectError> {
        let cached = self.cached();
        let copies = cached.pool.replicas(key, count, zone);
        if copies.is_empty() && count > 0 {
            return Err(self.none_left(&cached));
        }
        Ok(copies.into_iter().map(|choice| self.lease(&cached, choice)).collect())
    }

    /// The assignment of partitions to the present instances.
    pub fn ring(&self, partitions: u32) -> Ring {
        Ring::new(self.cached().pool.clone(), partitions)
    }

    /// The instances to choose from now.
    pub fn pool(&self) -> Pool {
        self.cached().pool.clone()
    }

    fn choose(
        &self,
        strategy: impl for<'a> FnOnce(&'a Cached, &'a Pool) -> Option<Choice<'a>>,
    ) -> Result<Lease, SelectError> {
        let cached = self.cached();
        match strategy(&cached, &cached.pool) {
            Some(choice) => Ok(self.lease(&cached, choice)),
            None => Err(self.none_left(&cached)),
        }
    }

    fn lease(&self, cached: &Cached, choice: Choice<'_>) -> Lease {
        let in_flight = cached.in_flight[choice.instance.index].clone();
        let clock = self.cluster.inner.clock;
        Lease::new(choice, (cached.in_flight.len(), in_flight), (Arc::clone(&self.usage), clock))
    }

    fn none_left(&self, cached: &Cached) -> SelectError {
        let (service, offered) = (self.service.to_string(), cached.in_flight.len());
        if offered == 0 {
            return SelectError::NotOffered { service };
        }
        let Cached { matching, maintenance, .. } = *cached;
        SelectError::NoneLeft { service, offered, matching, maintenance }
    }

    /// The present pool. The lock is held only to look at it, and while it is built.
    fn cached(&self) -> Arc<Cached> {
        let now = self.cluster.inner.clock.now();
        let snapshot = self.cluster.members();
        let (view, ejections) = (snapshot.version(), self.usage.version());
        let mut cached = self.cached.lock();
        if let Some(cached) = &*cached
            && (cached.view, cached.ejections) == (view, ejections)
            && now < cached.until
        {
            return Arc::clone(cached);
        }
        let offered: Vec<ServiceInstance> =
            snapshot.members().filter_map(|node| ServiceInstance::of(node, &self.service)).collect();
        let nodes: Vec<NodeId> = offered.iter().map(|instance| instance.node.clone()).collect();
        let in_flight = self.usage.counters(&nodes);
        let (ejected, returns) = self.usage.ejected(now, &nodes);
        let instances =
            offered.into_iter().zip(ejected).enumerate().map(|(index, (mut instance, ejected))| {
                instance.rtt = self.cluster.distance(&instance.node);
                instance.for_pool(ejected, index)
            });
        let narrowed = self.narrow.iter().fold(Pool::builder(instances), |pool, narrow| narrow(pool));
        let (matching, maintenance) = (narrowed.instances().len(), in_maintenance(&narrowed));
        let pool = narrowed.build();
        let until = returns.map_or(now + RTT_AGE_MAX, |returns| returns.min(now + RTT_AGE_MAX));
        let built = Arc::new(Cached { pool, in_flight, matching, maintenance, view, ejections, until });
        *cached = Some(Arc::clone(&built));
        built
    }
}

fn in_maintenance(pool: &PoolBuilder) -> usize {
    pool.instances().iter().filter(|instance| instance.health == Health::Maintenance).count()
}

impl Cached {
    fn load(&self, instance: &Instance) -> u32 {
        self.in_flight[instance.index].get()
    }
}
