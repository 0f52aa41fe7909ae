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
    /// Events that slow subscribers have lost.
    pub events_dropped: u64,
}
