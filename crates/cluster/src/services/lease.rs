//! One call to a chosen instance.

use std::net::SocketAddr;
use std::sync::Arc;

use kinfolk_core::NodeId;
use kinfolk_gossip::Clock;
use kinfolk_select::{Choice, Instance, Why};

use super::usage::{InFlight, Usage};

/// A chosen instance, for one call. While the lease exists, the call counts as in flight. Its end
/// says how the call went: [`success`](Self::success), [`failure`](Self::failure), or neither when
/// the lease is dropped, such as for a call that the caller gave up.
#[derive(Debug)]
#[must_use = "the call counts as in flight while the lease exists; report how it ended"]
pub struct Lease {
    instance: Instance,
    why: Why,
    of: usize,
    panic: bool,
    /// How many instances the service has, for the bound of ejections.
    instances: usize,
    in_flight: InFlight,
    usage: Arc<Usage>,
    clock: Clock,
}

impl Lease {
    pub(super) fn new(
        choice: Choice<'_>,
        (instances, in_flight): (usize, InFlight),
        (usage, clock): (Arc<Usage>, Clock),
    ) -> Self {
        in_flight.begin();
        let Choice { instance, why, of, panic } = choice;
        Self { instance: instance.clone(), why, of, panic, instances, in_flight, usage, clock }
    }

    /// The member that offers the instance.
    pub fn node(&self) -> &NodeId {
        &self.instance.node
    }

    /// The address of the service.
    pub fn addr(&self) -> SocketAddr {
        self.instance.addr
    }

    /// The instance as it was when it was chosen.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Whether too few instances were well, so that this one may not be well either.
    pub fn is_panic(&self) -> bool {
        self.panic
    }

    /// Why this instance was chosen, in one sentence.
    pub fn explain(&self) -> String {
        Choice { instance: &self.instance, why: self.why, of: self.of, panic: self.panic }.to_string()
    }

    /// The call succeeded.
    pub fn success(self) {
        self.ended(true);
    }

    /// The call failed, and the instance is at fault. Failures in a row eject the instance for a
    /// time (see [`EjectionPolicy`](kinfolk_select::EjectionPolicy)).
    pub fn failure(self) {
        self.ended(false);
    }

    fn ended(&self, ok: bool) {
        self.usage.ended(self.clock.now(), &self.instance.node, ok, self.instances);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.in_flight.end();
    }
}
