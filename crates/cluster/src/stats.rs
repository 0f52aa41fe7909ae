//! The counters of all layers in one struct.

use kinfolk_gossip::GossipStats;
use kinfolk_transport::{PoolStats, TransportStats};

use crate::certificate::CertificateStats;
use crate::coordinates::CoordinateStats;

/// The counters and gauges of a member.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterStats {
    /// The protocol and its driver.
    pub gossip: GossipStats,
    /// Frames, bytes, and refusals.
    pub transport: TransportStats,
    /// Connections.
    pub pool: PoolStats,
    /// The certificate of this member, and its end.
    pub certificate: CertificateStats,
    /// The coordinate of this member, and its measurements.
    pub coordinates: CoordinateStats,
    /// The number of members whose address this member remembers. Those in the registry are
    /// included.
    pub remembered: usize,
    /// Whether this member contacts none of them, because it left on purpose and was not given a
    /// seed since then.
    pub left: bool,
    /// The number of attempts to contact a seed or a former member to find the group again.
    pub contacts: u64,
    /// The number of those attempts that reached a member.
    pub contacts_succeeded: u64,
    /// The number of successful writes to the state directory.
    pub state_writes: u64,
    /// The number of failed writes to the state directory.
    pub state_write_failures: u64,
    /// The number of events that were dropped because a subscriber was too slow.
    pub events_dropped: u64,
}
