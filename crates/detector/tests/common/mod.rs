//! Helpers that the tests of the health checker share: names, claims and a clock that the test
//! sets.

use std::time::Duration;

use kinfolk_core::{Incarnation, Instant, NodeAddr, NodeId, NodeStatus, SharedNodeRegistry, Tags};
use kinfolk_detector::{HealthChecker, HealthConfig};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn at(seconds: u32) -> Instant {
    Instant::ORIGIN + seconds * SECOND
}

pub(crate) fn id(name: &str) -> NodeId {
    NodeId::new(name).expect("the tests use valid names")
}

pub(crate) fn alive(name: &str, incarnation: u64) -> NodeStatus {
    let addr = NodeAddr::new(([127, 0, 0, 1], 1).into());
    NodeStatus::alive(id(name), addr, Incarnation::new(incarnation), Tags::empty())
}

/// A registry in which these members are alive, at incarnation 1.
pub(crate) fn registry(names: &[&str]) -> SharedNodeRegistry {
    let registry = SharedNodeRegistry::new();
    for name in names {
        let _ = registry.apply(alive(name, 1));
    }
    registry
}

/// A checker for `me` with the default settings, created at the origin of the clock.
pub(crate) fn checker(registry: &SharedNodeRegistry) -> HealthChecker {
    HealthChecker::new(HealthConfig::default(), id("me"), registry.view(), Instant::ORIGIN)
        .expect("the default settings are valid")
}
