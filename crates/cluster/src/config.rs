//! The configuration of a member. Only the identity and the listen address have no default.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kinfolk_core::{NodeAddr, Services, Tags};
use kinfolk_detector::HealthConfig;
use kinfolk_gossip::GossipConfig;
use kinfolk_swim::SwimConfig;
use kinfolk_transport::{NodeIdentity, PoolConfig, WallClock};

/// The configuration of a [`Cluster`](crate::Cluster).
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The identity of this member: its certificate names the member and its cluster.
    pub identity: NodeIdentity,
    /// The UDP address to listen on. Port 0 lets the system choose a port.
    pub listen: SocketAddr,
    /// The address that other members receive, if it differs from `listen`: for example behind a
    /// NAT. Required if `listen` is an unspecified address such as `0.0.0.0`. Default: none.
    pub advertise: Option<NodeAddr>,
    /// The first tags of this member. Default: none.
    pub tags: Tags,
    /// The services that this member offers at first. Default: none.
    pub services: Services,
    /// The settings of the protocol. They should be the same for all members.
    pub swim: SwimConfig,
    /// The bounds of the driver.
    pub gossip: GossipConfig,
    /// The settings of the health checker. The protocol's probe interval replaces its
    /// `expected_interval`.
    pub health: HealthConfig,
    /// The limits of the connection pool. Up to `max_total` members, all connections stay open. In
    /// a larger group, the pool closes some connections and opens them again.
    pub pool: PoolConfig,
    /// The time limit for opening a stream to a service of another member, dialling included.
    /// Default 5 s.
    pub stream_timeout: Duration,
    /// Whether [`is_read_only`](crate::Cluster::is_read_only) becomes true after
    /// `swim.partition_grace` in the minority. The application can then stop writing. Kinfolk
    /// itself continues. Default false.
    pub read_only_in_minority: bool,
    /// Whether this member measures where it lies in the network, and states it to all members
    /// ([`Cluster::coordinate`](crate::Cluster::coordinate)). It costs
    /// nothing if all members are near each other. Otherwise it costs few statements, and one
    /// request to each of about 48 other members in its first minutes. With `false` this
    /// member measures and states nothing, and nobody can estimate its round trips; it still
    /// estimates those between others. Default true.
    pub coordinates: bool,
    /// How a join tries its seeds.
    pub join: JoinPolicy,
    /// The time limits of the phases of a shutdown.
    pub shutdown: ShutdownLimits,
    /// The state directory. The member keeps there, for its next instance, the highest reserved
    /// incarnation, its seeds, and the members that it knew. The directory belongs to one member,
    /// and is created if it does not exist. A member that starts with it rejoins its group by
    /// itself, in the background. A member that had [left](crate::Cluster::leave) waits for a
    /// [`join`](crate::Cluster::join) instead. Default: none, and the member keeps nothing.
    pub state_dir: Option<PathBuf>,
    /// The clock by which certificates are valid. Only tests change it. Default: the system's.
    #[doc(hidden)]
    pub certificate_clock: WallClock,
    /// Whether the next instance with this `state_dir` rejoins by itself after a
    /// [`shutdown`](crate::Cluster::shutdown) without a [`leave`](crate::Cluster::leave). So a
    /// fleet that a service manager stops and starts as a whole becomes one group again. With
    /// `false`, a shutdown counts as a leave. Default true.
    pub rejoin_after_stop: bool,
}

impl ClusterConfig {
    /// The defaults, for a member with this identity and listen address.
    pub fn new(identity: NodeIdentity, listen: SocketAddr) -> Self {
        Self {
            identity,
            listen,
            advertise: None,
            tags: Tags::empty(),
            services: Services::none(),
            swim: SwimConfig::default(),
            gossip: GossipConfig::default(),
            health: HealthConfig::default(),
            pool: PoolConfig::default(),
            stream_timeout: Duration::from_secs(5),
            read_only_in_minority: false,
            coordinates: true,
            join: JoinPolicy::default(),
            shutdown: ShutdownLimits::default(),
            state_dir: None,
            certificate_clock: WallClock::system(),
            rejoin_after_stop: true,
        }
    }
}

/// How often a join tries its seeds, and how long it waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JoinPolicy {
    /// How many times each seed is tried. With `None`, until a join succeeds. Default 10; 0 counts
    /// as 1.
    pub attempts: Option<u32>,
    /// The delay after the first attempt. It doubles with each further attempt. Default 100 ms.
    pub first_delay: Duration,
    /// The longest delay, before jitter. Default 10 s.
    pub max_delay: Duration,
    /// The part by which each delay is shortened or extended at random. So members that start
    /// together do not try at the same times. Default 0.25 (a quarter either way); 0 to 1.
    pub jitter: f64,
    /// The time limit to resolve the name of a seed, and again for the handshake with each of its
    /// addresses. Default 5 s.
    pub seed_timeout: Duration,
}

impl Default for JoinPolicy {
    fn default() -> Self {
        Self {
            attempts: Some(10),
            first_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
            jitter: 0.25,
            seed_timeout: Duration::from_secs(5),
        }
    }
}

impl JoinPolicy {
    /// The delay after attempt number `attempt` (from 0). `chance` is a random number in
    /// `0.0..1.0`.
    pub fn delay(&self, attempt: u32, chance: f64) -> Duration {
        let doubled = self.first_delay.saturating_mul(2_u32.saturating_pow(attempt)).min(self.max_delay);
        // Clamped: a jitter above 1 would make the delay negative, and `mul_f64` panics on that.
        let jitter = self.jitter.clamp(0.0, 1.0);
        doubled.mul_f64(1.0 - jitter + 2.0 * jitter * chance.clamp(0.0, 1.0))
    }
}

/// The time limits of the phases of a [shutdown](crate::Cluster::shutdown).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownLimits {
    /// To notify the other members of the leave. Default 5 s.
    pub leave: Duration,
    /// To stop the protocol. The same limit applies to each other phase without a limit of its own.
    /// Default 1 s.
    pub stop: Duration,
    /// To close the connections. Default 2 s.
    pub close: Duration,
}

impl Default for ShutdownLimits {
    fn default() -> Self {
        Self { leave: Duration::from_secs(5), stop: Duration::from_secs(1), close: Duration::from_secs(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_up_to_10_s_with_jitter_of_a_quarter() {
        let policy = JoinPolicy::default();
        let middle: Vec<u128> = (0..10).map(|attempt| policy.delay(attempt, 0.5).as_millis()).collect();
        assert_eq!(middle, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
        assert_eq!(policy.delay(0, 0.0), Duration::from_millis(75));
        assert_eq!(policy.delay(0, 1.0), Duration::from_millis(125));
        assert_eq!(policy.delay(u32::MAX, 0.5), policy.max_delay);
    }
}
