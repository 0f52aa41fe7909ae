//! An instance of a service: one member that offers it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use kinfolk_core::{NodeId, Tags};

/// The share of the requests that an instance takes, relative to the other instances: 1 to 1,000.
/// Default 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u16);

impl Weight {
    /// The smallest weight.
    pub const MIN: Self = Self(1);
    /// The largest weight. With this bound the sum of all weights of a cluster fits in 32 bits.
    pub const MAX: Self = Self(1_000);

    /// A weight; `None` if the number is not in 1 to 1,000.
    pub const fn new(weight: u16) -> Option<Self> {
        if weight >= Self::MIN.0 && weight <= Self::MAX.0 { Some(Self(weight)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(100)
    }
}

/// The health that an instance reports, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Health {
    /// The instance works.
    #[default]
    Passing,
    /// The instance works, but an operator should check it. It is chosen like a passing instance.
    Warning,
    /// The instance does not work. It is chosen only when the pool is in panic, see
    /// [`PoolBuilder::panic_threshold`](crate::PoolBuilder::panic_threshold).
    Critical,
    /// The instance is out of service as planned. It is never chosen.
    Maintenance,
}

impl Health {
    /// The name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Maintenance => "maintenance",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

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
    /// The round-trip time to the member; `None` if it is not known.
    pub rtt: Option<Duration>,
    /// Whether this caller has [ejected](crate::Ejections) the instance.
    pub ejected: bool,
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
    fn weight_is_1_to_1000() {
        assert_eq!(
            [0, 1, 1_000, 1_001].map(|weight| Weight::new(weight).map(Weight::get)),
            [None, Some(1), Some(1_000), None]
        );
    }

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

    #[test]
    fn health_prints_in_a_column() {
        assert_eq!(format!("{:<9}|{}", Health::Warning, Health::Maintenance), "warning  |maintenance");
    }
}
