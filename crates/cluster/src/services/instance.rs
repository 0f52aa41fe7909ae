//! A service as one member offers it.

use std::net::SocketAddr;
use std::time::Duration;

use kinfolk_core::{Condition, Health, NodeId, NodeState, NodeStatus, Service, Tags};
use kinfolk_select::Instance;

/// One member's offer of a service, as this member sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceInstance {
    /// The member that offers the service.
    pub node: NodeId,
    /// Where the service is: the member's address with the port of the service. The port is 0 for a
    /// service that is reached by [`Cluster::open_stream`](crate::Cluster::open_stream).
    pub addr: SocketAddr,
    /// What the member says about the service.
    pub service: Service,
    /// How well the instance is: the worse of the member's and the service's own condition. A
    /// suspected member counts as critical, because its calls probably fail.
    pub health: Health,
    /// What the member says about its own condition.
    pub condition: Condition,
    /// The member's tags.
    pub tags: Tags,
    /// The round-trip time of this member's connection to the other one; `None` without a
    /// connection, and for this member itself.
    pub rtt: Option<Duration>,
}

impl ServiceInstance {
    /// The offer of `node`, if it is a member and offers the service. The round-trip time is not
    /// known yet.
    pub(super) fn of(node: &NodeStatus, service: &str) -> Option<Self> {
        let offered = node.services.get(service).filter(|_| node.state.is_member())?;
        let mut addr = node.addr.socket();
        addr.set_port(offered.port);
        let said = node.condition.health().max(offered.condition.health());
        let health = if node.state == NodeState::Suspect { said.max(Health::Critical) } else { said };
        Some(Self {
            node: node.id.clone(),
            addr,
            service: offered.clone(),
            health,
            condition: node.condition.clone(),
            tags: node.tags.clone(),
            rtt: None,
        })
    }

    /// The instance for a pool.
    pub(super) fn for_pool(self, ejected: bool, index: usize) -> Instance {
        let Self { node, addr, service, health, tags, rtt, .. } = self;
        let mut instance = Instance::new(node, addr);
        (instance.weight, instance.meta) = (service.weight, service.meta);
        (instance.health, instance.tags, instance.rtt) = (health, tags, rtt);
        (instance.ejected, instance.index) = (ejected, index);
        instance
    }
}
