//! What a member is started with. Only the identity and the address have no default.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kinfolk_core::{NodeAddr, Tags};
use kinfolk_detector::HealthConfig;
use kinfolk_gossip::GossipConfig;
use kinfolk_swim::SwimConfig;
use kinfolk_transport::{NodeIdentity, PoolConfig};

/// The configuration of a [`Cluster`](crate::Cluster).
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Who we are: the certificate names the member and its cluster.
    pub identity: NodeIdentity,
    /// Where to listen (UDP). Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The address that others are told, where it is not the one we listen on: behind a NAT, or when listening on all
    /// addresses (`0.0.0.0`), where it must be given. Default: none.
    pub advertise: Option<NodeAddr>,
    /// What we say about ourselves at first. Default: nothing.
    pub tags: Tags,
    /// The protocol's settings, the same for all members.
    pub swim: SwimConfig,
    /// The driver's bounds.
    pub gossip: GossipConfig,
    /// The health checker's settings. Its `expected_interval` is set to the protocol's probe interval.
    pub health: HealthConfig,
    /// The connection pool's limits. Up to
    /// `max_total` members all connections are kept; in a larger group some are closed and opened
    /// again.
    pub pool: PoolConfig,
    /// How long opening a stream to a service of another member may take, dialling included. Default 5 s.
    pub stream_timeout: Duration,
    /// Whether [`is_read_only`](crate::Cluster::is_read_only) turns true after `swim.partition_grace` in the minority, so that
    /// the application can stop writing. Kinfolk itself goes on. Default false.
    pub read_only_in_minority: bool,
    /// How to join.
    pub join: JoinPolicy,
    /// How long each phase of a shutdown may take.
    pub shutdown: ShutdownLimits,
    /// The directory in which the member keeps what one instance remembers for the next: how high
    /// its incarnation has risen, its seeds, and the members that it knew. It belongs to one
    /// member, and is made if it is not there. A member that starts with it rejoins its group by
    /// itself, in the background, unless it had [left](crate::Cluster::leave): then it waits for a
    /// [`join`](crate::Cluster::join). Default: none, nothing is remembered.
    pub state_dir: Option<PathBuf>,
    /// Whether a [`shutdown`](crate::Cluster::shutdown) without a [`leave`](crate::Cluster::leave)
    /// is a stop for a while: the next instance with this `state_dir` rejoins by itself. So a fleet
    /// that a service manager stops and starts as a whole is one group again. With `false` a
    /// shutdown is a leave. Default true.
    pub rejoin_after_stop: bool,
}

impl ClusterConfig {
    /// The defaults, for a member with this identity listening there.
    pub fn new(identity: NodeIdentity, listen: SocketAddr) -> Self {
        Self {
            identity,
            listen,
            advertise: None,
            tags: Tags::empty(),
            swim: SwimConfig::default(),
            gossip: GossipConfig::default(),
            health: HealthConfig::default(),
            pool: PoolConfig::default(),
            stream_timeout: Duration::from_secs(5),
            read_only_in_minority: false,
            join: JoinPolicy::default(),
            shutdown: ShutdownLimits::default(),
            state_dir: None,
            rejoin_after_stop: true,
        }
    }
}

/// How often and how patiently a join tries its seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JoinPolicy {
    /// How many times every seed is tried; `None`: until one lets us join. Default 10; 0 counts as
    /// 1.
    pub attempts: Option<u32>,
    /// How long to wait after the first attempt; the wait doubles with each further one. Default 100 ms.
    pub first_delay: Duration,
    /// The longest wait. Default 10 s.
    pub max_delay: Duration,
    /// By which part each wait is made shorter or longer at random, so that members that start together do not try in
    /// step. Default 0.25 (a quarter either way); 0 to 1.
    pub jitter: f64,
    /// How long one seed may take to say who it is. Default 5 s.
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
    /// The wait after attempt number `attempt` (from 0), where `chance` is drawn from `0.0..1.0`.
    pub fn delay(&self, attempt: u32, chance: f64) -> Duration {
        let doubled = self.first_delay.saturating_mul(2_u32.saturating_pow(attempt)).min(self.max_delay);
        let jitter = self.jitter.clamp(0.0, 1.0);
        doubled.mul_f64(1.0 - jitter + 2.0 * jitter * chance.clamp(0.0, 1.0))
    }
}

/// How long the phases of a [shutdown](crate::Cluster::shutdown) may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownLimits {
    /// Telling the others that we leave. Default 5 s.
    pub leave: Duration,
    /// Ending the protocol, and ending the health checker: each. Default 1 s.
    pub stop: Duration,
    /// Closing the connections. Default 2 s.
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
    fn the_wait_doubles_from_100_ms_to_10_s_and_jitter_moves_it_by_a_quarter() {
        let policy = JoinPolicy::default();
        let middle: Vec<u128> = (0..10).map(|attempt| policy.delay(attempt, 0.5).as_millis()).collect();
        assert_eq!(middle, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
        assert_eq!(policy.delay(0, 0.0), Duration::from_millis(75));
        assert_eq!(policy.delay(0, 1.0), Duration::from_millis(125));
        assert_eq!(policy.delay(u32::MAX, 0.5), policy.max_delay);
    }
}
