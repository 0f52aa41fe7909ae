//! An instance of a service: one member that offers it.

use std::net::SocketAddr;
use std::time::Duration;

use kinfolk_core::{Health, NodeId, Tags, Weight};

/// One member that offers the service, as this caller knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// The member. A pool holds at most one instance of a member.
    pub node: NodeId,
    /// The address of the service.
    pub addr: SocketAddr,
    /// The weight.
    pub weight: Weight,
    /// The health.
    pub health: Health,
    /// The member's tags.
    pub tags: Tags,
    /// What the instance reports about the service.
    pub meta: Tags,
    /// The round-trip time to the member, measured or estimated; `None` if it is not known.
    pub rtt: Option<Duration>,
    /// Whether this caller has [ejected](crate::Ejections) the instance.
    pub ejected: bool,
    /// A number of the caller's own, such as the index of its record of the instance. The pool does
    /// not use it. Default 0.
    pub index: usize,
}

impl Instance {
    /// A passing instance with the default weight, no tags, and no known round-trip time.
    pub fn new(node: NodeId, addr: SocketAddr) -> Self {
        Self {
            node,
            addr,
            weight: Weight::default(),
            health: Health::default(),
            tags: Tags::empty(),
            meta: Tags::empty(),
            rtt: None,
            ejected: false,
            index: 0,
        }
    }

    /// Whether the instance may be chosen: passing or warning, and not ejected.
    pub fn is_well(&self) -> bool {
        self.health <= Health::Warning && !self.ejected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_and_warning_are_well() {
        let mut instance = Instance::new(NodeId::new("a").unwrap(), ([127, 0, 0, 1], 1).into());
        let mut well = |health| {
            instance.health = health;
            instance.is_well()
        };
        assert_eq!(
            [Health::Passing, Health::Warning, Health::Critical, Health::Maintenance].map(&mut well),
            [true, true, false, false]
        );
        instance.health = Health::Passing;
        instance.ejected = true;
        assert!(!instance.is_well());
    }
}
