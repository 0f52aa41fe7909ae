//! What all layers have counted, in one place.

use kinfolk_gossip::GossipStats;
use kinfolk_transport::{PoolStats, TransportStats};

/// The counters and gauges of a member.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterStats {
    /// The protocol and its driver.
    pub gossip: GossipStats,
    /// Frames, bytes, refusals.
    pub transport: TransportStats,
    /// Connections.
    pub pool: PoolStats,
    /// Members that are remembered and could be contacted, those in the registry included.
    pub remembered: usize,
    /// Whether they are not contacted, because this member left on purpose and was not given a seed
    /// since.
    pub left: bool,
    /// Seeds and members of old that were contacted to find the group again.
    pub contacts: u64,
    /// Those of them that led to a member.
    pub contacts_met: u64,
    /// How often the state directory was written.
    pub state_writes: u64,
    /// How often that failed.
    pub state_write_failures: u64,
    /// Events that slow subscribers have lost.
    pub events_dropped: u64,
}
