//! This member's experience with a service: calls in flight, and instances that fail. All selectors
//! of a service share it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use kinfolk_core::{Instant, NodeId};
use kinfolk_select::{EjectionPolicy, Ejections};
use parking_lot::Mutex;

/// How many services' usage is shared. The names come from the application, which calls few
/// services; beyond this bound a selector has a usage of its own.
const SHARED_MAX: usize = 1_024;

/// The usage of each service.
#[derive(Debug, Default)]
pub(crate) struct Usages {
    of: Mutex<HashMap<String, Arc<Usage>>>,
}

impl Usages {
    /// The usage of a service.
    pub(super) fn of(&self, service: &str) -> Arc<Usage> {
        let mut all = self.of.lock();
        if let Some(usage) = all.get(service) {
            return Arc::clone(usage);
        }
        let usage = Arc::new(Usage::new(EjectionPolicy::default()));
        if all.len() < SHARED_MAX {
            all.insert(service.to_owned(), Arc::clone(&usage));
        }
        usage
    }
}

/// The calls in flight to one instance.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<AtomicU32>);

impl InFlight {
    pub(super) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The usage of one service.
#[derive(Debug)]
pub(super) struct Usage {
    in_flight: Mutex<HashMap<NodeId, InFlight>>,
    ejections: Mutex<Ejections>,
    /// Rises with each change of the ejected instances, so that selectors build their pool again.
    version: AtomicU64,
    /// The turns of round robin.
    turn: AtomicU64,
}

impl Usage {
    fn new(policy: EjectionPolicy) -> Self {
        Self {
            in_flight: Mutex::default(),
            ejections: Mutex::new(Ejections::new(policy)),
            version: AtomicU64::new(0),
            turn: AtomicU64::new(0),
        }
    }

    /// The counters of these instances, in their order. Forgets all other members, so that the maps
    /// are bounded by the view.
    pub(super) fn counters(&self, nodes: &[NodeId]) -> Vec<InFlight> {
        self.ejections.lock().retain(|node| nodes.binary_search(node).is_ok());
        let mut all = self.in_flight.lock();
        all.retain(|node, in_flight| in_flight.get() > 0 || nodes.binary_search(node).is_ok());
        nodes.iter().map(|node| all.entry(node.clone()).or_default().clone()).collect()
    }

    /// Which of these instances are ejected now, and when the next of them returns.
    pub(super) fn ejected(&self, now: Instant, nodes: &[NodeId]) -> (Vec<bool>, Option<Instant>) {
        let ejections = self.ejections.lock();
        (nodes.iter().map(|node| ejections.is_ejected(now, node)).collect(), ejections.next_return(now))
    }

    /// A call to one of `instances` instances has ended.
    pub(super) fn ended(&self, now: Instant, node: &NodeId, ok: bool, instances: usize) {
        if self.ejections.lock().ended(now, node, ok, instances) {
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}
